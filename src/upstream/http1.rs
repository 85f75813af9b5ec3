//! One HTTP/1.1 connection, and what its failures prove.
//!
//! hyper gives a request back when it was never begun; the counters of the wire tell the rest: whether a byte went
//! out, and whether a byte of an answer came in. A future that is dropped closes the connection.

use std::sync::Arc;
use std::time::Instant;

use http::Response;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use super::Reuse;
use super::body::Body;
use super::connect::Protocol;
use super::error::{ConnectError, SendError, Source};
use super::figures::Counters;
use super::pool::Single;
use super::received::Received;
use super::wire::{Mark, Traffic, Wire};
use crate::work::work;

/// The largest head of an answer, in bytes; hyper's own limit of 100 header fields applies beside it (setting it
/// would only move its buffer to the heap).
const HEAD: usize = 64 << 10;
/// What is buffered of a connection each way, in bytes; a head must fit.
const BUFFER: usize = 128 << 10;

/// A connection that carries one request at a time.
#[derive(Debug)]
pub(super) struct Link {
    sender: SendRequest<Body>,
    traffic: Arc<Traffic>,
    pub(super) opened: Instant,
    reuse: Reuse,
}

impl Single for Link {
    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    fn is_ready(&self) -> bool {
        // A new connection takes its first request before its task has run once.
        self.reuse == Reuse::Fresh || self.sender.is_ready()
    }
}

/// Begins HTTP/1.1 on a wire.
pub(super) async fn begin(wire: Wire, counters: &Arc<Counters>, now: Instant) -> Result<Link, ConnectError> {
    let traffic = wire.traffic();
    let handshake = Builder::new().max_header_size(HEAD).max_buf_size(BUFFER).handshake(TokioIo::new(wire)).await;
    let (sender, connection) = handshake.map_err(|error| ConnectError::Http(Arc::new(error)))?;
    let open = counters.open(Protocol::Http1);
    let _task = tokio::spawn(work(async move {
        // An error reaches the request under way; without one there is nobody whom it concerns.
        let _ended = connection.await;
        drop(open);
    }));
    Ok(Link { sender, traffic, opened: now, reuse: Reuse::Fresh })
}

impl Link {
    pub(super) fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// Sends a request in origin form and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: http::Request<Body>) -> Result<Response<Received>, SendError> {
        let before = self.traffic.mark();
        let reuse = std::mem::replace(&mut self.reuse, Reuse::Reused);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(Received::new)),
            Err(mut error) => {
                let begun = if error.take_message().is_some() { Begun::Never } else { Begun::Perhaps };
                let error = error.into_error();
                let broke = if error.is_user() || error.is_parse() { Broke::Otherwise } else { Broke::Connection };
                Err(judge(begun, broke, reuse, before, self.traffic.mark())(Box::new(error)))
            }
        }
    }
}

/// Whether hyper began to write the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// It gave the request back.
    Never,
    /// It kept it.
    Perhaps,
}

/// What ended the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broke {
    /// The connection closed or failed.
    Connection,
    /// Our body, or what the peer sent.
    Otherwise,
}

/// What a failure proves about the peer.
fn judge(begun: Begun, broke: Broke, reuse: Reuse, before: Mark, after: Mark) -> fn(Source) -> SendError {
    match (begun, broke, reuse) {
        (Begun::Never, _, _) => SendError::NotProcessed,
        (Begun::Perhaps, Broke::Connection, _) if after.written == before.written => SendError::NotProcessed,
        (Begun::Perhaps, Broke::Connection, Reuse::Reused) if after.read == before.read => SendError::ClosedBeforeAnswer,
        (Begun::Perhaps, Broke::Connection | Broke::Otherwise, _) => SendError::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(begun: Begun, broke: Broke, reuse: Reuse, written: u64, read: u64) -> &'static str {
        let before = Mark { written: 100, read: 100 };
        let after = Mark { written: 100 + written, read: 100 + read };
        judge(begun, broke, reuse, before, after)("it broke".into()).code()
    }

    #[test]
    fn only_a_request_of_which_no_byte_went_out_is_not_processed() {
        use Reuse::{Fresh, Reused};
        assert_eq!(verdict(Begun::Never, Broke::Connection, Reused, 0, 0), "not_processed");
        assert_eq!(verdict(Begun::Perhaps, Broke::Connection, Fresh, 0, 0), "not_processed");
        assert_eq!(verdict(Begun::Perhaps, Broke::Connection, Reused, 1, 0), "closed_before_answer");
        assert_eq!(verdict(Begun::Perhaps, Broke::Connection, Reused, 1, 1), "exchange_failed");
        assert_eq!(verdict(Begun::Perhaps, Broke::Connection, Fresh, 1, 0), "exchange_failed");
        assert_eq!(verdict(Begun::Perhaps, Broke::Otherwise, Reused, 1, 0), "exchange_failed");
        assert_eq!(verdict(Begun::Perhaps, Broke::Otherwise, Fresh, 0, 0), "exchange_failed");
    }
}
