//! What fails is tried again with longer and longer waits, up to a limit. Pure.
//!
//! What is done elsewhere, and goes well there, does not make up for it.

use std::time::{Duration, Instant};

use super::effect::Doing;
use crate::vonage::hosts::Host;

/// The first wait after a failure; doubles.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// What fails, and until when nothing is done.
#[derive(Debug, Default)]
pub(super) struct Tries {
    rest: Option<Instant>,
    failing: Vec<Failing>,
}

/// What is tried: something, at a host where it is asked of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) doing: Doing,
    pub(super) host: Option<Host>,
}

/// What fails.
#[derive(Debug)]
struct Failing {
    tried: Tried,
    since: Instant,
    times: u32,
}

/// Whether nothing is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resting {
    /// Until then.
    Until(Instant),
    /// A rest is just over: what was seen before it is old.
    Over,
    /// No.
    No,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// It is tried again after a rest.
    Again,
    /// It has failed for too long.
    TooLong,
}

impl Tries {
    pub(super) fn resting(&mut self, now: Instant) -> Resting {
        match self.rest {
            None => Resting::No,
            Some(until) if now < until => Resting::Until(until),
            Some(_) => {
                self.rest = None;
                Resting::Over
            }
        }
    }

    pub(super) fn rest(&mut self, until: Instant) {
        self.rest = Some(until);
    }

    /// Nothing has failed in a new state.
    pub(super) fn begin_anew(&mut self) {
        self.failing.clear();
    }

    pub(super) fn succeeded(&mut self, tried: Tried) {
        self.failing.retain(|failing| failing.tried != tried);
    }

    pub(super) fn failed(&mut self, tried: Tried, give_up: Duration, now: Instant) -> Failed {
        let failing = match self.failing.iter().position(|failing| failing.tried == tried) {
            Some(at) => {
                let failing = self.failing.swap_remove(at);
                Failing { times: failing.times.saturating_add(1), ..failing }
            }
            None => Failing { tried, since: now, times: 0 },
        };
        if now.saturating_duration_since(failing.since) >= give_up {
            return Failed::TooLong;
        }
        let doubled = FIRST_BACK_OFF.saturating_mul(1_u32.checked_shl(failing.times).unwrap_or(u32::MAX));
        self.rest = Some(now + doubled.min(LONGEST_BACK_OFF));
        self.failing.push(failing);
        Failed::Again
    }
}
