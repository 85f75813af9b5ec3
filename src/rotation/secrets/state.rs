//! Where a rotation is: the part of it that survives the process.
//!
//! The rules of it are those of [`machine::State`].

use serde::{Deserialize, Serialize};

use super::Item;
use super::halt::Ending;
use crate::rotation::journal;
use crate::rotation::machine::{self, Watching};
use crate::secret::{ApiSecret, Revision, SecretId};

/// The steps, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum State {
    /// Look at the file and at the account, and decide who takes part. Also after a slot was freed.
    Check,
    /// Have a secret with this value made. The provider may know it already.
    Create(Creation),
    /// Have it accepted steadily, at every host.
    Prove(Minted),
    /// Write the file with both, the one that stays first.
    Deploy(Change),
    /// Wait until every sidecar can do without the one that goes.
    Converge(Change),
    /// Wait until no sidecar has used it for a while.
    Soak(Change),
    /// Revoke it. The revoke may have happened already: from here there is no way back.
    Revoke(Change),
    /// Write the file without it.
    Tidy(Change),
    /// See that the one is accepted and the other refused.
    Verify(Change),
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

/// How things were when the rotation began, or began anew after a slot was freed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Base {
    /// The secrets that we hold, that are accepted, and whose ids we know. Never empty.
    pub live: Vec<Item>,
    /// Every value in the file, dead ones too.
    #[serde(with = "journal::value::list")]
    pub file: Vec<ApiSecret>,
    /// Every id of the account.
    pub listed: Vec<SecretId>,
}

/// A secret to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Creation {
    /// Its value.
    #[serde(with = "journal::value")]
    pub value: ApiSecret,
    /// How many values the provider did not take before this one.
    pub turned_down: u32,
    /// How things were.
    pub base: Base,
    /// Whether it is still wanted.
    pub wish: Wish,
}

/// Whether a secret whose creation is uncertain is still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// It is.
    Wanted,
    /// It is to be revoked if it was made.
    Unwanted,
}

/// A secret that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Minted {
    /// The secret.
    pub new: Item,
    /// How things were.
    pub base: Base,
}

/// A change of what the file has and the account knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The secret that is preferred from now on. It was accepted.
    pub stays: Item,
    /// Others that stay in the file behind it.
    pub beside: Vec<Item>,
    /// What goes.
    pub goes: Goes,
    /// Every value that the file had before.
    #[serde(with = "journal::value::list")]
    pub before: Vec<ApiSecret>,
    /// The mark of the deploy.
    pub revision: Revision,
    /// What comes after.
    pub then: Then,
}

/// What a change takes away.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goes {
    /// Nothing: the account had only secrets that others depend on.
    Nothing,
    /// A secret that sidecars may use.
    Used(Item),
    /// A secret that was never in the file.
    Unused(Item),
    /// A secret that we do not hold.
    Unknown(SecretId),
}

/// What comes after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// A slot is free: look again.
    Check,
    /// It is over.
    Finish(Ending),
}

impl State {
    /// The change that is under way.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Deploy(change)
            | Self::Converge(change)
            | Self::Soak(change)
            | Self::Revoke(change)
            | Self::Tidy(change)
            | Self::Verify(change) => Some(change),
            Self::Check | Self::Create(_) | Self::Prove(_) | Self::Report { .. } | Self::Ended { .. } => None,
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
            Self::Create(_) => "create",
            Self::Prove(_) => "prove",
            Self::Deploy(_) => "deploy",
            Self::Converge(_) => "converge",
            Self::Soak(_) => "soak",
            Self::Revoke(_) => "revoke",
            Self::Tidy(_) => "tidy",
            Self::Verify(_) => "verify",
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

impl Change {
    /// What the file has when the change is over.
    pub fn items_after(&self) -> Vec<Item> {
        std::iter::once(&self.stays).chain(&self.beside).cloned().collect()
    }

    /// What the file has while sidecars move from the one to the other.
    pub fn items_between(&self) -> Vec<Item> {
        let mut items = self.items_after();
        if let Goes::Used(item) = &self.goes {
            items.push(item.clone());
        }
        items
    }

    pub(super) fn values_after(&self) -> impl Iterator<Item = &ApiSecret> {
        std::iter::once(&self.stays).chain(&self.beside).map(|item| &item.value)
    }

    pub(super) fn values_between(&self) -> impl Iterator<Item = &ApiSecret> {
        let used = match &self.goes {
            Goes::Used(item) => Some(&item.value),
            Goes::Nothing | Goes::Unused(_) | Goes::Unknown(_) => None,
        };
        self.values_after().chain(used)
    }
}

impl Goes {
    /// Its id.
    pub fn id(&self) -> Option<&SecretId> {
        match self {
            Self::Nothing => None,
            Self::Used(item) | Self::Unused(item) => Some(&item.id),
            Self::Unknown(id) => Some(id),
        }
    }

    /// Its value, when we hold it.
    pub fn value(&self) -> Option<&ApiSecret> {
        match self {
            Self::Nothing | Self::Unknown(_) => None,
            Self::Used(item) | Self::Unused(item) => Some(&item.value),
        }
    }
}
