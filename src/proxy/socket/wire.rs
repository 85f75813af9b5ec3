//! What bytes of a caller travel over: a TCP connection or a unix socket, plain or in TLS.
//!
//! The stream is shared with whoever watches for the caller's departure, so it is used by reference here.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

/// A connection of a caller.
#[derive(Debug)]
pub enum Stream {
    /// By TCP.
    Tcp(TcpStream),
    /// By a unix socket.
    Unix(UnixStream),
}

/// One call for both kinds.
macro_rules! either {
    ($stream:expr, $name:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($name) => $call,
            Stream::Unix($name) => $call,
        }
    };
}

impl Stream {
    /// Sends small answers at once. It only costs speed if that fails.
    pub fn without_delay(&self) {
        match self {
            Self::Tcp(stream) => {
                let _slow = stream.set_nodelay(true);
            }
            Self::Unix(_) => {}
        }
    }

    /// Waits for the first byte and leaves it where it is. None: there will be none. Readiness alone may be a false
    /// alarm, so the byte is looked at.
    pub async fn first_byte(&self) -> Option<u8> {
        let mut byte = [0];
        let seen = match self {
            Self::Tcp(stream) => stream.peek(&mut byte).await,
            Self::Unix(stream) => {
                let mut peek = || {
                    let (seen, _) = rustix::net::recv(stream, &mut byte, rustix::net::RecvFlags::PEEK)?;
                    Ok(seen)
                };
                stream.async_io(Interest::READABLE, &mut peek).await
            }
        };
        matches!(seen, Ok(1..)).then_some(byte[0])
    }

    /// Ends when the peer has reset the connection or closed both directions.
    pub async fn departure(&self) {
        let _ready = either!(self, stream => stream.ready(Interest::ERROR).await);
    }

    /// An answer that ends early must not look complete, which it would to a caller of HTTP/1.0 if we closed in order.
    /// A unix socket cannot be reset: there the answer was given a length beforehand, unless it is a long one.
    pub fn cut(&self) {
        match self {
            Self::Tcp(stream) => {
                if let Err(error) = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)) {
                    tracing::debug!(cause = %error, "a cut answer ends in order");
                }
            }
            Self::Unix(_) => {}
        }
    }

    /// Reads what is there. Less than there was room for means that nothing more is there: the runtime is told so, which
    /// saves the call that would find it out. It is told what was known before the read, so nothing that comes later is
    /// lost.
    fn read(&self, buf: &mut ReadBuf<'_>) -> Result<()> {
        let mut took_something = false;
        let outcome = either!(self, stream => stream.try_io(Interest::READABLE, || {
            let read = stream.try_read_buf(buf)?;
            took_something = read > 0;
            if took_something && buf.remaining() > 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }));
        if took_something { Ok(()) } else { outcome }
    }

    fn close_our_half(&self) -> Result<()> {
        either!(self, stream => rustix::net::shutdown(stream, rustix::net::Shutdown::Write)).map_err(Error::from)
    }
}

/// A connection as it is, with bytes that were read from it before.
#[derive(Debug)]
pub struct Raw {
    stream: Arc<Stream>,
    early: Bytes,
}

impl Raw {
    /// Takes a connection over, of which these bytes were read.
    pub fn new(stream: Arc<Stream>, early: Bytes) -> Self {
        Self { stream, early }
    }

    fn poll_write_with(&self, cx: &mut Context<'_>, mut write: impl FnMut(&Stream) -> Result<usize>) -> Poll<Result<usize>> {
        loop {
            ready!(either!(&*self.stream, stream => stream.poll_write_ready(cx)))?;
            match write(&self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncRead for Raw {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if !self.early.is_empty() {
            let fits = self.early.len().min(buf.remaining());
            let taken = self.early.split_to(fits);
            buf.put_slice(&taken);
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(either!(&*self.stream, stream => stream.poll_read_ready(cx)))?;
            match self.stream.read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncWrite for Raw {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_with(cx, |stream| either!(stream, stream => stream.try_write(buf)))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        self.poll_write_with(cx, |stream| either!(stream, stream => stream.try_write_vectored(bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.stream.close_our_half())
    }
}

/// What HTTP is spoken over.
#[derive(Debug)]
pub enum Wire {
    /// In the clear.
    Plain(Raw),
    /// In TLS. Boxed, since a session is many times larger than a socket.
    Tls(Box<TlsStream<Raw>>),
}

impl Wire {
    fn inner(&mut self) -> Pin<&mut (dyn ReadWrite + Send)> {
        match self {
            Self::Plain(raw) => Pin::new(raw),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }

    /// Writes all of it, as far as it can be written.
    pub async fn say(&mut self, mut words: Bytes) {
        while !words.is_empty() {
            match poll_fn(|cx| self.inner().poll_write(cx, &words)).await {
                Ok(written @ 1..) => words.advance(written),
                Ok(0) | Err(_) => return,
            }
        }
        let _told = poll_fn(|cx| self.inner().poll_flush(cx)).await;
    }
}

/// Both directions of a wire.
trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match &mut *self {
            Self::Plain(raw) => Pin::new(raw).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        match &mut *self {
            Self::Plain(raw) => Pin::new(raw).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
