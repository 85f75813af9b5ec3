//! The lineage in a directory, for all processes that deploy from there.

use std::path::{Path, PathBuf};

use super::Lineage;
use crate::files::{self, Failure, FileError, Lock};
use crate::secret::Revision;

/// Longer than the longest lineage.
const LONGEST: usize = 1 << 20;

fn place(state_dir: &Path) -> PathBuf {
    state_dir.join("lineage.json")
}

/// What was deployed on top of what.
pub fn load(state_dir: &Path) -> Result<Lineage, FileError> {
    match files::read(&place(state_dir), LONGEST) {
        Ok(contents) => Ok(Lineage::parse(&contents.bytes)),
        Err(FileError { failure: Failure::Missing, .. }) => Ok(Lineage::default()),
        Err(error) => Err(error),
    }
}

/// Takes the turn among those that deploy; none while it is somebody else's.
pub fn turn(state_dir: &Path) -> Result<Option<Lock>, FileError> {
    files::private_directory(state_dir)?;
    files::lock_file(&state_dir.join("lineage.lock"))
}

/// Notes that a deploy is about to be made, by whoever has the turn.
pub fn note(state_dir: &Path, revision: &Revision, after: &Revision) -> Result<(), FileError> {
    let mut lineage = load(state_dir)?;
    lineage.note(revision, after);
    files::replace(&place(state_dir), &lineage.to_text(), 0o600)
}
