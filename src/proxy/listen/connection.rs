//! One connection of a caller: the first byte, TLS where it is spoken, HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Counted, Door, Server, Spoken};
use crate::config::Place;
use crate::proxy::answer::AnswerBody;
use crate::proxy::caller::{AFTERMATH, Caller, Departure};
use crate::proxy::entrance::{Entrance, Via};
use crate::proxy::exchange::causes;
use crate::proxy::fault::Fault;
use crate::proxy::guard::MOST_HEADERS;
use crate::proxy::socket::wire::{Raw, Stream, Wire};
use crate::proxy::socket::{Socket, bare};

/// A TLS handshake begins with a record of this type (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// For words to a caller that may not read.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What is read of an answer so that it has a length.
const AHEAD: usize = 64 << 10;

impl Server {
    /// One connection, from its first byte to its end.
    pub(super) async fn connection(self: Arc<Self>, stream: Stream, door: Arc<Door>, place: OwnedSemaphorePermit) {
        let _counted = Counted::new(&self.proxy);
        let _place = place;
        stream.without_delay();
        // Buffers are made when there is something to read: an idle connection costs a descriptor and a small task.
        let patience = self.pace.head.max(self.pace.idle);
        let Ok(Some(first)) = timeout(patience, stream.first_byte()).await else { return };
        let stream = Arc::new(stream);
        let entrance = || Arc::new(door.entrance(&stream, Via::Front));
        let raw = Raw::new(Arc::clone(&stream), Bytes::new());
        match &door.spoken {
            Spoken::Http => Box::pin(self.http1(Wire::Plain(raw), &stream, entrance())).await,
            Spoken::Https(acceptor, _) if first == HANDSHAKE => Box::pin(self.tls(raw, &stream, acceptor, entrance())).await,
            Spoken::Https(..) => last_words(Wire::Plain(raw), &Fault::TlsExpected).await,
            Spoken::Proxy(acceptor, _, tunnel) => Box::pin(self.proxy(raw, &stream, &door, acceptor, tunnel)).await,
        }
    }

    /// The server's side of TLS, then the protocol agreed on.
    pub(super) async fn tls(self: Arc<Self>, raw: Raw, stream: &Arc<Stream>, acceptor: &TlsAcceptor, entrance: Arc<Entrance>) {
        let tls = match timeout(self.pace.head, acceptor.accept(raw)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(cause = %causes(&error), "a caller's TLS handshake failed"),
            Err(_elapsed) => return tracing::debug!("a caller's TLS handshake took too long"),
        };
        let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let wire = Wire::Tls(Box::new(tls));
        if http2 {
            Box::pin(self.http2(wire, entrance)).await;
        } else {
            Box::pin(self.http1(wire, stream, entrance)).await;
        }
    }

    pub(super) async fn http1(self: Arc<Self>, wire: Wire, stream: &Arc<Stream>, entrance: Arc<Entrance>) {
        let caller = Caller::new(Arc::clone(&self.proxy.in_flight));
        let socket = Socket::new(wire, Arc::clone(&caller), self.pace);
        let service = {
            let (server, caller) = (Arc::clone(&self), Arc::clone(&caller));
            service_fn(move |request| Arc::clone(&server).request(request, Arc::clone(&entrance), Arc::clone(&caller)))
        };
        let mut builder = http1::Builder::new();
        let longest = self.pace.longest_head;
        // What hyper buffers of a head is only roughly bounded by its buffer, so the head has a limit of its own.
        builder.half_close(true).max_buf_size(longest.max(8192)).max_header_size(longest).max_headers(MOST_HEADERS);
        let serving = builder.serve_connection(TokioIo::new(socket), service);
        tokio::pin!(serving);
        let gone = stream.departure();
        tokio::pin!(gone);
        let draining = self.shutdown.draining();
        tokio::pin!(draining);
        let mut drains = self.shutdown.is_draining();
        // A head that has begun is served, and its answer closes the connection; until then it counts as under way.
        let mut _under_way = None;
        loop {
            tokio::select! {
                // What has come is read before anything is decided about it.
                biased;
                ended = serving.as_mut() => {
                    if let Err(error) = ended {
                        if error.is_user() || caller.is_answered() {
                            stream.cut();
                        }
                        tracing::debug!(cause = %causes(&error), "connection of a caller ended early");
                    }
                    return;
                }
                () = gone.as_mut() => return match caller.leaves() {
                    Departure::Finishes => {
                        let _verdict = timeout(AFTERMATH, serving).await;
                    }
                    Departure::Cancels => {}
                },
                () = draining.as_mut(), if !drains => {
                    drains = true;
                    if caller.has_begun_a_head() {
                        _under_way = Some(caller.under_way());
                    } else {
                        serving.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }

    async fn request(
        self: Arc<Self>,
        request: Request<Incoming>,
        entrance: Arc<Entrance>,
        caller: Arc<Caller>,
    ) -> Result<http::Response<AnswerBody>, Infallible> {
        let cannot_be_cut = request.version() == Version::HTTP_10 && matches!(entrance.listen.place, Place::Unix(_));
        let mut answer = self.proxy.handle(request, &entrance, &caller).await;
        if cannot_be_cut && answer.body().size_hint().exact().is_none() {
            answer = self.with_length(answer).await;
        }
        if self.shutdown.is_draining() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}

impl Server {
    /// A caller of HTTP/1.0 takes the end of the connection for the end of an answer without a length, and a unix socket
    /// cannot be reset. So the answer gets a length, or is told to be broken; a long one goes on as it comes.
    async fn with_length(&self, answer: http::Response<AnswerBody>) -> http::Response<AnswerBody> {
        let (head, mut body) = answer.into_parts();
        match body.read_ahead(AHEAD).await {
            Ok(()) => http::Response::from_parts(head, body),
            Err(error) => {
                tracing::debug!(cause = %causes(&error), "an answer broke off before a caller of HTTP/1.0 had any of it");
                self.proxy.turn_away(&Fault::AnswerBroken).map(|own| body.replaced_by(own))
            }
        }
    }
}

/// Tells a caller that is not served why, and ends.
pub(super) async fn last_words(mut wire: Wire, fault: &Fault) {
    let _unread = timeout(LAST_WORDS, wire.say(bare(fault))).await;
}
