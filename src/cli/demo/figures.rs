//! Counts, what they grew by, which secret is in use, and what it comes to at the end. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::calls::Call;
use super::kinds::Kind;

/// What happened since the start, or in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Figures {
    /// Calls that ended.
    pub(super) requests: u64,
    /// Those that an app would have seen fail.
    pub(super) failed: u64,
    /// Those that were refused with one secret and accepted with another, unseen by the caller.
    pub(super) fell_back: u64,
    /// Those that waited for a newer file and got it.
    pub(super) held: u64,
}

impl Figures {
    /// What was added since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            failed: self.failed.saturating_sub(before.failed),
            fell_back: self.fell_back.saturating_sub(before.fell_back),
            held: self.held.saturating_sub(before.held),
        }
    }
}

/// How often a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) call: Call,
    pub(super) requests: u64,
    pub(super) failed: u64,
}

/// The counts of the last second, from several looks at them.
#[derive(Debug, Default)]
pub(super) struct Rates(VecDeque<Look>);

#[derive(Debug)]
struct Look {
    at: Duration,
    counts: [Count; 4],
    figures: Figures,
}

impl Rates {
    /// Adds a look at all counts, taken `at` after the start.
    pub(super) fn add(&mut self, at: Duration, counts: [Count; 4], figures: Figures) {
        // The oldest look kept is the one that a second just passed since.
        while self.0.get(1).is_some_and(|second| at.saturating_sub(second.at) >= Duration::from_millis(950)) {
            self.0.pop_front();
        }
        self.0.push_back(Look { at, counts, figures });
    }

    /// The newest counts, each with how many a second there were lately.
    pub(super) fn counts(&self) -> Vec<(Count, u64)> {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return Vec::new() };
        let span = last.at.saturating_sub(first.at);
        let per_second = |grown: u64| if span.is_zero() { 0 } else { whole(u128::from(grown) * 1000 / span.as_millis().max(1)) };
        let pairs = last.counts.iter().zip(&first.counts);
        pairs.map(|(now, before)| (*now, per_second(now.requests.saturating_sub(before.requests)))).collect()
    }

    /// The newest figures.
    pub(super) fn total(&self) -> Figures {
        self.0.back().map(|look| look.figures).unwrap_or_default()
    }

    /// What the last second added.
    pub(super) fn lately(&self) -> Figures {
        let first = self.0.front().map(|look| look.figures).unwrap_or_default();
        self.total().since(first)
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The secret in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InUse {
    /// None was accepted yet.
    None,
    /// One of the file: its place from 1, and how many there are.
    Slot {
        /// From 1.
        place: usize,
        /// In the file.
        of: usize,
    },
    /// One that left the file and is kept for a while.
    LeftTheFile,
}

impl InUse {
    /// In plain words.
    pub(super) fn words(self) -> String {
        match self {
            Self::None => "no secret yet".to_owned(),
            Self::Slot { place, of } => format!("secret {place} of {of} in the file"),
            Self::LeftTheFile => "the one that left the file".to_owned(),
        }
    }
}

/// A rotation that is over.
#[derive(Debug, Clone)]
pub(super) struct Rotated {
    /// From 1.
    pub(super) number: usize,
    pub(super) kind: Kind,
    /// In plain words.
    pub(super) what: String,
    /// What happened from its first step to its last.
    pub(super) meanwhile: Figures,
    /// The longest call that ended meanwhile.
    pub(super) slowest: Duration,
}

/// What it all came to.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) total: Figures,
    pub(super) counts: [Count; 4],
    pub(super) rotations: Vec<Rotated>,
    /// Executions beyond one for each message.
    pub(super) duplicated: u64,
    /// The first failures, with what came back.
    pub(super) failures: Vec<String>,
}

impl Verdict {
    /// Whether the promise held.
    pub(super) fn is_kept(&self) -> bool {
        self.total.failed == 0 && self.duplicated == 0
    }

    /// The same as a document for programs.
    pub(super) fn document(&self) -> Value {
        let rotation = |rotated: &Rotated| {
            json!({
                "number": rotated.number,
                "kind": rotated.kind.name(),
                "what": rotated.what,
                "requests": rotated.meanwhile.requests,
                "failed": rotated.meanwhile.failed,
                "fell_back": rotated.meanwhile.fell_back,
                "held": rotated.meanwhile.held,
                "slowest_ms": whole(rotated.slowest.as_millis()),
            })
        };
        let call = |count: &Count| json!({ "call": count.call.name(), "requests": count.requests, "failed": count.failed });
        json!({
            "requests": self.total.requests,
            "failed": self.total.failed,
            "duplicated": self.duplicated,
            "fell_back": self.total.fell_back,
            "held": self.total.held,
            "calls": self.counts.iter().map(call).collect::<Vec<_>>(),
            "rotations": self.rotations.iter().map(rotation).collect::<Vec<_>>(),
            "failures": self.failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(requests: u64) -> ([Count; 4], Figures) {
        (Call::ALL.map(|call| Count { call, requests, failed: 0 }), Figures { requests: requests * 4, ..Figures::default() })
    }

    #[test]
    fn a_rate_is_of_the_last_second() {
        let mut rates = Rates::default();
        for (milliseconds, requests) in [(0, 0), (500, 400), (1000, 500), (1500, 600), (2000, 700)] {
            let (counts, figures) = look(requests);
            rates.add(Duration::from_millis(milliseconds), counts, figures);
        }
        assert!(rates.counts().iter().all(|(count, rate)| (count.requests, *rate) == (700, 200)), "{:?}", rates.counts());
        assert_eq!((rates.lately().requests, rates.total().requests), (800, 2800));
    }

    #[test]
    fn one_look_is_no_rate() {
        let mut rates = Rates::default();
        assert!(rates.counts().is_empty());
        let (counts, figures) = look(9);
        rates.add(Duration::ZERO, counts, figures);
        assert!(rates.counts().iter().all(|(count, rate)| (count.requests, *rate) == (9, 0)));
    }
}
