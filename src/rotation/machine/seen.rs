//! What this run has learnt about the world since it came to the state, or since it last waited.
//!
//! Nothing of it survives the process: whoever resumes looks again.

use std::time::{Duration, Instant};

use crate::rotation::File;
use crate::rotation::effect::Listed;
use crate::secret::ApiSecret;
use crate::vonage::hosts::Host;

/// What was seen. What is not there was not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) sinks: Option<Tried>,
    pub(super) file: Option<File>,
    pub(super) listed: Option<Vec<Listed>>,
    pub(super) sidecars: Option<Looked>,
    pub(super) asked: Option<Instant>,
    pub(super) created: Option<Creating>,
    pub(super) revoked: Option<Revoking>,
    pub(super) deployed: Option<Deployed>,
    pub(super) told: Option<Told>,
    proofs: Vec<Proof>,
    rows: Vec<Row>,
    turn: usize,
}

/// The sinks can be written.
#[derive(Debug)]
pub(super) struct Tried;

/// The file was written since the state was entered: from now on it is as written, or somebody else writes it too.
#[derive(Debug)]
pub(super) struct Deployed;

/// The report was written.
#[derive(Debug)]
pub(super) struct Told;

/// The sidecars were looked at; what they said is in the watch.
#[derive(Debug)]
pub(super) struct Looked;

/// What the provider said to a new value.
#[derive(Debug)]
pub(super) enum Creating {
    Made(Listed),
    TurnedDown(String),
}

/// What the provider said to a revoke.
#[derive(Debug)]
pub(super) enum Revoking {
    Gone,
    LastSecret,
}

/// What the provider thinks of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
}

#[derive(Debug)]
struct Proof {
    value: ApiSecret,
    host: Host,
    verdict: Verdict,
}

/// The same verdict in a row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    value: ApiSecret,
    host: Host,
    pub(super) times: u32,
    pub(super) first: Instant,
    pub(super) last: Instant,
    pub(super) verdict: Verdict,
}

impl Row {
    fn is_of(&self, value: &ApiSecret, host: Host) -> bool {
        self.host == host && self.value.same_as(value)
    }

    /// From the first of the row to the last.
    pub(super) fn span(&self) -> Duration {
        self.last.saturating_duration_since(self.first)
    }
}

impl Seen {
    /// Whatever may have changed during a wait is to be seen again. What counts over time stays.
    pub(super) fn grow_old(&mut self) {
        self.file = None;
        self.listed = None;
        self.sidecars = None;
        self.created = None;
        self.revoked = None;
        self.proofs.clear();
    }

    /// What was found out about a value at a host.
    pub(super) fn verdict(&self, value: &ApiSecret, host: Host) -> Option<Verdict> {
        self.proofs.iter().find(|proof| proof.host == host && proof.value.same_as(value)).map(|proof| proof.verdict)
    }

    pub(super) fn prove(&mut self, value: &ApiSecret, host: Host, verdict: Verdict, now: Instant) {
        self.proofs.push(Proof { value: value.clone(), host, verdict });
        match self.rows.iter_mut().find(|row| row.is_of(value, host)) {
            Some(row) if row.verdict == verdict => {
                row.times = row.times.saturating_add(1);
                row.last = now;
            }
            Some(row) => *row = Row { verdict, times: 1, first: now, last: now, ..row.clone() },
            None => self.rows.push(Row { value: value.clone(), host, verdict, times: 1, first: now, last: now }),
        }
    }

    /// What was found out about a value at a host over time.
    pub(super) fn row(&self, value: &ApiSecret, host: Host) -> Option<&Row> {
        self.rows.iter().find(|row| row.is_of(value, host))
    }

    /// The secret that authenticates calls: another one after one was refused.
    pub(super) fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.turn.checked_rem(of.len())?)
    }

    pub(super) fn use_another(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }
}
