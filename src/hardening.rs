//! What the process gives up before it holds a secret: no core dump, no debugger of another process.
//!
//! The size limit alone is not enough: the kernel ignores it when dumps are piped to a program, so the process is
//! also made not dumpable (proc(5), core(5)), which closes `/proc/PID/mem` to others of the same user, too.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Gives up what a dump of the memory needs.
pub fn no_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Raises the limit of open files as far as it goes: each caller may need two. What stays is what there is.
pub fn many_files() -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_nothing_can_be_dumped() {
        no_core_dumps().unwrap();
        assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }
}
