//! What the machine asks to be done, and what may come of it.
//!
//! Invariants: an effect names all that is needed to do it; its `Debug` shows no value; an outcome that is not certain
//! is [`Outcome::Failed`], never taken for success or refusal.
//!
//! Not here: doing it; the calls to the provider, which each kind has of its own.

use super::evidence::Sighting;
use super::halt::End;
use super::machine::Kind;
use crate::secret::Revision;
use crate::vonage::hosts::Host;

/// One thing to do. Each is safe to do again.
#[derive(Debug, Clone)]
pub enum Effect<K: Kind> {
    /// Put the journal on the disk, for good. Outcome: `Done`.
    Save,
    /// Try every sink without changing anything. Outcome: `Done`.
    TrySinks,
    /// Read what the credentials file has. Outcome: `File`.
    ReadFile,
    /// Write values into the credentials file and hand it to every sink. Outcome: `Done`, or `Moved`.
    Deploy(Deploy<K>),
    /// Ask a host about a value with a free call. Outcome: `Accepted`, `Refused`.
    Prove {
        /// The value.
        value: K::Value,
        /// Where.
        host: Host,
    },
    /// Make a call to the provider's management. Outcome: `Answer`, `Denied`.
    Call(K::Call),
    /// List the sidecars and ask each for its status. Outcome: `Seen`, with every listed one and every one of `also`.
    Look {
        /// Those seen before.
        also: Vec<String>,
    },
    /// Ask sidecars to try their values from where they are, spread over a moment. Outcome: `Done`.
    AskMembers {
        /// Their names.
        members: Vec<String>,
    },
    /// Write the report and run the hooks. Outcome: `Done`.
    Report(End<K>),
}

/// Values to write into the credentials file.
#[derive(Debug, Clone)]
pub struct Deploy<K: Kind> {
    /// The values that the file has. When it has others by now, nothing is written and the outcome is `Moved`.
    pub expect: Vec<K::Value>,
    /// What it shall have, in order of preference.
    pub items: Vec<K::Item>,
    /// The mark of this deploy.
    pub revision: Revision,
}

/// What came of an effect.
#[derive(Debug, Clone)]
pub enum Outcome<K: Kind> {
    /// It is done.
    Done,
    /// The file has other values than expected; nothing was written.
    Moved,
    /// This is in the file.
    File(K::File),
    /// The provider accepts the value there.
    Accepted,
    /// The provider refuses the value there.
    Refused,
    /// The provider's answer to a call.
    Answer(K::Answer),
    /// The secret that the call was made with is refused; nothing was done.
    Denied,
    /// This was seen of the sidecars.
    Seen(Vec<Sighting>),
    /// It failed, or nobody knows whether it was done; why, in words without values.
    Failed(String),
}

/// What an effect is: what is counted when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Writing the journal.
    Save,
    /// Trying the sinks.
    TrySinks,
    /// Reading the credentials file.
    ReadFile,
    /// Writing the credentials file.
    Deploy,
    /// Asking about a value.
    Prove,
    /// Listing secrets.
    List,
    /// Making a secret.
    Create,
    /// Revoking a secret.
    Revoke,
    /// Reading an application.
    ReadApplication,
    /// Replacing the public key of an application.
    PutKey,
    /// Looking at the sidecars.
    Look,
    /// Asking sidecars to try a secret.
    AskMembers,
    /// Writing the report.
    Report,
}

impl<K: Kind> Outcome<K> {
    /// Why it is a failure, in words; none when it tells something.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(cause) => Some(cause),
            Self::Denied => Some("the provider refuses the secret that the call was made with"),
            Self::Moved => Some("the file changed at the same moment"),
            Self::Done | Self::File(_) | Self::Accepted | Self::Refused | Self::Answer(_) | Self::Seen(_) => None,
        }
    }
}

impl<K: Kind> Effect<K> {
    /// What it is.
    pub fn doing(&self) -> Doing {
        match self {
            Self::Save => Doing::Save,
            Self::TrySinks => Doing::TrySinks,
            Self::ReadFile => Doing::ReadFile,
            Self::Deploy(_) => Doing::Deploy,
            Self::Prove { .. } => Doing::Prove,
            Self::Call(call) => K::doing(call),
            Self::Look { .. } => Doing::Look,
            Self::AskMembers { .. } => Doing::AskMembers,
            Self::Report(_) => Doing::Report,
        }
    }
}

impl<K: Kind> Effect<K> {
    /// The host at which it is done, where it is asked of one.
    pub fn host(&self) -> Option<Host> {
        match self {
            Self::Prove { host, .. } => Some(*host),
            Self::Save
            | Self::TrySinks
            | Self::ReadFile
            | Self::Deploy(_)
            | Self::Call(_)
            | Self::Look { .. }
            | Self::AskMembers { .. }
            | Self::Report(_) => None,
        }
    }
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Save => "writing the journal",
            Self::TrySinks => "trying where the credentials file goes",
            Self::ReadFile => "reading the credentials file",
            Self::Deploy => "writing the credentials file",
            Self::Prove => "asking the provider about a secret",
            Self::List => "listing the account's secrets",
            Self::Create => "making a secret",
            Self::Revoke => "revoking a secret",
            Self::ReadApplication => "reading the application",
            Self::PutKey => "replacing the public key of the application",
            Self::Look => "looking at the sidecars",
            Self::AskMembers => "asking sidecars to try the secret",
            Self::Report => "writing the report",
        })
    }
}
