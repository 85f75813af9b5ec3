//! Connections: accepted, driven, and ended when a fault, the handle or idleness says so.
//!
//! Not here: what a request meets (`respond`).

use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::outflow::Outflow;
use super::respond::respond;
use super::wire::{Link, Order, Stream, Wire};
use crate::emulator::control::handle::Shared;

/// After an accept that failed (no descriptors), so as not to spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(20);

/// A bound socket and what it serves.
pub(in crate::emulator) struct Listening {
    pub(in crate::emulator) listener: TcpListener,
    pub(in crate::emulator) tls: Option<Arc<ServerConfig>>,
    pub(in crate::emulator) streams: Option<u32>,
    pub(in crate::emulator) shared: Arc<Shared>,
}

impl Listening {
    /// Accepts for ever. Dropping this drops all connections.
    pub(in crate::emulator) async fn run(self) {
        let acceptor = self.tls.map(TlsAcceptor::from);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(connect(Arc::clone(&self.shared), acceptor.clone(), socket, self.streams));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connect(shared: Arc<Shared>, acceptor: Option<TlsAcceptor>, socket: TcpStream, streams: Option<u32>) {
    // Without it small answers wait for acknowledgements; a socket that refuses it is slow, not wrong.
    let _slow = socket.set_nodelay(true);
    let link = Arc::new(Link::new(shared.connected()));
    let (stream, is_http2) = match acceptor {
        None => (Stream::Plain(socket), false),
        Some(acceptor) => match acceptor.accept(socket).await {
            Ok(stream) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                (Stream::Tls(Box::new(stream)), is_http2)
            }
            Err(_) => return,
        },
    };
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&link)));
    let service = {
        let (shared, link) = (Arc::clone(&shared), Arc::clone(&link));
        service_fn(move |request| respond(Arc::clone(&shared), Arc::clone(&link), request))
    };
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        if let Some(streams) = streams {
            builder.max_concurrent_streams(streams);
        }
        drive(&shared, &link, builder.serve_connection(io, service)).await;
    } else {
        drive(&shared, &link, http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service)).await;
    }
}

/// A connection that can be asked to end after what is running.
trait Finish: Future {
    fn finish(self: Pin<&mut Self>);
}

impl<S> Finish for http1::Connection<TokioIo<Wire>, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = Outflow>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Finish for http2::Connection<TokioIo<Wire>, S, TokioExecutor>
where
    S: hyper::service::HttpService<Incoming, ResBody = Outflow>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Runs a connection until it ends, is cut, or was idle for too long.
async fn drive(shared: &Shared, link: &Link, connection: impl Finish) {
    let mut connection = pin!(connection);
    let mut disconnects = shared.disconnects();
    let idle_close = shared.idle_close();
    let mut left = idle_close;
    loop {
        let idle = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            order = link.ordered() => match order {
                Order::Reset | Order::Close => return,
                Order::Finish => connection.as_mut().finish(),
            },
            _ = disconnects.changed() => return,
            () = idle => {
                left = idle_close.and_then(|limit| link.idle_left(limit));
                if left.is_none() {
                    return;
                }
            }
        }
    }
}
