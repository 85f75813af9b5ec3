//! `vonage-sidecar schedule`: which account is rotated when, by the policies; pause and resume.

use super::columns::columns;
use super::operator::{self, Files, Operator};
use super::report::{self, Exit, Failure, Outcome};
use super::secrets::{age, day};
use crate::clock;
use crate::files::FileError;
use crate::rotation::observed::Observed;
use crate::rotation::place;
use crate::rotation::rounds::due_in_words;
use crate::rotation::schedule::{Timeliness, Tried};
use crate::rotation::survey::Breadth;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Command {
    /// Begin nothing until `schedule resume`; a rotation that has begun goes to its end
    Pause,
    /// End a pause
    Resume,
}

/// Shows, or pauses, or ends a pause.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    operator::operate(&arguments.files, async |operator| match arguments.command {
        None => show(&operator).await,
        Some(Command::Pause) => {
            place::pause(&operator.settings.rotation.state_dir).map_err(|error| failed(&error))?;
            report::data("paused: neither a sidecar with this state_dir nor `rotate --if-due` begins a rotation\n").map(|()| Exit::Done)
        }
        Some(Command::Resume) if place::is_paused(&operator.settings.rotation.state_dir) => {
            place::go_on(&operator.settings.rotation.state_dir).map_err(|error| failed(&error))?;
            report::data("resumed\n").map(|()| Exit::Done)
        }
        Some(Command::Resume) => report::data("it does not pause\n").map(|()| Exit::Done),
    })
}

fn failed(error: &FileError) -> Failure {
    Failure::could_not_run("the schedule cannot be told").caused_by(error).hint("run this as the user that rotates, or name --state-dir")
}

async fn show(operator: &Operator) -> Outcome {
    let rotation = &operator.settings.rotation;
    if rotation.policies.is_empty() {
        return Err(Failure::no("no policy says how old secrets may be").hint("add a [[rotation.policy]] with max_age to sidecar.toml"));
    }
    let parsed = operator.held()?;
    let seen = operator.survey().look(&parsed, Breadth::Held, |_| true).await;
    let now = clock::wall();
    let mut rows = vec![["ACCOUNT", "OLDEST SECRET", "AGE", "OVERDUE", "ROTATION"].map(str::to_owned)];
    for observed in seen.iter().map(|seen| Observed::of(seen, &rotation.policies, Tried::Well, now)) {
        let oldest = observed.listing.as_ref().ok().and_then(|listing| listing.oldest);
        let overdue = observed.listing.as_ref().is_ok_and(|listing| listing.timeliness == Timeliness::Overdue);
        rows.push([
            observed.account.to_string(),
            day(oldest),
            age(oldest.map(|at| now.duration_since(at).unwrap_or_default())),
            if overdue { "overdue" } else { "" }.to_owned(),
            due_in_words(&observed, now),
        ]);
    }
    let paused = if place::is_paused(&rotation.state_dir) { "\npaused: `vonage-sidecar schedule resume` ends it\n" } else { "" };
    report::data(&(columns(&rows) + paused)).map(|()| Exit::Done)
}
