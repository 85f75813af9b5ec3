//! How much a held value is used: counts and ages for `/status`, and the evidence of a rotation.
//!
//! "Last used" is now while an attempt is in flight: a request that runs with the old secret is use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock;

/// Use of one value. Ages are in milliseconds since `origin`, 0 meaning never.
#[derive(Debug)]
pub struct Usage {
    origin: Instant,
    in_flight: AtomicU64,
    served: AtomicU64,
    used_at: AtomicU64,
    accepted_at: AtomicU64,
}

/// An attempt under way.
#[derive(Debug)]
pub struct InUse<'a>(&'a Usage);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.end(clock::now());
    }
}

/// What `/status` shows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Attempts under way.
    pub in_flight: u64,
    /// Requests answered with it.
    pub served: u64,
    /// How long since it was last on an attempt; zero while one is in flight, none if never.
    pub unused_for: Option<Duration>,
    /// How long since the provider last accepted it; none if never.
    pub accepted_ago: Option<Duration>,
}

impl Usage {
    /// None yet.
    pub fn new(now: Instant) -> Self {
        Self {
            origin: now,
            in_flight: AtomicU64::new(0),
            served: AtomicU64::new(0),
            used_at: AtomicU64::new(0),
            accepted_at: AtomicU64::new(0),
        }
    }

    /// An attempt begins. It ends when the guard is dropped, however that comes about.
    pub fn in_use(&self) -> InUse<'_> {
        self.begin();
        InUse(self)
    }

    /// An attempt begins. Every call has its [`Usage::end`].
    pub fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    /// The attempt ended.
    pub fn end(&self, now: Instant) {
        self.used_at.store(self.stamp(now), Ordering::SeqCst);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// The provider accepted it.
    pub fn accepted(&self, now: Instant) {
        self.accepted_at.store(self.stamp(now), Ordering::Relaxed);
    }

    /// A caller was answered with it.
    pub fn served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// As of now.
    pub fn figures(&self, now: Instant) -> Figures {
        let in_flight = self.in_flight.load(Ordering::SeqCst);
        let used = self.age(self.used_at.load(Ordering::SeqCst), now);
        Figures {
            in_flight,
            served: self.served.load(Ordering::Relaxed),
            unused_for: if in_flight > 0 { Some(Duration::ZERO) } else { used },
            accepted_ago: self.age(self.accepted_at.load(Ordering::Relaxed), now),
        }
    }

    fn stamp(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn age(&self, stamp: u64, now: Instant) -> Option<Duration> {
        (stamp > 0).then(|| Duration::from_millis(self.stamp(now).saturating_sub(stamp)))
    }
}
