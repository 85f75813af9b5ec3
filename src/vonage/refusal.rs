//! Did the provider refuse the *credential*? From status, headers and a bounded, complete body.
//!
//! Invariants: no proper prefix of an answer is [`Verdict::Refused`]; no answer with an element of status 0 is; what
//! another credential could not change is never a refusal.

use http::{HeaderMap, Method, StatusCode};

use super::endpoints::{Endpoint, Scheme};

/// Bytes of an answer that are read to judge it. A refusal is far smaller.
pub const LONGEST_JUDGED: usize = 64 * 1024;

/// What an answer says about the credential that we put on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The provider took it: the answer is about the request itself.
    Accepted,
    /// The provider refused this credential and executed nothing.
    Refused,
    /// A 401 that looks like neither.
    Doubtful,
    /// It says nothing about the credential: 5xx, 429, a gateway's own 403 or 404.
    NoEvidence,
}

/// What must be read before an answer can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: this is the verdict.
    Nothing(Verdict),
    /// The body, up to [`LONGEST_JUDGED`].
    Body,
}

/// How much of the body was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// All of it, as framed.
    Complete(&'a [u8]),
    /// It is longer, came too slowly, or broke off.
    Partial(&'a [u8]),
}

/// What the head alone says. `injected` is the scheme of the credential that we put on the request.
pub fn need(endpoint: &Endpoint, injected: Scheme, method: &Method, status: StatusCode, headers: &HeaderMap) -> Need {
    let _ = (endpoint, injected, method, status, headers);
    Need::Nothing(Verdict::Accepted)
}

/// The verdict for an answer whose head said [`Need::Body`].
pub fn judge(endpoint: &Endpoint, injected: Scheme, status: StatusCode, headers: &HeaderMap, seen: Seen<'_>) -> Verdict {
    let _ = (endpoint, injected, status, headers, seen);
    Verdict::Accepted
}
