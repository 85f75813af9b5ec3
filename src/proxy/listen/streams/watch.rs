//! What a connection of HTTP/2 is doing, for the timers that h2 does not have.
//!
//! A head that is begun must end, and an answer be taken, within the times of the settings. h2 lets nobody end a single
//! stream whose peer does not read it: its connection is left (GOAWAY), so that nothing new begins beside it, and cut
//! when nothing else is left on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::heads::Standing;
use crate::clock;
use crate::proxy::socket::{IDLE_CONNECTION, Pace};

/// Requests that a peer may give up before their answer, beyond those that it did wait for, before it is cut off: each
/// costs work here and at the provider (CVE-2023-44487).
pub(super) const MOST_GIVEN_UP: usize = 1000;

/// The watch over one connection.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
    /// Requests that were given up, less those that were answered.
    given_up: AtomicUsize,
    flood: Notify,
}

#[derive(Debug)]
struct Seen {
    last: Last,
    /// Since when a head has been coming.
    head: Option<Instant>,
    /// Streams without an answer yet, which has limits of time of its own.
    waiting: usize,
    /// When each answer that is under way last went on, by the number of its stream.
    answers: BTreeMap<u64, Instant>,
    next: u64,
}

/// When something last began, went on or ended.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// Nothing ever did since the connection was opened.
    Opened(Instant),
    Moved(Instant),
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Stay,
    /// It is idle, or somebody on it does not take an answer: GOAWAY.
    Leave,
    /// Its peer takes none of its answers, and nothing else is on it: GOAWAY, so that nobody begins anything on it by
    /// then, and if it is still so after that, its end.
    LeaveAndCut,
    /// It never began, or a head does not end.
    Cut,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        let seen = Seen { last: Last::Opened(now), head: None, waiting: 0, answers: BTreeMap::new(), next: 0 };
        Self { seen: Mutex::new(seen), given_up: AtomicUsize::new(0), flood: Notify::new() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head begins, or has come to its end.
    pub(super) fn head(&self, standing: Standing, now: Instant) {
        self.seen().head = match standing {
            Standing::Within => Some(now),
            Standing::Between => None,
        };
    }

    /// Ends when the peer has given up too many requests.
    pub(super) async fn flood(&self) {
        self.flood.notified().await;
    }

    fn given_up(&self) {
        if self.given_up.fetch_add(1, Ordering::AcqRel) >= MOST_GIVEN_UP {
            self.flood.notify_one();
        }
    }

    fn waited_for(&self) {
        self.given_up.fetch_update(Ordering::AcqRel, Ordering::Acquire, |given_up| given_up.checked_sub(1)).ok();
    }

    pub(super) fn verdict(&self, now: Instant, pace: Pace) -> Verdict {
        self.seen().verdict(now, pace)
    }
}

impl Seen {
    /// An answer that is silent ends itself within the idle time: when it does not go on for twice as long, it is the
    /// peer who does not read.
    fn verdict(&self, now: Instant, pace: Pace) -> Verdict {
        let old = |at: Instant, age: Duration| now.saturating_duration_since(at) >= age;
        let stalled = self.answers.values().filter(|at| old(**at, pace.idle * 2)).count();
        let nothing_else = self.waiting == 0 && stalled == self.answers.len();
        match self.last {
            _ if self.head.is_some_and(|since| old(since, pace.head)) => Verdict::Cut,
            Last::Opened(at) if old(at, pace.head) => Verdict::Cut,
            Last::Moved(_) if stalled > 0 => {
                if nothing_else {
                    Verdict::LeaveAndCut
                } else {
                    Verdict::Leave
                }
            }
            Last::Moved(at) if nothing_else && old(at, IDLE_CONNECTION) => Verdict::Leave,
            Last::Opened(_) | Last::Moved(_) => Verdict::Stay,
        }
    }
}

/// The place of a stream in the watch over its connection.
#[derive(Debug)]
pub(super) struct UnderWay {
    watch: Arc<Watch>,
    number: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Answered,
}

impl UnderWay {
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        let mut seen = watch.seen();
        seen.last = Last::Moved(clock::now());
        seen.waiting += 1;
        seen.next += 1;
        let number = seen.next;
        drop(seen);
        Self { watch, number, state: State::Waiting }
    }

    /// Its answer has begun.
    pub(super) fn answered(&mut self) {
        self.state = State::Answered;
        self.watch.seen().waiting -= 1;
        self.watch.waited_for();
        self.moved();
    }

    /// Its answer goes on.
    pub(super) fn moved(&self) {
        let now = clock::now();
        let mut seen = self.watch.seen();
        seen.last = Last::Moved(now);
        seen.answers.insert(self.number, now);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut seen = self.watch.seen();
        seen.last = Last::Moved(clock::now());
        seen.answers.remove(&self.number);
        if self.state == State::Waiting {
            seen.waiting -= 1;
            self.watch.given_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { head: Duration::from_secs(10), idle: Duration::from_secs(60), longest_head: 1 << 16 };

    #[test]
    fn a_connection_that_never_begins_is_cut_and_an_idle_one_is_left() {
        let start = clock::now();
        let watch = Watch::new(start);
        assert_eq!(watch.verdict(start + PACE.head / 2, PACE), Verdict::Stay);
        assert_eq!(watch.verdict(start + PACE.head, PACE), Verdict::Cut);
        watch.seen().last = Last::Moved(start);
        assert_eq!(watch.verdict(start + IDLE_CONNECTION / 2, PACE), Verdict::Stay);
        assert_eq!(watch.verdict(start + IDLE_CONNECTION, PACE), Verdict::Leave);
    }

    #[test]
    fn a_head_that_does_not_end_cuts_the_connection_whatever_else_there_is() {
        let watch = Arc::new(Watch::new(clock::now()));
        let mut stream = UnderWay::new(Arc::clone(&watch));
        stream.answered();
        let now = clock::now();
        watch.head(Standing::Within, now);
        assert_eq!(watch.verdict(now + PACE.head / 2, PACE), Verdict::Stay);
        assert_eq!(watch.verdict(now + PACE.head, PACE), Verdict::Cut);
        watch.head(Standing::Between, now);
        assert_eq!(watch.verdict(now + PACE.head, PACE), Verdict::Stay);
    }

    #[test]
    fn only_a_peer_that_does_not_read_its_answers_is_cut_and_left_while_others_of_its_connection_go_on() {
        let watch = Arc::new(Watch::new(clock::now()));
        let mut stream = UnderWay::new(Arc::clone(&watch));
        let later = || clock::now() + PACE.idle * 3;
        assert_eq!(watch.verdict(later(), PACE), Verdict::Stay, "the answer has a limit of its own");
        stream.answered();
        assert_eq!(watch.verdict(clock::now() + PACE.idle, PACE), Verdict::Stay);
        assert_eq!(watch.verdict(later(), PACE), Verdict::LeaveAndCut);
        let other = UnderWay::new(Arc::clone(&watch));
        assert_eq!(watch.verdict(later(), PACE), Verdict::Leave);
        drop(stream);
        assert_eq!(watch.verdict(later(), PACE), Verdict::Stay);
        drop(other);
        assert_eq!(watch.verdict(later(), PACE), Verdict::Stay);
    }
}
