//! How rotations ended, in words for people: what came of each account, what to do, and the command that goes on.

use crate::cli::line::Line;
use crate::cli::report::{self, Exit, Failure, Outcome};
use crate::rotation::halt::{End, Halt, ThenRun};
use crate::rotation::journal::disk::DiskError;
use crate::rotation::machine::Kind;
use crate::rotation::runner::all::Came;
use crate::rotation::runner::{NotRun, Ran};
use crate::secret::ApiKey;

/// What came of it all: a line for each account when there are several, and the first remedy. `goes_on` is the command
/// that goes on with an account.
pub(in crate::cli) fn conclude(came: &[(ApiKey, Came)], goes_on: impl Fn(&ApiKey) -> Line) -> Outcome {
    if came.len() > 1 {
        for (account, one) in came {
            report::notice(&format!("{account}: {}\n", words(one, goes_on(account))));
        }
    }
    let Some((account, first)) = came.iter().find(|(_, one)| !one.is_done()) else {
        for (account, _) in came.iter().filter(|(_, one)| matches!(one, Came::Ran(Ran::NothingBegun))) {
            report::notice(&format!("{account}: there is no rotation to go on with\n"));
        }
        return Ok(Exit::Done);
    };
    let what = format!("the rotation of {account} is not done");
    Err(match first {
        Came::NotRun(error) => not_run(&what, error),
        Came::Ran(Ran::Over(end)) => ended(&what, end, goes_on(account)),
        Came::Ran(Ran::NothingBegun) => Failure::no(what),
        Came::Waits(child) => Failure::no(what).because(format!("{child}, which it manages, is not done")),
    })
}

fn words(came: &Came, goes_on: Line) -> String {
    match came {
        Came::Ran(Ran::Over(end)) => end.halt().map_or_else(|| end.to_string(), |halt| format!("{end}{}", command(halt, goes_on))),
        Came::Ran(Ran::NothingBegun) => "there is no rotation to go on with".to_owned(),
        Came::NotRun(error) => error.to_string(),
        Came::Waits(child) => format!("not begun, since {child}, which it manages, is not done"),
    }
}

/// A run that is over before there is nothing left to do.
pub(super) fn ended<K: Kind>(what: &str, end: &End<K>, goes_on: Line) -> Failure {
    let failure = Failure::no(what);
    match end.halt() {
        None => failure,
        Some(halt) => failure.because(halt).hint(format!("{}{}", halt.remedy(), command(halt, goes_on))),
    }
}

/// On a line of its own, so that it can be pasted. Nothing when it would be wrong again.
fn command(halt: &dyn Halt, goes_on: Line) -> String {
    match halt.then() {
        ThenRun::TheSameWith(words) => format!("\n      it goes on with: {}", goes_on.more(words)),
        ThenRun::Another => String::new(),
    }
}

/// A run that was none.
pub(in crate::cli) fn not_run(what: &str, error: &NotRun) -> Failure {
    let failure = Failure::could_not_run(what).caused_by(error);
    match error {
        NotRun::Credentials(undelivered) => failure.hint(undelivered.remedy()),
        NotRun::NoSuchAccount(_) => failure.ending_with(Exit::No).hint("vonage-sidecar secrets audit lists those that it has"),
        NotRun::NoSuchApplication(_) => failure.ending_with(Exit::No).hint("vonage-sidecar check lists what it has"),
        NotRun::Underway(_) => failure.ending_with(Exit::No).hint("finish it with `rotate`, or go back with `rotate --abort`"),
        NotRun::NoWayBack(_) => failure.ending_with(Exit::No).hint("run it again without --abort"),
        // Not another directory: a second rotation would make a second secret.
        NotRun::Disk(DiskError::Locked { .. }) => {
            failure.hint("wait for that one to end, then run it again: it may be another command, or the schedule of a sidecar")
        }
        NotRun::Disk(DiskError::Misplaced { .. }) => {
            failure.hint("give it back the name of its account, or move it away and look at `secrets list` for a secret that nobody holds")
        }
        NotRun::Disk(DiskError::File(_) | DiskError::Unusable { .. }) => {
            failure.hint("rotation.state_dir in sidecar.toml, or --state-dir, names the directory")
        }
        NotRun::Setup(_) => failure.hint("see [upstream] in sidecar.toml"),
    }
}
