//! What a drill measured of an account, kept below `state_dir`, so that the next rotation is as patient as that needs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::terms::Measured;
use super::wrong_secret::Heard;
use crate::files;
use crate::rotation::secrets::Journal;
use crate::rotation::secrets::fact::Fact;
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
    /// How hosts answer a wrong secret.
    #[serde(default)]
    wrong_secret: Vec<Heard>,
}

fn place(state_dir: &Path, account: &ApiKey) -> PathBuf {
    state_dir.join("measured").join(format!("{account}.json"))
}

/// What is known; nothing when nothing can be read, since the settings are patient enough by themselves.
pub fn measured(state_dir: &Path, account: &ApiKey) -> Measured {
    read(state_dir, account).map(|document| document.measured).unwrap_or_default()
}

fn read(state_dir: &Path, account: &ApiKey) -> Option<Document> {
    let contents = files::read(&place(state_dir, account), LONGEST).ok()?;
    serde_json::from_slice(&contents.bytes).ok().filter(|document: &Document| document.schema <= SCHEMA)
}

/// Keeps how hosts answer a wrong secret, beside what was measured.
pub fn heard(state_dir: &Path, account: &ApiKey, wrong_secret: Vec<Heard>) -> Result<(), files::FileError> {
    write(state_dir, account, &Document { schema: SCHEMA, measured: measured(state_dir, account), wrong_secret })
}

fn write(state_dir: &Path, account: &ApiKey, document: &Document) -> Result<(), files::FileError> {
    let path = place(state_dir, account);
    if let Some(directory) = path.parent() {
        files::private_directory(directory)?;
    }
    files::replace(&path, &serde_json::to_vec(document).unwrap_or_default(), 0o600)
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
    let account = &journal.plan.account;
    let wrong_secret = read(state_dir, account).map(|document| document.wrong_secret).unwrap_or_default();
    write(state_dir, account, &Document { schema: SCHEMA, measured, wrong_secret })
}
