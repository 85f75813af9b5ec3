//! The calls of the demo, and what a good answer to each is. Pure.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

/// The API key of the account, which apps keep.
pub(super) const KEY: &str = "abcd1234";
/// What callers have in the place of the secret.
pub(super) const PLACEHOLDER: &str = "placeholder";
/// `Authorization` with [`KEY`] and [`PLACEHOLDER`].
const AUTHORIZATION: &str = "Basic YWJjZDEyMzQ6cGxhY2Vob2xkZXI=";

/// A call that an app makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Sms,
    Message,
    Verify,
    Balance,
}

impl Call {
    /// All of them, in the order of the table.
    pub(super) const ALL: [Self; 4] = [Self::Sms, Self::Message, Self::Verify, Self::Balance];

    /// Its name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Message => "Messages",
            Self::Verify => "Verify",
            Self::Balance => "balance",
        }
    }

    /// The request. The emulator counts executions by `identity`, so each call has its own.
    pub(super) fn request(self, identity: &str) -> Result<Request<Full<Bytes>>, http::Error> {
        let (method, path, content_type, body) = match self {
            Self::Sms => (
                Method::POST,
                "/sms/json",
                "application/x-www-form-urlencoded",
                format!("api_key={KEY}&api_secret={PLACEHOLDER}&from=Acme&to=447700900000&text=Hello+{identity}"),
            ),
            Self::Message => (
                Method::POST,
                "/v1/messages",
                "application/json",
                format!(r#"{{"from":"447700900001","to":"447700900000","message_type":"text","channel":"sms","text":"Hello {identity}"}}"#),
            ),
            Self::Verify => (
                Method::POST,
                "/verify/json",
                "application/json",
                format!(r#"{{"api_key":"{KEY}","api_secret":"{PLACEHOLDER}","number":"447700900000","brand":"Acme {identity}"}}"#),
            ),
            Self::Balance => (Method::GET, "/account/get-balance", "", String::new()),
        };
        let request = Request::builder().method(method).uri(path).header("host", "localhost").header("authorization", AUTHORIZATION);
        let request = if content_type.is_empty() { request } else { request.header("content-type", content_type) };
        request.header("x-message-id", identity).body(Full::from(body))
    }

    /// Whether the provider did what was asked for: SMS and Verify say no with a 200, too.
    pub(super) fn is_done(self, status: StatusCode, body: &[u8]) -> bool {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let says = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        match self {
            Self::Sms => status == StatusCode::OK && says("/messages/0/status") == Some("0"),
            Self::Message => status == StatusCode::ACCEPTED && says("/message_uuid").is_some(),
            Self::Verify => status == StatusCode::OK && says("/status") == Some("0"),
            Self::Balance => status == StatusCode::OK && body.get("value").is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    #[test]
    fn callers_present_the_placeholder() {
        assert_eq!(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(format!("{KEY}:{PLACEHOLDER}"))));
    }

    #[test]
    fn a_refusal_with_status_200_is_not_done() {
        assert!(Call::Sms.is_done(StatusCode::OK, br#"{"messages":[{"status":"0"}]}"#));
        assert!(!Call::Sms.is_done(StatusCode::OK, br#"{"messages":[{"status":"4","error-text":"Bad Credentials"}]}"#));
        assert!(Call::Verify.is_done(StatusCode::OK, br#"{"request_id":"r","status":"0"}"#));
        assert!(!Call::Verify.is_done(StatusCode::OK, br#"{"status":"4"}"#));
        for call in Call::ALL {
            assert!(!call.is_done(StatusCode::UNAUTHORIZED, b"{}") && !call.is_done(StatusCode::OK, b""), "{call:?}");
        }
    }
}
