//! What can keep a request from its answer, by whose fault it is, with a stable code and a remedy.
//!
//! These become answers of our own ([`super::answer`]); a refusal of the provider that is passed on is never one of
//! them. Names of secrets, paths and values never appear in the words.

use std::borrow::Cow;

use http::StatusCode;

use crate::upstream::{ConnectError, SendError};

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller's: 4xx.
    Caller,
    /// Ours: 500, 501, 503.
    Sidecar,
    /// The provider's or the way there: 502, 504.
    Upstream,
}

/// Why a request was not answered by the provider.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.description().what)]
pub enum Fault {
    /// Not HTTP/1.1.
    Malformed,
    /// A head larger than the limit.
    HeadTooLarge,
    /// A head that stopped coming.
    HeadStalled,
    /// A method that no Vonage API has.
    Method,
    /// CONNECT or TRACE.
    MethodNever,
    /// A target that is not a path.
    Target,
    /// A target longer than 16 KiB.
    TargetTooLong,
    /// No `Host`, or two, or one that is not a name.
    HostMalformed,
    /// A `Host` that is neither ours nor Vonage's.
    HostForeign,
    /// A request inside a `CONNECT` that names another host.
    HostNotConnected,
    /// Something else than TLS on a port of TLS.
    TlsExpected,
    /// A process whose user and group the unix socket does not serve.
    PeerRefused,
    /// No token, where one is needed.
    TokenMissing,
    /// Another token than one of ours.
    TokenWrong,
    /// No token for a tunnel, or another one.
    ProxyToken,
    /// A CONNECT to a host that is neither Vonage's nor listed.
    TunnelRefused,
    /// A CONNECT that leads to this machine or its link.
    TunnelAddress,
    /// A CONNECT to a host that cannot be reached.
    TunnelFailed(#[source] ConnectError),
    /// A method that this listener does not serve.
    MethodLimited,
    /// A path that this listener does not serve.
    PathLimited,
    /// A page in a browser.
    Browser,
    /// A path that means different things to different readers.
    PathAmbiguous,
    /// A framing that could be read in two ways.
    Framing,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A protocol change that we do not make.
    Upgrade,
    /// A body longer than anything Vonage takes.
    BodyTooLong,
    /// A body that must be looked at is longer than the replay limit.
    BodyTooLongToRead,
    /// A body that must be looked at and cannot be read.
    BodyUnreadable,
    /// The caller's body broke off or its framing is wrong.
    BodyBroken,
    /// The caller's body stopped coming.
    BodyStalled,
    /// A part of the management plane that is not open here.
    Management(&'static str),
    /// Two different keys on one request.
    KeysDiffer,
    /// A key that we do not hold.
    KeyUnknown,
    /// A key that this listener does not serve.
    KeyLimited,
    /// A host that this listener does not serve.
    HostLimited,
    /// The endpoint takes only a scheme that we cannot inject.
    Scheme,
    /// No valid credentials file was seen yet.
    NoCredentials,
    /// There is no connection to Vonage.
    Connect(#[source] ConnectError),
    /// The exchange failed.
    Send(#[source] SendError),
    /// The second attempt failed after it was begun: whether it was executed is not known.
    OutcomeUnknown(#[source] SendError),
    /// The answer broke off before any of it was passed on.
    AnswerBroken,
    /// The whole request took longer than allowed.
    Total,
    /// The caller left.
    CallerGone,
}

/// How a fault is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable name.
    pub code: &'static str,
    /// What happened.
    pub what: &'static str,
    /// What to do.
    pub remedy: Cow<'static, str>,
}

impl Fault {
    /// Whose fault it is.
    pub fn source_of_it(&self) -> Source {
        let status = self.description().status.as_u16();
        match status {
            400..=499 => Source::Caller,
            502 | 504 => Source::Upstream,
            _own => Source::Sidecar,
        }
    }

    /// Its status, code and words.
    pub fn description(&self) -> Description {
        let (status, code, what, remedy) = self.row();
        let remedy = match self {
            // It knows the cause and what to do about it.
            Self::Connect(error) | Self::TunnelFailed(error) => Cow::Owned(error.to_string()),
            // It knows which part: its name is one of ours, never the caller's.
            Self::Management(part) => {
                Cow::Owned(format!("{remedy}, or open it with allow = [\"{part}\"] at this listener in sidecar.toml"))
            }
            _others => Cow::Borrowed(remedy),
        };
        Description { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, what, remedy }
    }

    #[expect(clippy::too_many_lines, reason = "one table, a row a fault: it reads better whole")]
    fn row(&self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::Malformed => (
                400,
                "request_malformed",
                "the request is not well-formed HTTP/1.1",
                "use an HTTP client library; a base URL with https:// needs a listener with [listen.tls]",
            ),
            Self::HeadTooLarge => (
                431,
                "head_too_large",
                "the request head is larger than limits.head or has more than 100 headers",
                "send fewer or shorter headers",
            ),
            Self::HeadStalled => (408, "head_stalled", "the head did not come within timeouts.caller_head", "send the head in one piece"),
            Self::Method => {
                (405, "method_not_allowed", "no Vonage API has this method", "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
            }
            Self::MethodNever => (
                405,
                "method_not_allowed",
                "CONNECT and TRACE are not served here",
                "set the SDK's base URL to this address, or use a listener with [listen.proxy] as the proxy",
            ),
            Self::Target => (400, "target_malformed", "the request target is not a path", "send the path alone, beginning with /"),
            Self::TargetTooLong => (414, "target_too_long", "the request target is longer than 16 KiB", "send long parameters in the body"),
            Self::HostMalformed => (
                400,
                "host_malformed",
                "the request has no usable Host header, or more than one",
                "send one Host header with a name and a port",
            ),
            Self::HostForeign => (
                421,
                "host_foreign",
                "the Host header names neither this machine nor a Vonage host",
                "use localhost or 127.0.0.1 in the base URL, or add the name to allowed_hosts of the listener in sidecar.toml",
            ),
            Self::HostNotConnected => (
                421,
                "host_not_connected",
                "the request names another host than the CONNECT that it came through",
                "send it through a CONNECT to that host",
            ),
            Self::TlsExpected => (400, "tls_expected", "this port speaks TLS and nothing else", "write https:// in the base URL"),
            Self::PeerRefused => (
                403,
                "peer_refused",
                "the user and group of the calling process are not served on this socket",
                "run the app as one of the listener's uids or gids, or add its own to them in sidecar.toml",
            ),
            Self::TokenMissing => (
                401,
                "caller_token_missing",
                "this listener needs a token, and the request has none; nothing was sent",
                "put the token in the place of the API secret, or into the header x-sidecar-token",
            ),
            Self::TokenWrong => (
                401,
                "caller_token_wrong",
                "the token of the request is none of the listener's; nothing was sent",
                "compare it with tokens of the listener in sidecar.toml",
            ),
            Self::ProxyToken => (
                407,
                "proxy_token",
                "this CONNECT needs a token of the listener, and has none or another one",
                "write it into the proxy's URL: http://token:TOKEN@localhost:8788",
            ),
            Self::TunnelRefused => (
                403,
                "tunnel_refused",
                "this proxy opens connections to port 443 of Vonage hosts and to what the settings list",
                "list the host in tunnel of [listen.proxy] in sidecar.toml, or name it in the app's NO_PROXY",
            ),
            Self::TunnelAddress => (
                403,
                "tunnel_address",
                "the name leads to this machine or its own network link",
                "name it in the app's NO_PROXY, or list this very name in tunnel of [listen.proxy]",
            ),
            Self::TunnelFailed(error) => (connect_status(error), "tunnel_failed", "the host could not be reached", ""),
            Self::MethodLimited => (
                403,
                "method_not_served",
                "this listener does not serve the method",
                "use another listener, or add it to methods in sidecar.toml",
            ),
            Self::PathLimited => (
                403,
                "path_not_served",
                "this listener does not serve the path",
                "use another listener, or change paths of this one in sidecar.toml",
            ),
            Self::Browser => (
                403,
                "browser_refused",
                "a web page may not call this address",
                "call from a server program; no page may spend the account's money",
            ),
            Self::PathAmbiguous => (
                400,
                "path_ambiguous",
                "the path means one thing as it is written and another once it is decoded and resolved",
                "write the path plainly: without dot segments, doubled slashes, ';' and escaped '/', '?' or '#'",
            ),
            Self::Framing => (
                400,
                "framing_ambiguous",
                "the length of the body can be read in two ways",
                "send either one Content-Length or Transfer-Encoding: chunked",
            ),
            Self::Expectation => (417, "expectation_failed", "only the expectation 100-continue is known", "remove the Expect header"),
            Self::Upgrade => (501, "upgrade_not_supported", "WebSockets are not passed on", "connect to Vonage directly for WebSockets"),
            Self::BodyTooLong => (413, "body_too_long", "the body is longer than any Vonage API takes", "send less"),
            Self::BodyTooLongToRead => (
                413,
                "body_too_long_to_read",
                "this endpoint may carry credentials in its body, so it is read whole, and it is longer than limits.replay",
                "send less, or raise limits.replay in sidecar.toml",
            ),
            Self::BodyUnreadable => (
                400,
                "body_unreadable",
                "the body begins as a JSON object but is cut short or malformed",
                "send a complete JSON object or a form",
            ),
            Self::BodyBroken => {
                (400, "body_broken", "the body broke off or its framing is wrong", "send the whole body with the length it says")
            }
            Self::BodyStalled => (408, "body_stalled", "no byte of the body came for timeouts.idle", "send the body without long pauses"),
            Self::Management(_) => (
                403,
                "management_plane",
                "this call can make or change credentials, or who pays: apps may not do that through the sidecar",
                "call Vonage directly with an operator's credentials",
            ),
            Self::KeysDiffer => (400, "keys_differ", "the request names two different API keys", "name one API key on a request"),
            Self::KeyUnknown => (
                403,
                "key_unknown",
                "the API key of the request is not in the credentials file",
                "use a key of the file, or add the account to it",
            ),
            Self::KeyLimited => (403, "key_not_served", "this listener serves another account", "use the listener of that account"),
            Self::HostLimited => (403, "host_not_served", "this listener serves another Vonage host", "use a listener without that limit"),
            Self::Scheme => (
                501,
                "scheme_not_supported",
                "this endpoint takes no API key and secret in a header, only a credential that this version does not inject",
                "call Vonage directly for this endpoint; vonage-sidecar explain METHOD PATH shows what it takes",
            ),
            Self::NoCredentials => (
                503,
                "no_credentials",
                "no valid credentials file has been read yet",
                "run vonage-sidecar check, which says what is wrong with the file; /status on the admin address says it as well",
            ),
            Self::Connect(error) => (connect_status(error), error.code(), "Vonage could not be reached; nothing was sent", ""),
            Self::Send(error @ SendError::NotProcessed(_)) => {
                (send_status(error), error.code(), "Vonage closed the connection without processing the request", "send it again")
            }
            Self::Send(error) => (
                send_status(error),
                error.code(),
                "no answer of Vonage could be had; the request may have been executed",
                "find out whether it was executed before sending it again",
            ),
            Self::OutcomeUnknown(error) => (
                send_status(error),
                "outcome_unknown",
                "the second attempt failed after it was begun: whether the request was executed is not known",
                "find out whether it was executed before sending it again",
            ),
            Self::AnswerBroken => (
                502,
                "answer_broken",
                "the answer of Vonage broke off before any of it was passed on; the request may have been executed",
                "find out whether it was executed before sending it again",
            ),
            Self::Total => (504, "total_timeout", "the request took longer than timeouts.total", "raise timeouts.total in sidecar.toml"),
            Self::CallerGone => (499, "caller_gone", "the caller left before the answer", "nothing to do"),
        }
    }
}

fn connect_status(error: &ConnectError) -> u16 {
    if error.is_timeout() { 504 } else { 502 }
}

fn send_status(error: &SendError) -> u16 {
    match error {
        SendError::Timeout => 504,
        SendError::NotProcessed(_) | SendError::ClosedBeforeAnswer(_) | SendError::Failed(_) => 502,
    }
}
