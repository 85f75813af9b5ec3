//! Why a run of a rotation is over, in words that a person can act on.
//!
//! Invariants: every end but the good ones has a remedy; none has a value. After `Parked`, `Stuck` and `Awaiting` the
//! journal stays, and the next run goes on from where it was. A remedy says what to do and names no command that does it:
//! it is read in a terminal, in the log of a sidecar that rotates by itself, and wherever a webhook leads. Who knows how
//! it was run adds that (`cli`).
//!
//! Not here: exit codes (`cli`); how each kind ends, and what a person must look at then.

use std::convert::Infallible;
use std::fmt;

use super::effect::Doing;
use super::evidence::Blocking;
use super::machine::Kind;
use super::report::Outcome;

/// Why a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End<K: Kind> {
    /// There is nothing left to do.
    Ended(K::Ending),
    /// Something does not come to pass; trying again later may help.
    Parked(Parked),
    /// Something is not as it was left; a person must look.
    Stuck(K::Stuck),
    /// A person must say yes.
    Awaiting(K::Asking),
}

/// Why a run ended early: its `Display` says what is the matter.
pub trait Halt: fmt::Display {
    /// What to do.
    fn remedy(&self) -> String;

    /// How it goes on once that is done.
    fn then(&self) -> ThenRun {
        ThenRun::TheSameWith(Vec::new())
    }
}

/// Which command goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThenRun {
    /// The one that was run, with these words more.
    TheSameWith(Vec<String>),
    /// The one that was run is wrong: another one.
    Another,
}

/// What a rotation replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A secret of an account.
    Secret,
    /// The key pair of an application.
    Key,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::Key => "key",
        })
    }
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
    /// What is new is not accepted steadily.
    #[error("the provider does not accept {} steadily", match .0 {
        Credential::Secret => "the new secret",
        Credential::Key => "tokens of the key that it has been given",
    })]
    NotAccepted(Credential),
    /// Sidecars have not followed.
    #[error("not every sidecar {}: {}", match .credential {
        Credential::Secret => "can do without the old secret",
        Credential::Key => "has followed",
    }, .on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotConverged {
        /// What they have not followed to.
        credential: Credential,
        /// Who, and why.
        on: Vec<Blocking>,
    },
    /// Fewer sidecars than there must be.
    #[error("{seen} sidecars were found instead of {expect}")]
    TooFew {
        /// Found.
        seen: usize,
        /// At least expected.
        expect: usize,
    },
}

/// What every kind relies on, and is not so: each has words of its own for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amiss {
    /// Somebody else wrote the file.
    Overwritten,
    /// No sidecar was found.
    Nobody,
    /// The file that reaches this one has no ids.
    WithoutIds(String),
}

impl Halt for Parked {
    fn remedy(&self) -> String {
        let words = match self {
            Self::Failing { .. } => "nothing is lost; mend the cause, and it goes on from here",
            Self::NotAccepted(Credential::Secret) => "go on later, or go back with `rotate --abort`, which revokes the new secret",
            Self::NotAccepted(Credential::Key) => {
                "go on later, or go back with `rotate --abort`, which puts the other public key back; sidecars hold both keys"
            }
            Self::NotConverged { .. } => {
                "see what is wrong with the sidecars named, then go on; a sidecar that is gone for good is dropped five minutes after it left the list"
            }
            Self::TooFew { .. } => "start the missing ones or lower `expect` in [rotation.fleet], then go on",
        };
        words.to_owned()
    }
}

/// Nobody is asked.
impl Halt for Infallible {
    fn remedy(&self) -> String {
        match *self {}
    }
}

impl<K: Kind> End<K> {
    /// Why it ended early; none when there is nothing left to do.
    pub fn halt(&self) -> Option<&dyn Halt> {
        match self {
            Self::Ended(_) => None,
            Self::Parked(parked) => Some(parked),
            Self::Stuck(stuck) => Some(stuck),
            Self::Awaiting(asking) => Some(asking),
        }
    }

    /// How the run ended, in a report.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Ended(ending) => (*ending).into(),
            Self::Parked(_) => Outcome::Parked,
            Self::Stuck(_) => Outcome::Stuck,
            Self::Awaiting(_) => Outcome::AwaitingApproval,
        }
    }

    /// Who or what is waited for when it is not over yet.
    pub(super) fn waits_for(&self) -> Vec<String> {
        match self {
            Self::Parked(Parked::NotConverged { on, .. }) => on.iter().map(ToString::to_string).collect(),
            Self::Ended(_) | Self::Parked(_) | Self::Stuck(_) | Self::Awaiting(_) => {
                self.halt().map(ToString::to_string).into_iter().collect()
            }
        }
    }
}

impl<K: Kind> fmt::Display for End<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(ending) => write!(f, "{ending}"),
            Self::Parked(parked) => write!(f, "parked: {parked} ({})", parked.remedy()),
            Self::Stuck(stuck) => write!(f, "stuck: {stuck} ({})", stuck.remedy()),
            Self::Awaiting(asking) => write!(f, "awaiting approval: {asking} ({})", asking.remedy()),
        }
    }
}
