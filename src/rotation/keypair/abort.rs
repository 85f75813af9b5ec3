//! The way back.
//!
//! Before the public key may have been replaced, the new key leaves the file, and no provider has heard of it. After that,
//! the same way is gone backwards: the old public key is put back while every sidecar holds both. Once the old key may
//! have left the file, there is no way back.

use super::halt::Ending;
use super::state::{Change, State};
use crate::rotation::halt::Credential;
use crate::rotation::machine::{Back, Refused};

/// The way back from a state.
pub(super) fn back(state: &State) -> Result<Back<State>, Refused> {
    let is_back = |change: &Change| change.ending == Ending::Aborted;
    let state = match state {
        State::Check => State::Report { ending: Ending::Aborted },
        State::Deploy(change) | State::Spread(change) => State::Withdraw(change.back()),
        State::Withdraw(_) => return Ok(Back::Underway),
        State::Put(change) | State::Prove(change) | State::Converge(change) | State::Drop(change) if is_back(change) => {
            return Ok(Back::Underway);
        }
        State::Put(change) | State::Prove(change) | State::Converge(change) => State::Put(change.back()),
        State::Drop(_) => return Err(Refused::TooLate(Credential::Key)),
        State::Report { .. } | State::Ended { .. } => return Err(Refused::Over),
    };
    Ok(Back::To(Box::new(state)))
}
