//! A timer that moves with every byte and costs the runtime nothing while it does.

use std::future::Future;
use std::io::{ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use crate::clock;

/// A timer that is moved without touching the runtime unless it must fire earlier.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Whether the deadline has passed; wakes the task when it does.
    pub(super) fn expired(&mut self, deadline: Instant, cx: &mut Context<'_>) -> bool {
        loop {
            if clock::now() >= deadline {
                return true;
            }
            let wanted = tokio::time::Instant::from_std(deadline);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wanted)));
            if sleep.deadline() > wanted || sleep.is_elapsed() {
                sleep.as_mut().reset(wanted);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
    }
}

/// How long a peer has not taken what is written to it.
#[derive(Debug)]
pub(in crate::proxy) struct WriteStall {
    patience: Duration,
    timer: Timer,
    since: Option<Instant>,
}

impl WriteStall {
    pub(in crate::proxy) fn new(patience: Duration) -> Self {
        Self { patience, timer: Timer::default(), since: None }
    }

    /// Passes an outcome on; one that is pending for too long becomes an error.
    pub(in crate::proxy) fn watch<T>(&mut self, outcome: Poll<Result<T>>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        if outcome.is_ready() {
            self.since = None;
            return outcome;
        }
        let deadline = *self.since.get_or_insert_with(clock::now) + self.patience;
        if self.timer.expired(deadline, cx) { Poll::Ready(Err(ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}
