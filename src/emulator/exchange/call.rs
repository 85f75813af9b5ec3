//! A request that has been read: parameters and body fields, wherever the caller put them.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Names that say who calls, not what is to be done; they are not part of a message's identity.
const WHO: [&str; 6] = ["api_key", "api_secret", "username", "password", "sig", "timestamp"];
/// Media types that the SMS endpoint reads as JSON (gateway tests).
const JSON_TYPES: [&str; 7] = [
    "application/json",
    "application/jsonrequest",
    "application/x-javascript",
    "text/json",
    "text/javascript",
    "text/x-javascript",
    "text/x-json",
];

/// What the body says.
pub(in crate::emulator) enum Fields {
    Form(Vec<(String, String)>),
    Json(Value),
    /// Declared as JSON and is not.
    Broken,
    Opaque,
}

/// A request that has been read.
pub(in crate::emulator) struct Call {
    pub(in crate::emulator) method: Method,
    /// As it came, without the query.
    pub(in crate::emulator) path: String,
    /// Percent-decoded, without empty ones.
    pub(in crate::emulator) segments: Vec<String>,
    pub(in crate::emulator) query: Vec<(String, String)>,
    pub(in crate::emulator) headers: HeaderMap,
    pub(in crate::emulator) fields: Fields,
    pub(in crate::emulator) body: Bytes,
    /// The value of `Host` or `:authority`, as it came.
    pub(in crate::emulator) host: String,
    pub(in crate::emulator) at: Instant,
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

impl Fields {
    /// The declared type decides; without one, the first byte does.
    fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let declared = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let looks_json = declared.is_empty() && body.first() == Some(&b'{');
        if body.is_empty() {
            Self::Opaque
        } else if looks_json || JSON_TYPES.contains(&declared.as_str()) {
            serde_json::from_slice(body).map_or(Self::Broken, Self::Json)
        } else if declared.is_empty() || declared == "application/x-www-form-urlencoded" {
            Self::Form(pairs(body))
        } else {
            Self::Opaque
        }
    }
}

impl Call {
    pub(in crate::emulator) fn new(method: Method, target: &http::Uri, headers: HeaderMap, host: String, body: Bytes, at: Instant) -> Self {
        let path = target.path().to_owned();
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Self {
            segments: segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect(),
            query: pairs(target.query().unwrap_or_default().as_bytes()),
            fields: Fields::read(&headers, &body),
            method,
            path,
            headers,
            body,
            host,
            at,
        }
    }

    /// The last value of a query parameter.
    pub(in crate::emulator) fn in_query(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The last value of a body field at the top level, numbers as text.
    pub(in crate::emulator) fn in_body(&self, name: &str) -> Option<Cow<'_, str>> {
        match &self.fields {
            Fields::Form(pairs) => pairs.iter().rev().find(|(other, _)| other == name).map(|(_, value)| Cow::from(value)),
            Fields::Json(document) => match document.get(name)? {
                Value::String(text) => Some(Cow::from(text)),
                Value::Number(number) => Some(Cow::from(number.to_string())),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            },
            Fields::Broken | Fields::Opaque => None,
        }
    }

    /// A parameter, from the body or else the query.
    pub(in crate::emulator) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.in_body(name).or_else(|| self.in_query(name).map(Cow::from)).filter(|value| !value.is_empty())
    }

    /// The segment at this place, or nothing.
    pub(in crate::emulator) fn segment(&self, index: usize) -> &str {
        self.segments.get(index).map_or("", String::as_str)
    }

    /// The body as a JSON object, or null.
    pub(in crate::emulator) fn json(&self) -> &Value {
        match &self.fields {
            Fields::Json(document) => document,
            Fields::Form(_) | Fields::Broken | Fields::Opaque => &Value::Null,
        }
    }

    /// Whether the answer is to be XML: by the last segment, else by `Accept`.
    pub(in crate::emulator) fn wants_xml(&self) -> bool {
        let accepts =
            || self.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|kinds| kinds.contains("/xml"));
        match self.segments.last().map(String::as_str) {
            Some("xml") => true,
            Some("json") => false,
            Some(_) | None => accepts(),
        }
    }

    /// Which message this is: `x-message-id`, else method, path, parameters and body without the credentials in them.
    /// The same words sent twice on purpose need the header to count as two.
    pub(in crate::emulator) fn message(&self, path: &str) -> String {
        if let Some(id) = self.headers.get("x-message-id").and_then(|value| value.to_str().ok()) {
            return id.to_owned();
        }
        let mut hasher = DefaultHasher::new();
        let mut hash_pairs = |pairs: &[(String, String)]| {
            let mut kept: Vec<_> = pairs.iter().filter(|(name, _)| !WHO.contains(&name.as_str())).collect();
            kept.sort();
            kept.hash(&mut hasher);
        };
        hash_pairs(&self.query);
        match &self.fields {
            Fields::Form(pairs) => hash_pairs(pairs),
            Fields::Json(Value::Object(document)) => {
                let kept = document.iter().filter(|(name, _)| !WHO.contains(&name.as_str()));
                kept.for_each(|(name, value)| (name, value.to_string()).hash(&mut hasher));
            }
            Fields::Json(_) | Fields::Broken | Fields::Opaque => self.body.hash(&mut hasher),
        }
        format!("{} {path} {:016x}", self.method, hasher.finish())
    }
}
