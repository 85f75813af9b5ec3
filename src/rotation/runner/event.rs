//! What a rotation tells while it runs: for people one line each, for machines one JSON document a line.
//!
//! Invariant: no value and no digest of one. The documents only grow: readers ignore what they do not know.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;

use crate::rotation::effect::Doing;
use crate::rotation::keypair::fact::Fact as KeyFact;
use crate::rotation::report::{Outcome, Purpose};
use crate::rotation::runner::failures::{Failure, Novelty};
use crate::rotation::secrets::fact::Fact;
use crate::secret::{ApiKey, Revision};

/// One thing that is told.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// When.
    #[serde(serialize_with = "date")]
    pub at: SystemTime,
    /// About which account.
    pub account: ApiKey,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A rotation begins.
    Began {
        /// Its name.
        rotation: Revision,
        /// What for.
        purpose: Purpose,
    },
    /// One that another run began goes on.
    Resumed {
        /// Its name.
        rotation: Revision,
        /// Where it goes on.
        step: &'static str,
        /// What it is for, by now.
        purpose: Purpose,
    },
    /// It is in this step, and that is on the disk.
    Step {
        /// The step.
        step: &'static str,
    },
    /// It would go on with this step: nothing was changed.
    Would {
        /// The step.
        step: &'static str,
    },
    /// Something is about to be done.
    Doing {
        /// What.
        doing: Doing,
    },
    /// Something happened.
    Fact(Fact),
    /// Something happened to a key pair.
    KeyFact(KeyFact),
    /// Something failed, and is tried again.
    Failed(Failure),
    /// These keep the rotation waiting.
    Waiting {
        /// Who, and why.
        on: Vec<String>,
    },
    /// Somebody of `[rotation.notify]` was not told.
    NotTold {
        /// Why.
        cause: String,
    },
    /// The run is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// In words, with what to do.
        reason: String,
        /// Where the report is; none when it could not be written.
        report: Option<PathBuf>,
    },
}

impl Event {
    /// Whether a person wants to read it. The others are for machines.
    pub fn is_for_people(&self) -> bool {
        match self {
            // Its end is told with what to do.
            Self::Doing { .. } | Self::Step { .. } | Self::Fact(Fact::Ended { .. }) | Self::KeyFact(KeyFact::Ended { .. }) => false,
            Self::Failed(failure) => failure.novelty == Novelty::News,
            Self::Began { .. }
            | Self::Resumed { .. }
            | Self::Would { .. }
            | Self::Fact(_)
            | Self::KeyFact(_)
            | Self::Waiting { .. }
            | Self::NotTold { .. }
            | Self::Ended { .. } => true,
        }
    }
}

impl Event {
    /// Whether it is about what this machine keeps, and so is not true of a look ahead.
    pub fn is_of_this_machine(&self) -> bool {
        matches!(self, Self::Fact(Fact::Staged) | Self::KeyFact(KeyFact::Staged { .. }))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began { rotation, purpose } => write!(f, "{} {rotation} begins", purpose.to_string().to_lowercase()),
            Self::Resumed { rotation, step, purpose } => {
                write!(f, "{} {rotation} goes on at {step}", purpose.to_string().to_lowercase())
            }
            Self::Would { step } => write!(f, "it would go on with: {step}; nothing was changed"),
            Self::Step { step } => write!(f, "step {step}"),
            Self::Doing { doing } => write!(f, "{doing}"),
            Self::Fact(fact) => write!(f, "{fact}"),
            Self::KeyFact(fact) => write!(f, "{fact}"),
            Self::Failed(Failure { doing, cause, times: 1, novelty: _ }) => write!(f, "{doing} failed and is tried again: {cause}"),
            Self::Failed(Failure { doing, cause, times, novelty: _ }) => {
                write!(f, "{doing} failed {times} times and is tried again: {cause}")
            }
            Self::Waiting { on } => write!(f, "waiting: {}", on.join(", ")),
            Self::NotTold { cause } => write!(f, "somebody was not told how it ended: {cause}"),
            Self::Ended { reason, report: Some(report), .. } => write!(f, "{reason}; report: {}", report.display()),
            Self::Ended { reason, report: None, .. } => write!(f, "{reason}; there is no report"),
        }
    }
}

/// `01:02:03 abcd1234 what happened`.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = humantime::format_rfc3339_seconds(self.at).to_string();
        let time = at.split_once('T').map_or(at.as_str(), |(_, time)| time.trim_end_matches('Z'));
        write!(f, "{time} {} {}", self.account, self.event)
    }
}

fn date<S: serde::Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(*at))
}
