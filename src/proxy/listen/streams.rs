//! HTTP/2 on a caller's connection: a request is a stream, and each stream is a caller of its own.
//!
//! Invariants: streams, heads, resets and queues are bounded; a stream that is reset cancels its request, unless that
//! was written and may have an effect: then it is followed to its verdict, as on HTTP/1.1; a connection that is idle,
//! does not end a head that it began or does not take its answers is closed ([`watch`]); draining is a GOAWAY. What HTTP/2 forbids on the wire
//! (headers of a connection, a body of another length than announced) is refused by h2 below this.
//!
//! Facts: RFC 9113 §6.8 (GOAWAY), §8.1.1 (malformed messages), §10.5; CVE-2023-44487 (rapid reset).

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::Server;
use crate::clock;
use crate::proxy::answer::{AnswerBody, AnswerError};
use crate::proxy::caller::{AFTERMATH, Caller, Departure};
use crate::proxy::entrance::Entrance;
use crate::proxy::exchange::causes;
use crate::proxy::fault::Fault;
use crate::proxy::socket::Pace;
use crate::proxy::socket::timer::WriteStall;
use crate::proxy::socket::wire::Wire;
use heads::Heads;
use watch::{MOST_GIVEN_UP, UnderWay, Verdict, Watch};

/// Requests at once on one connection.
const MOST_STREAMS: u32 = 128;
/// What a stream may send before it is read, in bytes. Callers are near, so a small window costs no time.
const STREAM_WINDOW: u32 = 64 << 10;
/// What all streams together may: as much as each of them may, so that uploads that nobody reads never stop the others. It
/// takes memory only as far as it is used.
const CONNECTION_WINDOW: u32 = MOST_STREAMS * STREAM_WINDOW;
/// Streams that were reset and are not yet worked off, before the peer is told to calm down.
const MOST_RESETS: usize = 32;
/// What is buffered of the answers of one stream.
const SEND_BUFFER: usize = 256 << 10;
/// A peer is asked whether it is there when nothing came for so long.
const PING_AFTER: Duration = Duration::from_secs(30);
/// It must say so within this time.
const PING_PATIENCE: Duration = Duration::from_secs(20);

mod heads;
mod watch;

impl Server {
    pub(super) async fn http2(self: Arc<Self>, wire: Wire, entrance: Arc<Entrance>) {
        let watch = Arc::new(Watch::new(clock::now()));
        let service = {
            let (server, watch) = (Arc::clone(&self), Arc::clone(&watch));
            service_fn(move |request| Arc::clone(&server).stream(request, Arc::clone(&entrance), Arc::clone(&watch)))
        };
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // Twice, so that the guard is the one who refuses a long head, with its mark.
        let longest = u32::try_from(self.pace.longest_head.saturating_mul(2)).unwrap_or(u32::MAX);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_pending_accept_reset_streams(MOST_RESETS)
            .max_header_list_size(longest)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_PATIENCE);
        let serving = builder.serve_connection(TokioIo::new(Paced::new(wire, Arc::clone(&watch), self.pace)), service);
        tokio::pin!(serving);
        let mut look = tokio::time::interval(self.pace.head.min(self.pace.idle) / 2);
        let draining = self.shutdown.draining();
        tokio::pin!(draining);
        let mut leaving = false;
        loop {
            tokio::select! {
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(cause = %causes(&error), "connection of a caller ended early");
                    }
                    return;
                }
                () = draining.as_mut(), if !leaving => {
                    leaving = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = watch.flood() => {
                    tracing::warn!(requests = MOST_GIVEN_UP, "a caller resets one request after the other: its connection is cut");
                    return;
                }
                _ = look.tick() => match watch.verdict(clock::now(), self.pace) {
                    Verdict::Leave | Verdict::LeaveAndCut if !leaving => {
                        leaving = true;
                        serving.as_mut().graceful_shutdown();
                    }
                    Verdict::Stay | Verdict::Leave => {}
                    Verdict::LeaveAndCut | Verdict::Cut => return,
                },
            }
        }
    }

    async fn stream(
        self: Arc<Self>,
        request: Request<Incoming>,
        entrance: Arc<Entrance>,
        watch: Arc<Watch>,
    ) -> Result<Response<Watched>, Infallible> {
        let mut under_way = UnderWay::new(watch);
        let mut answer = if length(&request) > self.pace.longest_head {
            self.proxy.turn_away(&Fault::HeadTooLarge)
        } else {
            let caller = Caller::new(Arc::clone(&self.proxy.in_flight));
            let work = {
                let caller = Arc::clone(&caller);
                Box::pin(async move { self.proxy.handle(request, &entrance, &caller).await })
            };
            Followed { work: Some(work), caller }.await
        };
        // A connection of HTTP/2 is ended by other means.
        answer.headers_mut().remove(CONNECTION);
        under_way.answered();
        Ok(answer.map(|body| Watched { body, under_way }))
    }
}

/// How long a head would be on HTTP/1.1, about.
fn length(request: &Request<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    request.headers().iter().fold(target, |length, (name, value)| length + name.as_str().len() + value.len() + 4)
}

type Work = Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>>;

/// A request on a stream. Dropped before its answer, the caller has left.
struct Followed {
    work: Option<Work>,
    caller: Arc<Caller>,
}

impl Future for Followed {
    type Output = Response<AnswerBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = self.work.as_mut() else { return Poll::Pending };
        let answer = work.as_mut().poll(cx);
        if answer.is_ready() {
            self.work = None;
        }
        answer
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        match self.caller.leaves() {
            Departure::Cancels => {}
            // At the end of the process there is no runtime left to follow it with.
            Departure::Finishes => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(timeout(AFTERMATH, work));
                }
            }
        }
    }
}

/// The body of an answer, of which every piece that is taken is a sign of life.
#[derive(Debug)]
struct Watched {
    body: AnswerBody,
    under_way: UnderWay,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        self.under_way.moved();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A wire whose peer must take what is written to it, and come to the end of the heads that it begins.
#[derive(Debug)]
struct Paced {
    wire: Wire,
    stall: WriteStall,
    heads: Heads,
    watch: Arc<Watch>,
}

impl Paced {
    fn new(wire: Wire, watch: Arc<Watch>, pace: Pace) -> Self {
        Self { wire, stall: WriteStall::new(pace.idle), heads: Heads::default(), watch }
    }
}

impl AsyncRead for Paced {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.wire).poll_read(cx, buf);
        let standing = this.heads.standing();
        this.heads.take(buf.filled().get(before..).unwrap_or_default());
        if this.heads.standing() != standing {
            this.watch.head(this.heads.standing(), clock::now());
        }
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write(cx, buf);
        this.stall.watch(written, cx)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.wire).poll_write_vectored(cx, bufs);
        this.stall.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.wire).poll_flush(cx);
        this.stall.watch(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.wire).poll_shutdown(cx);
        this.stall.watch(closed, cx)
    }
}
