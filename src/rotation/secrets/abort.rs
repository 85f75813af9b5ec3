//! The way back.
//!
//! Before the file was written, the new secret is revoked and nobody has seen it. After that, the same way is gone
//! backwards, since sidecars may use it by now. Once a revoke may have been sent, there is no way back.

use super::halt::Ending;
use super::state::{Change, Creation, Goes, State, Then, Wish};
use super::{Chance, steps};
use crate::rotation::halt::Credential;
use crate::rotation::machine::{Back, Refused};

/// The way back from a state.
pub(super) fn back(state: &State, chance: &mut dyn Chance) -> Result<Back<State>, Refused> {
    let aborted = State::Report { ending: Ending::Aborted };
    let state = match state {
        State::Check => aborted,
        State::Create(creation) => State::Create(Creation { wish: Wish::Unwanted, ..creation.clone() }),
        State::Prove(minted) => steps::withdrawal(minted, chance).map_or(aborted, State::Revoke),
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

enum Backwards {
    /// Make the new secret go instead of the old one.
    Undo(Box<Change>),
    /// Nothing was made: both secrets were there before and stay.
    Leave,
    /// It is being undone.
    Underway,
}

fn backwards(change: &Change, chance: &mut dyn Chance) -> Backwards {
    match change.then {
        Then::Finish(Ending::Aborted) => return Backwards::Underway,
        Then::Check | Then::Finish(Ending::Removed) => return Backwards::Leave,
        Then::Finish(Ending::Done | Ending::Drilled) => {}
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
