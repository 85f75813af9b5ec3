//! Where the rotation of a key pair is: the part of it that survives the process.
//!
//! The rules of it are those of [`machine::State`].

use serde::{Deserialize, Serialize};

use super::halt::Ending;
use super::{Key, pem};
use crate::jwt::SigningKey;
use crate::rotation::machine::{self, Watching};
use crate::secret::Revision;

/// The steps, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum State {
    /// Look which key is in force, and make another one.
    Check,
    /// Write the file with both, the one in force first.
    Deploy(Change),
    /// Wait until every sidecar holds both.
    Spread(Change),
    /// Replace the public key. From here it may have been replaced.
    Put(Change),
    /// Have it accepted steadily, at every host.
    Prove(Change),
    /// Wait until every sidecar had it accepted.
    Converge(Change),
    /// Write the file without the one that goes.
    Drop(Change),
    /// Write the file without a key that the provider never knew.
    Withdraw(Change),
    /// Tell how it went.
    Report {
        /// How.
        ending: Ending,
    },
    /// There is nothing left to do.
    Ended {
        /// How it went.
        ending: Ending,
    },
}

/// One key takes the place of another. Called off, the same is done the other way round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The key that shall be in force.
    pub to: Key,
    /// The key that was, and goes.
    pub from: Key,
    /// Every key that the file had before.
    #[serde(with = "pem::list")]
    pub before: Vec<SigningKey>,
    /// The mark of the deploy with both.
    pub revision: Revision,
    /// The mark of the deploy with one.
    pub last: Revision,
    /// What it comes to.
    pub ending: Ending,
}

impl Change {
    /// The same the other way round, calling it off.
    #[must_use]
    pub fn back(&self) -> Self {
        Self { to: self.from.clone(), from: self.to.clone(), ending: Ending::Aborted, ..self.clone() }
    }
}

impl State {
    /// The change that is under way.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Deploy(change)
            | Self::Spread(change)
            | Self::Put(change)
            | Self::Prove(change)
            | Self::Converge(change)
            | Self::Drop(change)
            | Self::Withdraw(change) => Some(change),
            Self::Check | Self::Report { .. } | Self::Ended { .. } => None,
        }
    }
}

impl machine::State for State {
    fn first() -> Self {
        Self::Check
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Deploy(_) => "deploy",
            Self::Spread(_) => "spread",
            Self::Put(_) => "put",
            Self::Prove(_) => "prove",
            Self::Converge(_) => "converge",
            Self::Drop(_) => "drop",
            Self::Withdraw(_) => "withdraw",
            Self::Report { .. } => "report",
            Self::Ended { .. } => "ended",
        }
    }

    fn is_first(&self) -> bool {
        matches!(self, Self::Check)
    }

    fn is_over(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    fn revision(&self) -> Option<&Revision> {
        self.change().map(|change| &change.revision)
    }

    fn watching(&self) -> Watching {
        if let Self::Converge(_) = self { Watching::Anew } else { Watching::On }
    }
}
