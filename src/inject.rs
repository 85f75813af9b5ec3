//! Puts exactly one credential on a request, after every credential of the caller was taken off.
//!
//! [`strip`] makes a [`Stripped`] head, [`inject`] makes an [`Outgoing`] from it: nothing else can, so a request
//! that still carries the caller's credential, or none, cannot be sent. Injecting comes after the removal of
//! hop-by-hop headers, since a caller could name `Authorization` in `Connection`.
//!
//! Not here: which credential (`credentials::standing`), whose request it is (`proxy::whose`).

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Uri};

use crate::upstream::body::Body;
use crate::upstream::outgoing::Outgoing;
use crate::vonage::hosts::Host;
use crate::vonage::management::Call;

pub mod form;
pub mod json;
pub mod strip;

pub use strip::Stripped;

/// What goes onto a request.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// A key and secret, as a finished header.
    Basic(&'a HeaderValue),
    /// The caller's own of a kind that is not ours to replace; the head was not stripped of it.
    CallersOwn,
    /// None: the endpoint is open.
    Nothing,
}

/// Finishes a request.
pub fn inject(stripped: &Stripped, host: Host, credential: Credential<'_>, body: Body) -> Outgoing {
    let mut head = stripped.head().clone();
    match credential {
        Credential::Basic(header) => {
            head.headers.insert(AUTHORIZATION, header.clone());
        }
        Credential::CallersOwn | Credential::Nothing => {}
    }
    Outgoing::assemble(host, head, body)
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
        head.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    head.headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    head.headers.insert(http::header::USER_AGENT, HeaderValue::from_static(concat!("vonage-sidecar/", env!("CARGO_PKG_VERSION"))));
    Outgoing::assemble(host, head, body)
}
