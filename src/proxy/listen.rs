//! Listeners and connections of callers: bind, accept, serve, drain.
//!
//! hyper's defaults are not a safe proxy: a half-closed caller is served, an idle connection
//! has no buffers yet, the number of connections is bounded so that descriptors are left for the credentials file.
//! A panic ends its own connection only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Proxy;
use super::caller::{AFTERMATH, Caller, Departure};
use super::socket::{Pace, Socket, departure};
use crate::bind::{self, BindError};
use crate::config::{Listen, Settings};
use crate::shutdown::Shutdown;

/// A head has at most so many headers.
const MOST_HEADERS: usize = 100;
/// After a failed accept (descriptors used up, usually) others get time to end.
const BREATHER: Duration = Duration::from_millis(50);
/// A draining process ends when nothing was under way for this long.
const QUIET: Duration = Duration::from_millis(250);
/// Descriptors that are left for files, admin, the runtime.
const RESERVED: usize = 64;

/// Listeners that are bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(TcpListener, Arc<Listen>)>,
}

impl Bound {
    /// Binds every data listener.
    pub fn bind(listens: &[Listen]) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for listen in listens {
            let rules = Arc::new(listen.clone());
            listeners.extend(bind::listeners(listen.address)?.into_iter().map(|listener| (listener, Arc::clone(&rules))));
        }
        Ok(Self { listeners })
    }

    /// Where they are.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// Serves until the process drains: then new connections are still accepted, since apps that end open some, until
    /// nothing is under way or the drain time is over. A second signal ends everything at once.
    pub async fn serve(self, proxy: Arc<Proxy>, settings: &Settings, shutdown: Shutdown) {
        let server = Arc::new(Server {
            proxy,
            shutdown: shutdown.clone(),
            pace: Pace { head: settings.timeouts.caller_head, idle: settings.timeouts.idle, longest_head: settings.limits.head },
            places: Arc::new(Semaphore::new(places(settings.limits.connections))),
        });
        let mut accepting = tokio::task::JoinSet::new();
        for (listener, listen) in self.listeners {
            accepting.spawn(Arc::clone(&server).accept(listener, listen));
        }
        shutdown.draining().await;
        tokio::select! {
            () = server.quiet() => tracing::info!("drained"),
            () = tokio::time::sleep(settings.timeouts.drain) => {
                tracing::warn!(in_flight = server.proxy.in_flight.load(Ordering::Acquire), "drain time is over: cutting what is left");
            }
            () = shutdown.now() => tracing::warn!("told twice: ending now"),
        }
    }
}

/// Each caller's connection may need one upstream; some descriptors are kept for everything else.
fn places(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let descriptors = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let possible = (descriptors.saturating_sub(RESERVED.min(descriptors / 2)) / 2).max(1);
    if possible < wanted {
        tracing::warn!(wanted, possible, descriptors, "fewer connections than limits.connections: raise the limit of open files");
    }
    wanted.min(possible)
}

#[derive(Debug)]
struct Server {
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    pace: Pace,
    places: Arc<Semaphore>,
}

impl Server {
    /// Ends when nothing has been under way for a while.
    async fn quiet(&self) {
        let mut since = crate::clock::now();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            let now = crate::clock::now();
            if self.proxy.in_flight.load(Ordering::Acquire) > 0 {
                since = now;
            } else if now.saturating_duration_since(since) >= QUIET {
                return;
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, listen: Arc<Listen>) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _peer)) => {
                    let connection = Arc::clone(&self).connection(stream, Arc::clone(&listen), place);
                    tokio::spawn(connection);
                }
                Err(error) => {
                    tracing::warn!(cause = %error, "accept failed");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }

    /// One connection, from its first byte to its end.
    async fn connection(self: Arc<Self>, stream: TcpStream, listen: Arc<Listen>, place: OwnedSemaphorePermit) {
        let _counted = Counted::new(&self.proxy);
        let _place = place;
        // Without this an answer's last piece could wait for an acknowledgement; it only costs speed if it fails.
        let _slow = stream.set_nodelay(true);
        // Buffers are made when there is something to read: an idle connection costs a descriptor and a task. Readiness
        // alone may be a false alarm, so the first byte is looked at.
        let patience = self.pace.head.max(self.pace.idle);
        if !matches!(tokio::time::timeout(patience, stream.peek(&mut [0])).await, Ok(Ok(1..))) {
            return;
        }
        let stream = Arc::new(stream);
        let caller = Caller::new(Arc::clone(&self.proxy.in_flight));
        let socket = Socket::new(Arc::clone(&stream), Arc::clone(&caller), self.pace);
        let service = {
            let (server, caller) = (Arc::clone(&self), Arc::clone(&caller));
            service_fn(move |request| Arc::clone(&server).request(request, Arc::clone(&listen), Arc::clone(&caller)))
        };
        let mut builder = http1::Builder::new();
        let longest = self.pace.longest_head;
        // What hyper buffers of a head is only roughly bounded by its buffer, so the head has a limit of its own.
        builder.half_close(true).max_buf_size(longest.max(8192)).max_header_size(longest).max_headers(MOST_HEADERS);
        let serving = builder.serve_connection(TokioIo::new(socket), service);
        tokio::pin!(serving);
        let gone = departure(&stream);
        tokio::pin!(gone);
        let draining = self.shutdown.draining();
        tokio::pin!(draining);
        let mut drains = self.shutdown.is_draining();
        loop {
            tokio::select! {
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        if error.is_user() || caller.is_answered() {
                            cut(&stream);
                        }
                        tracing::debug!(cause = %super::exchange::causes(&error), "connection of a caller ended early");
                    }
                    return;
                }
                () = gone.as_mut() => return match caller.leaves() {
                    Departure::Finishes => {
                        let _verdict = tokio::time::timeout(AFTERMATH, serving).await;
                    }
                    Departure::Cancels => {}
                },
                () = draining.as_mut(), if !drains => {
                    drains = true;
                    serving.as_mut().graceful_shutdown();
                }
            }
        }
    }

    async fn request(
        self: Arc<Self>,
        request: Request<Incoming>,
        listen: Arc<Listen>,
        caller: Arc<Caller>,
    ) -> Result<http::Response<super::answer::AnswerBody>, Infallible> {
        let mut answer = self.proxy.handle(request, &listen, &caller).await;
        if self.shutdown.is_draining() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}

/// An answer that ends early must not look complete, which it would to a caller of HTTP/1.0 if we closed in order.
fn cut(stream: &TcpStream) {
    if let Err(error) = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)) {
        tracing::debug!(cause = %error, "a cut answer ends in order");
    }
}

/// The gauge of open connections.
struct Counted(Arc<Proxy>);

impl Counted {
    fn new(proxy: &Arc<Proxy>) -> Self {
        proxy.metrics.connection_opened();
        Self(Arc::clone(proxy))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connection_closed();
    }
}
