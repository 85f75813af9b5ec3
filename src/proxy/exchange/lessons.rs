//! What an exchange teaches: about the values, when it ends, and about second attempts, for the back-off and figures.

use std::time::Instant;

use super::Ask;
use super::pick::Pick;
use crate::clock;
use crate::credentials::standing::{Few, Lesson};
use crate::credentials::{Keyring, Uid};
use crate::metrics::FallbackOutcome;
use crate::prove::{self, Learnt};
use crate::proxy::Proxy;
use crate::proxy::course::Course;
use crate::vonage::hosts::Host;
use crate::vonage::refusal::Verdict;

/// The verdicts of one request. They are learnt together when it ends, however it ends: a refusal that was followed by an
/// acceptance is paired evidence, and one that was not is evidence still when the caller leaves meanwhile.
pub(super) struct Lessons<'a> {
    proxy: &'a Proxy,
    host: Host,
    taken: Few<Taken>,
}

struct Taken {
    keyring: Keyring,
    uid: Uid,
    verdict: Verdict,
    sent: Instant,
}

impl<'a> Lessons<'a> {
    pub(super) fn new(proxy: &'a Proxy, host: Host) -> Self {
        Self { proxy, host, taken: Few::new() }
    }

    /// The verdict on an attempt that was sent at `sent`.
    pub(super) fn take(&mut self, pick: &Pick, verdict: Verdict, sent: Instant) {
        self.taken.push(Taken { keyring: pick.keyring.clone(), uid: pick.uid, verdict, sent });
    }
}

impl Lessons<'_> {
    /// Learns what is known already, for a request that waits: nothing was accepted so far. What it learns later of the
    /// same attempts comes too late to move a standing back.
    pub(super) fn so_far(&self) {
        for taken in &self.taken {
            let refused = matches!(taken.verdict, Verdict::Refused | Verdict::Doubtful);
            if refused && prove::learn(&taken.keyring, taken.uid, self.host, Lesson::RefusedAlone, taken.sent) == Learnt::RetiringRefused {
                self.proxy.reload.prune();
            }
        }
        self.proxy.alarm.ring();
    }
}

impl Drop for Lessons<'_> {
    /// In the order of the attempts: the value that works is not held back by one that was just found out.
    fn drop(&mut self) {
        let accepted = self.taken.iter().any(|taken| taken.verdict == Verdict::Accepted);
        let mut fell = false;
        for taken in &self.taken {
            let lesson = match (taken.verdict, accepted) {
                (Verdict::Refused, true) => Lesson::RefusedPaired,
                (Verdict::Refused, false) | (Verdict::Doubtful, _) => Lesson::RefusedAlone,
                (Verdict::Accepted, _) => Lesson::Accepted,
                (Verdict::Stale | Verdict::NoEvidence, _) => continue,
            };
            if prove::learn(&taken.keyring, taken.uid, self.host, lesson, taken.sent) == Learnt::RetiringRefused {
                self.proxy.reload.prune();
            }
            fell |= lesson != Lesson::Accepted;
        }
        if fell {
            self.proxy.alarm.ring();
        }
    }
}

impl Proxy {
    pub(super) fn count_delivery(&self, course: &Course, pick: &Pick, verdict: Verdict) {
        if let Some(usage) = pick.usage() {
            usage.served();
        }
        if course.tries().len() > 1 {
            self.metrics.fallback(if verdict == Verdict::Accepted { FallbackOutcome::Accepted } else { FallbackOutcome::Failed });
        }
    }

    pub(super) fn count_refusal(&self, ask: &Ask, pick: &Pick, course: &Course, why: FallbackOutcome) {
        let useless = course.tries().len() > 1;
        self.metrics.fallback(if useless { FallbackOutcome::Refused } else { why });
        pick.keyring.opinion().restraint(|restraint| {
            if useless {
                restraint.spend(ask.endpoint.name, ask.host, clock::now());
            }
            // Only a request that found no other secret to try has seen all of them refused.
            if course.all_refused() && why == FallbackOutcome::NoOther {
                restraint.all_refused(ask.endpoint.name, ask.host, clock::now());
            }
        });
    }
}
