//! What a request and its socket tell each other: what the connection is doing, what a departure of the caller would
//! mean, the head as it was sent.
//!
//! hyper does not read while it serves, so what belongs to the last request is told from what belongs to the next by
//! the number of requests that have begun, not by what is seen in between.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;

use super::guard::RawFraming;

/// How long a request that was already written is followed to its verdict when the caller has left.
pub const AFTERMATH: Duration = Duration::from_secs(10);

/// What the connection is doing: between requests or reading a head; serving one; flushing the end of its answer.
mod phase {
    pub(super) const WAITING: u8 = 0;
    pub(super) const SERVING: u8 = 1;
    pub(super) const FLUSHING: u8 = 2;
}

/// What the departure of the caller would mean, and that it happened.
mod leave {
    pub(super) const CANCELS: u8 = 0;
    pub(super) const FINISHES: u8 = 1;
    pub(super) const GONE: u8 = 2;
}

/// What a request and its socket tell each other. One a connection.
#[derive(Debug)]
pub struct Caller {
    phase: AtomicU8,
    departure: AtomicU8,
    /// Requests begun.
    begun: AtomicU64,
    raw_head: Mutex<RawHead>,
    in_flight: Arc<AtomicUsize>,
}

/// What was read since the last request began, as it came.
#[derive(Debug, Default)]
pub(super) struct RawHead {
    pub(super) bytes: Vec<u8>,
    /// Requests that had begun before it.
    pub(super) after: u64,
}

/// What happens to the request under way when the caller leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It is cancelled.
    Cancels,
    /// It was written and may have an effect: it is followed to its verdict.
    Finishes,
}

/// Counts among the requests under way until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request under way; the connection waits for the next head when it is dropped.
#[derive(Debug)]
pub struct Serving {
    caller: Arc<Caller>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.caller.phase.store(phase::FLUSHING, Ordering::Release);
        self.caller.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.caller.may_cancel();
    }
}

impl Caller {
    /// A new connection; `in_flight` counts the requests of all of them.
    pub fn new(in_flight: Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(phase::WAITING),
            departure: AtomicU8::new(leave::CANCELS),
            begun: AtomicU64::new(0),
            raw_head: Mutex::default(),
            in_flight,
        })
    }

    /// A head was read: a request begins.
    pub fn serve(self: &Arc<Self>) -> Serving {
        self.phase.store(phase::SERVING, Ordering::Release);
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Serving { caller: Arc::clone(self) }
    }

    /// The framing headers of the request under way as they were sent, if its head was read by itself.
    pub fn raw_framing(&self, head: &Parts) -> RawFraming {
        let raw = self.raw_head();
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        let complete = matches!(request.parse(&raw.bytes), Ok(httparse::Status::Complete(_)));
        let follows = raw.after + 1 == self.begun.load(Ordering::Acquire);
        if !complete || !follows || request.method != Some(head.method.as_str()) {
            return RawFraming::Unseen;
        }
        let has = |name: &str| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        if has("content-length") && has("transfer-encoding") { RawFraming::Conflicting } else { RawFraming::Plain }
    }

    /// Whether what was read is a whole head of at most 100 headers.
    pub(super) fn head_is_whole(&self) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        matches!(httparse::Request::new(&mut headers).parse(&self.raw_head().bytes), Ok(httparse::Status::Complete(_)))
    }

    /// Whether some of the next head was read. What came together with the request before it is not seen.
    pub(super) fn has_begun_a_head(&self) -> bool {
        let raw = self.raw_head();
        !raw.bytes.is_empty() && raw.after == self.begun.load(Ordering::Acquire)
    }

    /// Counts among the requests under way for as long as it is held.
    pub(super) fn under_way(&self) -> UnderWay {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(&self.in_flight))
    }

    pub(super) fn raw_head(&self) -> MutexGuard<'_, RawHead> {
        self.raw_head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request may have an effect from here on: it is followed to its verdict even if the caller leaves.
    pub fn must_finish(&self) {
        self.turn(leave::CANCELS, leave::FINISHES);
    }

    /// It was refused and nothing is under way: it may be dropped if the caller leaves.
    pub fn may_cancel(&self) {
        self.turn(leave::FINISHES, leave::CANCELS);
    }

    /// One state into another, unless it is a third one already.
    fn turn(&self, from: u8, to: u8) {
        self.departure.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// The end of the answer was written.
    pub(super) fn flushed(&self) {
        self.phase.compare_exchange(phase::FLUSHING, phase::WAITING, Ordering::AcqRel, Ordering::Acquire).ok();
    }

    /// Requests begun on this connection.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Whether the caller has left.
    pub fn is_gone(&self) -> bool {
        self.departure.load(Ordering::Acquire) == leave::GONE
    }

    /// The caller has left. Says what happens to the request under way.
    pub fn leaves(&self) -> Departure {
        if self.departure.swap(leave::GONE, Ordering::AcqRel) == leave::FINISHES { Departure::Finishes } else { Departure::Cancels }
    }

    /// Whether some of an answer may not have been written yet.
    pub fn is_answered(&self) -> bool {
        self.phase.load(Ordering::Acquire) != phase::WAITING
    }

    pub(super) fn is_serving(&self) -> bool {
        self.phase.load(Ordering::Acquire) == phase::SERVING
    }
}
