//! What this run has learnt about the world since it came to the state, or since it last waited.
//!
//! Nothing of it survives the process: whoever resumes looks again.

use std::time::{Duration, Instant};

use super::Kind;
use crate::rotation::Value as _;
use crate::vonage::hosts::Host;

/// What was seen. What is not there was not looked at yet.
#[derive(Debug)]
pub struct Seen<K: Kind> {
    pub(super) sinks: Option<Tried>,
    pub(super) file: Option<K::File>,
    pub(super) sidecars: Option<Looked>,
    pub(super) asked: Option<Instant>,
    pub(super) deployed: Option<Deployed>,
    pub(super) told: Option<Told>,
    /// What the answers to calls have told.
    pub learnt: K::Learnt,
    proofs: Vec<Proof<K::Value>>,
    rows: Vec<Row<K::Value>>,
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

/// What the provider thinks of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It accepts it.
    Accepted,
    /// It refuses it.
    Refused,
}

#[derive(Debug)]
struct Proof<V> {
    value: V,
    host: Host,
    verdict: Verdict,
}

/// The same verdict in a row.
#[derive(Debug, Clone)]
pub struct Row<V> {
    value: V,
    host: Host,
    /// How often.
    pub times: u32,
    /// The first.
    pub first: Instant,
    /// The last.
    pub last: Instant,
    /// The verdict.
    pub verdict: Verdict,
}

impl<V> Row<V> {
    /// From the first of the row to the last.
    pub(super) fn span(&self) -> Duration {
        self.last.saturating_duration_since(self.first)
    }
}

impl<K: Kind> Default for Seen<K> {
    fn default() -> Self {
        Self {
            sinks: None,
            file: None,
            sidecars: None,
            asked: None,
            deployed: None,
            told: None,
            learnt: K::Learnt::default(),
            proofs: Vec::new(),
            rows: Vec::new(),
            turn: 0,
        }
    }
}

impl<K: Kind> Seen<K> {
    /// Whatever may have changed during a wait is to be seen again. What counts over time stays.
    pub(super) fn grow_old(&mut self) {
        self.file = None;
        self.sidecars = None;
        self.learnt = K::Learnt::default();
        self.proofs.clear();
    }

    pub(super) fn tried(&mut self) {
        self.sinks = Some(Tried);
    }

    pub(super) fn read(&mut self, file: K::File) {
        self.file = Some(file);
    }

    /// The file is read back, whatever was said of the writing.
    pub(super) fn wrote(&mut self) {
        self.file = None;
        self.deployed = Some(Deployed);
    }

    pub(super) fn looked(&mut self) {
        self.sidecars = Some(Looked);
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    pub(super) fn told(&mut self) {
        self.told = Some(Told);
    }

    pub(super) fn prove(&mut self, value: &K::Value, host: Host, verdict: Verdict, now: Instant) {
        self.proofs.push(Proof { value: value.clone(), host, verdict });
        match self.rows.iter_mut().find(|row| row.host == host && row.value.same_as(value)) {
            Some(row) if row.verdict == verdict => {
                row.times = row.times.saturating_add(1);
                row.last = now;
            }
            Some(row) => *row = Row { verdict, times: 1, first: now, last: now, ..row.clone() },
            None => self.rows.push(Row { value: value.clone(), host, verdict, times: 1, first: now, last: now }),
        }
    }

    /// What was found out about a value at a host.
    pub(super) fn verdict(&self, value: &K::Value, host: Host) -> Option<Verdict> {
        self.proofs.iter().find(|proof| proof.host == host && proof.value.same_as(value)).map(|proof| proof.verdict)
    }

    /// What was found out about a value at a host over time.
    pub fn row(&self, value: &K::Value, host: Host) -> Option<&Row<K::Value>> {
        self.rows.iter().find(|row| row.host == host && row.value.same_as(value))
    }

    /// The secret that authenticates calls: another one after one was refused.
    pub fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.turn.checked_rem(of.len())?)
    }

    pub(super) fn use_another(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }
}
