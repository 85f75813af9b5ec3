//! Puts exactly one credential on a request, after every credential of the caller was taken off.
//!
//! [`strip`] makes a [`Stripped`] head, [`inject`] makes an [`Outgoing`] from it: nothing else can, so a request
//! that still carries the caller's credential, or none, cannot be sent. Injecting comes after the removal of
//! hop-by-hop headers, since a caller could name `Authorization` in `Connection`.
//!
//! Whatever is not a credential keeps its bytes: [`form`], [`json`] and [`path`] cut and add, and never write anew.
//!
//! Not here: which credential (`credentials::standing`), whose request it is (`proxy::whose`).

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};
use zeroize::Zeroizing;

use crate::secret::{ApiKey, ApiSecret};
use crate::upstream::body::Body;
use crate::upstream::outgoing::Outgoing;
use crate::vonage::hosts::Host;
use crate::vonage::management::Call;

pub mod authorization;
pub mod body;
pub mod echo;
pub mod form;
pub mod json;
pub mod path;
pub mod signature;
pub mod strip;
mod unreadable;

pub use strip::{Carried, Stripped};
pub use unreadable::Unreadable;

/// A parameter with its value, which may be a secret.
pub type Parameter = (&'static str, Zeroizing<String>);

/// Where parameters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Behind the path.
    Query,
    /// Into a form.
    Form,
    /// Into a JSON object.
    Json,
}

/// What goes onto a request.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// A finished `Authorization` header: key and secret, or a token.
    Header(&'a HeaderValue),
    /// Parameters: key and secret, or key, timestamp and signature.
    Parameters(Place, &'a [Parameter]),
    /// Key and secret as the segments at these positions of the path.
    Path {
        /// Positions of key and secret.
        at: (usize, usize),
        /// The key.
        key: &'a ApiKey,
        /// The secret.
        secret: &'a ApiSecret,
    },
    /// The caller's own of a kind that is not ours to replace; the head was not stripped of it.
    CallersOwn,
    /// None: the endpoint is open.
    Nothing,
}

/// Finishes a request.
pub fn inject(stripped: &Stripped, host: Host, credential: Credential<'_>, body: Body) -> Outgoing {
    let mut head = stripped.head().clone();
    let body = match credential {
        Credential::Header(header) => {
            head.headers.insert(AUTHORIZATION, header.clone());
            body
        }
        Credential::Parameters(place, parameters) => put(&mut head, body, place, parameters),
        Credential::Path { at, key, secret } => {
            head.uri = target(&path::put(head.uri.path(), at, key.as_str(), secret.as_parameter()), head.uri.query());
            body
        }
        Credential::CallersOwn | Credential::Nothing => body,
    };
    Outgoing::assemble(host, head, body)
}

/// Writes parameters into query or body. Those of the same name go from the query in any case: a stale `timestamp` there
/// would be a second one.
fn put(head: &mut Parts, body: Body, place: Place, parameters: &[Parameter]) -> Body {
    let query = head.uri.query().unwrap_or_default();
    let names: Vec<&'static str> = parameters.iter().map(|(name, _)| *name).collect();
    let written = match (place, &body) {
        (Place::Form, Body::Whole(bytes)) => form::put(bytes, parameters),
        // What is no object was refused before; sent as it is, it would be refused for want of a credential.
        (Place::Json, Body::Whole(bytes)) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| json::put(text, parameters).ok())
            .map_or_else(|| bytes.to_vec(), String::into_bytes),
        (Place::Query, _) | (Place::Form | Place::Json, Body::Empty | Body::Teed(_)) => {
            head.uri = target(head.uri.path(), std::str::from_utf8(&form::put(query.as_bytes(), parameters)).ok());
            return body;
        }
    };
    if let (Some(rest), _) = form::take(query.as_bytes(), &names) {
        head.uri = target(head.uri.path(), std::str::from_utf8(&rest).ok());
    }
    let kind = if place == Place::Form { "application/x-www-form-urlencoded" } else { "application/json" };
    head.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    set_length(&mut head.headers, written.len());
    Body::Whole(Bytes::from(written))
}

fn set_length(headers: &mut HeaderMap, bytes: usize) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(u64::try_from(bytes).unwrap_or(u64::MAX)));
}

/// Path and query as a target. Their bytes were part of a valid one before, or are escaped.
pub fn target(path: &str, query: Option<&str>) -> Uri {
    let target = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        Some(_) | None => path.to_owned(),
    };
    PathAndQuery::try_from(target).map_or_else(|_| Uri::default(), Uri::from)
}

/// A request of our own to the provider, without a body: a probe.
pub fn own_get(host: Host, path_and_query: &'static str, header: &HeaderValue) -> Outgoing {
    own(host, Method::GET, Uri::from_static(path_and_query), header, Body::Empty)
}

/// A call of our own to the provider's management plane.
pub fn own_call(host: Host, call: &Call, header: &HeaderValue) -> Result<Outgoing, http::uri::InvalidUri> {
    let uri = call.path.parse()?;
    if call.body.is_empty() {
        return Ok(own(host, call.method.clone(), uri, header, Body::Empty));
    }
    Ok(own(host, call.method.clone(), uri, header, Body::Whole(call.body.clone())))
}

fn own(host: Host, method: Method, uri: Uri, header: &HeaderValue, body: Body) -> Outgoing {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method;
    head.uri = uri;
    head.headers.insert(AUTHORIZATION, header.clone());
    if let Body::Whole(_) = body {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    head.headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.headers.insert(http::header::USER_AGENT, HeaderValue::from_static(concat!("vonage-sidecar/", env!("CARGO_PKG_VERSION"))));
    Outgoing::assemble(host, head, body)
}
