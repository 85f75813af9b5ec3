//! The way back.
//!
//! Before the file was written, the new secret is revoked and nobody has seen it. After that, the same way is gone
//! backwards, since sidecars may use it by now. Once a revoke may have been sent, there is no way back.

use super::Chance;
use super::halt::Ending;
use super::state::{Change, Creation, Goes, Minted, State, Then, Wish};
use crate::rotation::halt::Credential;
use crate::rotation::machine::{Back, Refused};
use crate::secret::ApiSecret;

/// The way back from a state.
pub(super) fn back(state: &State, chance: &mut dyn Chance) -> Result<Back<State>, Refused> {
    let aborted = State::Report { ending: Ending::Aborted };
    let state = match state {
        State::Check => aborted,
        State::Create(creation) => State::Create(Creation { wish: Wish::Unwanted, ..creation.clone() }),
        State::Prove(minted) => withdrawal(minted, chance).map_or(aborted, State::Revoke),
        State::Deploy(change) | State::Converge(change) | State::Soak(change) => match backwards(change, chance) {
            Backwards::Undo(change) => State::Deploy(*change),
            Backwards::Leave => aborted,
            Backwards::Underway => return Ok(Back::Underway),
        },
        State::Revoke(change) | State::Tidy(change) | State::Verify(change) => match change.then {
            Then::Finish(Ending::Aborted) => return Ok(Back::Underway),
            Then::Check | Then::Finish(_) => return Err(Refused::TooLate(Credential::Secret)),
        },
        State::Report { .. } | State::Ended { .. } => return Err(Refused::Over),
    };
    Ok(Back::To(Box::new(state)))
}

/// Takes a new secret away again that was never in the file. None when nothing would stay.
pub(super) fn withdrawal(minted: &Minted, chance: &mut dyn Chance) -> Option<Change> {
    let (stays, beside) = minted.base.live.split_first()?;
    Some(Change {
        stays: stays.clone(),
        beside: beside.to_vec(),
        goes: Goes::Unused(minted.new.clone()),
        before: minted.base.file.clone(),
        revision: chance.revision(),
        then: Then::Finish(Ending::Aborted),
    })
}

enum Backwards {
    /// Make the new secret go instead of the old one.
    Undo(Box<Change>),
    /// Nothing was made: both secrets were there before and stay.
    Leave,
    /// It is being undone.
    Underway,
}

/// Whether the file had it before.
fn was_there(change: &Change, value: Option<&ApiSecret>) -> bool {
    value.is_some_and(|value| change.before.iter().any(|before| before.same_as(value)))
}

fn backwards(change: &Change, chance: &mut dyn Chance) -> Backwards {
    match change.then {
        Then::Finish(Ending::Aborted) => return Backwards::Underway,
        Then::Check | Then::Finish(Ending::Removed) => {
            match (was_there(change, change.goes.value()), was_there(change, Some(&change.stays.value))) {
                (true, true) => return Backwards::Leave,
                // What this rotation made goes, as it would on the way back.
                (false, _) => return Backwards::Underway,
                (true, false) => {}
            }
        }
        Then::Finish(Ending::Done | Ending::Added | Ending::Drilled) => {}
    }
    let (stays, beside) = match (&change.goes, change.beside.split_first()) {
        (Goes::Used(old), _) => (old, change.beside.as_slice()),
        (Goes::Nothing, Some((kept, others))) => (kept, others),
        (Goes::Nothing, None) | (Goes::Unused(_) | Goes::Unknown(_), _) => return Backwards::Leave,
    };
    Backwards::Undo(Box::new(Change {
        stays: stays.clone(),
        beside: beside.to_vec(),
        goes: Goes::Used(change.stays.clone()),
        before: change.before.clone(),
        revision: chance.revision(),
        then: Then::Finish(Ending::Aborted),
    }))
}
