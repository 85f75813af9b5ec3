//! `rotate --if-due`: first what was begun, whatever the schedule says, then what is due.
//!
//! A key pair whose window is closed comes last: it waits for the window, and nobody else needs to. What another process
//! is at goes on there, and is no failure here.

use super::{Arguments, conclude, conclude_keys, not_run, rotator, teller, wanted};
use crate::cli::operator::Operator;
use crate::cli::report::{self, Exit, Failure, Outcome};
use crate::clock;
use crate::rotation::begun::{self, Begun};
use crate::rotation::journal::disk::DiskError;
use crate::rotation::keypair::task::Window;
use crate::rotation::place;
use crate::rotation::runner::all::{Came, Pace};
use crate::rotation::runner::{KeyOrder, NotRun, Order, Rotator, Want};
use crate::rotation::schedule::{self, Subject, Tried};
use crate::rotation::survey::Breadth;
use crate::secret::{ApiKey, ApplicationId};

/// Goes on with what was begun and rotates what is due.
pub(super) async fn rotate(arguments: &Arguments, operator: Operator) -> Outcome {
    let begun = begun::find(&operator.settings.rotation.state_dir)
        .map_err(|error| Failure::could_not_run("it cannot be seen what was begun").caused_by(&error).hint("see --state-dir"))?;
    let due = due(&operator, &begun).await;
    if begun.is_empty() && due.as_ref().is_ok_and(Due::is_nothing) {
        report::notice("nothing is due\n");
        return Ok(Exit::Done);
    }
    let rotator = rotator(operator)?;
    let Begun { accounts, key_pairs, unusable } = begun;
    let mut came: Vec<Outcome> = unusable.iter().map(|error| Err(unread(error))).collect();
    let (open, closed): (Vec<_>, Vec<_>) = key_pairs.into_iter().partition(|(_, window)| window.opens_in(clock::wall()).is_zero());
    for (application, window) in open {
        came.push(go_on(arguments, application, window, &rotator).await);
    }
    let go_on_with = accounts.into_iter().flat_map(|(account, want)| wanted(arguments, vec![account], want));
    let mut unseen = Vec::new();
    let orders: Vec<Order> = match due {
        Ok(due) => {
            unseen = due.unseen;
            go_on_with.chain(wanted(arguments, due.accounts, Want::Rotate)).collect()
        }
        Err(failure) => {
            came.push(Err(failure));
            go_on_with.collect()
        }
    };
    if !orders.is_empty() {
        came.push(in_turn(arguments, orders, &rotator).await);
    }
    for (application, window) in closed {
        came.push(go_on(arguments, application, window, &rotator).await);
    }
    if !unseen.is_empty() {
        came.push(Err(not_seen(&unseen)));
    }
    report::together(came)
}

/// Of which accounts a rotation is to begin, as far as can be seen.
#[derive(Default)]
struct Due {
    accounts: Vec<ApiKey>,
    unseen: Vec<ApiKey>,
}

impl Due {
    fn is_nothing(&self) -> bool {
        self.accounts.is_empty() && self.unseen.is_empty()
    }
}

/// What cannot be seen must not pass for what is in order, whatever was due beside it.
fn not_seen(unseen: &[ApiKey]) -> Failure {
    let failure = unseen.iter().fold(Failure::no("not every account can be seen"), Failure::because);
    failure.hint("vonage-sidecar secrets audit says more")
}

fn unread(error: &dyn std::error::Error) -> Failure {
    Failure::could_not_run("the rotation of a key pair does not go on").caused_by(error).hint("run `rotate --application ID` by hand")
}

async fn in_turn(arguments: &Arguments, orders: Vec<Order>, rotator: &Rotator) -> Outcome {
    let came = rotator.rotate_all(orders, Pace::InTurn, &teller(arguments.json)).await;
    let came = came.map_err(|error| not_run("nothing was done", &error))?;
    let is_elsewhere = |came: &Came| matches!(came, Came::NotRun(NotRun::Disk(DiskError::Locked { .. })));
    let (elsewhere, here): (Vec<_>, Vec<_>) = came.into_iter().partition(|(_, came)| is_elsewhere(came));
    for (account, _) in elsewhere {
        goes_on_elsewhere(&account);
    }
    conclude(&here, |account| arguments.goes_on(account))
}

/// With the window that whoever began it has named.
async fn go_on(arguments: &Arguments, application: ApplicationId, window: Window, rotator: &Rotator) -> Outcome {
    let order = KeyOrder { application, want: Want::Resume, window, terms: arguments.terms() };
    match rotator.rotate_keys(&order, &teller(arguments.json)).await {
        Err(NotRun::Disk(DiskError::Locked { .. })) => {
            goes_on_elsewhere(&order.application);
            Ok(Exit::Done)
        }
        came => conclude_keys(arguments, &order, came),
    }
}

fn goes_on_elsewhere(whose: &dyn std::fmt::Display) {
    report::notice(&format!("{whose}: another process is at it\n"));
}

/// The accounts of which a rotation is to begin. None while the schedule pauses.
async fn due(operator: &Operator, begun: &Begun) -> Result<Due, Failure> {
    let rotation = &operator.settings.rotation;
    if rotation.policies.is_empty() {
        return Err(Failure::no("no policy says when a secret is due").hint("add a [[rotation.policy]] with max_age to sidecar.toml"));
    }
    if place::is_paused(&rotation.state_dir) {
        report::notice("paused, so nothing is begun: `vonage-sidecar schedule resume` ends it\n");
        return Ok(Due::default());
    }
    let parsed = operator.held()?;
    let is_begun = |key: &ApiKey| begun.accounts.iter().any(|(account, _)| account == key);
    let seen = operator.survey().look(&parsed, Breadth::Held, |entry| !is_begun(&entry.key)).await;
    let now = clock::wall();
    for (account, why) in seen.iter().filter_map(|seen| Some((&seen.account, seen.listed.as_ref().err()?))) {
        report::notice(&format!("{account} is not seen: {why}\n"));
    }
    let subjects: Vec<Subject<'_>> = seen.iter().filter_map(|seen| Subject::of(seen, &rotation.policies, Tried::Well, now)).collect();
    let unseen = seen.iter().filter(|seen| seen.listed.is_err()).map(|seen| seen.account.clone()).collect();
    Ok(Due { accounts: schedule::all_due(&subjects, now), unseen })
}
