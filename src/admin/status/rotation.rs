//! What `/status` says of rotation: only where the settings have a policy, since only then the provider is asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::admin::age::Age;

/// What the sidecar does about rotation by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it does.
    pub state: ScheduleState,
    /// Which account it rotates, or why it does not; empty when there is nothing to say.
    pub detail: String,
}

/// What the schedule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// It is not this sidecar's to rotate.
    Off,
    /// It rotates what is due; nothing is.
    Waiting,
    /// It rotates an account.
    Rotating,
    /// Somebody has told it to pause.
    Paused,
    /// It is told to rotate and may not here.
    Unfit,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

impl ScheduleState {
    /// As the document has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Waiting => "waiting",
            Self::Rotating => "rotating",
            Self::Paused => "paused",
            Self::Unfit => "unfit",
            Self::Unknown => "unknown",
        }
    }
}

/// What the provider's list of secrets says of an account, compared with what is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Since it was asked for.
    pub looked_seconds: f64,
    /// Why there is none, in words.
    pub error: Option<String>,
    /// How old the oldest live secret is; null when that is not known.
    pub oldest_secret_seconds: Option<f64>,
    /// Whether that is 90 % of what the policy allows, or more.
    pub overdue: bool,
    /// Until a rotation may begin, 0 when it may now; null when none is due by a policy.
    pub due_seconds: Option<f64>,
    /// What changed behind our back, in words.
    pub drift: Vec<String>,
    /// The step of the rotation that is under way, of this process or of another one with the same `state_dir`.
    pub step: Option<String>,
    /// Since it came to that step.
    pub step_seconds: Option<f64>,
}

/// In one line, for people.
impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.error {
            return write!(f, "not seen at Vonage: {error}");
        }
        match self.oldest_secret_seconds {
            Some(age) => write!(f, "oldest secret {}", Age(age))?,
            None => f.write_str("age not known")?,
        }
        f.write_str(if self.overdue { ", overdue" } else { "" })?;
        match (&self.step, self.due_seconds) {
            (Some(step), _) => write!(f, ", rotation at {step} for {}", Age(self.step_seconds.unwrap_or_default()))?,
            (None, Some(left)) if left <= 0.0 => f.write_str(", rotation due now")?,
            (None, Some(left)) => write!(f, ", rotation due in {}", Age(left))?,
            (None, None) => {}
        }
        if self.drift.is_empty() { Ok(()) } else { write!(f, "; changed behind our back: {}", self.drift.join(", ")) }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.word())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// All of it at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rotation {
    /// None without a policy.
    pub schedule: Option<Schedule>,
    /// By API key.
    pub listings: BTreeMap<String, Listing>,
}
