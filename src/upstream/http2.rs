//! One HTTP/2 connection, how many streams it has, and what its failures prove.
//!
//! The task that has a request gives it to h2 by itself, with all of its body if that is there; the task of the
//! connection writes what came together. There is no task a request and no queue between them.
//!
//! Invariant: what an error of a stream proves is told from the error of that stream alone. h2 ends the streams above
//! a GOAWAY with the peer's error, and those below it with another one when the connection closes. A request that h2
//! does not take, or that still waits for a stream, was not begun. Source: h2 0.4.20, `Inner::recv_go_away`,
//! `Inner::recv_eof`.
//!
//! A future that is dropped resets its stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Response};
use http_body::Body as _;
use tokio::time::timeout;

use super::Reuse;
use super::body::Body;
use super::connect::Protocol;
use super::error::{ConnectError, SendError};
use super::figures::Counters;
use super::places::{Place, Places, UNTOLD};
use super::pool::Shared;
use super::received::Received;
use super::wire::Wire;
use crate::work::work;
use exchange::{Broken, Exchange};
use gathered::Gathered;
use task::Task;

mod exchange;
mod gathered;
mod task;

/// What a stream may have under way towards us, in bytes: a recording in one go, without a slow caller holding much.
const STREAM_WINDOW: u32 = 256 << 10;
/// How many streams are used at a time, whatever the peer allows. A peer that allows more is given more connections.
const MOST_STREAMS: u32 = 256;
/// What all streams together may have under way: as much as each of them may, so that callers who do not read their
/// answers never stop the others. A window is a promise and takes no memory. What it can come to is [`STREAM_WINDOW`] for
/// each answer that its caller does not read, until the idle time cuts it off.
const CONNECTION_WINDOW: u32 = MOST_STREAMS * STREAM_WINDOW;
/// What a stream may have waiting to be sent, in bytes.
const SEND_BUFFER: usize = 256 << 10;
/// The largest head of an answer, in bytes.
const HEAD: u32 = 64 << 10;

/// A connection that carries many requests at a time.
#[derive(Debug, Clone)]
pub(super) struct Link {
    sender: SendRequest<Bytes>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    streams: AtomicUsize,
    served: AtomicU64,
    places: Arc<Places>,
    /// We closed the connection, since the peer did not answer a ping.
    given_up: AtomicBool,
}

impl State {
    fn new() -> Arc<Self> {
        Arc::new(Self { streams: AtomicUsize::new(0), served: AtomicU64::new(0), places: Places::new(), given_up: AtomicBool::new(false) })
    }

    /// The peer allows so many streams.
    fn allow(&self, streams: usize) {
        self.places.allow(streams.min(usize::try_from(MOST_STREAMS).unwrap_or(usize::MAX)));
    }
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
    /// Nobody waits for this answer, so nobody is woken.
    fn is_closed(&self) -> bool {
        matches!(self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
    }

    fn streams(&self) -> usize {
        self.state.streams.load(Ordering::Acquire)
    }

    fn limit(&self) -> usize {
        self.state.places.limit()
    }

    fn served(&self) -> u64 {
        self.state.served.load(Ordering::Acquire)
    }
}

/// Begins HTTP/2 on a wire.
pub(super) async fn begin(wire: Wire, counters: &Arc<Counters>) -> Result<Link, ConnectError> {
    let traffic = wire.traffic();
    let handshake = Builder::new()
        .enable_push(false)
        .initial_max_send_streams(UNTOLD)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEAD)
        .handshake(Gathered::new(wire))
        .await;
    let (sender, connection) = handshake.map_err(|error| ConnectError::Http(Arc::new(error)))?;
    let state = State::new();
    drop(tokio::spawn(work(Task::new(connection, traffic, Arc::clone(&state), counters.open(Protocol::Http2)))));
    Ok(Link { sender, state })
}

/// A request on its way: begun, or waiting for a stream.
enum Turn {
    Begun(Exchange),
    Waits(Pin<Box<dyn Future<Output = Result<Exchange, SendError>> + Send>>),
}

impl Link {
    /// Takes a stream, and says whether it is the first of the connection.
    pub(super) fn take_stream(&self) -> (Stream, Reuse) {
        self.state.streams.fetch_add(1, Ordering::AcqRel);
        let reuse = if self.state.served.fetch_add(1, Ordering::AcqRel) == 0 { Reuse::Fresh } else { Reuse::Reused };
        (Stream(Arc::clone(&self.state)), reuse)
    }

    /// Sends a request with scheme and authority and waits for the head of its answer, for so long at most; as long at
    /// most for a stream, while nothing is begun.
    ///
    /// The request is handed over before the future is made, so that the future stays small.
    pub(super) fn send(
        self,
        request: http::Request<Body>,
        reuse: Reuse,
        patience: Duration,
    ) -> impl Future<Output = Result<Response<Received>, SendError>> + Send + use<> {
        let state = Arc::clone(&self.state);
        let turn = match state.places.try_take() {
            Some(place) => self.hand_over(request, place).map(Turn::Begun),
            None => Ok(Turn::Waits(Box::pin(self.wait(request, patience)))),
        };
        async move {
            let exchange = match turn? {
                Turn::Begun(exchange) => exchange,
                Turn::Waits(turn) => turn.await?,
            };
            match timeout(patience, exchange).await {
                Ok(answer) => answer.map_err(|broken| judge(broken, reuse, &state)),
                Err(_elapsed) => Err(SendError::Timeout),
            }
        }
    }

    /// Waits for a stream. The connection may end before.
    async fn wait(self, request: http::Request<Body>, patience: Duration) -> Result<Exchange, SendError> {
        match timeout(patience, self.state.places.take()).await {
            Ok(Ok(place)) => self.hand_over(request, place),
            Ok(Err(closed)) => Err(SendError::NotProcessed(Box::new(closed))),
            Err(_elapsed) => Err(SendError::NoStream),
        }
    }

    /// Gives a request to h2, and the body with it if it is there. What h2 does not take was not begun.
    fn hand_over(mut self, request: http::Request<Body>, place: Place) -> Result<Exchange, SendError> {
        let (mut head, body) = request.into_parts();
        tell_length(&mut head, &body);
        let sent = self.sender.send_request(http::Request::from_parts(head, ()), body.is_end_stream());
        let (answer, stream) = sent.map_err(|error| SendError::NotProcessed(Box::new(error)))?;
        Ok(Exchange::new(answer, stream, body, place))
    }
}

/// Methods that usually have a body tell that they have none (RFC 9110 §8.6).
fn tell_length(head: &mut http::request::Parts, body: &Body) {
    let Some(length) = body.size_hint().exact() else { return };
    if length > 0 || matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        head.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

/// What an error proves about the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It said goodbye below the stream.
    NotProcessed,
    /// It refused the stream.
    Refused,
    /// The connection broke before an answer.
    Closed,
    /// Nothing.
    Nothing,
}

fn judge(broken: Broken, reuse: Reuse, state: &State) -> SendError {
    let error = match broken {
        Broken::Body(error) => return SendError::Failed(Box::new(error)),
        Broken::Stream(error) => error,
    };
    match (proof(&error, state.given_up.load(Ordering::Acquire)), reuse) {
        (Proof::NotProcessed, _) => SendError::NotProcessed(Box::new(error)),
        (Proof::Refused, _) => SendError::Refused(Box::new(error)),
        (Proof::Closed, Reuse::Reused) => SendError::ClosedBeforeAnswer(Box::new(error)),
        (Proof::Closed, Reuse::Fresh) | (Proof::Nothing, _) => SendError::Failed(Box::new(error)),
    }
}

fn proof(error: &h2::Error, given_up: bool) -> Proof {
    if error.is_remote() && error.is_go_away() {
        Proof::NotProcessed
    } else if error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        Proof::Refused
    } else if error.is_io() && !given_up {
        Proof::Closed
    } else {
        Proof::Nothing
    }
}
