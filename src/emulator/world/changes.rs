//! The history of credentials: what was created, revoked or replaced, when, in which order, and by whom.

use std::time::{Instant, SystemTime};

use crate::clock;
use crate::emulator::checks::admission::Admission;

/// Changes that are remembered; older ones are forgotten.
const REMEMBERED: usize = 16 * 1024;

/// Who changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// A person at the dashboard: the control handle.
    Dashboard,
    /// A caller of the API, by its account and the id of the secret that it called with.
    Caller {
        /// The API key.
        account: String,
        /// The id of its secret.
        secret: Option<String>,
    },
}

impl Author {
    pub(in crate::emulator) fn of(who: &Admission) -> Self {
        Self::Caller { account: who.account.clone(), secret: who.secret.clone() }
    }
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A secret with this id was created.
    SecretCreated(String),
    /// The secret with this id was revoked.
    SecretRevoked(String),
    /// An application with this id was created.
    ApplicationCreated(String),
    /// The public key of the application with this id was replaced.
    KeyReplaced(String),
    /// The application with this id was deleted.
    ApplicationDeleted(String),
}

/// One change of a credential.
#[derive(Debug, Clone)]
pub struct Change {
    /// Counted from 0; the order in which things happened.
    pub number: u64,
    /// When, on the monotonic clock.
    pub at: Instant,
    /// When, on the calendar.
    pub date: SystemTime,
    /// The API key whose credential it is.
    pub account: String,
    /// What happened.
    pub what: Changed,
    /// Who did it.
    pub by: Author,
}

/// All changes, the newest last.
#[derive(Default)]
pub(in crate::emulator) struct History {
    entries: std::collections::VecDeque<Change>,
    next: u64,
}

impl History {
    pub(in crate::emulator) fn add(&mut self, account: &str, what: Changed, by: Author) {
        if self.entries.len() == REMEMBERED {
            self.entries.pop_front();
        }
        let change = Change { number: self.next, at: clock::now(), date: clock::wall(), account: account.to_owned(), what, by };
        self.entries.push_back(change);
        self.next += 1;
    }

    pub(in crate::emulator) fn all(&self) -> Vec<Change> {
        self.entries.iter().cloned().collect()
    }
}
