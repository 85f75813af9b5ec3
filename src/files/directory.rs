//! Directories, and what is behind a name in them.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{FileError, directory_of};

/// Makes a directory that only its owner may look into, with those above it.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| FileError::system(path, "created", cause))
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
