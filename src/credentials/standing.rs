//! What we think of each held value, what an answer teaches, and which value goes first. Pure: `now` is an argument.
//!
//! Invariants:
//! - **Standing orders, it never excludes**: an order holds every candidate exactly once.
//! - A standing belongs to (value, host) and survives every reload that keeps the value.
//! - An answer counts only if its attempt was sent after that standing last moved, so a late answer changes nothing.
//! - Only paired evidence (this one refused, another accepted, on one request) or a probe refuses at once.
//! - Only the way back to the first slot of the file is damped; the way to a value that works never is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::{Place, Uid};
use crate::vonage::hosts::Host;

/// Two acceptances this far apart bring the file's first slot back before one that works.
const DAMPING: Duration = Duration::from_secs(1);
/// How often a new value without a free probe is tried first by a request that can be replayed.
const TRIAL: Duration = Duration::from_secs(5);
/// The first wait between probes of a value; doubles up to [`PROBE_LAST`].
const PROBE_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between probes of a value.
const PROBE_LAST: Duration = Duration::from_mins(10);

/// What belongs to the values of one keyring: two of the file, and seldom more than two that retire. Every request makes
/// a few of these, so the usual number costs no allocation.
pub type Few<T> = SmallVec<[T; 4]>;

/// What is believed of a value at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Standing {
    /// Nothing yet.
    #[default]
    Untested,
    /// The provider accepted it.
    Good,
    /// It was refused once, without proof that another one is accepted.
    Suspect,
    /// The provider refuses it.
    Refused,
}

impl Standing {
    /// One word for logs, metrics and `/status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Good => "good",
            Self::Suspect => "suspect",
            Self::Refused => "refused",
        }
    }
}

/// What one attempt taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lesson {
    /// The credential was accepted.
    Accepted,
    /// It was refused, and another one was accepted on the same request.
    RefusedPaired,
    /// It was refused, or perhaps refused, and nothing else is known.
    RefusedAlone,
    /// A probe of it was refused.
    ProbeRefused,
}

/// Whether a value may be tried out by a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// The request can be sent again and the host has no free probe: a new value may go first now and then.
    Allowed,
    /// A probe decides.
    No,
}

/// A held value as far as ordering goes.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Which.
    pub uid: Uid,
    /// Where it stands in the file.
    pub place: Place,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    standing: Standing,
    moved: Option<Instant>,
    accepted: Option<Instant>,
    /// When the latest accepted attempt was sent.
    accepted_sent: Option<Instant>,
    /// The first of two acceptances that bring the first slot back.
    returning: Option<Instant>,
    probe_wait: Duration,
    probe_due: Option<Instant>,
}

impl Record {
    /// What stays of it when its standing becomes good.
    fn afresh(self) -> Self {
        Self { accepted: self.accepted, accepted_sent: self.accepted_sent, ..Self::default() }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            standing: Standing::Untested,
            moved: None,
            accepted: None,
            accepted_sent: None,
            returning: None,
            probe_wait: PROBE_FIRST,
            probe_due: None,
        }
    }
}

/// What is believed of all values of one account.
#[derive(Debug, Default)]
pub struct Standings {
    records: BTreeMap<(Uid, Host), Record>,
    tried_out: BTreeMap<Host, Instant>,
    last_accepted: Option<Instant>,
}

impl Standings {
    /// The candidates in the order in which to try them.
    pub fn order(&mut self, candidates: &[Candidate], host: Host, trial: Trial, now: Instant) -> Few<Uid> {
        let mut ranked: Few<(Rank, Uid)> = candidates.iter().map(|candidate| (self.rank(*candidate, host), candidate.uid)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        if trial == Trial::Allowed && self.trial_due(host, now) {
            let good_first = ranked.first().is_some_and(|(rank, _)| rank.class == Class::Good);
            let untested = ranked.iter().position(|(rank, _)| rank.class == Class::Untested);
            if let (true, Some(index)) = (good_first, untested) {
                let tried = ranked.remove(index);
                ranked.insert(0, tried);
                self.tried_out.insert(host, now);
            }
        }
        ranked.into_iter().map(|(_, uid)| uid).collect()
    }

    fn trial_due(&self, host: Host, now: Instant) -> bool {
        self.tried_out.get(&host).is_none_or(|last| now.saturating_duration_since(*last) >= TRIAL)
    }

    fn rank(&self, candidate: Candidate, host: Host) -> Rank {
        let record = self.record(candidate.uid, host);
        let (position, retiring) = match candidate.place {
            Place::File(position) => (position, false),
            Place::Retiring { .. } => (usize::MAX, true),
        };
        let class = match (record.standing, retiring) {
            (Standing::Good, false) => Class::Good,
            (Standing::Untested, false) => Class::Untested,
            (Standing::Good, true) => Class::RetiringGood,
            (Standing::Untested, true) => Class::RetiringUntested,
            (Standing::Suspect, _) => Class::Suspect,
            (Standing::Refused, _) => Class::Refused,
        };
        // Among refused ones the one refused longest ago goes first: it had most time to become live. Among those that
        // retire the one that left the file last does.
        let refused_at = if class == Class::Refused { record.moved } else { None };
        let left = match candidate.place {
            Place::File(_) => None,
            Place::Retiring { until } => Some(std::cmp::Reverse(until)),
        };
        Rank { class, refused_at, left, position }
    }

    fn record(&self, uid: Uid, host: Host) -> Record {
        self.records.get(&(uid, host)).copied().unwrap_or_default()
    }

    /// What is believed of `uid` at `host`.
    pub fn standing(&self, uid: Uid, host: Host) -> Standing {
        self.record(uid, host).standing
    }

    /// The hosts at which anything is known of `uid`, with what.
    pub fn hosts(&self, uid: Uid) -> Vec<(Host, Standing)> {
        let mut known: Vec<_> =
            self.records.iter().filter(|((of, _), _)| *of == uid).map(|((_, host), record)| (*host, record.standing)).collect();
        known.sort_by_key(|(host, _)| *host);
        known
    }

    /// Whether `uid` is refused wherever it was tried, and was tried.
    pub fn refused_everywhere(&self, uid: Uid) -> bool {
        // A record may say only when to probe.
        let was_tried = |record: &Record| record.standing != Standing::Untested;
        let mut known = self.records.iter().filter(|((of, _), record)| *of == uid && was_tried(record)).peekable();
        known.peek().is_some() && known.all(|(_, record)| record.standing == Standing::Refused)
    }

    /// Since when `uid` is refused, if any host refuses it.
    pub fn refused_since(&self, uid: Uid) -> Option<Instant> {
        let refusals = self.records.iter().filter(|((of, _), record)| *of == uid && record.standing == Standing::Refused);
        refusals.filter_map(|(_, record)| record.moved).min()
    }

    /// Whether an attempt with `uid` at `host` that was sent after `since` was accepted.
    pub fn accepted_since(&self, uid: Uid, host: Host, since: Instant) -> bool {
        self.record(uid, host).accepted_sent.is_some_and(|sent| sent > since)
    }

    /// Whether `uid` was accepted at `host` within `span`.
    pub fn accepted_within(&self, uid: Uid, host: Host, span: Duration, now: Instant) -> bool {
        self.record(uid, host).accepted.is_some_and(|at| now.saturating_duration_since(at) <= span)
    }

    /// Whether any value of the account was accepted anywhere within `span`.
    pub fn any_accepted_within(&self, span: Duration, now: Instant) -> bool {
        self.last_accepted.is_some_and(|at| now.saturating_duration_since(at) <= span)
    }

    /// Learns from one attempt that was sent at `sent`. `file` holds the values of the file in its order: they decide
    /// whether a return to the first one is damped.
    pub fn learn(&mut self, uid: Uid, host: Host, lesson: Lesson, sent: Instant, file: &[Uid], now: Instant) -> Moved {
        let record = self.record(uid, host);
        if record.moved.is_some_and(|moved| sent < moved) {
            return Moved::No;
        }
        match lesson {
            Lesson::Accepted => {
                let accepted_sent = record.accepted_sent.max(Some(sent));
                self.accept(uid, host, Record { accepted_sent, ..record }, file, now)
            }
            Lesson::RefusedPaired | Lesson::ProbeRefused => self.settle(uid, host, Standing::Refused, now),
            Lesson::RefusedAlone if record.standing == Standing::Refused => Moved::No,
            Lesson::RefusedAlone => self.settle(uid, host, Standing::Suspect, now),
        }
    }

    /// An acceptance of the first slot counts at once, unless another value of the file works and this one was out.
    fn accept(&mut self, uid: Uid, host: Host, mut record: Record, file: &[Uid], now: Instant) -> Moved {
        record.accepted = Some(now);
        self.last_accepted = Some(now);
        let was_out = matches!(record.standing, Standing::Refused | Standing::Suspect);
        let is_first = file.first() == Some(&uid);
        let other_works = file.iter().any(|other| *other != uid && self.standing(*other, host) == Standing::Good);
        if was_out && is_first && other_works {
            match record.returning {
                Some(since) if now.saturating_duration_since(since) >= DAMPING => {}
                Some(_) => {
                    self.records.insert((uid, host), record);
                    return Moved::No;
                }
                None => {
                    record.returning = Some(now);
                    record.probe_due = Some(now + DAMPING);
                    self.records.insert((uid, host), record);
                    return Moved::No;
                }
            }
        }
        if record.standing == Standing::Good {
            self.records.insert((uid, host), record);
            return Moved::No;
        }
        let from = record.standing;
        self.records.insert((uid, host), Record { standing: Standing::Good, moved: Some(now), ..record.afresh() });
        Moved::To { from, to: Standing::Good }
    }

    fn settle(&mut self, uid: Uid, host: Host, to: Standing, now: Instant) -> Moved {
        let record = self.records.entry((uid, host)).or_default();
        let from = record.standing;
        record.returning = None;
        if record.probe_due.is_none() {
            record.probe_due = Some(now + record.probe_wait);
        }
        if from == to {
            return Moved::No;
        }
        record.standing = to;
        record.moved = Some(now);
        Moved::To { from, to }
    }

    /// The values to probe at `host` now: those of the file that stand before the one in use, and, when none works,
    /// all of the file. Never one that retires, and never a spare behind the one in use. Asking moves their next
    /// probe on, so that each is asked for once; `jitter` is a random share of a wait, from 0 to 1.
    pub fn probes_due(&mut self, candidates: &[Candidate], host: Host, jitter: f64, now: Instant) -> Vec<Uid> {
        let file = listed(candidates);
        let winner = file.iter().position(|uid| self.standing(*uid, host) == Standing::Good).unwrap_or(file.len());
        let mut due = Vec::new();
        for uid in file.into_iter().take(winner) {
            let record = self.records.entry((uid, host)).or_default();
            // The first look at a value is spread over a second: many sidecars see a new file at one instant.
            let at = *record.probe_due.get_or_insert_with(|| now + PROBE_FIRST.mul_f64(jitter.clamp(0.0, 1.0)));
            if at <= now {
                record.probe_due = Some(now + record.probe_wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0));
                record.probe_wait = (record.probe_wait * 2).min(PROBE_LAST);
                due.push(uid);
            }
        }
        due
    }

    /// When the next probe of a value of the file is due at `host`, if one stands before the one in use.
    pub fn next_probe(&self, candidates: &[Candidate], host: Host, now: Instant) -> Option<Instant> {
        let file = listed(candidates);
        let winner = file.iter().position(|uid| self.standing(*uid, host) == Standing::Good).unwrap_or(file.len());
        file.iter().take(winner).map(|uid| self.record(*uid, host).probe_due.unwrap_or(now)).min()
    }

    /// Hosts that any value of the account was used at.
    pub fn known_hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.records.keys().map(|(_, host)| *host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Forgets values that are no longer held.
    pub fn retain(&mut self, held: impl Fn(Uid) -> bool) {
        self.records.retain(|(uid, _), _| held(*uid));
    }
}

/// Whether a standing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It did not.
    No,
    /// It did.
    To {
        /// What it was.
        from: Standing,
        /// What it is.
        to: Standing,
    },
}

/// Those of the file, in its order.
fn listed(candidates: &[Candidate]) -> Few<Uid> {
    candidates.iter().filter(|candidate| matches!(candidate.place, Place::File(_))).map(|candidate| candidate.uid).collect()
}

/// The order of classes is the order of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Good,
    Untested,
    RetiringGood,
    RetiringUntested,
    Suspect,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    class: Class,
    refused_at: Option<Instant>,
    left: Option<std::cmp::Reverse<Instant>>,
    position: usize,
}

#[cfg(test)]
mod tests;
