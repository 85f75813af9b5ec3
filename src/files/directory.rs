//! Directories of ours.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::FileError;

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
