//! Who may ask what on the admin listeners. Pure.
//!
//! Invariants: a web page reaches nothing: not by its own origin (`Origin`, `Sec-Fetch-Site`), not by a name that it
//! points at us (`Host`), not by a form (`x-sidecar-admin`). Observers get health and metrics; more only with a
//! token, compared in constant time. What is not offered does not exist.

use std::net::IpAddr;

use http::header::{ALLOW, AUTHORIZATION, HOST, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use super::Proven;
use crate::secret::{AccessToken, ApiKey, ApplicationId};

#[cfg(test)]
mod tests;

/// The header that a POST must have: a form of a web page cannot send it. Every answer has it, too, so that whoever asks
/// knows that it was an admin listener that spoke: one for apps passes on whatever it is asked.
pub const ADMIN_HEADER: &str = "x-sidecar-admin";

/// Which listener a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    /// `[admin]`.
    Operators,
    /// `[admin.observe]`.
    Observers,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Page,
    Live,
    Ready,
    Started,
    Metrics,
    Status,
    Reload,
    Prove(Proven),
    Quit,
}

/// Why it is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) status: StatusCode,
    /// Stable, for programs.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) detail: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
    /// What the status asks for beside it.
    pub(super) header: Option<(HeaderName, &'static str)>,
}

/// Decides on a request that arrived at the address `local`. `tokens` open to observers what is closed otherwise.
pub(super) fn admit(surface: Surface, tokens: &[AccessToken], local: IpAddr, head: &Parts) -> Result<Call, Denied> {
    not_from_a_web_page(&head.headers)?;
    addressed_to_us(surface, local, head)?;
    let row = find(head.uri.path(), surface)?;
    if head.method != row.method {
        return Err(if row.method == Method::POST { ONLY_POST } else { ONLY_GET });
    }
    if row.method == Method::POST && !head.headers.contains_key(ADMIN_HEADER) {
        return Err(NO_ADMIN_HEADER);
    }
    if let (Surface::Observers, Access::Token) = (surface, row.observers) {
        presents_a_token(&head.headers, tokens)?;
    }
    match row.call {
        Call::Prove(_) => proof_asked(head.uri.query()).map(Call::Prove),
        Call::Page | Call::Live | Call::Ready | Call::Started | Call::Metrics | Call::Status | Call::Reload | Call::Quit => {
            Ok(row.call.clone())
        }
    }
}

/// What observers may do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Open,
    Token,
    Never,
}

struct Row {
    path: &'static str,
    method: Method,
    observers: Access,
    call: Call,
}

static ROWS: [Row; 9] = [
    Row { path: "/", method: Method::GET, observers: Access::Never, call: Call::Page },
    Row { path: "/livez", method: Method::GET, observers: Access::Open, call: Call::Live },
    Row { path: "/readyz", method: Method::GET, observers: Access::Open, call: Call::Ready },
    Row { path: "/startupz", method: Method::GET, observers: Access::Open, call: Call::Started },
    Row { path: "/metrics", method: Method::GET, observers: Access::Open, call: Call::Metrics },
    Row { path: "/status", method: Method::GET, observers: Access::Token, call: Call::Status },
    Row { path: "/reload", method: Method::POST, observers: Access::Never, call: Call::Reload },
    Row { path: "/prove", method: Method::POST, observers: Access::Token, call: Call::Prove(Proven::Everything) },
    Row { path: "/quit", method: Method::POST, observers: Access::Never, call: Call::Quit },
];

fn find(path: &str, surface: Surface) -> Result<&'static Row, Denied> {
    let row = ROWS.iter().find(|row| row.path == path).ok_or(NOT_FOUND)?;
    match (surface, row.observers) {
        (Surface::Operators, _) | (Surface::Observers, Access::Open | Access::Token) => Ok(row),
        (Surface::Observers, Access::Never) => Err(NOT_FOUND),
    }
}

/// Browsers send `Origin` with every request of a page that could change or read something elsewhere, and
/// `Sec-Fetch-Site: none` only for what the user typed (Fetch Metadata, section 2.3).
fn not_from_a_web_page(headers: &HeaderMap) -> Result<(), Denied> {
    let typed_or_absent = headers.get_all("sec-fetch-site").iter().all(|value| value == "none");
    if headers.contains_key(ORIGIN) || !typed_or_absent { Err(WEB_PAGE) } else { Ok(()) }
}

/// A page can make its own name point at us (DNS rebinding); it cannot make the browser send another name.
fn addressed_to_us(surface: Surface, local: IpAddr, head: &Parts) -> Result<(), Denied> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(host), None, None) = (hosts.next(), hosts.next(), head.uri.authority()) else { return Err(BAD_HOST) };
    let host = host.to_str().map_err(|_| BAD_HOST)?;
    let authority: Authority = host.parse().map_err(|_| BAD_HOST)?;
    if host.contains('@') {
        return Err(BAD_HOST);
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let is_ours = match (name.parse::<IpAddr>(), surface) {
        (Ok(address), _) if address.to_canonical().is_loopback() => true,
        (Ok(address), Surface::Observers) => address.to_canonical() == local.to_canonical(),
        (Ok(_), Surface::Operators) => false,
        (Err(_), _) => is_localhost(&name),
    };
    if is_ours { Ok(()) } else { Err(FOREIGN_HOST) }
}

/// RFC 6761 §6.3: `localhost` and every name under it are loopback.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn presents_a_token(headers: &HeaderMap, tokens: &[AccessToken]) -> Result<(), Denied> {
    if tokens.is_empty() {
        return Err(CLOSED);
    }
    let presented = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes).and_then(bearer).ok_or(NO_TOKEN)?;
    // Every token is compared, so that the time does not tell which one was close.
    let known = tokens.iter().fold(false, |known, token| known | token.equals(presented));
    if known { Ok(()) } else { Err(WRONG_TOKEN) }
}

/// RFC 9110 §11.1: the scheme's name is compared without case.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn proof_asked(query: Option<&str>) -> Result<Proven, Denied> {
    let mut asked = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let proven = match asked.next() {
        None => Proven::Everything,
        Some((name, value)) => match name.as_ref() {
            "account" => Proven::Account(ApiKey::parse(&value).map_err(|_| BAD_QUERY)?),
            "application" => Proven::Application(ApplicationId::parse(&value).map_err(|_| BAD_QUERY)?),
            _ => return Err(BAD_QUERY),
        },
    };
    if asked.next().is_some() { Err(BAD_QUERY) } else { Ok(proven) }
}

impl Denied {
    const fn new(status: StatusCode, code: &'static str, detail: &'static str, remedy: &'static str) -> Self {
        Self { status, code, detail, remedy, header: None }
    }

    /// With a header that its status asks for.
    const fn asking(
        status: StatusCode,
        code: &'static str,
        detail: &'static str,
        remedy: &'static str,
        header: (HeaderName, &'static str),
    ) -> Self {
        Self { status, code, detail, remedy, header: Some(header) }
    }
}

const WEB_PAGE: Denied = Denied::new(
    StatusCode::FORBIDDEN,
    "web_page",
    "the request was made by a web page",
    "use curl or the command line, or type the address of the status page into the browser",
);
const BAD_HOST: Denied = Denied::new(
    StatusCode::BAD_REQUEST,
    "bad_host",
    "the request needs exactly one well-formed Host header and a path as its target",
    "send an ordinary HTTP/1.1 request",
);
const FOREIGN_HOST: Denied = Denied::new(
    StatusCode::MISDIRECTED_REQUEST,
    "host_not_allowed",
    "the Host header names somebody else",
    "ask by localhost or a loopback address; on the observe listener, also by the IP address that you connect to",
);
const NOT_FOUND: Denied = Denied::new(
    StatusCode::NOT_FOUND,
    "not_found",
    "there is nothing here",
    "the admin listener has /, /livez, /readyz, /startupz, /metrics, /status, /reload, /prove and /quit; the observe listener has fewer",
);
const ONLY_GET: Denied =
    Denied::asking(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path is asked with GET", "use GET", (ALLOW, "GET"));
const ONLY_POST: Denied = Denied::asking(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "this path is asked with POST",
    "use POST, with the header x-sidecar-admin: 1",
    (ALLOW, "POST"),
);
const NO_ADMIN_HEADER: Denied = Denied::new(
    StatusCode::FORBIDDEN,
    "admin_header_missing",
    "a POST needs the header x-sidecar-admin",
    "add the header x-sidecar-admin: 1",
);
const CLOSED: Denied = Denied::new(
    StatusCode::FORBIDDEN,
    "token_not_configured",
    "this listener has no token, so this is closed",
    "give [admin.observe] a token, or ask on the admin listener",
);
const NO_TOKEN: Denied = Denied::asking(
    StatusCode::UNAUTHORIZED,
    "token_missing",
    "this needs the token of the observe listener",
    "add the header Authorization: Bearer TOKEN, or ask on the admin listener",
    (WWW_AUTHENTICATE, "Bearer"),
);
const WRONG_TOKEN: Denied = Denied::asking(
    StatusCode::UNAUTHORIZED,
    "token_wrong",
    "the token is not the one of the observe listener",
    "compare it with the tokens of [admin.observe]",
    (WWW_AUTHENTICATE, "Bearer"),
);
const BAD_QUERY: Denied = Denied::new(
    StatusCode::BAD_REQUEST,
    "bad_query",
    "the query is not understood",
    "ask with ?account=KEY or ?application=ID, or without a query for everything",
);
