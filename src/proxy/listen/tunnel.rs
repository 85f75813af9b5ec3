//! What a caller's first bytes on a proxy listener open: calls as on any listener, TLS to a host of the provider that
//! we serve, or a tunnel to somebody else.
//!
//! A tunnel ends when either side ends it, when nothing moved for a while, or with the process. Its bytes are not
//! looked at.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::last_words;
use super::own::is_own;
use super::{Door, Server};
use crate::config::Tunnel;
use crate::metrics::TunnelOutcome;
use crate::proxy::connect::{self, Beginning, Opening, Reach};
use crate::proxy::entrance::{Entrance, Peer, Via};
use crate::proxy::fault::Fault;
use crate::proxy::socket::wire::{Raw, Stream, Wire};
use crate::upstream::JoinError;

/// A tunnel on which nothing moves is kept this long: longer than the pools of clients keep a connection.
const IDLE_TUNNEL: Duration = Duration::from_mins(5);
/// What a caller reads before it begins TLS.
const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

impl Server {
    /// A connection of a proxy listener.
    pub(super) async fn proxy(self: Arc<Self>, mut raw: Raw, stream: &Arc<Stream>, door: &Door, tls: &TlsAcceptor, tunnel: &Tunnel) {
        let mut early = BytesMut::new();
        let request = loop {
            match connect::begins(&early) {
                Beginning::Connect(request) => break request,
                Beginning::Other => {
                    let raw = Raw::new(Arc::clone(stream), early.freeze());
                    let entrance = Arc::new(door.entrance(stream, Via::Front));
                    return Box::pin(self.http1(Wire::Plain(raw), stream, entrance)).await;
                }
                Beginning::Unclear if early.len() > self.pace.longest_head => return refuse(raw, &Fault::HeadTooLarge).await,
                Beginning::Unclear => {}
                Beginning::Malformed => return refuse(raw, &Fault::Malformed).await,
            }
            match timeout(self.pace.head, raw.read_buf(&mut early)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) => return,
                Err(_elapsed) => return refuse(raw, &Fault::HeadStalled).await,
            }
        };
        let early = early.split_off(request.length).freeze();
        let entrance = door.entrance(stream, Via::Front);
        let opening = match entrance.peer {
            Peer::Welcome => connect::opens(&request, tunnel, &door.tokens.current()),
            Peer::Stranger => Err(Fault::PeerRefused),
        };
        match opening {
            Ok(Opening::Vonage(host, vouched)) => {
                let entrance = Entrance { via: Via::Connect { host, vouched }, ..entrance };
                let mut wire = Wire::Plain(Raw::new(Arc::clone(stream), early.clone()));
                wire.say(Bytes::from_static(OPENED)).await;
                self.proxy.metrics.tunnel(TunnelOutcome::Served);
                Box::pin(self.tls(Raw::new(Arc::clone(stream), early), stream, tls, Arc::new(entrance))).await;
            }
            Ok(Opening::Tunnel { host, port, reach }) => Box::pin(self.join(Raw::new(Arc::clone(stream), early), &host, port, reach)).await,
            Err(fault) => {
                self.proxy.metrics.tunnel(TunnelOutcome::Refused);
                self.proxy.metrics.own_error(fault.description().code);
                refuse(raw, &fault).await;
            }
        }
    }

    async fn join(self: Arc<Self>, raw: Raw, host: &str, port: u16, reach: Reach) {
        let may_be = |address: IpAddr| reach == Reach::Anywhere || !(connect::is_here(address) || is_own(connect::meant(address)));
        let peer = match self.proxy.upstream.join(host, port, &may_be).await {
            Ok(peer) => peer,
            Err(error) => {
                let fault = match error {
                    JoinError::Forbidden => Fault::TunnelAddress,
                    JoinError::Connect(error) => Fault::TunnelFailed(error),
                };
                tracing::debug!(cause = %crate::proxy::exchange::causes(&fault), "a tunnel was not opened");
                self.proxy.metrics.tunnel(TunnelOutcome::Failed);
                self.proxy.metrics.own_error(fault.description().code);
                return refuse(raw, &fault).await;
            }
        };
        self.proxy.metrics.tunnel(TunnelOutcome::Joined);
        let mut wire = Wire::Plain(raw);
        wire.say(Bytes::from_static(OPENED)).await;
        relay(wire, peer).await;
    }
}

async fn refuse(raw: Raw, fault: &Fault) {
    last_words(Wire::Plain(raw), fault).await;
}

/// Moves bytes both ways until an end, or until nothing moved for a while.
async fn relay(near: impl AsyncRead + AsyncWrite + Unpin, far: impl AsyncRead + AsyncWrite + Unpin) {
    let moved = AtomicU64::new(0);
    let (mut near, mut far) = (Counted { inner: near, moved: &moved }, Counted { inner: far, moved: &moved });
    let still = async {
        let mut before = moved.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(IDLE_TUNNEL).await;
            let now = moved.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    };
    tokio::select! {
        _ended = copy_bidirectional(&mut near, &mut far) => {}
        () = still => tracing::debug!("a tunnel was idle and is closed"),
    }
}

/// Counts reads that brought something.
struct Counted<'a, T> {
    inner: T,
    moved: &'a AtomicU64,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<'_, T> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let read = std::pin::Pin::new(&mut self.inner).poll_read(cx, buf);
        if read.is_ready() {
            self.moved.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<'_, T> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
