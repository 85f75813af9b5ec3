//! What this run has learnt about the world since it came to the state, or since it last waited.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rotation::keypair::File;
use crate::rotation::keypair::halt::Stuck;
use crate::vonage::hosts::Host;

/// What was seen. What is not there was not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) sinks: Option<Tried>,
    pub(super) file: Option<File>,
    pub(super) application: Option<Result<Value, Stuck>>,
    pub(super) put: Option<Put>,
    pub(super) sidecars: Option<Looked>,
    pub(super) asked: Option<Instant>,
    pub(super) deployed: Option<Deployed>,
    pub(super) told: Option<Told>,
    proofs: Vec<(Host, Verdict)>,
    rows: Vec<Row>,
    turn: usize,
}

/// The sinks can be written.
#[derive(Debug)]
pub(super) struct Tried;

/// The file was written since the state was entered.
#[derive(Debug)]
pub(super) struct Deployed;

/// The provider said that the public key is replaced.
#[derive(Debug)]
pub(super) struct Put;

/// The report was written.
#[derive(Debug)]
pub(super) struct Told;

/// The sidecars were looked at; what they said is in the watch.
#[derive(Debug)]
pub(super) struct Looked;

/// What the provider thinks of the key that shall be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
}

/// The same verdict in a row, at one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    host: Host,
    pub(super) times: u32,
    pub(super) first: Instant,
    pub(super) last: Instant,
    pub(super) verdict: Verdict,
}

impl Row {
    /// From the first of the row to the last.
    pub(super) fn span(&self) -> Duration {
        self.last.saturating_duration_since(self.first)
    }
}

impl Seen {
    /// Whatever may have changed during a wait is to be seen again. What counts over time stays.
    pub(super) fn grow_old(&mut self) {
        self.file = None;
        self.application = None;
        self.put = None;
        self.sidecars = None;
        self.proofs.clear();
    }

    pub(super) fn read(&mut self, resource: Value) {
        self.application = Some(Ok(resource));
    }

    pub(super) fn no_application(&mut self) {
        self.application = Some(Err(Stuck::NoSuchApplication));
    }

    pub(super) fn turned_down(&mut self, words: String) {
        self.application = Some(Err(Stuck::Invalid(words)));
    }

    pub(super) fn put(&mut self) {
        self.application = None;
        self.put = Some(Put);
    }

    /// What was found out at a host.
    pub(super) fn verdict(&self, host: Host) -> Option<Verdict> {
        self.proofs.iter().find(|(at, _)| *at == host).map(|(_, verdict)| *verdict)
    }

    /// What was found out at a host over time.
    pub(super) fn row(&self, host: Host) -> Option<&Row> {
        self.rows.iter().find(|row| row.host == host)
    }

    pub(super) fn prove(&mut self, host: Host, verdict: Verdict, now: Instant) {
        self.proofs.push((host, verdict));
        let fresh = Row { host, verdict, times: 1, first: now, last: now };
        match self.rows.iter_mut().find(|row| row.host == host) {
            Some(row) if row.verdict == verdict => {
                row.times = row.times.saturating_add(1);
                row.last = now;
            }
            Some(row) => *row = fresh,
            None => self.rows.push(fresh),
        }
    }

    /// The secret that authenticates calls: another one after one was refused.
    pub(super) fn choose<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.turn.checked_rem(of.len())?)
    }

    pub(super) fn use_another(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }
}
