//! May this caller do this? Decided from the head alone, before anything else looks at it. Pure.
//!
//! Loopback is not a border: any page in a browser on this machine can send to it, so `Host`, `Origin` and
//! `Sec-Fetch-Site` are checked. What makes or changes credentials is denied by prefix, whatever the spelling: it is
//! denied if any server may read it so ([`path`]).
//! Facts: RFC 9110 §7.2 (`Host`), §9.3.6 and §9.3.8 (CONNECT, TRACE), §10.1.1; RFC 9112 §3.2, §6.1.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};

use super::entrance::Via;
use super::fault::Fault;
use super::{mint, path};
use crate::config::{Listen, Serves};
use crate::vonage::endpoints::{self, Plane};
use crate::vonage::hosts::{self, Host, Label};

/// Longest target in bytes: the usual limit of servers, far above any Vonage call.
const LONGEST_TARGET: usize = 16 * 1024;
/// A head has at most so many headers.
pub(super) const MOST_HEADERS: usize = 100;
/// Longest body in bytes that is even begun.
const LONGEST_BODY: u64 = 4 << 30;

/// Whether the raw head had both `Content-Length` and `Transfer-Encoding`, which hyper resolves silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFraming {
    /// One of them, or none.
    Plain,
    /// Both.
    Conflicting,
    /// It came together with the request before it and could not be looked at.
    Unseen,
}

/// What a `Host` chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Nothing: it names this machine. The path decides.
    ByPath,
    /// A Vonage host, by its name or by `<label>.localhost`.
    Label(Label),
}

/// A request that may be served. Made by [`admit`] only.
#[derive(Debug)]
pub struct Admitted {
    head: Parts,
    path: String,
    chosen: Chosen,
}

impl Admitted {
    /// The normal form of the path, which every decision uses.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the `Host` chooses.
    pub fn chosen(&self) -> Chosen {
        self.chosen
    }

    /// The head, for the next step.
    pub fn into_head(self) -> Parts {
        self.head
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }
}

/// Admits a request on a listener, or says why not.
pub fn admit(mut head: Parts, listen: &Listen, via: Via, framing: RawFraming) -> Result<Admitted, Fault> {
    method(&head.method)?;
    fits(&head.headers)?;
    let authority = target(&head.method, &head.uri)?;
    let chosen = connected(host(&head, authority.as_deref(), listen)?, via)?;
    browser(&head.headers)?;
    body_framing(&head.headers, framing)?;
    expectations(&head.headers)?;
    head.uri = origin_form(&head.uri);
    let path = admit_path(&head, listen)?;
    Ok(Admitted { head, path, chosen })
}

/// Path and query. Slashes before the path are one: a base URL that ends in a slash makes two of it, and for some servers
/// those begin a host.
fn origin_form(uri: &Uri) -> Uri {
    match uri.path_and_query() {
        Some(path) if path.path().starts_with("//") => {
            crate::inject::target(&format!("/{}", path.path().trim_start_matches('/')), path.query())
        }
        Some(path) => Uri::from(path.clone()),
        None => Uri::default(),
    }
}

/// A method as it may be written down. One that HTTP does not name is any text of the caller's.
pub fn name(method: &Method) -> &str {
    match self::method(method) {
        Ok(()) | Err(Fault::MethodNever) => method.as_str(),
        Err(_unknown) => "other",
    }
}

fn method(method: &Method) -> Result<(), Fault> {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => Ok(()),
        Method::CONNECT | Method::TRACE => Err(Fault::MethodNever),
        _ => Err(Fault::Method),
    }
}

/// HTTP/2 has no limit on the number of headers.
fn fits(headers: &HeaderMap) -> Result<(), Fault> {
    if headers.len() > MOST_HEADERS { Err(Fault::HeadTooLarge) } else { Ok(()) }
}

/// Origin form, or absolute form with an authority that is checked like a `Host`.
fn target(method: &Method, uri: &Uri) -> Result<Option<String>, Fault> {
    let path = uri.path();
    if path.len() + uri.query().map_or(0, str::len) > LONGEST_TARGET {
        return Err(Fault::TargetTooLong);
    }
    if !path.is_ascii() || !uri.query().is_none_or(str::is_ascii) {
        return Err(Fault::Target);
    }
    match (uri.scheme_str(), uri.authority()) {
        (None, None) if path.starts_with('/') || (path == "*" && *method == Method::OPTIONS) => Ok(None),
        (Some("http" | "https"), Some(authority)) if path.starts_with('/') => Ok(Some(authority.as_str().to_owned())),
        (Some(_) | None, Some(_) | None) => Err(Fault::Target),
    }
}

fn host(head: &Parts, authority: Option<&str>, listen: &Listen) -> Result<Chosen, Fault> {
    let mut values = head.headers.get_all(HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Fault::HostMalformed)?,
        // Only HTTP/1.0 may do without; HTTP/2 has it in the authority.
        (None, None) if head.version == Version::HTTP_10 || authority.is_some() => authority.unwrap_or("localhost"),
        (None | Some(_), None | Some(_)) => return Err(Fault::HostMalformed),
    };
    // In HTTP/2 the two say the same or the request is malformed (RFC 9113 §8.3.1); in HTTP/1.1 the target counts.
    if head.version == Version::HTTP_2 && authority.is_some_and(|authority| !authority.eq_ignore_ascii_case(named)) {
        return Err(Fault::HostMalformed);
    }
    let chosen = choose(named, listen)?;
    match authority {
        Some(authority) => choose(authority, listen),
        None => Ok(chosen),
    }
}

/// Behind a `CONNECT`, a request is for the host that the caller connected to.
fn connected(chosen: Chosen, via: Via) -> Result<Chosen, Fault> {
    match (via, chosen) {
        (Via::Front, chosen) => Ok(chosen),
        (Via::Connect { host, .. }, Chosen::Label(Label::Host(named))) if named == host => Ok(chosen),
        (Via::Connect { .. }, Chosen::ByPath | Chosen::Label(_)) => Err(Fault::HostNotConnected),
    }
}

fn choose(authority: &str, listen: &Listen) -> Result<Chosen, Fault> {
    let name = host_name(authority)?.to_ascii_lowercase();
    if let Some(label) = name.strip_suffix(".localhost") {
        return hosts::labelled(label).map(Chosen::Label).ok_or(Fault::HostForeign);
    }
    if is_loopback_name(&name) || listen.allowed_hosts.contains(&name) {
        return Ok(Chosen::ByPath);
    }
    Host::named(&name).map(|host| Chosen::Label(Label::Host(host))).ok_or(Fault::HostForeign)
}

/// The name of `name[:port]`, without user information, path or list.
fn host_name(authority: &str) -> Result<&str, Fault> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (name, port) = rest.split_once(']').ok_or(Fault::HostMalformed)?;
        let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if port_ok && name.parse::<std::net::Ipv6Addr>().is_ok() { Ok(name) } else { Err(Fault::HostMalformed) };
    }
    let (name, port_ok) = match authority.split_once(':') {
        Some((name, port)) => (name, is_port(port)),
        None => (authority, true),
    };
    let name_ok = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if name_ok && port_ok { Ok(name) } else { Err(Fault::HostMalformed) }
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.parse::<u16>().is_ok()
}

fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An `<img>` sends no `Origin` and a page on another local port is `same-site`, so both headers count. Node's
/// fetch sends `Sec-Fetch-Mode`, which is therefore not looked at.
fn browser(headers: &HeaderMap) -> Result<(), Fault> {
    let site = headers.get_all(HeaderName::from_static("sec-fetch-site"));
    let foreign_site = site.iter().any(|value| value.as_bytes() != b"none");
    if headers.contains_key(ORIGIN) || foreign_site { Err(Fault::Browser) } else { Ok(()) }
}

fn body_framing(headers: &HeaderMap, raw: RawFraming) -> Result<(), Fault> {
    match raw {
        RawFraming::Plain => {}
        // Nobody pipelines an upload (RFC 9112 §9.3.2), so what cannot be seen need not be believed.
        RawFraming::Conflicting | RawFraming::Unseen => return Err(Fault::Framing),
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, None) => {}
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            if headers.contains_key(CONTENT_LENGTH) {
                return Err(Fault::Framing);
            }
        }
        (None | Some(_), None | Some(_)) => return Err(Fault::Framing),
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if lengths.any(|other| other != length) {
        return Err(Fault::Framing);
    }
    match length.to_str().ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(bytes) if bytes <= LONGEST_BODY => Ok(()),
        Some(_) => Err(Fault::BodyTooLong),
        None => Err(Fault::Framing),
    }
}

fn expectations(headers: &HeaderMap) -> Result<(), Fault> {
    let other = |value: &http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().any(other) {
        return Err(Fault::Expectation);
    }
    // Some clients offer h2c or a newer TLS on every first request: such an offer may be ignored (RFC 9110 §7.8).
    // A WebSocket that is not upgraded would hang, so it is refused.
    let websocket = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    if headers.get_all(UPGRADE).iter().any(websocket) { Err(Fault::Upgrade) } else { Ok(()) }
}

fn admit_path(head: &Parts, listen: &Listen) -> Result<String, Fault> {
    let raw = head.uri.path();
    let normal = path::normal(raw).map_err(|path::Hostile| Fault::PathAmbiguous)?;
    // There, no path is one of the provider's.
    if let Serves::Mint(_) = listen.serves {
        let asked = head.method == Method::POST && raw == mint::PATH;
        return if asked { Ok(normal.into_owned()) } else { Err(Fault::MintElsewhere) };
    }
    if !listen.calls.serve_method(&head.method) {
        return Err(Fault::MethodLimited);
    }
    open(&head.method, &normal, listen)?;
    if let Cow::Owned(normal) = &normal
        && !(same_row(&head.method, raw, normal) && path::readings(raw).iter().all(|read| open(&head.method, read, listen).is_ok()))
    {
        return Err(Fault::PathAmbiguous);
    }
    Ok(normal.into_owned())
}

/// Whether this listener serves the path, in lower case.
fn open(method: &Method, path: &str, listen: &Listen) -> Result<(), Fault> {
    if !listen.calls.serve_path(path) {
        return Err(Fault::PathLimited);
    }
    match endpoints::plane(method, path) {
        Plane::Management(name) if !listen.allow.iter().any(|allowed| allowed == name) => Err(Fault::Management(name)),
        Plane::Management(_) | Plane::Data => Ok(()),
    }
}

/// Whether the path as it is written meets the row of its normal form.
fn same_row(method: &Method, raw: &str, normal: &str) -> bool {
    let (as_written, resolved) = (endpoints::lookup(None, method, raw), endpoints::lookup(None, method, normal));
    std::ptr::eq(as_written.endpoint, resolved.endpoint) && as_written.plane == resolved.plane
}
