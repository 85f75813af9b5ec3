//! What was seen on the wire and what was executed.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};

use crate::emulator::checks::admission::Admission;

/// Bytes of a body that are remembered.
pub(super) const BODY: usize = 64 * 1024;

/// A request as it came. It holds whatever credential was on it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Counted from 0 over the life of the emulator.
    pub number: u64,
    /// The connection that it came on, counted from 1.
    pub connection: u64,
    /// HTTP/1.0, 1.1 or 2.
    pub version: Version,
    /// Its method.
    pub method: Method,
    /// The request target, or the path and query on HTTP/2.
    pub target: String,
    /// `Host`, or `:authority` on HTTP/2.
    pub host: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, up to 64 KiB of it.
    pub body: Bytes,
    /// Bytes of the body that came.
    pub length: u64,
    /// Whether all of the body came.
    pub complete: bool,
    /// The status of the answer; none while there is no answer.
    pub status: Option<u16>,
    /// The API key that was let in.
    pub account: Option<String>,
    /// The id of the secret that was accepted.
    pub secret: Option<String>,
    /// The application whose token was accepted.
    pub application: Option<String>,
    /// The identity of the message that was executed.
    pub executed: Option<String>,
}

impl Seen {
    /// A header as text; empty when it is not there or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The path of the target.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// How much was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Executions {
    /// Executions.
    pub total: u64,
    /// Different messages among them.
    pub messages: usize,
}

/// Requests, the newest last, and executions by message.
#[derive(Debug)]
pub(in crate::emulator) struct Record {
    ring: VecDeque<Seen>,
    next: u64,
    capacity: usize,
    executions: HashMap<String, u64>,
    total: u64,
}

impl Record {
    pub(super) fn new(capacity: usize) -> Self {
        Self { ring: VecDeque::new(), next: 0, capacity: capacity.max(1), executions: HashMap::new(), total: 0 }
    }

    /// Remembers a head and returns its number.
    pub(in crate::emulator) fn begin(&mut self, seen: Seen) -> u64 {
        if self.ring.len() == self.capacity {
            self.ring.pop_front();
        }
        let number = self.next;
        self.next += 1;
        self.ring.push_back(Seen { number, ..seen });
        number
    }

    fn of(&mut self, number: u64) -> Option<&mut Seen> {
        let first = self.ring.front()?.number;
        self.ring.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Adds the body of a request.
    pub(in crate::emulator) fn body(&mut self, number: u64, body: &Bytes, length: u64, complete: bool) {
        let Some(seen) = self.of(number) else { return };
        // A copy where a slice would keep a large body alive.
        seen.body = if body.len() > BODY { Bytes::copy_from_slice(body.get(..BODY).unwrap_or_default()) } else { body.clone() };
        (seen.length, seen.complete) = (length, complete);
    }

    /// Counts an execution.
    pub(in crate::emulator) fn execute(&mut self, number: u64, message: String) {
        self.total += 1;
        *self.executions.entry(message.clone()).or_default() += 1;
        if let Some(seen) = self.of(number) {
            seen.executed = Some(message);
        }
    }

    /// Adds who was let in.
    pub(in crate::emulator) fn admit(&mut self, number: u64, who: Admission) {
        if let Some(seen) = self.of(number) {
            (seen.account, seen.secret, seen.application) = (Some(who.account), who.secret, who.application);
        }
    }

    /// Adds the status of the answer.
    pub(in crate::emulator) fn answered(&mut self, number: u64, status: u16) {
        if let Some(seen) = self.of(number) {
            seen.status = Some(status);
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.ring.iter().cloned().collect()
    }

    pub(super) fn count(&self, mut wanted: impl FnMut(&Seen) -> bool) -> usize {
        self.ring.iter().filter(|seen| wanted(seen)).count()
    }

    pub(super) fn executions(&self) -> Executions {
        Executions { total: self.total, messages: self.executions.len() }
    }

    pub(super) fn executed(&self, message: &str) -> u64 {
        self.executions.get(message).copied().unwrap_or(0)
    }

    pub(super) fn duplicates(&self) -> Vec<(String, u64)> {
        let mut found: Vec<_> =
            self.executions.iter().filter(|(_, count)| **count > 1).map(|(message, count)| (message.clone(), *count)).collect();
        found.sort();
        found
    }

    /// Forgets everything; numbers go on.
    pub(super) fn clear(&mut self) {
        self.ring.clear();
        self.executions.clear();
        self.total = 0;
    }
}
