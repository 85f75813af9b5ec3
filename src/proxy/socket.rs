//! A caller's socket under hyper: the timers, the signs and the words that hyper does not have.
//!
//! - a head must be complete within its time, an idle connection may stay longer, a reader must read;
//! - the raw head is kept until it is served, to see `Content-Length` beside `Transfer-Encoding`, which hyper
//!   resolves silently. A head that came together with the request before it (pipelined) is not seen by itself;
//! - hyper answers a malformed head by itself and without a mark: its answer is replaced by one of ours.
//!
//! hyper does not read while it serves, so what belongs to the last request is told from what belongs to the next by
//! the number of requests that have begun, not by what is seen in between.
//!
//! Whether the caller is gone is asked of the socket (`RST`, `HUP`), since a FIN alone may be a half-close.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::answer;
use super::fault::Fault;
use super::guard::RawFraming;
use crate::clock;

/// An idle connection is kept this long: longer than any SDK's pool, so that the app is the one who closes.
const IDLE_CONNECTION: Duration = Duration::from_mins(5);
/// A raw head is kept up to this size, the largest that `limits.head` may be.
const LONGEST_HEAD: usize = 1 << 20;
/// How long a request that was already written is followed to its verdict when the caller has left.
pub const AFTERMATH: Duration = Duration::from_secs(10);

/// Times and sizes that a socket keeps.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For a whole head, from its first byte.
    pub head: Duration,
    /// For a caller that does not read.
    pub idle: Duration,
    /// The largest head, in bytes.
    pub longest_head: usize,
}

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
struct RawHead {
    bytes: Vec<u8>,
    /// Requests that had begun before it.
    after: u64,
}

/// What happens to the request under way when the caller leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It is cancelled.
    Cancels,
    /// It was written and may have an effect: it is followed to its verdict.
    Finishes,
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
    fn head_is_whole(&self) -> bool {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        matches!(httparse::Request::new(&mut headers).parse(&self.raw_head().bytes), Ok(httparse::Status::Complete(_)))
    }

    fn raw_head(&self) -> MutexGuard<'_, RawHead> {
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

    fn is_serving(&self) -> bool {
        self.phase.load(Ordering::Acquire) == phase::SERVING
    }
}

/// Ends when the peer has reset the connection or closed both directions.
pub async fn departure(stream: &TcpStream) {
    let _ready = stream.ready(Interest::ERROR).await;
}

/// A timer that is moved without touching the runtime unless it must fire earlier.
#[derive(Debug, Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn expired(&mut self, deadline: Instant, cx: &mut Context<'_>) -> bool {
        loop {
            if clock::now() >= deadline {
                return true;
            }
            let wanted = tokio::time::Instant::from_std(deadline);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wanted)));
            if sleep.deadline() > wanted || sleep.is_elapsed() {
                sleep.as_mut().reset(wanted);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
        }
    }
}

/// A caller's socket.
#[derive(Debug)]
pub struct Socket {
    stream: Arc<TcpStream>,
    caller: Arc<Caller>,
    pace: Pace,
    read_timer: Timer,
    write_timer: Timer,
    /// How many requests had begun when the two below were last looked at.
    begun: u64,
    /// Since when there has been no request; none while one is served.
    waiting_since: Option<Instant>,
    /// Since when the head has been coming.
    head_since: Option<Instant>,
    /// Since when the caller has not read.
    stuck_since: Option<Instant>,
    /// Words of ours in place of hyper's.
    own: Bytes,
}

impl Socket {
    /// Takes a socket over.
    pub fn new(stream: Arc<TcpStream>, caller: Arc<Caller>, pace: Pace) -> Self {
        Self {
            stream,
            caller,
            pace,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            begun: 0,
            waiting_since: None,
            head_since: None,
            stuck_since: None,
            own: Bytes::new(),
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        if self.caller.is_serving() || bytes.is_empty() {
            return;
        }
        self.catch_up();
        let mut raw = self.caller.raw_head();
        if self.head_since.is_none() {
            self.head_since = Some(clock::now());
            raw.after = self.begun;
            raw.bytes.clear();
        }
        if raw.bytes.len() < LONGEST_HEAD {
            raw.bytes.extend_from_slice(bytes);
        }
    }

    /// A request that has begun took its head, and ended the wait for it.
    fn catch_up(&mut self) {
        let begun = self.caller.begun.load(Ordering::Acquire);
        if self.begun != begun {
            self.begun = begun;
            self.waiting_since = None;
            self.head_since = None;
        }
    }

    /// Whether the caller has taken too long for its next head.
    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        if self.caller.is_serving() {
            return false;
        }
        self.catch_up();
        let deadline = match self.head_since {
            Some(since) => since + self.pace.head,
            None => *self.waiting_since.get_or_insert_with(clock::now) + IDLE_CONNECTION,
        };
        self.read_timer.expired(deadline, cx)
    }

    /// Tells a caller whose head does not come, as far as its window allows, before it is closed. One that rests
    /// between two requests is told nothing: it could take that for the answer to its next one.
    fn tell_overdue(&self) {
        if self.head_since.is_some() && !self.caller.is_answered() {
            self.stream.try_write(&bare(&Fault::HeadStalled)).ok();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        loop {
            match self.stream.poll_write_ready(cx)? {
                Poll::Ready(()) => match self.stream.try_write_vectored(slices) {
                    Ok(written) => {
                        self.stuck_since = None;
                        return Poll::Ready(Ok(written));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Poll::Pending => {
                    let deadline = *self.stuck_since.get_or_insert_with(clock::now) + self.pace.idle;
                    return if self.write_timer.expired(deadline, cx) {
                        Poll::Ready(Err(ErrorKind::TimedOut.into()))
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    }

    /// Writes out our own words before anything else.
    fn drain_own(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.own.is_empty() {
            let own = self.own.clone();
            let written = ready!(self.write(cx, &[IoSlice::new(&own)]))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.own.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// A bare error that hyper writes while no request is under way becomes one of ours.
    fn replacement(&self, first: &[u8]) -> Option<Bytes> {
        if self.caller.is_answered() {
            return None;
        }
        let status = first.strip_prefix(b"HTTP/1.1 ").or_else(|| first.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
        let fault = match status {
            b"414" => Fault::TargetTooLong,
            // hyper's words for a length beyond what it can count, too.
            b"431" if self.caller.head_is_whole() && !self.is_long() => Fault::BodyTooLong,
            b"431" => Fault::HeadTooLarge,
            b"400" | b"408" | b"413" | b"501" | b"505" => Fault::Malformed,
            _answer => return None,
        };
        Some(bare(&fault))
    }

    /// Whether more was read than a head may have.
    fn is_long(&self) -> bool {
        self.caller.raw_head().bytes.len() > self.pace.longest_head
    }
}

/// An answer of ours for a caller that hyper gives up.
fn bare(fault: &Fault) -> Bytes {
    let told = fault.description();
    let body = answer::document(&told);
    Bytes::from(format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\n{}: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        told.status,
        answer::MARK,
        told.code,
        body.len()
    ))
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            match this.stream.poll_read_ready(cx)? {
                Poll::Ready(()) => match this.stream.try_read_buf(buf) {
                    Ok(_) => {
                        this.took(buf.filled().get(before..).unwrap_or_default());
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Poll::Pending if this.overdue(cx) => {
                    this.tell_overdue();
                    return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the caller took too long")));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        ready!(this.drain_own(cx))?;
        let first = bufs.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        if let Some(own) = this.replacement(first) {
            this.own = own;
            return Poll::Ready(Ok(bufs.iter().map(|slice| slice.len()).sum()));
        }
        this.write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.drain_own(cx))?;
        this.caller.phase.compare_exchange(phase::FLUSHING, phase::WAITING, Ordering::AcqRel, Ordering::Acquire).ok();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.drain_own(cx))?;
        Poll::Ready(rustix::net::shutdown(&*this.stream, rustix::net::Shutdown::Write).map_err(Error::from))
    }
}
