//! Values that are on disk before the provider knows them, and stay there until the credentials file holds them.
//!
//! One file for each account below `state_dir`, mode 0600. A process that is killed anywhere in between finds the value
//! again, and tries it to learn whether the provider made it. That a call is about to be made with it is written down
//! before: from then on the provider may make it at any later time, and no other answer than the making itself settles it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock;
use crate::files::{self, Failure, FileError};
use crate::secret::{ApiSecret, SecretId};
use crate::vonage::management::Listed;
use crate::vonage::policy;

/// The number of the format, which only grows.
const SCHEMA: u32 = 1;
/// Longer than a staged value.
const LONGEST: usize = 64 << 10;

/// What a file says.
#[derive(Serialize, Deserialize)]
struct Document<'d> {
    schema: u32,
    value: std::borrow::Cow<'d, str>,
    #[serde(default)]
    before: Vec<String>,
    /// Who does not say so may have sent it.
    #[serde(default = "yes")]
    sent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
}

/// A value that the credentials file does not hold yet.
#[derive(Debug, Clone)]
pub struct Staged {
    path: PathBuf,
    /// The value.
    pub value: ApiSecret,
    /// What was there before, by name: the secrets of the account, or the subaccounts of the primary one. What is there
    /// beside them is this one, once it is accepted.
    pub before: Vec<String>,
    /// What the provider knows of it.
    pub known: Known,
}

/// What the provider knows of a staged value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: no call was made with it.
    Nothing,
    /// A call was made, and nobody knows what came of it, or will.
    Perhaps,
    /// It has made it, and said this.
    Made(Listed),
}

fn yes() -> bool {
    true
}

/// Why there is no staged value.
#[derive(Debug, thiserror::Error)]
pub enum NotStaged {
    /// The system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is there cannot be read.
    #[error("{path} is not a staged value that this version can read", path = .0.display())]
    Unreadable(PathBuf),
}

fn place(state_dir: &Path, name: &str) -> PathBuf {
    let safe: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    state_dir.join("staged").join(format!("{safe}.json"))
}

/// The value that was staged under this name, if there is one.
pub fn find(state_dir: &Path, name: &str) -> Result<Option<Staged>, NotStaged> {
    let path = place(state_dir, name);
    let contents = match files::read(&path, LONGEST) {
        Ok(contents) => contents,
        Err(FileError { failure: Failure::Missing, .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let read = || {
        let document: Document<'_> =
            serde_json::from_slice(&contents.bytes).ok().filter(|document: &Document<'_>| document.schema <= SCHEMA)?;
        let text = Zeroizing::new(document.value.into_owned());
        let known = match document.id {
            Some(id) => Known::Made(Listed { id: SecretId::parse(&id).ok()?, created_at: document.created_at.as_deref().and_then(date) }),
            None if document.sent => Known::Perhaps,
            None => Known::Nothing,
        };
        Some(Staged { path: path.clone(), value: ApiSecret::parse(&text).ok()?, before: document.before, known })
    };
    read().map(Some).ok_or_else(|| NotStaged::Unreadable(path.clone()))
}

fn date(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

/// Stages a new value under this name, beside what is there before.
pub fn stage(state_dir: &Path, name: &str, before: Vec<String>) -> Result<Staged, NotStaged> {
    let path = place(state_dir, name);
    if let Some(directory) = path.parent() {
        files::private_directory(directory)?;
    }
    let value = loop {
        if let Some(value) = policy::make(&Zeroizing::new(clock::random())) {
            break value;
        }
    };
    let staged = Staged { path, value, before, known: Known::Nothing };
    staged.save()?;
    Ok(staged)
}

impl Staged {
    /// Which of these is it, given that it is accepted; none when that is not certain.
    pub fn among(&self, listed: &[Listed]) -> Option<Listed> {
        let mut new = listed.iter().filter(|secret| self.is_new(secret.id.as_str()));
        match (new.next(), new.next()) {
            (Some(only), None) => Some(only.clone()),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// Whether this was not there before.
    pub fn is_new(&self, name: &str) -> bool {
        self.before.iter().all(|known| known != name)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that a call is about to be made with it.
    pub fn sends(&mut self) -> Result<(), NotStaged> {
        self.known = Known::Perhaps;
        self.save()
    }

    /// Notes what the provider said.
    pub fn made(&mut self, made: Listed) -> Result<(), NotStaged> {
        self.known = Known::Made(made);
        self.save()
    }

    /// Notes another value, which the provider chose in place of ours.
    pub fn becomes(&mut self, value: ApiSecret) -> Result<(), NotStaged> {
        self.value = value;
        self.save()
    }

    /// Forgets it: the credentials file holds it, or the provider will never know it.
    pub fn forget(self) -> Result<(), NotStaged> {
        files::remove(&self.path)?;
        // A process that was killed while it wrote leaves the value in a temporary file.
        let name = format!(".{}.", self.path.file_name().unwrap_or_default().to_string_lossy());
        for rest in files::list(self.path.parent().unwrap_or(&self.path))? {
            if rest.file_name().is_some_and(|rest| rest.to_string_lossy().starts_with(&name)) {
                files::remove(&rest)?;
            }
        }
        Ok(())
    }

    fn save(&self) -> Result<(), NotStaged> {
        let text = self.value.written();
        let made = match &self.known {
            Known::Made(made) => Some(made),
            Known::Nothing | Known::Perhaps => None,
        };
        let document = Document {
            schema: SCHEMA,
            value: std::borrow::Cow::Borrowed(text.as_str()),
            before: self.before.clone(),
            sent: self.known != Known::Nothing,
            id: made.map(|made| made.id.to_string()),
            created_at: made.and_then(|made| made.created_at).map(|at| humantime::format_rfc3339(at).to_string()),
        };
        let bytes = serde_json::to_vec(&document).map(Zeroizing::new).map_err(|_| NotStaged::Unreadable(self.path.clone()))?;
        Ok(files::replace(&self.path, &bytes, 0o600)?)
    }
}
