//! What an outgoing request carries: nothing, bytes, or the caller's stream with a copy kept for a second attempt.
//!
//! The stream goes upstream as it comes; the copy grows beside it until the limit, the shared memory or the end.
//! A second attempt reads the copy first and goes on with what has not come yet, so an early refusal needs no wait
//! for the rest of an upload. Only one reader is current: an older one ends with an error, and the connection it
//! was written to is not used again.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

/// The body of an outgoing request.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// The caller's, through a [`Tee`].
    Teed(Reader),
}

/// Why the body of an outgoing request ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The caller's own framing or connection broke.
    #[error("the caller's body broke off")]
    Caller(#[source] hyper::Error),
    /// The caller sent nothing for the idle time.
    #[error("the caller's body stalled")]
    Stalled,
    /// A later attempt reads now.
    #[error("another attempt took over")]
    Superseded,
}

/// Bytes that all kept bodies together may take.
#[derive(Debug)]
pub struct ReplayMemory {
    free: AtomicUsize,
}

impl ReplayMemory {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { free: AtomicUsize::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes)).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// How the caller's body ended, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// More may come.
    Open,
    /// All of it came.
    Complete,
    /// The caller broke off or broke the framing.
    Broken,
    /// Nothing came for the idle time.
    Stalled,
}

#[derive(Debug)]
struct State {
    incoming: Incoming,
    source: Source,
    /// The copy, while it is kept.
    kept: Option<VecDeque<Frame<Bytes>>>,
    kept_bytes: usize,
    current: u64,
}

/// The caller's body with a copy beside it.
#[derive(Debug, Clone)]
pub struct Tee {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    limit: usize,
    idle: Duration,
    memory: Arc<ReplayMemory>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let bytes = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).kept_bytes;
        self.memory.give(bytes);
    }
}

impl Tee {
    /// Keeps at most `limit` bytes of `incoming`, taken from `memory`; a silence of `idle` ends the body.
    pub fn new(incoming: Incoming, limit: usize, idle: Duration, memory: Arc<ReplayMemory>) -> Self {
        let too_large = http_body::Body::size_hint(&incoming).lower() > u64::try_from(limit).unwrap_or(u64::MAX);
        let kept = (!too_large).then(VecDeque::new);
        let state = State { incoming, source: Source::Open, kept, kept_bytes: 0, current: 0 };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), limit, idle, memory }) }
    }

    /// Whether the body can be sent from its start once more.
    pub fn can_replay(&self) -> bool {
        self.lock().kept.is_some()
    }

    /// Whether the caller said how long it is.
    pub fn length_is_known(&self) -> bool {
        http_body::Body::size_hint(&self.lock().incoming).exact().is_some()
    }

    /// How the caller's side stands.
    pub fn source(&self) -> Source {
        self.lock().source
    }

    /// Takes over as the current reader, from the start if the copy is kept.
    pub fn reader(&self) -> Reader {
        let mut state = self.lock();
        state.current += 1;
        Reader { tee: self.clone(), number: state.current, position: 0, quiet: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Adds a piece to the copy, or gives the copy up when there is no room.
    fn keep(&self, state: &mut State, frame: &Frame<Bytes>) {
        let Some(kept) = state.kept.as_mut() else { return };
        let copy = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Frame::data(data.clone()),
            (None, Some(trailers)) => Frame::trailers(trailers.clone()),
            (None, None) => return,
        };
        let size = frame.data_ref().map_or(0, Bytes::len);
        if state.kept_bytes + size <= self.limit && self.memory.take(size) {
            state.kept_bytes += size;
            kept.push_back(copy);
        } else {
            state.kept = None;
            self.memory.give(std::mem::take(&mut state.kept_bytes));
        }
    }
}

/// One attempt's view of a [`Tee`].
#[derive(Debug)]
pub struct Reader {
    tee: Tee,
    number: u64,
    position: usize,
    quiet: Option<Pin<Box<Sleep>>>,
}

impl Reader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let shared = Arc::clone(&self.tee.shared);
        let mut guard = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        if state.current != self.number {
            return Poll::Ready(Some(Err(BodyError::Superseded)));
        }
        if let Some(frame) = state.kept.as_ref().and_then(|kept| kept.get(self.position)) {
            self.position += 1;
            return Poll::Ready(copy(frame).map(Ok));
        }
        match state.source {
            Source::Complete => return Poll::Ready(None),
            Source::Broken | Source::Stalled => return Poll::Ready(Some(Err(BodyError::Stalled))),
            Source::Open => {}
        }
        match http_body::Body::poll_frame(Pin::new(&mut state.incoming), cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.quiet = None;
                self.position += 1;
                shared.keep(state, &frame);
                if http_body::Body::is_end_stream(&state.incoming) {
                    state.source = Source::Complete;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                state.source = Source::Broken;
                Poll::Ready(Some(Err(BodyError::Caller(error))))
            }
            Poll::Ready(None) => {
                state.source = Source::Complete;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let idle = shared.idle;
                let quiet = self.quiet.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                if quiet.as_mut().poll(cx).is_ready() {
                    state.source = Source::Stalled;
                    return Poll::Ready(Some(Err(BodyError::Stalled)));
                }
                Poll::Pending
            }
        }
    }
}

fn copy(frame: &Frame<Bytes>) -> Option<Frame<Bytes>> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Some(Frame::data(data.clone())),
        (None, Some(trailers)) => Some(Frame::trailers(trailers.clone())),
        (None, None) => None,
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            // Trailers end here (RFC 9110 §6.5.1 allows it): one could bring a credential past the strip of the head.
            Self::Teed(reader) => loop {
                match ready!(reader.poll(cx)) {
                    Some(Ok(frame)) if frame.is_trailers() => {}
                    other => return Poll::Ready(other),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Teed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Teed(reader) => {
                let state = reader.tee.lock();
                let hint = http_body::Body::size_hint(&state.incoming);
                let before = u64::try_from(state.kept_bytes).unwrap_or(u64::MAX);
                hint.exact().map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest.saturating_add(before)))
            }
        }
    }
}
