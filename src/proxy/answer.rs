//! What goes back to the caller: the provider's answer, streamed, or one of our own, marked as ours.
//!
//! Facts: RFC 9457 (problem documents).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::caller::Serving;
use super::fault::{Description, Fault};
use super::headers::MARK;
use crate::clock;
use crate::upstream::InFlight;
use crate::upstream::received::{BrokenOff, Received};

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody {
    content: Content,
    /// Held until the last byte was handed over: the connection serves until then.
    serving: Option<Serving>,
}

#[derive(Debug)]
enum Content {
    Own(Option<Bytes>),
    Theirs(Theirs),
}

#[derive(Debug)]
struct Theirs {
    head_start: VecDeque<Frame<Bytes>>,
    rest: Option<Received>,
    patience: Patience,
    /// Its place among the streams of its connection, until it is read.
    _under_way: Option<InFlight>,
}

/// How long an answer may be silent, and when it must be whole.
#[derive(Debug)]
pub struct Patience {
    idle: Duration,
    deadline: Option<Instant>,
    quiet: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// So long without a byte, and until then in all.
    pub fn new(idle: Duration, deadline: Option<Instant>) -> Self {
        Self { idle, deadline, quiet: None }
    }
}

/// Why an answer ends early on its way to the caller.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The provider's answer broke off.
    #[error(transparent)]
    Upstream(BrokenOff),
    /// Nothing came for the idle time, or the total time is over.
    #[error("the answer stalled")]
    Stalled,
}

impl AnswerBody {
    /// One of ours.
    pub fn own(bytes: Bytes) -> Self {
        Self { content: Content::Own(Some(bytes)), serving: None }
    }

    /// Ties the connection's state to this body.
    #[must_use]
    pub fn while_serving(mut self, serving: Serving) -> Self {
        self.serving = Some(serving);
        self
    }

    /// The same as the body of the answer that takes this one's place.
    #[must_use]
    pub fn replaced_by(self, other: Self) -> Self {
        Self { content: other.content, serving: self.serving }
    }

    /// Reads up to about so many bytes ahead, so that an answer that ends by then has a length, or is known to break off.
    pub async fn read_ahead(&mut self, limit: usize) -> Result<(), AnswerError> {
        let Content::Theirs(theirs) = &mut self.content else { return Ok(()) };
        let (mut frames, mut read) = (VecDeque::new(), 0);
        while read < limit {
            let Some(frame) = std::future::poll_fn(|cx| theirs.poll(cx)).await else {
                theirs.rest = None;
                break;
            };
            let frame = frame?;
            read += frame.data_ref().map_or(0, Bytes::len);
            frames.push_back(frame);
        }
        theirs.head_start = frames;
        Ok(())
    }
}

/// How the read part of an answer ended.
#[derive(Debug)]
pub enum End {
    /// All of it was read.
    Complete,
    /// There is more, or it comes too slowly.
    More,
    /// It broke off.
    Broken(BrokenOff),
}

/// The read beginning of an answer, with what is still to come.
#[derive(Debug)]
pub struct Opened {
    frames: VecDeque<Frame<Bytes>>,
    rest: Option<Received>,
    under_way: Option<InFlight>,
    /// How the read part ended.
    pub end: End,
}

impl Opened {
    /// Reads up to `limit` bytes within `patience`. With a limit of 1 that is the first piece.
    pub async fn read(mut body: Received, under_way: InFlight, limit: usize, patience: Duration) -> Self {
        let mut frames = VecDeque::new();
        if body.is_end_stream() {
            return Self { frames, rest: None, under_way: None, end: End::Complete };
        }
        let mut read = 0;
        let mut sleep: Option<Pin<Box<Sleep>>> = None;
        let end = loop {
            let next = std::future::poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(frame) => Poll::Ready(Some(frame)),
                Poll::Pending => {
                    let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                    sleep.as_mut().poll(cx).map(|()| None)
                }
            });
            match next.await {
                None => break End::More,
                Some(None) => break End::Complete,
                Some(Some(Err(error))) => break End::Broken(error),
                Some(Some(Ok(frame))) => {
                    read += frame.data_ref().map_or(0, Bytes::len);
                    frames.push_back(frame);
                    if body.is_end_stream() {
                        break End::Complete;
                    }
                    if read >= limit {
                        break End::More;
                    }
                }
            }
        };
        let (rest, under_way) = if matches!(end, End::More) { (Some(body), Some(under_way)) } else { (None, None) };
        Self { frames, rest, under_way, end }
    }

    /// The bytes read so far, in one piece.
    pub fn bytes(&self) -> Bytes {
        let mut data = self.frames.iter().filter_map(Frame::data_ref);
        match (data.next(), data.next()) {
            (None, _) => Bytes::new(),
            (Some(only), None) => only.clone(),
            (Some(_), Some(_)) => {
                let mut whole = BytesMut::new();
                for piece in self.frames.iter().filter_map(Frame::data_ref) {
                    whole.extend_from_slice(piece);
                }
                whole.freeze()
            }
        }
    }

    /// As the body that goes back.
    pub fn into_body(self, patience: Patience) -> AnswerBody {
        AnswerBody {
            content: Content::Theirs(Theirs { head_start: self.frames, rest: self.rest, patience, _under_way: self.under_way }),
            serving: None,
        }
    }
}

/// The problem document of a fault.
pub fn document(told: &Description) -> String {
    let document = serde_json::json!({
        "type": format!("urn:vonage-sidecar:{}", told.code),
        "title": told.what,
        "status": told.status.as_u16(),
        "detail": *told.remedy,
        "code": told.code,
    });
    format!("{document}\n")
}

/// The answer that tells of a fault.
pub fn of_fault(fault: &Fault) -> Response<AnswerBody> {
    let told = fault.description();
    let mut answer = Response::new(AnswerBody::own(Bytes::from(document(&told))));
    *answer.status_mut() = told.status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(MARK, HeaderValue::from_static(told.code));
    if matches!(fault, Fault::Framing) {
        // Where this request ends is not known, so nothing behind it may be taken for another (RFC 9112 §6.1).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if told.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

impl Theirs {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Some(frame) = self.head_start.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = self.rest.as_mut() else { return Poll::Ready(None) };
        match Pin::new(rest).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.patience.quiet = None;
                if self.patience.deadline.is_some_and(|deadline| clock::now() > deadline) {
                    return Poll::Ready(Some(Err(AnswerError::Stalled)));
                }
                Poll::Ready(frame.map(|frame| frame.map_err(AnswerError::Upstream)))
            }
            Poll::Pending => {
                let idle = self.patience.idle;
                let quiet = self.patience.quiet.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                quiet.as_mut().poll(cx).map(|()| Some(Err(AnswerError::Stalled)))
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match &mut self.get_mut().content {
            Content::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Theirs(theirs) => theirs.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(bytes) => bytes.is_none(),
            Content::Theirs(theirs) => theirs.head_start.is_empty() && theirs.rest.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = |bytes: &Bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match &self.content {
            Content::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, length)),
            Content::Theirs(theirs) => {
                let begun: u64 = theirs.head_start.iter().filter_map(Frame::data_ref).map(length).sum();
                match theirs.rest.as_ref().map_or(Some(0), |rest| rest.size_hint().exact()) {
                    Some(rest) => SizeHint::with_exact(begun + rest),
                    None => SizeHint::new(),
                }
            }
        }
    }
}
