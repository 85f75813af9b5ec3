//! A request ready for its attempts, and whether it may be sent again.

use std::time::Instant;

use bytes::Bytes;
use http::Method;

use super::Treatment;
use crate::inject::{Carried, Stripped};
use crate::proxy::fault::Fault;
use crate::upstream::SendError;
use crate::upstream::body::{Body, Source, Tee};
use crate::vonage::endpoints::{Endpoint, Repeat};
use crate::vonage::hosts::Host;

/// A request ready for its attempts.
#[derive(Debug)]
pub(in crate::proxy) struct Ask {
    pub endpoint: &'static Endpoint,
    pub host: Host,
    pub repeat: Repeat,
    pub treatment: Treatment,
    pub stripped: Stripped,
    pub body: AskBody,
    /// What the body carries, where it was looked at.
    pub carried: Carried,
    pub deadline: Option<Instant>,
}

/// The body of a request, as far as sending it again goes.
#[derive(Debug)]
pub(in crate::proxy) enum AskBody {
    /// None.
    None,
    /// All of it, read before.
    Whole(Bytes),
    /// The caller's stream with a copy beside it.
    Teed(Tee),
}

/// How a request that got no answer may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// It may not.
    Never,
    /// On a fresh connection.
    Fresh,
    /// On any connection, when there is room.
    InAMoment,
}

impl Ask {
    /// Whether it may be sent once more with the same credential after this error, and how.
    pub(super) fn resend(&self, error: &SendError) -> Resend {
        match error {
            SendError::NotProcessed(_) => Resend::Fresh,
            SendError::Refused(_) => Resend::InAMoment,
            SendError::ClosedBeforeAnswer(_) => {
                let reads = matches!(self.stripped.head().method, Method::GET | Method::HEAD) && matches!(self.body, AskBody::None);
                if reads && self.repeat == Repeat::Repeatable { Resend::Fresh } else { Resend::Never }
            }
            SendError::NoStream | SendError::Timeout | SendError::Failed(_) => Resend::Never,
        }
    }

    /// Whether nothing happens at the provider but an answer, so that the request may be cancelled at any time.
    pub(super) fn only_reads(&self) -> bool {
        super::is_safe(&self.stripped.head().method) && self.repeat == Repeat::Repeatable
    }
}

impl AskBody {
    /// The body from its start; none when it was begun and cannot be had again.
    pub(super) fn body(&self) -> Option<Body> {
        match self {
            Self::None => Some(Body::Empty),
            Self::Whole(bytes) => Some(Body::Whole(bytes.clone())),
            Self::Teed(tee) => tee.reader().map(Body::Teed),
        }
    }

    /// Whether a copy is kept so far.
    pub(super) fn can_replay(&self) -> bool {
        match self {
            Self::None | Self::Whole(_) => true,
            Self::Teed(tee) => tee.can_replay(),
        }
    }

    /// Whether it will certainly still be there for a second attempt.
    pub(super) fn surely_replays(&self) -> bool {
        match self {
            Self::None | Self::Whole(_) => true,
            Self::Teed(tee) => tee.can_replay() && tee.length_is_known(),
        }
    }

    /// The caller's fault, if that is why an exchange failed.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self {
            Self::None | Self::Whole(_) => None,
            Self::Teed(tee) => match tee.source() {
                Source::Broken => Some(Fault::BodyBroken),
                Source::Stalled => Some(Fault::BodyStalled),
                Source::Open | Source::Complete => None,
            },
        }
    }
}
