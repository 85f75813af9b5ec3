//! The body of an answer, as it comes, whatever protocol it comes over.
//!
//! An answer that breaks off ends with an error, never as if it were complete.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::error::Source;
use super::places::Place;

/// The body of an answer.
#[derive(Debug)]
pub struct Received(Kind);

#[derive(Debug)]
enum Kind {
    Http1(Incoming),
    Http2(Stream),
}

#[derive(Debug)]
struct Stream {
    body: RecvStream,
    /// What is still to come, if the peer said how much that is.
    left: Option<u64>,
    part: Part,
    /// Its place among the streams of the connection.
    _place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Data,
    Trailers,
    Over,
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff(#[source] Source);

impl Received {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self(Kind::Http1(incoming))
    }

    /// An answer of HTTP/2, which holds its place among the streams of the connection.
    pub(super) fn of_stream(answer: Response<RecvStream>, place: Option<Place>) -> Response<Self> {
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let left = length.and_then(|length| length.parse().ok());
        answer.map(|body| Self(Kind::Http2(Stream { body, left, part: Part::Data, _place: place })))
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.part == Part::Data {
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(data)) => {
                    // It cannot fail: this is what was given.
                    self.body.flow_control().release_capacity(data.len()).ok();
                    self.left = self.left.map(|left| left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX)));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) if self.is_complete_at(&error) => self.part = Part::Over,
                Some(Err(error)) => {
                    self.part = Part::Over;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.part = Part::Trailers,
            }
        }
        if self.part == Part::Trailers {
            let trailers = ready!(self.body.poll_trailers(cx));
            self.part = Part::Over;
            return Poll::Ready(trailers.map(|trailers| trailers.map(Frame::trailers)).transpose());
        }
        Poll::Ready(None)
    }

    /// An answer that has come to the length it told is whole, however its stream ends. Without a length only the end of
    /// the stream says so, and h2 remembers one that came before a reset: the reset is no error then (RFC 9113 §8.1; h2
    /// 0.4.20, `State::recv_reset`).
    fn is_complete_at(&self, error: &h2::Error) -> bool {
        error.is_reset() && self.left == Some(0)
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut self.0 {
            Kind::Http1(incoming) => Pin::new(incoming).poll_frame(cx).map_err(|error| BrokenOff(Box::new(error))),
            Kind::Http2(stream) => stream.poll(cx).map_err(|error| BrokenOff(Box::new(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Http1(incoming) => incoming.is_end_stream(),
            Kind::Http2(stream) => stream.part == Part::Over || stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Http1(incoming) => incoming.size_hint(),
            Kind::Http2(_) if self.is_end_stream() => SizeHint::with_exact(0),
            Kind::Http2(stream) => stream.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
