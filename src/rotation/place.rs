//! Whether this is a place where a sidecar may rotate by itself, and whether it is told to pause.
//!
//! A rotation that was begun must be finished by somebody who has its journal: a place that forgets it at a restart leaves
//! a secret behind that nobody holds. Nor can it begin where the new file cannot be written.

use std::path::{Path, PathBuf};

use super::mounts;
use super::sinks::{NotDelivered, Sinks};
use crate::config::Settings;
use crate::config::rotation::Persistence;
use crate::files::{self, FileError};

/// The table of mounts.
const MOUNTS: &str = "/proc/self/mountinfo";
/// Longer than a table of mounts.
const LONGEST: usize = 4 << 20;
/// The mark of a schedule that pauses, in `state_dir`.
const PAUSED: &str = "schedule-paused";

/// Why a sidecar may not rotate here.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// What is written is gone after a restart.
    #[error("state_dir {} is on {}: a journal that is lost there would leave a secret behind that nobody holds", .0.display(), .1)]
    Volatile(PathBuf, &'static str),
    /// There can be no journal.
    #[error("state_dir cannot be used: {0}")]
    StateDir(FileError),
    /// The new file could not be written.
    #[error(transparent)]
    File(#[from] NotDelivered),
}

impl Unfit {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Volatile(..) => {
                "put rotation.state_dir on a disk or a volume that persists, or run `vonage-sidecar rotate --if-due` from a timer where there is one"
            }
            Self::StateDir(_) => "make it a directory of the user that runs the sidecar",
            Self::File(error) => error.remedy(),
        }
    }
}

/// Whether a sidecar may rotate here.
pub async fn fit(settings: &Settings) -> Result<(), Unfit> {
    let (directory, persistence) = (settings.rotation.state_dir.clone(), settings.rotation.persistence);
    let looked = tokio::task::spawn_blocking(move || persists(&directory, persistence)).await;
    looked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let sinks = Sinks::of(settings);
    let own = sinks.clone().into_file(&settings.credentials.file);
    for (_, tried) in own.try_out().await.into_iter().chain(sinks.try_out().await) {
        tried?;
    }
    Ok(())
}

/// The same by looks alone, before anything is there: nothing is written, so that a full disk is not seen.
pub fn looks_fit(settings: &Settings) -> Result<(), Unfit> {
    let directory = &settings.rotation.state_dir;
    files::may_fill(directory).map_err(Unfit::StateDir)?;
    remembers(directory, files::nearest(directory), settings.rotation.persistence)
}

fn persists(directory: &Path, persistence: Persistence) -> Result<(), Unfit> {
    files::private_directory(directory).map_err(Unfit::StateDir)?;
    files::try_replace(&directory.join("trial"), 1).map_err(Unfit::StateDir)?;
    remembers(directory, directory, persistence)
}

/// `there` is the part of the directory that exists.
fn remembers(directory: &Path, there: &Path, persistence: Persistence) -> Result<(), Unfit> {
    if persistence == Persistence::Promised {
        return Ok(());
    }
    let resolved = files::resolve(there).map_err(Unfit::StateDir)?;
    let table = files::read(Path::new(MOUNTS), LONGEST).map_err(Unfit::StateDir)?;
    match mounts::volatile(&String::from_utf8_lossy(&table.bytes), &resolved) {
        Some(words) => Err(Unfit::Volatile(directory.to_path_buf(), words)),
        None => Ok(()),
    }
}

/// Whether the schedule of this directory pauses. What cannot be looked at may say so.
pub fn is_paused(state_dir: &Path) -> bool {
    !matches!(files::facts(&state_dir.join(PAUSED)), Ok(None))
}

/// Lets the schedule pause until [`go_on`]. A rotation that has begun goes to its end.
pub fn pause(state_dir: &Path) -> Result<(), FileError> {
    files::private_directory(state_dir)?;
    files::replace(&state_dir.join(PAUSED), b"", 0o600)
}

/// Ends a pause.
pub fn go_on(state_dir: &Path) -> Result<(), FileError> {
    files::remove(&state_dir.join(PAUSED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_until_it_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        assert!(!is_paused(&state));
        pause(&state).unwrap();
        pause(&state).unwrap();
        assert!(is_paused(&state));
        go_on(&state).unwrap();
        go_on(&state).unwrap();
        assert!(!is_paused(&state));
    }
}
