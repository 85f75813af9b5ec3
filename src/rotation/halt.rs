//! Why a run of a rotation is over, in words that a person can act on.
//!
//! Invariants: every end but the good ones has a remedy; none has a value. After `Parked`, `Stuck` and
//! `AwaitingApproval` the journal stays, and the same command goes on from where it was.
//!
//! Not here: exit codes (`cli`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::effect::Doing;
use super::evidence::Blocking;
use crate::secret::SecretId;

/// How a rotation ended, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new secret is in use and the old one revoked.
    Done,
    /// The leaked secret is revoked; another one that was held is in use.
    Removed,
    /// The new secret was proven and revoked; nothing was switched.
    Drilled,
    /// The old secret is in use and the new one, if there was one, revoked.
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
    /// A person must say that this secret may be revoked.
    AwaitingApproval(SecretId),
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
    /// The new secret is not accepted steadily.
    #[error("the provider does not accept the new secret steadily")]
    NotAccepted,
    /// Sidecars have not followed.
    #[error("not every sidecar can do without the old secret: {}", list(.0))]
    NotConverged(Vec<Blocking>),
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
    /// Not one of the values that we hold is accepted.
    #[error("the provider refuses every secret that is held")]
    AllRefused,
    /// The account has a secret that is not in the file.
    #[error("the account has the secret {0}, which is not in the credentials file")]
    Foreign(SecretId),
    /// Which id belongs to which value cannot be told.
    #[error("it cannot be told which of the account's secrets is which of the file's")]
    WhichIsWhich,
    /// Others depend on both.
    #[error("others depend on both secrets of the account")]
    AllKept,
    /// Others came to depend on the secret that was to be revoked.
    #[error("the secret {0} is now marked `keep = true`")]
    Kept(SecretId),
    /// A drill needs a slot.
    #[error("both slots of the account are taken")]
    NoFreeSlot,
    /// The leaked secret is not among those of the account.
    #[error("the account has no secret {0}")]
    NoSuchLeak(SecretId),
    /// Somebody else wrote the file.
    #[error("the credentials file is not as it was written: somebody else changes it")]
    Overwritten,
    /// A secret that must stay is gone.
    #[error("the secret {0} is no longer listed: somebody revoked it")]
    Vanished(SecretId),
    /// No sidecar was found.
    #[error("no sidecar was found, so nothing shows that the old secret is not in use")]
    NoEvidence,
    /// The file that reaches a sidecar has no ids.
    #[error("the file that reaches {0} has the revision but not the ids of the secrets")]
    NoIds(String),
    /// The provider does not let the last one go.
    #[error("the provider says that it is the account's last secret")]
    LastSecret,
    /// The provider does not take what we make.
    #[error("the provider does not take the values that are made: {0}")]
    Invalid(String),
    /// What should stay is refused.
    #[error("the secret that should stay is refused")]
    SurvivorRefused,
    /// What was revoked is accepted.
    #[error("the revoked secret {0} is still accepted")]
    StillAccepted(SecretId),
}

impl Parked {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Failing { .. } => "nothing is lost; mend the cause and run the same command again, it goes on from here",
            Self::NotAccepted => "run the same command again later, or with --abort to revoke the new secret",
            Self::NotConverged(_) => {
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
            Self::AllRefused => "make a secret in the dashboard, or with the primary account, and take it in with `secrets import`",
            Self::Foreign(_) => {
                "add it to the file with `secrets import` if it is in use (with `keep = true` if others depend on it), or revoke it with `secrets revoke`"
            }
            Self::WhichIsWhich => {
                "write the ids that `secrets list` shows beside the values (`id = \"...\"`), or revoke the one that is not in use in the dashboard"
            }
            Self::AllKept => "take `keep = true` off one of them once nobody else uses it",
            Self::Kept(_) => "take the mark off, or run with --abort to go back to it",
            Self::NoFreeSlot => "finish the rotation first: a drill needs a free slot",
            Self::NoSuchLeak(_) => "see `secrets list` for the ids; one that is not listed is revoked already",
            Self::Overwritten => {
                "stop the other writer, put the file back as this command left it (its report says how), then run the same command again; nothing was revoked on account of it"
            }
            Self::Vanished(_) => "find out who revoked it, then run with --abort, or put another secret into the file",
            Self::NoEvidence => "name the sidecars in [rotation.fleet]; with --no-fleet the old secret is revoked without evidence",
            Self::NoIds(_) => "let the sink hand on the file as it is: `revision`, and `id` beside each value",
            Self::LastSecret => "list the account's secrets: the one that should stay is gone",
            Self::Invalid(_) => "see the provider's words; `secrets create` and `secrets import` take a value of yours",
            Self::SurvivorRefused => "find out why before anything is revoked; run with --abort to go back",
            Self::StillAccepted(_) => {
                "the file has the new secret alone; ask the provider's support to look at the old one, and run the same command again to look anew"
            }
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(Ending::Done) => f.write_str("done: the new secret is in use, the old one revoked"),
            Self::Ended(Ending::Removed) => f.write_str("done: the leaked secret is revoked, the other one in use"),
            Self::Ended(Ending::Drilled) => f.write_str("done: the new secret was proven and revoked, nothing was switched"),
            Self::Ended(Ending::Aborted) => f.write_str("aborted: everything is as it was before"),
            Self::Parked(parked) => write!(f, "parked: {parked} ({})", parked.remedy()),
            Self::Stuck(stuck) => write!(f, "stuck: {stuck} ({})", stuck.remedy()),
            Self::AwaitingApproval(id) => {
                write!(
                    f,
                    "awaiting approval: {id} was not made by this tool, and users of it that no sidecar serves cannot be seen (go on with --approve {id})"
                )
            }
        }
    }
}

fn list(blocking: &[Blocking]) -> String {
    blocking.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
