//! What happens to a key pair, in the journal and in words for people: the lines of the command and of the report.

use serde::{Deserialize, Serialize};

use super::halt::Ending;
use crate::secret::{Revision, SecretId};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A key was made.
    Staged {
        /// Its name.
        id: SecretId,
    },
    /// The credentials file was written with both and read back.
    Deployed {
        /// Its mark.
        revision: Revision,
    },
    /// Every sidecar holds both.
    Spread {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// The public key is this one's.
    Put {
        /// Its name.
        id: SecretId,
        /// So many tokens for clients, made by the sidecars that were seen, ended with it; none without a fleet.
        client_tokens: Option<u64>,
    },
    /// A host accepted it steadily.
    Proven {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the first acceptance of the row.
        after_ms: u64,
    },
    /// Every sidecar had it accepted.
    Converged {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// A sidecar that is gone does not count any more.
    Dropped {
        /// Its name.
        member: String,
    },
    /// The file has one key.
    Tidied,
    /// A person asked to go back.
    AbortAsked,
    /// It is over.
    Ended {
        /// How.
        ending: Ending,
    },
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Staged { id } => write!(f, "the key {id} is made, and staged on this machine"),
            Self::Deployed { revision } => write!(f, "the credentials file has both keys and is read back, revision {revision}"),
            Self::Spread { members: Some(members) } => write!(f, "both keys are with every sidecar: {members}"),
            Self::Spread { members: None } => f.write_str("whether sidecars hold both keys was not asked"),
            Self::Put { id, client_tokens: Some(tokens) } => {
                write!(f, "the public key is that of {id}; tokens for clients that ended with the other one: at least {tokens}")
            }
            Self::Put { id, client_tokens: None } => {
                write!(f, "the public key is that of {id}; tokens for clients ended with the other one, and nobody counted them")
            }
            Self::Proven { host, after_ms } => write!(f, "{host} accepts tokens of it steadily, for the first time after {after_ms} ms"),
            Self::Converged { members: Some(members) } => write!(f, "it was accepted from every sidecar: {members}"),
            Self::Converged { members: None } => f.write_str("no sidecar was asked"),
            Self::Dropped { member } => {
                write!(f, "{member} left the list and has refused connections for five minutes; it does not count any more")
            }
            Self::Tidied => f.write_str("the credentials file has the key in force alone"),
            Self::AbortAsked => f.write_str("a person asked to go back"),
            Self::Ended { ending } => write!(f, "{ending}"),
        }
    }
}
