//! A directory for one credentials file: nobody else may look into it, and it goes with the demo.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::clock;

/// A fresh directory of mode 0700. Dropped, it is removed with all in it.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes one under the system's directory for temporary files.
    pub(super) fn create() -> io::Result<Self> {
        let name = format!("vonage-sidecar-demo-{:016x}", u64::from_le_bytes(clock::random()));
        let path = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It holds made-up secrets only; there is nobody left to tell.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_and_goes_away_with_what_is_in_it() {
        let directory = Directory::create().unwrap();
        let path = directory.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(path.join("inside")).unwrap();
        drop(directory);
        assert!(!path.exists());
    }
}
