//! A caller's socket under hyper: the timers, the signs and the words that hyper does not have.
//!
//! - a head must be complete within its time, an idle connection may stay longer, a reader must read;
//! - the raw head is kept until it is served, to see `Content-Length` beside `Transfer-Encoding`, which hyper
//!   resolves silently. A head that came together with the request before it (pipelined) is not seen by itself;
//! - hyper answers a malformed head by itself and without a mark: its answer is replaced by one of ours.
//!
//! Whether the caller is gone is asked of the socket (`RST`, `HUP`), since a FIN alone may be a half-close.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer;
use super::caller::Caller;
use super::fault::Fault;
use super::headers;
use crate::clock;
use timer::{Timer, WriteStall};
use wire::Wire;

pub(super) mod timer;
pub mod wire;

/// An idle connection is kept this long: longer than any SDK's pool, so that the app is the one who closes.
pub(super) const IDLE_CONNECTION: Duration = Duration::from_mins(5);
/// A raw head is kept up to this size, the largest that `limits.head` may be.
const LONGEST_HEAD: usize = 1 << 20;
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

/// A caller's socket.
#[derive(Debug)]
pub struct Socket {
    wire: Wire,
    caller: Arc<Caller>,
    pace: Pace,
    read_timer: Timer,
    stall: WriteStall,
    /// How many requests had begun when the two below were last looked at.
    begun: u64,
    /// Since when there has been no request; none while one is served.
    waiting_since: Option<Instant>,
    /// Since when the head has been coming.
    head_since: Option<Instant>,
    /// Words of ours in place of hyper's.
    own: Bytes,
}

impl Socket {
    /// Takes a socket over.
    pub fn new(wire: Wire, caller: Arc<Caller>, pace: Pace) -> Self {
        Self {
            wire,
            caller,
            pace,
            read_timer: Timer::default(),
            stall: WriteStall::new(pace.idle),
            begun: 0,
            waiting_since: None,
            head_since: None,
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
        let begun = self.caller.begun();
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
    fn tell_overdue(&mut self, cx: &mut Context<'_>) {
        if self.head_since.is_some() && !self.caller.is_answered() {
            let _full = Pin::new(&mut self.wire).poll_write(cx, &bare(&Fault::HeadStalled));
            let _full = Pin::new(&mut self.wire).poll_flush(cx);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.wire).poll_write_vectored(cx, slices);
        self.stall.watch(written, cx)
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
pub(super) fn bare(fault: &Fault) -> Bytes {
    let told = fault.description();
    let body = answer::document(&told);
    // A client that knows a password for its proxy sends it when it is asked (RFC 9110 §11.7.1).
    let challenge = if told.status == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        "proxy-authenticate: Basic realm=\"vonage-sidecar\"\r\n"
    } else {
        ""
    };
    Bytes::from(format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\n{challenge}{}: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        told.status,
        headers::MARK,
        told.code,
        body.len()
    ))
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.wire).poll_read(cx, buf)? {
            Poll::Ready(()) => {
                this.took(buf.filled().get(before..).unwrap_or_default());
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.overdue(cx) => {
                this.tell_overdue(cx);
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the caller took too long")))
            }
            Poll::Pending => Poll::Pending,
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
        let flushed = Pin::new(&mut this.wire).poll_flush(cx);
        ready!(this.stall.watch(flushed, cx))?;
        this.caller.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.drain_own(cx))?;
        let closed = Pin::new(&mut this.wire).poll_shutdown(cx);
        this.stall.watch(closed, cx)
    }
}
