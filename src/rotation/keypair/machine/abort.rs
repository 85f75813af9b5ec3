//! The way back.
//!
//! Before the public key may have been replaced, the new key leaves the file, and no provider has heard of it. After that,
//! the same way is gone backwards: the old public key is put back while every sidecar holds both. Once the old key may
//! have left the file, there is no way back.

use super::{Machine, Now};
use crate::rotation::keypair::halt::Ending;
use crate::rotation::keypair::journal::Fact;
use crate::rotation::keypair::state::{Change, State};

/// Why a rotation cannot be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Sidecars may have lost the old key.
    #[error("the old key may have left the file already; run the command without --abort to finish")]
    TooLate,
    /// There is nothing to call off.
    #[error("the rotation is over")]
    Over,
}

impl Machine {
    /// Calls the rotation off: what follows undoes it.
    pub fn abort(&mut self, now: Now) -> Result<(), Refused> {
        let is_back = |change: &Change| change.ending == Ending::Aborted;
        let state = match &self.journal.state {
            State::Check => State::Report { ending: Ending::Aborted },
            State::Deploy(change) | State::Spread(change) => State::Withdraw(change.back()),
            State::Withdraw(_) => return Ok(()),
            State::Put(change) | State::Prove(change) | State::Converge(change) | State::Drop(change) if is_back(change) => return Ok(()),
            State::Put(change) | State::Prove(change) | State::Converge(change) => State::Put(change.back()),
            State::Drop(_) => return Err(Refused::TooLate),
            State::Report { .. } | State::Ended { .. } => return Err(Refused::Over),
        };
        self.enter(state, vec![Fact::AbortAsked], now);
        Ok(())
    }
}
