//! Why an attempt has no answer, and what that says about the request: unsent, or perhaps done.
//!
//! Not here: what comes after it (`super`).

use crate::proxy::fault::Fault;
use crate::upstream::received::BrokenOff;
use crate::upstream::{ConnectError, SendError};

/// Why an attempt has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was written, or the peer provably processed nothing.
    Unsent(Fault),
    /// Nothing was written: the body was begun by an earlier attempt, which was refused, and outgrew its copy since.
    NotReplayable,
    /// It was begun: what the peer did is not known.
    Begun(SendError),
    /// The answer broke off.
    Broken(BrokenOff),
    /// The caller broke it.
    Caller(Fault),
}

impl Failure {
    /// No connection.
    pub(super) fn unsent(error: ConnectError) -> Self {
        Self::Unsent(Fault::Connect(error))
    }

    /// It was being sent.
    pub(super) fn of(error: SendError) -> Self {
        match error {
            SendError::NotProcessed(_) | SendError::Refused(_) | SendError::NoStream => Self::Unsent(Fault::Send(error)),
            SendError::ClosedBeforeAnswer(_) | SendError::Timeout | SendError::Failed(_) => Self::Begun(error),
        }
    }

    /// The fault, when this was the only attempt.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Unsent(fault) | Self::Caller(fault) => fault,
            Self::Begun(error) => Fault::Send(error),
            // Without an earlier attempt the body has its start, so the first of the two is never alone.
            Self::NotReplayable | Self::Broken(_) => Fault::AnswerBroken,
        }
    }
}
