//! What a body is that may carry a credential: a form, an object, something without parameters, or nothing. Pure.
//!
//! What it *is* decides, not what its `Content-Type` says: a form under `application/json` is what a real SDK sends.
//! But a credential of the caller that the provider reads and we do not would go upstream beside ours. So a body that we
//! cannot read, while the provider might (compressed, multipart, UTF-16), is refused, and so is one in which a credential
//! stands where only some readers see it.
//!
//! Facts: survey, SMS (the types of JSON that are taken); RFC 8259 §8.1 (a byte order mark may be ignored); RFC 9110 §8.4.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use super::Unreadable;
use super::form;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Empty.
    Nothing,
    /// Parameters of a form.
    Form,
    /// A JSON object, by its beginning.
    Object,
    /// JSON that has no parameters.
    Other,
}

/// What this body is, without its mark ([`unmarked`]). Credentials would have one of these names.
pub fn kind(body: &[u8], headers: &HeaderMap, names: &[&'static str]) -> Result<Kind, Unreadable> {
    let Some(first) = body.iter().find(|byte| !byte.is_ascii_whitespace()) else { return Ok(Kind::Nothing) };
    if is_coded(headers) || !is_plain_type(headers) || body.contains(&0) {
        return Err(Unreadable::Opaque);
    }
    let kind = match first {
        b'{' => Kind::Object,
        b'[' | b'"' if is_json(body) => Kind::Other,
        _ => Kind::Form,
    };
    let seen_by_some = match kind {
        Kind::Nothing => false,
        Kind::Form => form::hides(body, names),
        // Who believes the type, or guesses, may read a form.
        Kind::Object | Kind::Other => says_form(headers) && form::take(body, names).0.is_some(),
    };
    if seen_by_some { Err(Unreadable::Ambiguous) } else { Ok(kind) }
}

/// The body without byte order marks before it, which some readers skip.
pub fn unmarked(body: &Bytes) -> Bytes {
    let mut text = body.clone();
    while text.starts_with(b"\xef\xbb\xbf") {
        text = text.slice(3..);
    }
    text
}

/// The names of JSON that the provider takes.
const JSON_TYPES: [&str; 7] = [
    "application/json",
    "application/jsonrequest",
    "application/x-javascript",
    "text/json",
    "text/javascript",
    "text/x-javascript",
    "text/x-json",
];

/// Character sets in which ASCII is ASCII.
const PLAIN_CHARSETS: [&str; 7] = ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin1", "windows-125"];

/// Whether the type is one of JSON, or none.
pub fn says_json(headers: &HeaderMap) -> bool {
    content_type(headers).is_none_or(|kind| JSON_TYPES.iter().any(|json| kind.eq_ignore_ascii_case(json)))
}

/// Whether the type is that of a form, or none.
pub fn says_form(headers: &HeaderMap) -> bool {
    content_type(headers).is_none_or(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The type without its parameters; none when the caller says nothing.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// One type at most, not multipart, in letters that we can read.
fn is_plain_type(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter().map(plain_type);
    let Some(first) = kinds.next() else { return true };
    first.is_some() && kinds.all(|other| other == first)
}

/// The type of a body that is text in which ASCII is ASCII; none of any other.
fn plain_type(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.to_ascii_lowercase();
    let mut pieces = text.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default().to_owned();
    let charsets = pieces.filter_map(|parameter| parameter.split_once('=')).filter(|(name, _)| name.trim() == "charset");
    let is_plain = |charset: &str| charset.is_empty() || PLAIN_CHARSETS.iter().any(|plain| charset.starts_with(plain));
    let all_plain = charsets.map(|(_, charset)| charset.trim_matches(['"', '\'', ' '])).all(is_plain);
    (all_plain && !text.contains("multipart/")).then_some(kind)
}

fn is_coded(headers: &HeaderMap) -> bool {
    let is_identity = |coding: &[u8]| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !value.as_bytes().split(|byte| *byte == b',').all(is_identity))
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["api_key", "api_secret"];
    const FORM: &str = "application/x-www-form-urlencoded";

    fn of(body: &[u8], kind_said: &'static str, coding: &'static str) -> Result<Kind, Unreadable> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_TYPE, kind_said), (CONTENT_ENCODING, coding)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        kind(body, &headers, NAMES)
    }

    #[test]
    fn what_it_is_decides_and_not_what_its_type_says() {
        for said in [FORM, "application/json", "application/json; charset=\"UTF-8\"", "text/plain;charset=iso-8859-1", ""] {
            for form in ["to=1&api_secret=x", "-a=1&api_secret=x", "\"=1&api_secret=x", "[]=1&api_secret=x", "to=1;2&api_secret=a;b"] {
                assert_eq!(of(form.as_bytes(), said, ""), Ok(Kind::Form), "{form} {said}");
            }
            assert_eq!(of(br#" {"to":"1"}"#, said, "identity"), Ok(Kind::Object), "{said}");
            assert_eq!(of(br#"["a", 1]"#, said, ""), Ok(Kind::Other), "{said}");
            assert_eq!(of(b" \r\n", said, "gzip"), Ok(Kind::Nothing), "{said}");
        }
    }

    #[test]
    fn a_type_with_a_parameter_is_plain_unless_its_letters_are_not_ascii() {
        for said in
            ["application/json; charset=", "text/plain; charset='utf-8'", "text/plain; charset=latin1", "text/plain; charset = ASCII"]
        {
            assert_eq!(of(br#"{"to":"1"}"#, said, ""), Ok(Kind::Object), "{said}");
        }
        for said in ["text/plain; charset =utf-7", "text/plain; charset=utf-8; charset=utf-16", "text/plain;charset='utf-7'"] {
            assert_eq!(of(b"to=1", said, ""), Err(Unreadable::Opaque), "{said}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_bytes(b"multipart/form-data; boundary=b; x=\xe9").unwrap());
        assert_eq!(kind(b"--b\r\n", &headers, NAMES), Err(Unreadable::Opaque));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        assert_eq!(kind(br#"{"to":"1"}"#, &headers, NAMES), Ok(Kind::Object));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for coding in ["gzip", "identity, br", "x-unknown"] {
            assert_eq!(of(b"to=1", FORM, coding), Err(Unreadable::Opaque), "{coding}");
        }
        for said in ["multipart/form-data; boundary=b", "Multipart/Mixed", "application/json; charset=utf-16", "text/plain; Charset=utf-7"]
        {
            assert_eq!(of(b"to=1", said, ""), Err(Unreadable::Opaque), "{said}");
        }
        let wide: Vec<u8> = "{\"to\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&wide, "application/json", ""), Err(Unreadable::Opaque));
        let mut two = HeaderMap::new();
        two.append(CONTENT_TYPE, HeaderValue::from_static(FORM));
        two.append(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"));
        assert_eq!(kind(b"to=1", &two, NAMES), Err(Unreadable::Opaque));
    }

    #[test]
    fn a_credential_that_only_some_readers_see_is_refused() {
        for (body, said) in [
            ("to=1;api_secret=x", FORM),
            ("to=1;a;API_Key=x&b=1", "application/json"),
            (r#"{"a":"&api_secret=x&"}"#, FORM),
            (r#"{"a":"&api_secret=x&"}"#, ""),
            (r#"["&api_secret=x&"]"#, FORM),
        ] {
            assert_eq!(of(body.as_bytes(), said, ""), Err(Unreadable::Ambiguous), "{body} {said}");
        }
        assert_eq!(of(br#"{"a":"&api_secret=x&"}"#, "application/json", ""), Ok(Kind::Object));
    }

    #[test]
    fn marks_before_a_body_are_no_part_of_it() {
        assert_eq!(unmarked(&Bytes::from_static(b"\xef\xbb\xbf\xef\xbb\xbf{}")), "{}");
        assert_eq!(unmarked(&Bytes::from_static(b"\xef\xbb")), Bytes::from_static(b"\xef\xbb"));
    }
}
