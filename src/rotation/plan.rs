//! What a rotation is asked to do, and how patient it is. Kept in its journal: a resumed rotation is the same one.
//!
//! Not here: where these come from (`config`, `cli`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::span;
use crate::secret::{ApiKey, SecretId};

/// What a rotation is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The account.
    pub account: ApiKey,
    /// What for.
    pub mode: Mode,
    /// Whose evidence counts.
    pub fleet: Fleet,
    /// Which revokes wait for a person.
    pub approve: Approve,
    /// How many acceptances in a row prove a new secret, at each host.
    pub prove_times: u32,
    /// From the first of them to the last.
    #[serde(with = "span")]
    pub prove_for: Duration,
    /// How long a secret must have been unused before it is revoked.
    #[serde(with = "span")]
    pub soak: Duration,
    /// How much older than the file of today the file of a sidecar may be that starts now. The old secret stays
    /// valid for at least as long after the deploy.
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
    /// How long a revoked secret may go on being accepted.
    #[serde(with = "span")]
    pub revoke_lag: Duration,
}

/// What a rotation is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A new secret takes the place of the old one.
    Rotate,
    /// A new secret is made, measured and revoked; nothing is switched.
    Drill,
    /// A secret is known to others.
    Emergency(Emergency),
}

/// How a leak is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    /// The one that leaked; none means that any may have.
    pub leaked: Option<SecretId>,
    /// From the deploy to the revoke, at most, whoever has not followed. Nothing: the revoke comes first.
    #[serde(with = "span")]
    pub deadline: Duration,
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

/// Which revokes wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approve {
    /// Of secrets that this tool did not make.
    First,
    /// All.
    Always,
    /// None.
    Never,
}

impl Plan {
    /// Acceptances in a row, and the time that they must span: one is enough when there is no time.
    pub(in crate::rotation) fn proof(&self) -> (u32, Duration) {
        match self.mode {
            Mode::Rotate | Mode::Drill => (self.prove_times.max(1), self.prove_for),
            Mode::Emergency(_) => (1, Duration::ZERO),
        }
    }

    /// From one acceptance to the next.
    pub(super) fn pace(&self) -> Duration {
        let (times, span) = self.proof();
        span.checked_div(times.saturating_sub(1).max(1)).unwrap_or(span).max(Duration::from_millis(50))
    }
}
