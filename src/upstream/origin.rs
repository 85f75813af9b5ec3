//! One Vonage host, or what stands in its place: takes connections from its pool, opens what is missing, sends.
//!
//! A connect that others wait for runs in a task of its own, so that it outlives the request that began it. What it
//! brings is handed to those who wait, in their order: left to compete, they could lose to newcomers again and
//! again while a peer closes its connections after few requests. A sweeper runs while there is a connection.
//!
//! Not here: which connection is taken (`pool`), how one is made (`connect`), what a failure proves (`http1`, `http2`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::header::{HOST, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use tokio::sync::oneshot;

use super::body::Body;
use super::connect::{Dialer, Protocol, Target};
use super::error::{ConnectError, SendError, UnsolicitedUpgrade};
use super::figures::{Counters, Figures};
use super::outgoing::Outgoing;
use super::pool::{self, Choice, Need, Pool, Resting, Shared, Speaks};
use super::received::Received;
use super::{Carrier, Connection, Reuse, http1, http2};
use crate::clock;
use crate::vonage::hosts::Host;
use crate::work::work;

/// How often resting connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a request waits for a connect that then has no room for it.
const ROUNDS: usize = 8;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// What somebody who waits is told: a connection, or none when there was no room and it should look again.
type Outcome = Result<Option<Connection>, ConnectError>;

/// One Vonage host.
#[derive(Debug)]
pub(super) struct Origin {
    host: Host,
    name: HeaderValue,
    authority: Authority,
    target: Target,
    dialer: Arc<Dialer>,
    answer_head: Duration,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pool: Pool<http1::Link, http2::Link>,
    /// Those who wait for the connect under way, if there is one.
    waiting: Option<Vec<oneshot::Sender<Outcome>>>,
    sweeper: Sweeper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweeper {
    Running,
    Stopped,
}

enum Taken {
    Connection(Connection),
    Open,
    Join(oneshot::Receiver<Outcome>),
}

enum Dialed {
    Single(http1::Link),
    Shared(http2::Link),
}

/// A connect that others may be waiting for. Lost without an outcome, it lets them go.
struct Dialing {
    origin: Arc<Origin>,
    state: Dial,
}

enum Dial {
    UnderWay,
    Over,
}

impl Drop for Dialing {
    fn drop(&mut self) {
        match self.state {
            Dial::UnderWay => self.origin.lock().waiting = None,
            // Another one may be under way by now.
            Dial::Over => {}
        }
    }
}

impl Origin {
    pub(super) fn new(host: Host, target: Target, speaks: Speaks, dialer: Arc<Dialer>, answer_head: Duration) -> Self {
        let state = State { pool: Pool::new(speaks), waiting: None, sweeper: Sweeper::Stopped };
        Self {
            host,
            name: HeaderValue::from_static(host.name()),
            authority: Authority::from_static(host.name()),
            target,
            dialer,
            answer_head,
            counters: Arc::default(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn host(&self) -> Host {
        self.host
    }

    pub(super) fn figures(&self) -> Figures {
        self.counters.read(self.host)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, from the pool or new.
    pub(super) async fn any(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        self.connection(Need::Any).await
    }

    /// A connection that was opened after this call.
    pub(super) async fn fresh(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        let number = self.lock().pool.next_number();
        self.connection(Need::Since(number)).await
    }

    async fn connection(self: &Arc<Self>, need: Need) -> Result<Connection, ConnectError> {
        for _ in 0..ROUNDS {
            let outcome = match self.take(need) {
                Taken::Connection(connection) => return Ok(connection),
                // Rare and large: kept out of every request's own future.
                Taken::Open => return Box::pin(self.open()).await,
                Taken::Join(outcome) => outcome,
            };
            match outcome.await {
                Ok(Ok(Some(connection))) => return Ok(connection),
                Ok(Err(error)) => return Err(error),
                // No room; or the task was lost, and the next round begins another.
                Ok(Ok(None)) | Err(_) => {}
            }
        }
        Err(ConnectError::Unstable)
    }

    fn take(self: &Arc<Self>, need: Need) -> Taken {
        let mut state = self.lock();
        match state.pool.choose(need, clock::now()) {
            Choice::Single(resting) => Taken::Connection(self.single(resting.link)),
            Choice::Shared(link) => Taken::Connection(self.shared(link)),
            Choice::SharedAndOpen(link) => {
                self.begin(&mut state);
                Taken::Connection(self.shared(link))
            }
            Choice::Open => Taken::Open,
            Choice::Join => Taken::Join(self.join(&mut state)),
        }
    }

    fn single(self: &Arc<Self>, link: http1::Link) -> Connection {
        let reuse = link.reuse();
        self.count(reuse);
        Connection { origin: Arc::clone(self), reuse, carrier: Carrier::Single(link) }
    }

    fn shared(self: &Arc<Self>, link: http2::Link) -> Connection {
        let (stream, reuse) = link.take_stream();
        self.count(reuse);
        Connection { origin: Arc::clone(self), reuse, carrier: Carrier::Shared(link, Some(stream)) }
    }

    fn count(&self, reuse: Reuse) {
        match reuse {
            Reuse::Reused => self.counters.reused(),
            Reuse::Fresh => {}
        }
    }

    /// Waits for the connect under way, or for a new one.
    fn join(self: &Arc<Self>, state: &mut State) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.begin(state).push(sender);
        receiver
    }

    /// Begins a connect in a task of its own, unless one is under way.
    fn begin<'s>(self: &Arc<Self>, state: &'s mut State) -> &'s mut Vec<oneshot::Sender<Outcome>> {
        state.waiting.get_or_insert_with(|| {
            let mut dialing = Dialing { origin: Arc::clone(self), state: Dial::UnderWay };
            drop(tokio::spawn(work(async move {
                let dialed = dialing.origin.dial().await;
                dialing.state = Dial::Over;
                dialing.origin.hand_out(dialed);
            })));
            Vec::new()
        })
    }

    /// Gives what a connect brought to those who wait for it, and what is left to the pool.
    fn hand_out(self: &Arc<Self>, dialed: Result<Dialed, ConnectError>) {
        let mut state = self.lock();
        let waiting = state.waiting.take().unwrap_or_default();
        match dialed {
            Ok(Dialed::Single(link)) => {
                state.pool.speaks_http1();
                self.hand_out_single(&mut state, link, waiting);
            }
            Ok(Dialed::Shared(link)) => {
                state.pool.join(link.clone(), clock::now());
                for waiter in waiting {
                    let room = link.streams() < link.limit();
                    drop(waiter.send(Ok(room.then(|| self.shared(link.clone())))));
                }
            }
            Err(error) => {
                for waiter in waiting {
                    drop(waiter.send(Err(error.clone())));
                }
            }
        }
        self.keep_swept(&mut state);
    }

    fn hand_out_single(self: &Arc<Self>, state: &mut State, link: http1::Link, waiting: Vec<oneshot::Sender<Outcome>>) {
        let mut left = Some(link);
        for waiter in waiting {
            let offered = left.take().map(|link| self.single(link));
            // One who has gone gives it back.
            if let Err(Ok(Some(Connection { carrier: Carrier::Single(link), .. }))) = waiter.send(Ok(offered)) {
                left = Some(link);
            }
        }
        if let Some(link) = left {
            state.pool.rest(Resting { opened: link.opened, link, since: clock::now(), limit: pool::REST });
        }
    }

    /// A connection for one request, made while it waits.
    async fn open(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        match self.dial().await? {
            Dialed::Single(link) => {
                self.lock().pool.speaks_http1();
                Ok(self.single(link))
            }
            Dialed::Shared(link) => {
                let mut state = self.lock();
                state.pool.join(link.clone(), clock::now());
                self.keep_swept(&mut state);
                Ok(self.shared(link))
            }
        }
    }

    async fn dial(&self) -> Result<Dialed, ConnectError> {
        let dialed = match self.dialer.dial(&self.target).await {
            Ok((wire, Protocol::Http1)) => http1::begin(wire, &self.counters, clock::now()).await.map(Dialed::Single),
            Ok((wire, Protocol::Http2)) => http2::begin(wire, &self.counters).await.map(Dialed::Shared),
            Err(error) => Err(error),
        };
        dialed.inspect_err(|error| self.counters.failed(error))
    }

    fn keep_swept(self: &Arc<Self>, state: &mut State) {
        if state.sweeper == Sweeper::Stopped {
            state.sweeper = Sweeper::Running;
            drop(tokio::spawn(work(sweep(Arc::downgrade(self)))));
        }
    }

    /// Sends over a connection of HTTP/1.1, which rests as soon as the head of the answer is there.
    pub(super) async fn send_single(self: Arc<Self>, mut link: http1::Link, outgoing: Outgoing) -> Result<Response<Received>, SendError> {
        let sent = tokio::time::timeout(self.answer_head, link.send(self.origin_form(outgoing))).await;
        let response = unswitched(sent.unwrap_or(Err(SendError::Timeout))?)?;
        let limit = pool::rest_limit(keep_alive(response.headers()));
        let mut state = self.lock();
        state.pool.rest(Resting { opened: link.opened, link, since: clock::now(), limit });
        self.keep_swept(&mut state);
        Ok(response)
    }

    /// Sends over a stream of HTTP/2.
    ///
    /// The request is handed over before the future is made, so that the future stays small.
    pub(super) fn send_shared(
        self: Arc<Self>,
        link: http2::Link,
        reuse: Reuse,
        outgoing: Outgoing,
    ) -> impl Future<Output = Result<Response<Received>, SendError>> + Send {
        let sent = self.absolute_form(outgoing).map(|request| link.send(request, reuse, self.answer_head));
        async move { unswitched(sent?.await?) }
    }

    /// A replaced origin is told which Vonage host is meant, so `Host` is the Vonage name whatever the socket leads to.
    fn origin_form(&self, outgoing: Outgoing) -> Request<Body> {
        let (_, mut head, body) = outgoing.into_parts();
        head.version = Version::HTTP_11;
        head.headers.insert(HOST, self.name.clone());
        Request::from_parts(head, body)
    }

    fn absolute_form(&self, outgoing: Outgoing) -> Result<Request<Body>, SendError> {
        let (_, mut head, body) = outgoing.into_parts();
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
        head.uri = Uri::from_parts(parts).map_err(|error| SendError::Failed(Box::new(error)))?;
        head.version = Version::HTTP_2;
        head.headers.remove(HOST);
        Ok(Request::from_parts(head, body))
    }
}

/// Refuses what no answer may be.
fn unswitched(response: Response<Received>) -> Result<Response<Received>, SendError> {
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => Err(SendError::Failed(Box::new(UnsolicitedUpgrade))),
        _ => Ok(response),
    }
}

fn keep_alive(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEEP_ALIVE)?.to_str().ok()
}

/// Lets go of connections that rest too long, until none is left.
async fn sweep(origin: Weak<Origin>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(origin) = origin.upgrade() else { return };
        let mut state = origin.lock();
        if state.pool.sweep(clock::now()) {
            state.sweeper = Sweeper::Stopped;
            return;
        }
    }
}
