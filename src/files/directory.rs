//! Directories, and what is behind a name in them.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};

use super::{Facts, FileError, directory_of};

/// Makes a directory that only its owner may look into, with those above it.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| FileError::system(path, "created", cause))
}

/// The part of a path that is there: itself, or the nearest directory above it.
pub fn nearest(path: &Path) -> &Path {
    let there = path.ancestors().find(|above| !above.as_os_str().is_empty() && above.exists());
    there.unwrap_or_else(|| Path::new("."))
}

/// Whether this user could make files in a directory, or the directory itself where it is missing, as far as rights tell.
pub fn may_fill(directory: &Path) -> Result<(), FileError> {
    let nearest = nearest(directory);
    let may = if nearest.is_dir() { access(nearest, Access::WRITE_OK | Access::EXEC_OK) } else { Err(Errno::NOTDIR) };
    may.map_err(|cause| FileError::system(nearest, "written to", cause))
}

/// Whether this user could put a file in the place of this one, and keep its owner and group, as far as rights tell.
pub fn may_replace(path: &Path, facts: Option<&Facts>) -> Result<(), FileError> {
    may_fill(directory_of(path))?;
    match facts {
        Some(facts) if !may_give(facts) => {
            Err(FileError::system(path, "replaced (the new file cannot be given its owner and group)", Errno::PERM))
        }
        Some(_) | None => Ok(()),
    }
}

/// Only root gives files to others; everybody gives theirs to a group that they are in.
fn may_give(facts: &Facts) -> bool {
    let (user, group) = (geteuid(), getegid().as_raw());
    let is_in = || group == facts.group || getgroups().is_ok_and(|groups| groups.iter().any(|other| other.as_raw() == facts.group));
    user.is_root() || (user.as_raw() == facts.owner && is_in())
}

/// The regular files of a directory, by name; none when there is no such directory.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|cause| FileError::system(path, "listed", cause))?,
    };
    let mut found: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    found.sort();
    Ok(found)
}

/// The file behind every symlink; for one that is not there yet, its place in the real directory.
pub fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    match fs::canonicalize(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            let directory = directory_of(path);
            let real = fs::canonicalize(directory).map_err(|cause| FileError::system(directory, "resolved", cause))?;
            Ok(real.join(path.file_name().unwrap_or_default()))
        }
        resolved => resolved.map_err(|cause| FileError::system(path, "resolved", cause)),
    }
}
