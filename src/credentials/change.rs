//! What a publication changed, in words for logs and `/status`.
//!
//! Invariant: a change never holds a value: keys, the provider's ids and positions only.

use std::fmt;

use super::Slot;
use crate::secret::{ApiKey, ApplicationId, SecretId};

/// One thing that a publication changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose it is.
    pub owner: Owner,
    /// What of it.
    pub subject: Subject,
    /// What happened to it.
    pub event: Event,
}

/// What values belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The account with this key.
    Account(ApiKey),
    /// The application with this id.
    Application(ApplicationId),
}

/// What of an owner changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The account or application as a whole.
    Itself,
    /// One value.
    Value(Kind, Name),
    /// All values of a kind.
    Values(Kind),
}

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An API secret.
    Secret,
    /// A signature secret.
    Signature,
    /// A private key.
    Key,
}

/// How a value is called without saying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The provider's id.
    Id(SecretId),
    /// Its place among the values of its kind, from 0, where the file has no id.
    Position(usize),
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is new.
    Added,
    /// It was gone from the file and is in it again.
    Returned,
    /// It is gone from the file and lingers.
    Retires,
    /// It is no longer held.
    Dropped,
    /// The order of preference is another one.
    Reordered,
    /// What the file says about it is something else.
    Changed,
}

impl Change {
    /// A change of one value, called by its id if it has one.
    pub(super) fn of_value<V>(owner: &Owner, kind: Kind, slot: &Slot<V>, position: usize, event: Event) -> Self {
        let name = slot.label.id.clone().map_or(Name::Position(position), Name::Id);
        Self { owner: owner.clone(), subject: Subject::Value(kind, name), event }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Account(key) => write!(f, "account {key}")?,
            Owner::Application(id) => write!(f, "application {id}")?,
        }
        match &self.subject {
            Subject::Itself => {}
            Subject::Value(kind, Name::Id(id)) => write!(f, ": {kind} {id}")?,
            Subject::Value(kind, Name::Position(position)) => write!(f, ": {kind} number {}", position + 1)?,
            Subject::Values(kind) => write!(f, ": {kind}s")?,
        }
        f.write_str(match self.event {
            Event::Added => " added",
            Event::Returned => " is back in the file",
            Event::Retires => " is gone from the file and kept for a while",
            Event::Dropped => " dropped",
            Event::Reordered => " reordered",
            Event::Changed => " changed",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::Signature => "signature secret",
            Self::Key => "private key",
        })
    }
}
