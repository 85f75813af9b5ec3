//! One request and the way to the head of its answer: sends what was not there at once while it waits.
//!
//! A body that is whole goes with its head. One that still comes is read only as far as the peer takes it. When the
//! answer comes first, the rest of the body goes on in a task of its own. Dropped before that, the stream is reset.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use http::Response;
use http_body::Body as _;

use crate::upstream::body::{Body, BodyError};
use crate::upstream::places::Place;
use crate::upstream::received::Received;

/// A request that was begun.
pub(super) struct Exchange {
    answer: ResponseFuture,
    sending: Option<Box<Sending>>,
    /// Moves on to the body of the answer.
    place: Option<Place>,
}

/// Why there is no answer.
pub(super) enum Broken {
    /// What h2 says about the stream.
    Stream(h2::Error),
    /// The body of the request broke off, and the stream was reset for it.
    Body(BodyError),
}

impl Exchange {
    pub(super) fn new(answer: ResponseFuture, mut stream: SendStream<Bytes>, body: Body, place: Place) -> Self {
        let sending = match body {
            Body::Empty => None,
            Body::Whole(bytes) => {
                // Empty, it went with the head. Refused, the stream is gone already, which the answer will tell.
                if !bytes.is_empty() {
                    stream.send_data(bytes, true).ok();
                }
                None
            }
            Body::Teed(_) => Some(Box::new(Sending { stream, body })),
        };
        Self { answer, sending, place: Some(place) }
    }
}

impl Future for Exchange {
    type Output = Result<Response<Received>, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(answer) = Pin::new(&mut this.answer).poll(cx) {
            let answer = answer.map_err(Broken::Stream)?;
            if let Some(rest) = this.sending.take() {
                drop(tokio::spawn(rest));
            }
            return Poll::Ready(Ok(Received::of_stream(answer, this.place.take())));
        }
        if let Some(sending) = &mut this.sending
            && let Poll::Ready(sent) = Pin::new(sending).poll(cx)
        {
            this.sending = None;
            sent.map_err(Broken::Body)?;
        }
        Poll::Pending
    }
}

/// A body that goes up as it comes.
struct Sending {
    stream: SendStream<Bytes>,
    body: Body,
}

impl Future for Sending {
    /// The peer may end the stream at any time: then nothing is left to do, and the answer tells why.
    type Output = Result<(), BodyError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if ready!(this.room(cx)) == Room::StreamEnded {
                return Poll::Ready(Ok(()));
            }
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().ok(),
                Some(Err(error)) => {
                    this.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(Err(error));
                }
                None => None,
            };
            // Only data comes here: the body keeps its trailers to itself.
            let is_last = frame.is_none() || this.body.is_end_stream();
            if this.stream.send_data(frame.unwrap_or_default(), is_last).is_err() || is_last {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Whether more of a body may be given to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Some,
    StreamEnded,
}

impl Sending {
    fn room(&mut self, cx: &mut Context<'_>) -> Poll<Room> {
        if self.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Room::StreamEnded);
        }
        self.stream.reserve_capacity(1);
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Room::StreamEnded),
            }
        }
        Poll::Ready(Room::Some)
    }
}
