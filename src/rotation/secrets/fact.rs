//! What happens to a secret, in the journal and in words for people: the lines of the command and of the report.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::halt::Ending;
use crate::secret::{Revision, SecretId};

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The account had so many secrets, of which we hold so many that are accepted.
    Checked {
        /// Listed by the provider.
        listed: usize,
        /// Held and accepted.
        live: usize,
    },
    /// A value was thought of.
    Staged,
    /// The provider made it.
    Created {
        /// Its id.
        id: SecretId,
    },
    /// A secret whose creation was never answered proved to be ours.
    Adopted {
        /// Its id.
        id: SecretId,
    },
    /// A host accepted it steadily.
    Proven {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the first acceptance of the row.
        after_ms: u64,
    },
    /// The credentials file was written and read back.
    Deployed {
        /// Its mark.
        revision: Revision,
    },
    /// Every sidecar can do without the old secret.
    Converged {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// The deadline passed with these behind.
    LeftBehind {
        /// Their names.
        members: Vec<String>,
    },
    /// Nobody used the old secret for the soak.
    Quiet {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// A sidecar that is gone does not count any more.
    Dropped {
        /// Its name.
        member: String,
    },
    /// A secret was revoked.
    Revoked {
        /// Its id.
        id: SecretId,
    },
    /// The file has no revoked secret.
    Tidied,
    /// A host refuses what was revoked.
    Refused {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the refusal.
        after_ms: u64,
    },
    /// A person asked to go back.
    AbortAsked,
    /// It is over.
    Ended {
        /// How.
        ending: Ending,
    },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checked { listed, live } => write!(f, "the account has {}, of which {live} held and accepted", number(*listed, "secret")),
            Self::Staged => f.write_str("a value is staged on this machine"),
            Self::Created { id } => write!(f, "{id} was made"),
            Self::Adopted { id } => write!(f, "{id} was made: its answer had got lost, and the staged value is accepted"),
            Self::Proven { host, after_ms } => write!(f, "{host} accepts it steadily, for the first time after {}", Took(*after_ms)),
            Self::Deployed { revision } => write!(f, "the credentials file is written and read back, revision {revision}"),
            Self::Converged { members: Some(members) } => {
                write!(f, "{} had the new secret accepted from where they are", number(*members, "sidecar"))
            }
            Self::Converged { members: None } => f.write_str("no sidecar was asked"),
            Self::LeftBehind { members } if members.is_empty() => f.write_str("the deadline passed before it was known who follows"),
            Self::LeftBehind { members } => write!(f, "the deadline passed and these were left behind: {}", members.join(", ")),
            Self::Quiet { members: Some(members) } => {
                write!(f, "{} left the old secret unused for the soak", number(*members, "sidecar"))
            }
            Self::Quiet { members: None } => f.write_str("the soak is over; no sidecar was asked"),
            Self::Dropped { member } => {
                write!(f, "{member} left the list and has refused connections for five minutes; it does not count any more")
            }
            Self::Revoked { id } => write!(f, "{id} is revoked"),
            Self::Tidied => f.write_str("the credentials file has no revoked secret"),
            Self::Refused { host, after_ms } => write!(f, "{host} refuses the revoked secret, after {}", Took(*after_ms)),
            Self::AbortAsked => f.write_str("a person asked to go back"),
            Self::Ended { ending } => write!(f, "{ending}"),
        }
    }
}

fn number(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Milliseconds as people say them.
struct Took(u64);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 { write!(f, "{} ms", self.0) } else { write!(f, "{:.1} s", Duration::from_millis(self.0).as_secs_f64()) }
    }
}
