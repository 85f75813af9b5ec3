//! Status, code, what happened and what to do, for every fault. One row each.

use super::Fault;
use crate::upstream::{ConnectError, SendError};

impl Fault {
    #[expect(clippy::too_many_lines, reason = "one table, a row a fault: it reads better whole")]
    pub(super) fn row(&self) -> (u16, &'static str, &'static str, &'static str) {
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
                "write it into the proxy's URL: http://token:TOKEN@localhost:8789",
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
            Self::MintElsewhere => (404, "mint_elsewhere", "this listener makes tokens and nothing else", "ask with POST /jwt"),
            Self::MintMalformed => (
                400,
                "mint_malformed",
                "the order for a token is not understood",
                "send a JSON object with the claims, and if needed application_id as text and ttl in seconds",
            ),
            Self::MintClaim => (
                403,
                "mint_claim",
                "the token would have a claim that this listener does not give",
                "leave it out, or list it in claims of [listen.mint] in sidecar.toml",
            ),
            Self::MintLife => (
                403,
                "mint_life",
                "the token would live for less than 30 seconds or longer than this listener allows",
                "ask for another ttl, or raise max_ttl of [listen.mint] in sidecar.toml",
            ),
            Self::MintFailed => (500, "mint_failed", "the private key did not sign", "run vonage-sidecar check, which looks at the key"),
            Self::Browser => (
                403,
                "browser_refused",
                "a web page may not call this address",
                "call from a server program; no page may spend the account's money",
            ),
            Self::PathAmbiguous => (
                400,
                "path_ambiguous",
                "the path has a dot segment, or means different things to different servers",
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
            Self::MemoryFull => (
                503,
                "memory_full",
                "this endpoint may carry credentials in its body, so it is read whole, and limits.replay_memory is used up",
                "send again in a moment, or raise limits.replay_memory in sidecar.toml",
            ),
            Self::BodyUnreadable => (
                400,
                "body_unreadable",
                "the body begins as a JSON object but is cut short or malformed",
                "send a complete JSON object or a form",
            ),
            Self::BodyOpaque => (
                415,
                "body_opaque",
                "this endpoint may carry credentials in its body, which is compressed, multipart or not UTF-8, so none can be taken off",
                "send a form or a JSON object, as UTF-8 and uncompressed",
            ),
            Self::CredentialAmbiguous => (
                400,
                "credential_ambiguous",
                "a credential stands behind ';', or in a body of another type, where only some readers see it",
                "leave it out, or part parameters with '&', write ';' as %3B, and give the body its type",
            ),
            Self::BodyTypeDiffers => (
                415,
                "body_type_differs",
                "a credential must be written into the body, which is not what its Content-Type says",
                "send a form as application/x-www-form-urlencoded and an object as application/json",
            ),
            Self::Unsignable => (
                400,
                "not_signable",
                "the account signs its requests, and a parameter that occurs twice or is a list, an object or null has no signature",
                "send each parameter once, as text, number or truth value",
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
            Self::BasicBroken => (
                400,
                "basic_broken",
                "the Basic credentials cannot be decoded, so they do not say which account the request is for",
                "send base64 of KEY:PLACEHOLDER, or no Authorization header for the first account of the file",
            ),
            Self::TokenBroken => (
                400,
                "token_broken",
                "the bearer token is not a JSON web token, so it does not say which application the request is for",
                "send a token that any private key has signed, with application_id; or none, if the account has one application",
            ),
            Self::TokenLimited => (
                400,
                "token_limited",
                "the bearer token limits what it may do with sub or acl, and what goes to Vonage in its place would not",
                "make the token without sub and acl; or hold its application in the credentials file and set mint_claims = \"keep\" at this \
                 listener in sidecar.toml",
            ),
            Self::ApplicationUnknown => (
                403,
                "application_unknown",
                "the application of the token, or of the listener, is not in the credentials file",
                "use an application of the file, or add it as an [[application]] with its private key",
            ),
            Self::ApplicationLimited => {
                (403, "application_not_served", "this listener serves another application", "use the listener of that application")
            }
            Self::ApplicationOfAnother => (
                400,
                "application_of_another_account",
                "the application of the token belongs to another account than the API key of the request",
                "name one account on a request",
            ),
            Self::NoApplication => (
                400,
                "no_application",
                "this endpoint takes only the token of an application, and the account has none in the credentials file",
                "add an [[application]] with its private key to the credentials file",
            ),
            Self::WhichApplication => (
                400,
                "application_not_named",
                "this endpoint takes the token of an application, and the account has several",
                "send a bearer token with application_id (any private key may have signed it), or set application at the listener",
            ),
            Self::NoPrivateKey => (
                503,
                "no_private_key",
                "the application has no private key that can be used",
                "run vonage-sidecar check, which says what is wrong with its keys",
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
            Self::Send(error @ SendError::Refused(_)) => {
                (send_status(error), error.code(), "Vonage refused to take the request; nothing was executed", "send it again")
            }
            Self::Send(error @ SendError::NoStream) => (
                send_status(error),
                error.code(),
                "Vonage had no room for another request at once for timeouts.answer_head; nothing was sent",
                "send it again, or fewer at once",
            ),
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
        SendError::Timeout | SendError::NoStream => 504,
        SendError::NotProcessed(_) | SendError::Refused(_) | SendError::ClosedBeforeAnswer(_) | SendError::Failed(_) => 502,
    }
}
