//! What the rotation of a secret is asked, beside what every rotation is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::rotation::journal::span;
use crate::rotation::plan::Proof;
use crate::secret::SecretId;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What for.
    pub mode: Mode,
    /// Which revokes wait for a person.
    pub approve: Approve,
    /// How long a secret must have been unused before it is revoked.
    #[serde(with = "span")]
    pub soak: Duration,
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
    /// What proves a new secret: after a leak, one acceptance.
    pub fn proof(&self) -> Proof {
        match self.task.mode {
            Mode::Rotate | Mode::Drill => self.steady(),
            Mode::Emergency(_) => Proof { times: 1, span: Duration::ZERO },
        }
    }
}
