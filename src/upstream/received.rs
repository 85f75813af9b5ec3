//! The body of an answer, as it comes, whatever protocol it comes over.
//!
//! An answer that breaks off ends with an error, never as if it were complete.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::error::Source;

/// The body of an answer.
#[derive(Debug)]
pub struct Received(Incoming);

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff(#[source] Source);

impl Received {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self(incoming)
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map_err(|error| BrokenOff(Box::new(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
