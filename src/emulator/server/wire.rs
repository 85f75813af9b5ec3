//! The cable under HTTP: a socket that can be reset, closed, or made to say something else.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use crate::clock;

/// A socket, with or without TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Reset,
    Close,
    /// Answer what is running, take nothing new.
    Finish,
}

struct Fate {
    order: Option<Order>,
    /// Bytes to write in place of the next answer.
    instead: Option<Bytes>,
    /// When a byte last came or a request was last answered; none before the first byte.
    last: Option<Instant>,
}

/// What the connection task, its requests and its cable share.
pub(super) struct Link {
    pub(super) number: u64,
    fate: Mutex<Fate>,
    ordered: Notify,
    running: AtomicUsize,
}

impl Link {
    pub(super) fn new(number: u64) -> Self {
        let fate = Fate { order: None, instead: None, last: None };
        Self { number, fate: Mutex::new(fate), ordered: Notify::new(), running: AtomicUsize::new(0) }
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn order(&self, order: Order) {
        self.fate().order = Some(order);
        self.ordered.notify_one();
    }

    /// Waits for an order.
    pub(super) async fn ordered(&self) -> Order {
        loop {
            self.ordered.notified().await;
            let order = self.fate().order;
            if let Some(order) = order {
                return order;
            }
        }
    }

    /// Lets these bytes go out in place of the next answer, then fails the connection.
    pub(super) fn say_instead(&self, bytes: &'static [u8]) {
        self.fate().instead = Some(Bytes::from_static(bytes));
    }

    /// How much longer this may stay idle; nothing if its time is over. Servers give the first byte of a connection a
    /// longer time, so it does not run before.
    pub(super) fn idle_left(&self, limit: Duration) -> Option<Duration> {
        if self.running.load(Ordering::Relaxed) > 0 {
            return Some(limit);
        }
        let Some(last) = self.fate().last else { return Some(limit) };
        limit.checked_sub(clock::now().duration_since(last)).filter(|left| !left.is_zero())
    }

    fn touch(&self) {
        self.fate().last = Some(clock::now());
    }
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Link>);

impl Busy {
    pub(super) fn on(link: &Arc<Link>) -> Self {
        link.running.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(link))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

/// The cable.
pub(super) struct Wire {
    stream: Stream,
    link: Arc<Link>,
}

impl Wire {
    pub(super) fn new(stream: Stream, link: Arc<Link>) -> Self {
        Self { stream, link }
    }

    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream),
            Stream::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>, mut rest: Bytes) -> Poll<io::Result<usize>> {
        while rest.has_remaining() {
            match self.stream().poll_write(cx, &rest) {
                Poll::Ready(Ok(written)) => rest.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.link.fate().instead = Some(rest);
                    return Poll::Pending;
                }
            }
        }
        self.link.fate().instead = Some(rest);
        ready!(self.stream().poll_flush(cx))?;
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = self.stream().poll_read(cx, buf);
        if result.is_ready() {
            self.link.touch();
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let instead = self.link.fate().instead.clone();
        match instead {
            Some(rest) => self.poll_instead(cx, rest),
            None => self.stream().poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.link.fate().order != Some(Order::Reset) {
            return;
        }
        let socket = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        // A socket that is gone already needs no reset.
        let _gone = socket.set_zero_linger();
    }
}
