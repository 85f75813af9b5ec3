//! Why a run of the rotation of a key pair is over, in words that a person can act on.
//!
//! Invariants: every end but the good ones has a remedy; none has a value. After `Parked` and `Stuck` the journal stays,
//! and the same command goes on from where it was.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rotation::effect::Doing;
use crate::rotation::evidence::Blocking;

/// How it ended, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new key is in force, and the old one is dropped.
    Done,
    /// The old key is in force, and the new one is dropped.
    Aborted,
}

/// Why a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// There is nothing left to do.
    Ended(Ending),
    /// Something does not come to pass; trying again later may help.
    Parked(Parked),
    /// Something is not as it was left; a person must look.
    Stuck(Stuck),
}

/// What does not come to pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Parked {
    /// It was tried again and again.
    #[error("{doing} keeps failing: {cause}")]
    Failing {
        /// What was tried.
        doing: Doing,
        /// Why the last try failed.
        cause: String,
    },
    /// The key that is in force is not accepted steadily.
    #[error("the provider does not accept tokens of the key that it has been given steadily")]
    NotAccepted,
    /// Sidecars have not followed.
    #[error("not every sidecar has followed: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotFollowed(Vec<Blocking>),
    /// Fewer sidecars than there must be.
    #[error("{seen} sidecars were found instead of {expect}")]
    TooFew {
        /// Found.
        seen: usize,
        /// At least expected.
        expect: usize,
    },
}

/// What is not as it was left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// The file has no secret of the account.
    #[error("the credentials file has no secret of the application's account")]
    NoSecret,
    /// There is no such application.
    #[error("the provider has no such application, or the account may not manage it")]
    NoSuchApplication,
    /// The private key of the public key in force is not held.
    #[error("the provider has a public key whose private key is not in the credentials file")]
    NotHeld,
    /// Somebody put another public key.
    #[error("somebody else replaced the public key of the application meanwhile")]
    Contested,
    /// No key can be made.
    #[error("no key pair could be made: the system gave no randomness")]
    NoRandomness,
    /// The provider does not take the resource.
    #[error("the provider does not take the application with the new public key: {0}")]
    Invalid(String),
    /// Somebody else wrote the file.
    #[error("the credentials file is not as it was written: somebody else changes it")]
    Overwritten,
    /// No sidecar was found.
    #[error("no sidecar was found, so nothing shows that both keys are where they must be")]
    NoEvidence,
    /// The file that reaches a sidecar has no ids.
    #[error("the file that reaches {0} has the revision but not both keys with their ids")]
    NoIds(String),
}

impl Parked {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Failing { .. } => "nothing is lost; mend the cause and run the same command again, it goes on from here",
            Self::NotAccepted => {
                "run the same command again later, or with --abort to put the other public key back; sidecars hold both keys"
            }
            Self::NotFollowed(_) => {
                "see what is wrong with the sidecars named, then run the same command again; a sidecar that is gone for good is dropped five minutes after it left the list"
            }
            Self::TooFew { .. } => "start the missing ones or lower `expect` in [rotation.fleet], then run the same command again",
        }
    }
}

impl Stuck {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoSecret | Self::NoSuchApplication => "compare the id and the account of the [[application]] with the dashboard",
            Self::NotHeld => "put the private key that is in use into the file; to replace a key that is lost, use the dashboard",
            Self::Contested => {
                "find out who else replaces it; put their private key into the file first if it is in use, then run with --abort or again"
            }
            Self::NoRandomness => "run it again",
            Self::Invalid(_) => "see the provider's words; nothing was replaced, and --abort drops the new key",
            Self::Overwritten => {
                "stop the other writer and put the file back as this command left it (both keys, with its revision), then run the same command again"
            }
            Self::NoEvidence => "name the sidecars in [rotation.fleet]; with --no-fleet the public key is replaced without evidence",
            Self::NoIds(_) => "let the sink hand on the file as it is: `revision`, and `id` beside each key",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(Ending::Done) => f.write_str("done: the new key is in force, the old one dropped"),
            Self::Ended(Ending::Aborted) => f.write_str("aborted: the old key is in force, the new one dropped"),
            Self::Parked(parked) => write!(f, "parked: {parked} ({})", parked.remedy()),
            Self::Stuck(stuck) => write!(f, "stuck: {stuck} ({})", stuck.remedy()),
        }
    }
}
