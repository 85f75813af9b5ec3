//! What an outgoing request carries: nothing, bytes, or the caller's stream with a copy kept for a second attempt.
//!
//! The stream goes upstream as it comes; the copy grows beside it until the limit, the shared memory or the end.
//! A second attempt reads the copy first and goes on with what has not come yet, so an early refusal needs no wait
//! for the rest of an upload. Only one reader is current: an older one ends with an error, and the connection it
//! was written to is not used again.
//!
//! Memory for a body whose length the caller tells is taken before its first byte, so that what is told to be there for
//! a second attempt is there (`memory`).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

mod memory;

pub use memory::{MemoryFull, ReplayMemory, SMALL, Share};

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
    /// The caller's body had broken off before it was read.
    #[error("the caller's body had broken off")]
    Broken,
    /// The caller sent nothing for the idle time.
    #[error("the caller's body stalled")]
    Stalled,
    /// A later attempt reads now.
    #[error("another attempt took over")]
    Superseded,
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
    /// What the copy takes of the shared memory.
    share: Share,
    progress: Progress,
    /// The first piece, when it was taken before there was a reader and is not kept.
    first: Option<Frame<Bytes>>,
    /// How long the caller said it is.
    length: Option<u64>,
    current: u64,
    /// Who waits for the next piece.
    waiting: Option<Waker>,
}

/// Whether any of the caller's body was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Untouched,
    Begun,
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
}

impl Tee {
    /// Keeps at most `limit` bytes of `incoming`, taken from `memory`; a silence of `idle` ends the body.
    pub fn new(incoming: Incoming, limit: usize, idle: Duration, memory: &Arc<ReplayMemory>) -> Self {
        let length = http_body::Body::size_hint(&incoming).exact();
        Self::of_length(incoming, length, limit, idle, memory)
    }

    fn of_length(incoming: Incoming, length: Option<u64>, limit: usize, idle: Duration, memory: &Arc<ReplayMemory>) -> Self {
        let told = length.unwrap_or_else(|| http_body::Body::size_hint(&incoming).lower());
        let mut share = memory.share();
        let is_kept = usize::try_from(told).is_ok_and(|told| told <= limit && share.take_in_advance(told).is_ok());
        let state = State {
            incoming,
            source: Source::Open,
            kept: is_kept.then(VecDeque::new),
            kept_bytes: 0,
            share,
            progress: Progress::Untouched,
            first: None,
            length,
            current: 0,
            waiting: None,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), limit, idle }) }
    }

    /// A body that had come to this end before anybody could read it.
    fn ended(incoming: Incoming, source: Source, memory: &Arc<ReplayMemory>) -> Self {
        let tee = Self::of_length(incoming, None, 0, Duration::ZERO, memory);
        tee.lock().source = source;
        tee
    }

    /// Takes in the piece that was read before there was a reader.
    fn begin_with(self, first: Frame<Bytes>) -> Self {
        {
            let mut state = self.lock();
            self.shared.keep(&mut state, &first);
            if state.kept.is_none() {
                state.first = Some(first);
            }
            if http_body::Body::is_end_stream(&state.incoming) {
                state.source = Source::Complete;
            }
        }
        self
    }

    /// Whether the body can be sent from its start once more.
    pub fn can_replay(&self) -> bool {
        self.lock().kept.is_some()
    }

    /// Whether the caller said how long it is.
    pub fn length_is_known(&self) -> bool {
        self.lock().length.is_some()
    }

    /// How the caller's side stands.
    pub fn source(&self) -> Source {
        self.lock().source
    }

    /// Takes over as the current reader, from the start. None when the start is gone: then nobody reads on.
    pub fn reader(&self) -> Option<Reader> {
        let mut state = self.lock();
        state.current += 1;
        if let Some(superseded) = state.waiting.take() {
            superseded.wake();
        }
        let has_start = state.kept.is_some() || state.progress == Progress::Untouched;
        has_start.then(|| Reader { tee: self.clone(), number: state.current, position: 0, quiet: None })
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
        let needed = state.kept_bytes + size;
        if needed <= self.limit && state.share.grow_to(needed).is_ok() {
            state.kept_bytes = needed;
            kept.push_back(copy);
        } else {
            state.kept = None;
            state.share.give_back();
        }
    }
}

/// A caller's body as far as it has come by itself.
#[derive(Debug)]
pub enum Arrived {
    /// All of it came with the head, as most bodies of this provider do.
    Whole(Bytes),
    /// There is more, or it has trailers.
    Partly(Tee),
}

/// Looks once at what has come of a body, without waiting: a small one needs no copy beside the stream.
pub async fn arrived(mut incoming: Incoming, limit: usize, idle: Duration, memory: &Arc<ReplayMemory>) -> Arrived {
    let length = http_body::Body::size_hint(&incoming).exact();
    let look = std::future::poll_fn(|cx| Poll::Ready(http_body::Body::poll_frame(Pin::new(&mut incoming), cx)));
    let frame = match look.await {
        Poll::Ready(Some(Ok(frame))) => frame,
        // An error is told once: who reads on must hear of it from us.
        Poll::Ready(Some(Err(_))) => return Arrived::Partly(Tee::ended(incoming, Source::Broken, memory)),
        Poll::Ready(None) => return Arrived::Whole(Bytes::new()),
        Poll::Pending => return Arrived::Partly(Tee::new(incoming, limit, idle, memory)),
    };
    let is_whole = length.is_some() && http_body::Body::is_end_stream(&incoming);
    match frame.into_data() {
        Ok(data) if is_whole && data.len() <= limit.min(SMALL) => Arrived::Whole(data),
        Ok(data) => Arrived::Partly(Tee::of_length(incoming, length, limit, idle, memory).begin_with(Frame::data(data))),
        Err(frame) => Arrived::Partly(Tee::of_length(incoming, length, limit, idle, memory).begin_with(frame)),
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
        if let Some(first) = state.first.take() {
            state.progress = Progress::Begun;
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(frame) = state.kept.as_ref().and_then(|kept| kept.get(self.position)) {
            self.position += 1;
            return Poll::Ready(copy(frame).map(Ok));
        }
        match state.source {
            Source::Complete => return Poll::Ready(None),
            Source::Broken => return Poll::Ready(Some(Err(BodyError::Broken))),
            Source::Stalled => return Poll::Ready(Some(Err(BodyError::Stalled))),
            Source::Open => {}
        }
        match http_body::Body::poll_frame(Pin::new(&mut state.incoming), cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.quiet = None;
                self.position += 1;
                state.progress = Progress::Begun;
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
                state.waiting = Some(cx.waker().clone());
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
            Self::Teed(reader) => reader.tee.lock().length.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
