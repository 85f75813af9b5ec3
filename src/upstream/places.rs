//! The streams that a connection may have at a time: as many as its peer allows, up to a number of ours.
//!
//! Whoever finds none waits in turn. A peer that allows fewer than are in use is heard as they end: a place that comes back
//! is taken away instead of being given on, or a request whose stream was just refused would be refused again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{AcquireError, Semaphore};

/// How many streams may be opened before the peer has said how many it allows (RFC 9113 §6.5.2 recommends no less
/// than 100 to the peer).
pub(super) const UNTOLD: usize = 100;

/// The places of one connection. Those who wait for one are let go when it ends.
#[derive(Debug)]
pub(super) struct Places {
    free: Semaphore,
    /// How many there are, taken or free.
    limit: AtomicUsize,
    /// How many there should be.
    wanted: AtomicUsize,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Places {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Semaphore::new(UNTOLD), limit: AtomicUsize::new(UNTOLD), wanted: AtomicUsize::new(UNTOLD) })
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Acquire)
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Place> {
        self.free.try_acquire().ok()?.forget();
        Some(Place(Arc::clone(self)))
    }

    /// Waits for a place. The connection may end before.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Place, AcquireError> {
        self.free.acquire().await?.forget();
        Ok(Place(Arc::clone(self)))
    }

    /// The peer allows so many. Called by the connection's task alone.
    pub(super) fn allow(&self, wanted: usize) {
        if self.wanted.load(Ordering::Acquire) == wanted {
            return;
        }
        self.wanted.store(wanted, Ordering::Release);
        let limit = self.limit.fetch_max(wanted, Ordering::AcqRel);
        self.free.add_permits(wanted.saturating_sub(limit));
        while let Ok(place) = self.free.try_acquire() {
            if !self.withdraws() {
                return;
            }
            place.forget();
        }
    }

    /// Whether there is one place too many, which is gone then.
    fn withdraws(&self) -> bool {
        let fewer = |limit: usize| if limit > self.wanted.load(Ordering::Acquire) { limit.checked_sub(1) } else { None };
        self.limit.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer).is_ok()
    }

    pub(super) fn close(&self) {
        self.free.close();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.0.withdraws() {
            self.0.free.add_permits(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(places: &Places) -> usize {
        places.free.available_permits()
    }

    #[test]
    fn places_that_the_peer_takes_away_are_gone_as_soon_as_they_come_back() {
        let places = Places::new();
        let mut taken: Vec<_> = std::iter::from_fn(|| places.try_take()).collect();
        assert_eq!((taken.len(), free(&places)), (UNTOLD, 0));
        places.allow(2);
        taken.truncate(2);
        assert_eq!((free(&places), places.limit()), (0, 2));
        taken.truncate(1);
        assert_eq!((free(&places), places.limit()), (1, 2));
    }

    #[test]
    fn free_places_are_taken_away_at_once_and_given_again() {
        let places = Places::new();
        let taken = places.try_take();
        for (wanted, left) in [(1, 0), (0, 0), (5, 4), (UNTOLD + 20, UNTOLD + 19), (3, 2)] {
            places.allow(wanted);
            assert_eq!((free(&places), places.limit()), (left, wanted.max(1)));
        }
        drop(taken);
        assert_eq!((free(&places), places.limit()), (3, 3));
    }
}
