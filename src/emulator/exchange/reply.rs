//! An answer before it flows: status, headers, whole body.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Reply {
    pub(in crate::emulator) status: StatusCode,
    pub(in crate::emulator) headers: HeaderMap,
    pub(in crate::emulator) body: Bytes,
}

impl Reply {
    pub(in crate::emulator) fn new(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Self { status, headers, body: body.into() }
    }

    pub(in crate::emulator) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(in crate::emulator) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Indented, as Verify v1 answers (gateway tests).
    pub(in crate::emulator) fn pretty(body: &Value) -> Self {
        Self::new(StatusCode::OK, "application/json", format!("{body:#}"))
    }

    pub(in crate::emulator) fn problem(status: StatusCode, body: &Value) -> Self {
        Self::new(status, "application/problem+json", body.to_string())
    }

    pub(in crate::emulator) fn xml(status: StatusCode, body: &str) -> Self {
        Self::new(status, "application/xml;charset=UTF-8", format!("<?xml version='1.0' encoding='UTF-8' ?>{body}"))
    }

    pub(in crate::emulator) fn text(status: StatusCode, body: &'static str) -> Self {
        Self::new(status, "text/plain", body)
    }

    pub(in crate::emulator) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    pub(in crate::emulator) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }
}

/// Text for an XML element.
pub(in crate::emulator) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&apos;")
}
