//! A command that is for something else than the rotation that was begun: what is under way turns to that.
//!
//! Invariants: a revoke that may have been sent is brought to its end first; a secret that may have been made is not
//! forgotten; what is begun anew is decided from what the account and the file have by then.

use super::abort;
use super::halt::Ending;
use super::state::{Change, Creation, State, Then, Wish};
use super::task::{Emergency, Mode};
use super::{Chance, Machine};
use crate::rotation::machine::Now;
use crate::secret::SecretId;

/// Why a rotation does not turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rotation is under way, and a drill would not end it")]
pub struct Underway;

impl Machine {
    /// From here on it is for this.
    pub fn turn_to(&mut self, mode: &Mode, now: Now, chance: &mut dyn Chance) -> Result<(), Underway> {
        let before = self.journal().plan.task.mode.clone();
        let state = match (&before, mode) {
            (Mode::Rotate | Mode::Emergency(_), Mode::Drill) => return Err(Underway),
            (Mode::Drill, Mode::Drill) | (Mode::Rotate | Mode::Emergency(_), Mode::Rotate) => return Ok(()),
            (Mode::Drill, Mode::Rotate) => on(&self.journal().state),
            // The same command again goes on with what it began.
            (Mode::Emergency(before), Mode::Emergency(emergency)) if before.leaked == emergency.leaked => None,
            (_, Mode::Emergency(emergency)) => leaked(&self.journal().state, emergency, chance),
        };
        self.amend(|plan| plan.task.mode = mode.clone());
        if let Some(state) = state {
            self.enter(state, Vec::new(), now);
        }
        Ok(())
    }
}

/// What was to be its end is the beginning of what it is for now. None: it goes on as it is.
fn on(state: &State) -> Option<State> {
    let on = |change: &Change| Change { then: Then::Check, ..change.clone() };
    match state {
        State::Revoke(change) => Some(State::Revoke(on(change))),
        State::Tidy(change) => Some(State::Tidy(on(change))),
        State::Verify(change) => Some(State::Verify(on(change))),
        State::Report { .. } => Some(State::Check),
        State::Check
        | State::Create(_)
        | State::Prove(_)
        | State::Deploy(_)
        | State::Converge(_)
        | State::Soak(_)
        | State::Ended { .. } => None,
    }
}

/// The rotation goes on, without waiting for what there is no time for, when it is the leaked one that goes. Everything
/// else is decided anew.
fn leaked(state: &State, emergency: &Emergency, chance: &mut dyn Chance) -> Option<State> {
    let is_leaked = |id: Option<&SecretId>| id.is_some() && id == emergency.leaked.as_ref();
    match state {
        State::Create(creation) if creation.wish == Wish::Unwanted => {
            Some(State::Create(Creation { wish: Wish::Wanted, ..creation.clone() }))
        }
        State::Prove(minted) if is_leaked(Some(&minted.new.id)) => {
            let change = abort::withdrawal(minted, chance)?;
            Some(State::Revoke(Change { then: Then::Finish(Ending::Removed), ..change }))
        }
        State::Deploy(change) | State::Converge(change) | State::Soak(change) if !is_leaked(change.goes.id()) => Some(State::Check),
        State::Soak(change) => Some(State::Converge(change.clone())),
        State::Revoke(change) | State::Tidy(change) | State::Verify(change) if is_leaked(change.goes.id()) => None,
        State::Revoke(_) | State::Tidy(_) | State::Verify(_) | State::Report { .. } => on(state),
        // What is being made or proven is in no file, so it is none of those that any may be.
        State::Check | State::Create(_) | State::Prove(_) | State::Deploy(_) | State::Converge(_) | State::Ended { .. } => None,
    }
}
