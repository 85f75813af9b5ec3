//! What a rotation is asked to do, and how patient it is. Kept in its journal: a resumed rotation is the same one.
//!
//! Not here: what each kind is asked beside (`secrets::task`, `keypair::task`), where all of it comes from (`config`,
//! `cli`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::span;
use crate::secret::ApiKey;

/// What a rotation is asked to do. In a journal, what its kind is asked stands among the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan<T> {
    /// The account.
    pub account: ApiKey,
    /// What its kind is asked.
    #[serde(flatten)]
    pub task: T,
    /// Whose evidence counts.
    pub fleet: Fleet,
    /// How many acceptances in a row prove what is new, at each host.
    pub prove_times: u32,
    /// From the first of them to the last.
    #[serde(with = "span")]
    pub prove_for: Duration,
    /// How much older than the file of today the file of a sidecar may be that starts now. What is old stays valid, or
    /// what is new stays beside it, for at least as long after the deploy.
    #[serde(with = "span")]
    pub overlap: Duration,
    /// From one look at the sidecars to the next.
    #[serde(with = "span")]
    pub poll: Duration,
    /// How long what fails is tried again.
    #[serde(with = "span")]
    pub give_up: Duration,
    /// How long the provider, or a sidecar, may take to come to what is expected of it.
    #[serde(with = "span")]
    pub patience: Duration,
}

/// Whose evidence counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fleet {
    /// Every sidecar that is found, and at least so many.
    Watched {
        /// The fewest that must be found.
        expect: usize,
    },
    /// Nobody's, on the word of the operator.
    Unwatched,
}

/// So many acceptances in a row over so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// At least one.
    pub times: u32,
    /// From the first to the last: one is enough when there is no time.
    pub span: Duration,
}

impl Proof {
    /// From one acceptance to the next.
    pub fn pace(&self) -> Duration {
        self.span.checked_div(self.times.saturating_sub(1).max(1)).unwrap_or(self.span).max(Duration::from_millis(50))
    }
}

impl<T> Plan<T> {
    /// What is asked of a new value when there is no hurry.
    pub fn steady(&self) -> Proof {
        Proof { times: self.prove_times.max(1), span: self.prove_for }
    }

    /// As patient, for something else.
    pub fn with<U>(self, task: U) -> Plan<U> {
        let Self { account, task: _, fleet, prove_times, prove_for, overlap, poll, give_up, patience } = self;
        Plan { account, task, fleet, prove_times, prove_for, overlap, poll, give_up, patience }
    }
}
