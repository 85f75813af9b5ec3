//! What is counted about connections, for metrics and the status document.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::connect::Protocol;
use super::error::ConnectError;
use crate::vonage::hosts::Host;

/// The connections of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The host.
    pub host: Host,
    /// Connections of HTTP/1.1.
    pub http1: Opened,
    /// Connections of HTTP/2.
    pub http2: Opened,
    /// Requests that went over a connection that had carried one before.
    pub reused: u64,
    /// Connects that failed, by [`ConnectError::code`].
    pub failures: BTreeMap<&'static str, u64>,
}

/// The connections of one protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// Open now.
    pub open: u64,
    /// Opened since the start.
    pub opened: u64,
}

/// Counts for one host.
#[derive(Debug, Default)]
pub(super) struct Counters {
    http1: Pair,
    http2: Pair,
    reused: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Debug, Default)]
struct Pair {
    opened: AtomicU64,
    closed: AtomicU64,
}

impl Pair {
    fn read(&self) -> Opened {
        // Closed is read first: the other way round a connection could seem to have closed before it opened.
        let closed = self.closed.load(Ordering::Acquire);
        let opened = self.opened.load(Ordering::Acquire);
        Opened { open: opened.saturating_sub(closed), opened }
    }
}

/// Lives as long as a connection.
#[derive(Debug)]
pub(super) struct Open {
    counters: Arc<Counters>,
    protocol: Protocol,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.counters.pair(self.protocol).closed.fetch_add(1, Ordering::AcqRel);
    }
}

impl Counters {
    pub(super) fn open(self: &Arc<Self>, protocol: Protocol) -> Open {
        self.pair(protocol).opened.fetch_add(1, Ordering::AcqRel);
        Open { counters: Arc::clone(self), protocol }
    }

    pub(super) fn reused(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &ConnectError) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(error.code()).or_default() += 1;
    }

    pub(super) fn read(&self, host: Host) -> Figures {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Figures { host, http1: self.http1.read(), http2: self.http2.read(), reused: self.reused.load(Ordering::Relaxed), failures }
    }

    fn pair(&self, protocol: Protocol) -> &Pair {
        match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        }
    }
}
