//! One HTTP/2 connection, how many streams it has, and what its failures prove.
//!
//! Invariant: everything that moves the connection runs in one task. h2 marks the streams above a GOAWAY with the
//! same error that it keeps for the connection as a whole, and hyper asks for the latter right after it has opened a
//! stream. On two threads a GOAWAY could arrive in between, and a stream that the peer did process would seem not
//! to be. In one task nothing is in between, so a GOAWAY error of the peer always means "above the last stream".
//! With the two tasks that hyper would use, the test of this fails within a second. It saves a change of task per
//! request, too. Source: h2 0.4.20 `Streams::recv_go_away`, hyper 1.12 `ClientTask::poll`.
//!
//! A future that is dropped resets its stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::Reuse;
use super::body::Body;
use super::connect::Protocol;
use super::error::{ConnectError, SendError, find};
use super::figures::{Counters, Open};
use super::pool::Shared;
use super::received::Received;
use super::wire::Wire;

/// What a stream may have under way towards us, in bytes: a recording in one go, without a slow caller holding much.
const STREAM_WINDOW: u32 = 512 << 10;
/// What all streams together may have under way: many slow callers must not stop the others.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// What a stream may have waiting to be sent, in bytes.
const SEND_BUFFER: usize = 256 << 10;
/// The largest head of an answer, in bytes.
const HEAD: u32 = 64 << 10;
/// How often a quiet connection is asked whether it still lives: well below the 60 s after which it closes unused,
/// and below the memory of common middleboxes.
const PING: Duration = Duration::from_secs(20);
/// How long the answer to that may take.
const PONG: Duration = Duration::from_secs(10);
/// How many streams may be opened before the peer has said how many it allows (RFC 9113 §6.5.2 recommends no less
/// than 100 to the peer).
const STREAMS: usize = 100;

/// A connection that carries many requests at a time.
#[derive(Debug, Clone)]
pub(super) struct Link {
    sender: SendRequest<Body>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    streams: AtomicUsize,
    limit: AtomicUsize,
    served: AtomicU64,
}

/// A stream in use: it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Stream(Arc<State>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared for Link {
    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    fn streams(&self) -> usize {
        self.state.streams.load(Ordering::Acquire)
    }

    fn limit(&self) -> usize {
        self.state.limit.load(Ordering::Acquire)
    }

    fn served(&self) -> u64 {
        self.state.served.load(Ordering::Acquire)
    }
}

/// Begins HTTP/2 on a wire.
pub(super) async fn begin(wire: Wire, counters: &Arc<Counters>) -> Result<Link, ConnectError> {
    let socket = SocketTask::default();
    let handshake = Builder::new(socket.clone())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEAD)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(wire))
        .await;
    let (sender, connection) = handshake.map_err(|error| ConnectError::Http(Arc::new(error)))?;
    let state = Arc::new(State { streams: AtomicUsize::new(0), limit: AtomicUsize::new(STREAMS), served: AtomicU64::new(0) });
    let task = Task { socket: socket.take(), requests: Some(connection), state: Arc::clone(&state), _open: counters.open(Protocol::Http2) };
    let _task = tokio::spawn(task);
    Ok(Link { sender, state })
}

impl Link {
    /// Takes a stream, and says whether it is the first of the connection.
    pub(super) fn take_stream(&self) -> (Stream, Reuse) {
        self.state.streams.fetch_add(1, Ordering::AcqRel);
        let reuse = if self.state.served.fetch_add(1, Ordering::AcqRel) == 0 { Reuse::Fresh } else { Reuse::Reused };
        (Stream(Arc::clone(&self.state)), reuse)
    }

    /// Sends a request with scheme and authority and waits for the head of its answer.
    pub(super) fn send(
        mut self,
        request: http::Request<Body>,
        reuse: Reuse,
    ) -> impl Future<Output = Result<Response<Received>, SendError>> + Send + use<> {
        // Boxed, since every future around it would hold it again.
        let answer = Box::pin(self.sender.try_send_request(request));
        // The answer does not need it, and a connection past its age ends when the last of these is gone.
        drop(self);
        async move {
            answer.await.map(|response| response.map(Received::new)).map_err(|mut error| {
                let given_back = error.take_message().is_some();
                let error = error.into_error();
                let verdict = if given_back { Proof::NotProcessed } else { proof(&error) };
                match (verdict, reuse) {
                    (Proof::NotProcessed, _) => SendError::NotProcessed(Box::new(error)),
                    (Proof::Closed, Reuse::Reused) => SendError::ClosedBeforeAnswer(Box::new(error)),
                    (Proof::Closed, Reuse::Fresh) | (Proof::Nothing, _) => SendError::Failed(Box::new(error)),
                }
            })
        }
    }
}

/// What an error proves about the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It refused the stream, or said goodbye below it.
    NotProcessed,
    /// The connection broke before an answer.
    Closed,
    /// Nothing.
    Nothing,
}

fn proof(error: &hyper::Error) -> Proof {
    match find::<h2::Error>(error) {
        Some(error) if error.is_remote() && error.is_go_away() => Proof::NotProcessed,
        Some(error) if error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) => Proof::NotProcessed,
        // hyper unwraps what h2 says about the socket.
        None if find::<std::io::Error>(error).is_some() => Proof::Closed,
        Some(_) | None => Proof::Nothing,
    }
}

type SocketFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps the first future that hyper wants run, which moves the socket, and spawns the later ones, one for each
/// request.
#[derive(Clone, Default)]
struct SocketTask {
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    seen: AtomicUsize,
    future: Mutex<Option<SocketFuture>>,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for SocketTask {
    fn execute(&self, future: F) {
        if self.kept.seen.load(Ordering::Relaxed) == 0 {
            self.kept.seen.store(1, Ordering::Relaxed);
            *self.kept.future.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(future));
        } else {
            drop(tokio::spawn(future));
        }
    }
}

impl SocketTask {
    fn take(&self) -> Option<SocketFuture> {
        self.kept.future.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Moves a connection: its socket and the requests that wait to go onto it.
struct Task {
    socket: Option<SocketFuture>,
    requests: Option<Connection<TokioIo<Wire>, Body, SocketTask>>,
    state: Arc<State>,
    _open: Open,
}

impl Future for Task {
    type Output = ();

    /// The socket first, so that a goodbye that has come is known before a request is taken. What the requests add
    /// wakes this task again, and all that were taken together are written together.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.socket.as_mut().is_none_or(|socket| socket.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(());
        }
        if let Some(requests) = this.requests.as_mut() {
            if Pin::new(&mut *requests).poll(cx).is_ready() {
                // No more requests. The streams under way go on, and what was not begun goes back to its sender.
                this.requests = None;
                cx.waker().wake_by_ref();
            } else {
                this.state.limit.store(requests.current_max_send_streams(), Ordering::Release);
            }
        }
        Poll::Pending
    }
}
