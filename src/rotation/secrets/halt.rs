//! Why a run of the rotation of a secret is over, in words that a person can act on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rotation::halt::{Amiss, Halt, ThenRun};
use crate::rotation::report::Outcome;
use crate::secret::SecretId;

/// How a rotation ended, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new secret is in use and the old one revoked.
    Done,
    /// The new secret is in use beside the old one, on which others depend.
    Added,
    /// The leaked secret is revoked; another one that was held is in use.
    Removed,
    /// The new secret was proven and revoked; nothing was switched.
    Drilled,
    /// The old secret is in use and the new one, if there was one, revoked.
    Aborted,
}

/// A person must say that this secret may be revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unapproved {
    /// It may have users that no sidecar serves.
    #[error("{0} was not made by this tool, and users of it that no sidecar serves cannot be seen")]
    NotOurs(SecretId),
    /// Every revoke is asked for.
    #[error("{0} is revoked on the word of a person only (`rotation.approve = \"always\"`)")]
    Always(SecretId),
}

impl Unapproved {
    /// Which one.
    pub fn id(&self) -> &SecretId {
        let (Self::NotOurs(id) | Self::Always(id)) = self;
        id
    }
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
    /// It may have leaked, and others depend on it.
    #[error("the secret {0} may have leaked and is marked `keep = true`")]
    LeakKept(SecretId),
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

impl Halt for Stuck {
    fn remedy(&self) -> String {
        let words = match self {
            Self::AllRefused => "make a secret in the dashboard, or with the primary account, and take it in with `secrets import`",
            Self::Foreign(_) => {
                "add it to the file with `secrets import` if it is in use (with `keep = true` if others depend on it), or revoke it with `secrets revoke`"
            }
            Self::WhichIsWhich => {
                "write the ids that `secrets list` shows beside the values (`id = \"...\"`), or revoke the one that is not in use in the dashboard"
            }
            Self::AllKept => "take `keep = true` off one of them once nobody else uses it",
            Self::LeakKept(id) => return format!("--leaked {id} revokes it all the same; or take the mark off"),
            Self::Kept(_) => "take the mark off, or go back to it with `rotate --abort`",
            Self::NoFreeSlot => "finish the rotation first: a drill needs a free slot",
            Self::NoSuchLeak(_) => "see `secrets list` for the ids; one that is not listed is revoked already",
            Self::Overwritten => {
                "stop the other writer, put the file back as this command left it (its report says how), then go on; nothing was revoked on account of it"
            }
            Self::Vanished(_) => "find out who revoked it, then go back with `rotate --abort`, or put another secret into the file",
            Self::NoEvidence => "name the sidecars in [rotation.fleet]; with --no-fleet the old secret is revoked without evidence",
            Self::NoIds(_) => "let the sink hand on the file as it is: `revision`, and `id` beside each value",
            Self::LastSecret => "list the account's secrets: the one that should stay is gone",
            Self::Invalid(_) => "see the provider's words; `secrets create` and `secrets import` take a value of yours",
            Self::SurvivorRefused => "find out why before anything is revoked; `rotate --abort` goes back",
            Self::StillAccepted(_) => {
                "the file has the new secret alone; ask the provider's support to look at the old one, and go on to look anew"
            }
        };
        words.to_owned()
    }

    fn then(&self) -> ThenRun {
        if let Self::NoSuchLeak(_) = self { ThenRun::Another } else { ThenRun::TheSameWith(Vec::new()) }
    }
}

impl Halt for Unapproved {
    fn remedy(&self) -> String {
        format!("when nobody else uses it, say so with `rotate --approve {}`", self.id())
    }

    fn then(&self) -> ThenRun {
        ThenRun::TheSameWith(vec!["--approve".to_owned(), self.id().to_string()])
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
            Ending::Done | Ending::Added | Ending::Removed | Ending::Drilled => Self::Done,
            Ending::Aborted => Self::Aborted,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done: the new secret is in use, the old one revoked",
            Self::Added => "done: the new secret is in use, and the old one stays, since others depend on it (`keep = true`)",
            Self::Removed => "done: the leaked secret is revoked, the other one in use",
            Self::Drilled => "done: the new secret was proven and revoked, nothing was switched",
            Self::Aborted => "aborted: everything is as it was before",
        })
    }
}
