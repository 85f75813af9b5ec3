//! Everywhere a new credentials file goes, and whether this is a place that may rotate by itself.
//!
//! Without `--sinks` nothing is written and no program is run: rights, modes and mounts are looked at. What that shows to
//! be in the way is an error where the settings say that this sidecar rotates, and else told, since the file may be
//! delivered from elsewhere by the same settings.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::cli::report::Failure;
use crate::cli::{run, surroundings};
use crate::config::Settings;
use crate::config::rotation::Schedule;
use crate::problem::{Problem, Problems};
use crate::rotation::place;
use crate::rotation::sinks::{NotDelivered, Sinks};

/// A place that a new credentials file goes to.
#[derive(Debug, Serialize)]
pub(super) struct Sink {
    #[serde(rename = "sink")]
    name: String,
    how: How,
    usable: bool,
    detail: String,
    remedy: &'static str,
}

/// How it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Tried,
    LookedAt,
}

impl Sink {
    fn of(how: How, (name, outcome): (String, Result<(), NotDelivered>)) -> Self {
        match outcome {
            Ok(()) => Self { name, how, usable: true, detail: String::new(), remedy: "" },
            Err(error) => Self { name, how, usable: false, detail: error.to_string(), remedy: error.remedy() },
        }
    }

    /// Whether it makes the answer no. Looks alone do not: the file may be delivered from elsewhere.
    pub(super) fn is_no(&self) -> bool {
        !self.usable && self.how == How::Tried
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, how, usable, detail, remedy } = self;
        match (usable, how) {
            (true, How::Tried) => write!(f, "sink: {name} can take a new file"),
            (true, How::LookedAt) => write!(f, "sink: {name} looks as if it can take a new file, which --sinks tries"),
            (false, How::Tried) => write!(f, "sink: {detail} ({remedy})"),
            (false, How::LookedAt) => write!(f, "sink: cannot be written from here: {detail} ({remedy})"),
        }
    }
}

/// Tries every one.
pub(super) fn tried(settings: &Settings) -> Result<Vec<Sink>, Failure> {
    let outcomes = run::runtime(1)?.block_on(async { Sinks::of(settings).try_out().await });
    Ok(outcomes.into_iter().map(|outcome| Sink::of(How::Tried, outcome)).collect())
}

/// Looks at every one that the settings name. None are named: nothing is asked of a sidecar that only reads its file.
pub(super) fn looked_at(settings: &Settings) -> Option<Vec<Sink>> {
    let named = !settings.rotation.sinks.is_empty() || settings.rotation.schedule == Schedule::Here;
    named.then(|| Sinks::of(settings).look(&surroundings::path()).into_iter().map(|outcome| Sink::of(How::LookedAt, outcome)).collect())
}

/// Why a sidecar that is to rotate by itself will not.
pub(super) fn problems(file: Option<&Path>, settings: &Settings) -> Vec<Problem> {
    let mut found = Problems::of(file.unwrap_or_else(|| Path::new("sidecar.toml")));
    if settings.rotation.schedule == Schedule::Here {
        if let Err(unfit) = place::looks_fit(settings) {
            found.error(None, "rotation.schedule", format!("cannot be \"here\": {unfit}"), unfit.remedy());
        }
        let (sinks, path) = (Sinks::of(settings), surroundings::path());
        let own = sinks.clone().into_file(&settings.credentials.file);
        let mut outcomes = own.look(&path).into_iter().chain(sinks.look(&path));
        if let Some(error) = outcomes.find_map(|(_, outcome)| outcome.err()) {
            found.error(None, "rotation.schedule", format!("cannot be \"here\": {error}"), error.remedy());
        }
    }
    found.sorted()
}
