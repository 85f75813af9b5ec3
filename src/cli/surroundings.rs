//! What the environment says: the only place besides clap that reads it.

use std::ffi::OsString;
use std::path::Path;

use crate::files;
use crate::rotation::report::Who;
use crate::upstream::ProxyEnvironment;

/// The proxy variables, upper case before lower case. An empty one counts as not set.
pub(super) fn proxy() -> ProxyEnvironment {
    ProxyEnvironment {
        https_proxy: first(&["HTTPS_PROXY", "https_proxy"]),
        all_proxy: first(&["ALL_PROXY", "all_proxy"]),
        no_proxy: first(&["NO_PROXY", "no_proxy"]),
    }
}

/// Who runs this process, as far as the machine says.
pub(super) fn who() -> Who {
    const LONGEST: usize = 256;
    let machine = files::read(Path::new("/proc/sys/kernel/hostname"), LONGEST);
    let machine = machine.map(|contents| String::from_utf8_lossy(&contents.bytes).trim().to_owned());
    Who {
        user: first(&["USER", "LOGNAME"]).unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
        machine: machine.unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Where programs without a directory are looked for.
pub(super) fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Whether the terminal, if there is one, says of itself that it cannot move its cursor.
pub(super) fn is_dumb_terminal() -> bool {
    first(&["TERM"]).is_some_and(|name| name == "dumb")
}

#[expect(clippy::disallowed_methods, reason = "only cli reads the environment, and this is where")]
fn first(names: &[&str]) -> Option<String> {
    names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
}
