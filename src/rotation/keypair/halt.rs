//! Why a run of the rotation of a key pair is over, in words that a person can act on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rotation::halt::{Amiss, Halt};
use crate::rotation::report::Outcome;

/// How it ended, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new key is in force, and the old one is dropped.
    Done,
    /// The old key is in force, and the new one is dropped.
    Aborted,
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

impl Halt for Stuck {
    fn remedy(&self) -> String {
        let words = match self {
            Self::NoSecret | Self::NoSuchApplication => "compare the id and the account of the [[application]] with the dashboard",
            Self::NotHeld => "put the private key that is in use into the file; to replace a key that is lost, use the dashboard",
            Self::Contested => {
                "find out who else replaces it; put their private key into the file first if it is in use, then go on, or back with `rotate --abort`"
            }
            Self::NoRandomness => "go on later",
            Self::Invalid(_) => "see the provider's words; nothing was replaced, and `rotate --abort` drops the new key",
            Self::Overwritten => {
                "stop the other writer and put the file back as this command left it (both keys, with its revision), then go on"
            }
            Self::NoEvidence => "name the sidecars in [rotation.fleet]; with --no-fleet the public key is replaced without evidence",
            Self::NoIds(_) => "let the sink hand on the file as it is: `revision`, and `id` beside each key",
        };
        words.to_owned()
    }
}

impl From<Amiss> for Stuck {
    fn from(amiss: Amiss) -> Self {
        match amiss {
            Amiss::Overwritten => Self::Overwritten,
            Amiss::Nobody => Self::NoEvidence,
            Amiss::WithoutIds(name) => Self::NoIds(name),
        }
    }
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::Done,
            Ending::Aborted => Self::Aborted,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done: the new key is in force, the old one dropped",
            Self::Aborted => "aborted: the old key is in force, the new one dropped",
        })
    }
}
