//! What the rotation of a key pair asks to be done, and what may come of it.
//!
//! Invariants: an effect names all that is needed to do it; its `Debug` shows no value; an outcome that is not certain
//! is [`Outcome::Failed`], never taken for success or refusal.

use serde_json::Value;

use super::halt::End;
use super::{File, Key};
use crate::jwt::SigningKey;
use crate::rotation::effect::Doing;
use crate::rotation::evidence::Sighting;
use crate::secret::{ApiSecret, Revision};
use crate::vonage::hosts::Host;

/// One thing to do. Each is safe to do again.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Put the journal on the disk, for good. Outcome: `Done`.
    Save,
    /// Try every sink without changing anything. Outcome: `Done`.
    TrySinks,
    /// Read the keys of the application and the secrets of its account from the credentials file. Outcome: `File`.
    ReadFile,
    /// Write the keys into the credentials file and hand it to every sink. Outcome: `Done`, or `Moved`.
    Deploy(Deploy),
    /// Read the application. Outcome: `Resource`, `NoSuchApplication`, `Denied`.
    ReadApplication {
        /// The secret that authenticates the call.
        with: ApiSecret,
    },
    /// Put the application back with another public key and otherwise unchanged. Outcome: `Resource`,
    /// `NoSuchApplication`, `Invalid`, `Denied`.
    PutKey {
        /// The whole resource as it was read.
        resource: Value,
        /// The key whose public half it gets.
        key: SigningKey,
        /// The secret that authenticates the call.
        with: ApiSecret,
    },
    /// Ask a host about a key with a free call. Outcome: `Accepted`, `Refused`.
    Prove {
        /// The key.
        key: SigningKey,
        /// Where.
        host: Host,
    },
    /// List the sidecars and ask each for its status. Outcome: `Seen`, with every listed one and every one of `also`.
    Look {
        /// Those seen before.
        also: Vec<String>,
    },
    /// Ask sidecars to try the keys of the application from where they are, spread over a moment. Outcome: `Done`.
    AskMembers {
        /// Their names.
        members: Vec<String>,
    },
    /// Write the report and run the hooks. Outcome: `Done`.
    Report(End),
}

/// Keys to write into the credentials file.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The keys that the file has. When it has others by now, nothing is written and the outcome is `Moved`.
    pub expect: Vec<SigningKey>,
    /// What it shall have, in order of preference.
    pub keys: Vec<Key>,
    /// The mark of this deploy.
    pub revision: Revision,
}

/// What came of an effect.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The file has other keys than expected; nothing was written.
    Moved,
    /// This is in the file.
    File(File),
    /// The application as it is now.
    Resource(Value),
    /// There is none with this id, or the account may not manage it.
    NoSuchApplication,
    /// The provider does not take what was sent; in its words.
    Invalid(String),
    /// The provider accepts the key there.
    Accepted,
    /// The provider refuses the key there.
    Refused,
    /// The secret that the call was made with is refused; nothing was done.
    Denied,
    /// This was seen of the sidecars.
    Seen(Vec<Sighting>),
    /// It failed, or nobody knows whether it was done; why, in words without values.
    Failed(String),
}

impl Effect {
    /// Its kind.
    pub fn doing(&self) -> Doing {
        match self {
            Self::Save => Doing::Save,
            Self::TrySinks => Doing::TrySinks,
            Self::ReadFile => Doing::ReadFile,
            Self::Deploy(_) => Doing::Deploy,
            Self::ReadApplication { .. } => Doing::ReadApplication,
            Self::PutKey { .. } => Doing::PutKey,
            Self::Prove { .. } => Doing::Prove,
            Self::Look { .. } => Doing::Look,
            Self::AskMembers { .. } => Doing::AskMembers,
            Self::Report(_) => Doing::Report,
        }
    }
}
