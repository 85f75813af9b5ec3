//! A timer that moves with every byte and costs the runtime nothing while it does.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

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
