//! Did the provider refuse the *credential*? From status, headers and a bounded, complete body.
//!
//! Invariants: no proper prefix of an answer is [`Verdict::Refused`]; no answer with an element of status 0 is; what
//! another credential could not change is never a refusal; [`Verdict::Doubtful`] exists for status 401 only.
//!
//! [`Verdict::Accepted`] makes a secret good, and a rotation revokes the other one on it. So it is given only where
//! the answer proves that the secret was checked and taken: a success, or an error about the content or the state of
//! the request, which is read behind the gateway. No 401 is: those that are not about the secret (no quota, product
//! not enabled, address not allowed, ...) may be said before the secret was looked at, and are
//! [`Verdict::NoEvidence`]. So are 400, 402, 403, 404 and redirects, which the gateway gives by itself or which
//! tell about the account alone.
//!
//! Not here: what happens after a verdict (`proxy`), what it does to a standing (`credentials`). Facts: the provider's
//! API descriptions and error catalogue, its guides, and the gateway tests.

use std::borrow::Cow;

use http::{HeaderMap, Method, StatusCode};

use super::endpoints::{Endpoint, Family, Scheme};
use decode::Members;

mod body_status;
mod decode;
mod error_code;
mod problem;
#[cfg(test)]
mod tests;
mod video;

/// Bytes of an answer that are read to judge it. A refusal is far smaller.
pub const LONGEST_JUDGED: usize = 64 * 1024;

/// What an answer says about the credential that we put on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The provider took it: the answer is about the request itself.
    Accepted,
    /// The provider refused this credential and executed nothing.
    Refused,
    /// The provider says that the time of our token is over and executed nothing: a fresh one by the same key is wanted.
    Stale,
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
    /// The body, up to [`LONGEST_JUDGED`]. Without it, this is the verdict.
    Body(Verdict),
}

/// How much of the body was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// All of it, as framed.
    Complete(&'a [u8]),
    /// It is longer, came too slowly, or broke off.
    Partial(&'a [u8]),
}

/// What was put on the request, whatever the place it was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Material {
    /// An API key with its secret.
    KeyAndSecret,
    /// A signature made with a signature secret.
    Signature,
    /// A token made with an application's private key.
    Token,
    /// Nothing of ours.
    NotOurs,
}

/// What a family of 401 reads in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// This credential is no good.
    Refused,
    /// The time of our token is over.
    Stale,
    /// Something that another credential could not change.
    OtherReason,
    /// Nothing that is known.
    Unknown,
}

impl Material {
    fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Basic | Scheme::Query | Scheme::Form | Scheme::Json | Scheme::Path => Self::KeyAndSecret,
            Scheme::Signature => Self::Signature,
            Scheme::Jwt => Self::Token,
            Scheme::PassThrough | Scheme::Open => Self::NotOurs,
        }
    }

    /// Whether this row takes such a thing. Otherwise its answer is about the wrong kind of credential, which another
    /// value of the same kind would not change (Basic on Voice is always a 401).
    fn is_taken_by(self, endpoint: &Endpoint) -> bool {
        self != Self::NotOurs && endpoint.schemes.iter().any(|scheme| Self::of(*scheme) == self)
    }
}

/// Whether a 200 of this row is judged by its body, so that the request should ask for `identity` as its encoding.
pub fn judged_by_body(endpoint: &Endpoint) -> bool {
    status_family(endpoint).is_some()
}

fn status_family(endpoint: &Endpoint) -> Option<Family> {
    let judged = |family: &Family| matches!(family, Family::SmsStatus | Family::VerifyStatus | Family::InsightStatus);
    endpoint.refusals.iter().copied().find(judged)
}

fn may_forbid(endpoint: &Endpoint) -> bool {
    endpoint.refusals.contains(&Family::VideoForbidden)
}

/// What the head alone says. `injected` is the scheme of the credential that we put on the request.
pub fn need(endpoint: &Endpoint, injected: Scheme, method: &Method, status: StatusCode, headers: &HeaderMap) -> Need {
    if !Material::of(injected).is_taken_by(endpoint) {
        return Need::Nothing(Verdict::NoEvidence);
    }
    // The answer to HEAD has no body, and one in an encoding that we cannot read might as well have none.
    let readable = *method != Method::HEAD && decode::coding(headers).is_some();
    let otherwise = |verdict| if readable { Need::Body(verdict) } else { Need::Nothing(verdict) };
    match status.as_u16() {
        401 => otherwise(Verdict::Doubtful),
        403 if may_forbid(endpoint) => otherwise(Verdict::NoEvidence),
        200 if judged_by_body(endpoint) => otherwise(Verdict::NoEvidence),
        200..=299 if !judged_by_body(endpoint) => Need::Nothing(Verdict::Accepted),
        // A conflict, a failed precondition, "method failed", a value out of range, a record that is locked.
        409 | 412 | 420 | 422 | 423 => Need::Nothing(Verdict::Accepted),
        _ => Need::Nothing(Verdict::NoEvidence),
    }
}

/// The verdict for an answer whose head said [`Need::Body`].
pub fn judge(endpoint: &Endpoint, injected: Scheme, status: StatusCode, headers: &HeaderMap, seen: Seen<'_>) -> Verdict {
    let material = Material::of(injected);
    if !material.is_taken_by(endpoint) {
        return Verdict::NoEvidence;
    }
    let text = match seen {
        Seen::Complete(body) => decode::text(headers, body),
        Seen::Partial(_) => None,
    };
    match (status.as_u16(), status_family(endpoint)) {
        (401, _) => unauthorized(endpoint, material, text),
        (403, _) if may_forbid(endpoint) => forbidden(text),
        (200, Some(family)) => text.map_or(Verdict::NoEvidence, |text| body_status::verdict(family, material, &text)),
        _ => Verdict::NoEvidence,
    }
}

fn unauthorized(endpoint: &Endpoint, material: Material, text: Option<Cow<'_, str>>) -> Verdict {
    let Some(text) = text else { return Verdict::Doubtful };
    let Some(members) = Members::read(&text) else { return Verdict::Doubtful };
    let sign = |family: &Family| match family {
        Family::Problem => problem::sign(&members, material),
        Family::ErrorCode => error_code::sign(&members),
        Family::SmsStatus | Family::VerifyStatus | Family::InsightStatus | Family::VideoForbidden => Sign::Unknown,
    };
    let signs: Vec<Sign> = endpoint.refusals.iter().map(sign).collect();
    if signs.contains(&Sign::OtherReason) {
        Verdict::NoEvidence
    } else if signs.contains(&Sign::Stale) {
        Verdict::Stale
    } else if signs.contains(&Sign::Refused) {
        Verdict::Refused
    } else {
        Verdict::Doubtful
    }
}

/// A 403 is refused or says nothing: the gateway gives plain ones for a method that is not allowed.
fn forbidden(text: Option<Cow<'_, str>>) -> Verdict {
    let refused = text.is_some_and(|text| Members::read(&text).is_some_and(|members| video::refuses_token(&members)));
    if refused { Verdict::Refused } else { Verdict::NoEvidence }
}

/// Whether two of the provider's texts are the same but for case, spaces around and a full stop, which vary.
fn same(text: &str, known: &str) -> bool {
    text.trim().trim_end_matches('.').eq_ignore_ascii_case(known)
}
