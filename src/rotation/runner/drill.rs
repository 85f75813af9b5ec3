//! What a drill measured of an account, kept below `state_dir`, so that the next rotation is as patient as that needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::terms::Measured;
use crate::files;
use crate::rotation::journal::{Fact, Journal};
use crate::secret::ApiKey;

/// The number of the format, which only grows.
const SCHEMA: u32 = 1;
/// Longer than what is kept.
const LONGEST: usize = 64 << 10;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    schema: u32,
    #[serde(flatten)]
    measured: Measured,
}

fn place(state_dir: &Path, account: &ApiKey) -> PathBuf {
    state_dir.join("measured").join(format!("{account}.json"))
}

/// What is known; nothing when nothing can be read, since the settings are patient enough by themselves.
pub fn measured(state_dir: &Path, account: &ApiKey) -> Measured {
    let read = || {
        let contents = files::read(&place(state_dir, account), LONGEST).ok()?;
        let document: Document = serde_json::from_slice(&contents.bytes).ok()?;
        (document.schema <= SCHEMA).then_some(document.measured)
    };
    read().unwrap_or_default()
}

/// Keeps what the trail of a drill says.
pub(super) fn keep(state_dir: &Path, journal: &Journal) -> Result<(), files::FileError> {
    let mut measured = Measured::default();
    for entry in &journal.trail {
        match &entry.fact {
            Fact::Proven { after_ms, .. } => measured.accepted_after = measured.accepted_after.max(Duration::from_millis(*after_ms)),
            Fact::Refused { after_ms, .. } => measured.refused_after = measured.refused_after.max(Duration::from_millis(*after_ms)),
            _measures_nothing => {}
        }
    }
    let path = place(state_dir, &journal.plan.account);
    if let Some(directory) = path.parent() {
        files::private_directory(directory)?;
    }
    let text = serde_json::to_vec(&Document { schema: SCHEMA, measured }).unwrap_or_default();
    files::replace(&path, &text, 0o600)
}
