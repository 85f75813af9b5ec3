//! Which headers do not travel: hop-by-hop both ways, what steers or tells on callers upstream.
//!
//! This comes before injection, never after: a caller may name `Authorization` in `Connection`.
//! Facts: RFC 9110 §7.6.1 (hop-by-hop), §10.1.1 (`Expect`); RFC 9113 §8.2.2 (HTTP/2 has none of them).

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

/// On every answer that is ours: the code of the fault.
pub const MARK: HeaderName = HeaderName::from_static("x-sidecar-error");
/// On a passed-on refusal: why no other credential could help.
pub const REFUSED: HeaderName = HeaderName::from_static("x-sidecar-refused");

/// Meant for one connection only. `Proxy-Authorization` and its kin speak to us, never to the provider.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Not for a third party, or able to make another request of this one.
fn is_not_upstream(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "expect"
            | "forwarded"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-real-ip"
            | "cookie"
            | "x-sidecar-token"
            | "sec-fetch-site"
            | "sec-fetch-mode"
            | "sec-fetch-dest"
            | "sec-fetch-user"
            | "x-http-method-override"
            | "x-http-method"
            | "x-method-override"
            | "x-original-url"
            | "x-rewrite-url"
    )
}

/// Makes a caller's headers fit for upstream.
pub fn to_upstream(headers: &mut HeaderMap) {
    drop_named(headers);
    drop_where(headers, |name| is_hop_by_hop(name) || is_not_upstream(name));
}

/// Makes an answer's headers fit for the caller. `Alt-Svc` would lead a caller around us, and what marks answers of ours
/// ([`MARK`], [`REFUSED`]) says nothing true on one of somebody else.
pub fn to_caller(headers: &mut HeaderMap) {
    drop_named(headers);
    drop_where(headers, |name| is_hop_by_hop(name) || name == "alt-svc" || name == MARK || name == REFUSED);
}

/// One pass over the few headers that are there, instead of a look-up for each one that might be.
fn drop_where(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// What `Connection` names is hop-by-hop as well. A framing header is decided on by its own rules.
fn drop_named(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named(headers) {
            if name != CONTENT_LENGTH {
                headers.remove(name);
            }
        }
    }
}

fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Cuts what the caller accepts down to the encodings that an answer can be judged in. `gzip` goes if `judged` says
/// that every answer of the row is read.
pub fn accept_encoding(headers: &mut HeaderMap, judged: JudgedAnswers) {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return;
    }
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let gzip = values.flat_map(|value| value.split(',')).any(takes_gzip);
    let kept = match (judged, gzip) {
        (JudgedAnswers::Refusals, true) => HeaderValue::from_static("gzip, identity"),
        (JudgedAnswers::Refusals, false) | (JudgedAnswers::All, true | false) => HeaderValue::from_static("identity"),
    };
    headers.insert(ACCEPT_ENCODING, kept);
}

/// Whether an element takes gzip: one of weight 0 says that it must not come (RFC 9110 §12.4.2).
fn takes_gzip(element: &str) -> bool {
    let mut parts = element.split(';').map(str::trim);
    let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
    let weight = parts.find_map(|parameter| parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q")));
    named && weight.is_none_or(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0))
}

/// Which answers of a row are read to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgedAnswers {
    /// Also those of status 200.
    All,
    /// Refusals only.
    Refusals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-one"),
            ("connection", "Authorization"),
            ("x-one", "1"),
            ("authorization", "Basic x"),
            ("x-two", "2"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-forwarded-for", "10.0.0.1"),
            ("content-type", "a/b"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        to_upstream(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["x-two", "content-type"]);
    }

    #[test]
    fn what_marks_answers_of_ours_is_taken_off_those_of_others() {
        let mut headers = HeaderMap::new();
        for name in ["x-sidecar-error", "x-sidecar-refused", "alt-svc", "x-request-id"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("spoofed"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("again"));
        }
        to_caller(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-request-id"]);
    }

    #[test]
    fn encodings_that_cannot_be_judged_are_not_asked_for() {
        let check = |asked: &'static str, judged, expected: &str| {
            let mut headers = HeaderMap::new();
            for line in asked.split('|') {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            accept_encoding(&mut headers, judged);
            assert_eq!(headers[ACCEPT_ENCODING], expected, "{asked}");
            assert_eq!(headers.len(), 1);
        };
        check("br, gzip;q=0.5, zstd", JudgedAnswers::Refusals, "gzip, identity");
        check("br", JudgedAnswers::Refusals, "identity");
        check("gzip", JudgedAnswers::All, "identity");
        check("br|GZIP ; Q=1", JudgedAnswers::Refusals, "gzip, identity");
    }

    #[test]
    fn an_encoding_that_the_caller_excludes_is_not_asked_for() {
        for asked in ["gzip;q=0, identity", "gzip; q=0.000", "GZIP ;Q = 0", "br, gzip;q=x", "identity|gzip;q=0"] {
            let mut headers = HeaderMap::new();
            for line in asked.split('|') {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            accept_encoding(&mut headers, JudgedAnswers::Refusals);
            assert_eq!(headers[ACCEPT_ENCODING], "identity", "{asked}");
        }
    }
}
