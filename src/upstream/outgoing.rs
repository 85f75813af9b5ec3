//! A request that may be sent: stripped of every credential of the caller, carrying exactly one of ours.
//!
//! [`Stripped`](crate::inject::Stripped) is made by `inject::strip` only and [`Outgoing`] by `inject` only, so a
//! request that was not stripped and injected cannot be sent, by construction.

use http::request::Parts;

use super::body::Body;
use crate::vonage::hosts::Host;

/// A request ready to be sent to a Vonage host.
#[derive(Debug)]
pub struct Outgoing {
    host: Host,
    head: Parts,
    body: Body,
}

impl Outgoing {
    /// For `inject` alone. `head.uri` holds path and query only; `Host` is set by the upstream.
    pub(crate) fn assemble(host: Host, head: Parts, body: Body) -> Self {
        Self { host, head, body }
    }

    /// Where it goes.
    pub fn host(&self) -> Host {
        self.host
    }

    /// For the upstream alone.
    pub(super) fn into_parts(self) -> (Host, Parts, Body) {
        (self.host, self.head, self.body)
    }
}
