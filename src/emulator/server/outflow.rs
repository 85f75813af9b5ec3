//! An answer as it flows: whole, in pieces, slowly, or broken off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::wire::{Link, Order};
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::faults::Shape;

/// Between the last bytes and a reset, so that they reach the peer first.
const BEFORE_RESET: Duration = Duration::from_millis(20);

enum End {
    Whole,
    Reset { waited: bool },
}

/// A body on its way.
pub(super) struct Outflow {
    pieces: VecDeque<Bytes>,
    /// Bytes still to come, where the length is told.
    left: Option<u64>,
    pace: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    end: End,
    link: Arc<Link>,
}

impl Body for Outflow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            if let Some(piece) = self.pieces.pop_front() {
                if !self.pace.is_zero() {
                    self.pause = Some(Box::pin(tokio::time::sleep(self.pace)));
                }
                let length = piece.len();
                self.left = self.left.map(|left| left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX)));
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match &mut self.end {
                End::Whole => return Poll::Ready(None),
                End::Reset { waited: true } => {
                    self.link.order(Order::Reset);
                    return Poll::Pending;
                }
                End::Reset { waited } => {
                    *waited = true;
                    self.pause = Some(Box::pin(tokio::time::sleep(BEFORE_RESET)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && matches!(self.end, End::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(http::header::ACCEPT_ENCODING);
    accepted.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        named && !parts.any(|part| part.replace(' ', "") == "q=0")
    })
}

fn compress(reply: &mut Reply) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    if encoder.write_all(&reply.body).is_err() {
        return;
    }
    if let Ok(packed) = encoder.finish() {
        reply.body = Bytes::from(packed);
        reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// Cuts a body as the shapes say: whole, one byte each, or two pieces where the length is not told, so that a chunked
/// answer really has more than one.
fn cut(body: &Bytes, drips: bool, tells_length: bool) -> VecDeque<Bytes> {
    let size = match (drips, tells_length) {
        (true, _) => 1,
        (false, true) => body.len(),
        (false, false) => body.len().div_ceil(2),
    };
    let starts = (0..body.len()).step_by(size.max(1));
    starts.map(|start| body.slice(start..body.len().min(start + size))).collect()
}

/// Turns an answer into one that flows, in the shapes asked for.
pub(super) fn flow(mut reply: Reply, method: &Method, asked: &HeaderMap, shapes: &[Shape], link: &Arc<Link>) -> Response<Outflow> {
    if shapes.contains(&Shape::GzipForced) || shapes.contains(&Shape::Gzip) && accepts_gzip(asked) {
        compress(&mut reply);
    }
    let length = reply.body.len();
    let tells_length = !shapes.contains(&Shape::Chunked) && reply.status != StatusCode::NO_CONTENT;
    if tells_length {
        reply.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let pace = shapes.iter().find_map(|shape| if let Shape::Drip(pace) = shape { Some(*pace) } else { None });
    let (shown, end) = if shapes.contains(&Shape::ResetAfterHead) {
        (0, End::Reset { waited: false })
    } else if shapes.contains(&Shape::ResetMidBody) {
        (length / 2, End::Reset { waited: false })
    } else {
        (length, End::Whole)
    };
    let is_head = *method == Method::HEAD;
    let body = if is_head { Bytes::new() } else { reply.body.slice(..shown) };
    let outflow = Outflow {
        pieces: cut(&body, pace.is_some(), tells_length),
        left: (tells_length && !is_head).then_some(u64::try_from(length).unwrap_or(u64::MAX)),
        pace: pace.unwrap_or_default(),
        pause: None,
        end,
        link: Arc::clone(link),
    };
    let mut response = Response::new(outflow);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
