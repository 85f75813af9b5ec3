//! Every known answer has its verdict, and no part of one is a refusal.

use std::io::Write;

use http::HeaderValue;
use http::header::CONTENT_ENCODING;
use proptest::prelude::*;

use super::*;
use crate::vonage::endpoints::{UNKNOWN, lookup};
use Scheme::{Basic, Form, Jwt, Path, Query, Signature};
use Verdict::{Accepted, Doubtful, NoEvidence, Refused};
use samples::{DOUBTS, LOOK_ALIKES, REFUSALS, Sample};

mod samples;

const ALL_SCHEMES: [Scheme; 9] = [Basic, Query, Form, Scheme::Json, Path, Signature, Jwt, Scheme::PassThrough, Scheme::Open];

fn row(request: &str) -> &'static Endpoint {
    let (method, path) = request.split_once(' ').unwrap();
    lookup(None, &Method::from_bytes(method.as_bytes()).unwrap(), path).endpoint
}

/// The verdict as the proxy gets it: from the head, and from the body where the head asks for it.
fn verdict(request: &str, injected: Scheme, status: u16, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let (method, _) = request.split_once(' ').unwrap();
    let (method, status) = (Method::from_bytes(method.as_bytes()).unwrap(), StatusCode::from_u16(status).unwrap());
    match need(row(request), injected, &method, status, headers) {
        Need::Nothing(verdict) => verdict,
        Need::Body(_) => judge(row(request), injected, status, headers, Seen::Complete(body)),
    }
}

fn plain(request: &str, injected: Scheme, status: u16, body: &str) -> Verdict {
    verdict(request, injected, status, &HeaderMap::new(), body.as_bytes())
}

fn encoded(coding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))])
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn samples() -> impl Iterator<Item = &'static Sample> {
    REFUSALS.iter().chain(LOOK_ALIKES).chain(DOUBTS)
}

#[test]
fn every_known_answer_has_its_verdict() {
    for (request, injected, status, body, expected) in samples() {
        assert_eq!(plain(request, *injected, *status, body), *expected, "{request} {injected:?} {status} {body}");
    }
}

#[test]
fn a_gzip_answer_is_judged_as_the_plain_one() {
    for (request, injected, status, body, expected) in samples() {
        for coding in ["gzip", "GZIP", "x-gzip"] {
            assert_eq!(
                verdict(request, *injected, *status, &encoded(coding), &gzip(body.as_bytes())),
                *expected,
                "{request} {status} {body}"
            );
        }
    }
}

#[test]
fn an_encoding_that_cannot_be_read_is_doubtful_at_401_and_no_evidence_elsewhere() {
    for coding in ["br", "zstd", "deflate", "gzip, gzip", "compress"] {
        let (request, injected, _, body, _) = REFUSALS[4];
        assert_eq!(verdict(request, injected, 401, &encoded(coding), body.as_bytes()), Doubtful, "{coding}");
        let (request, injected, _, body, _) = REFUSALS[0];
        assert_eq!(verdict(request, injected, 200, &encoded(coding), body.as_bytes()), NoEvidence, "{coding}");
    }
    let mut twice = encoded("gzip");
    twice.append(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let (request, injected, status, body, _) = REFUSALS[0];
    assert_eq!(verdict(request, injected, status, &twice, &gzip(body.as_bytes())), NoEvidence);
}

#[test]
fn what_is_announced_as_gzip_and_is_not_refuses_nothing() {
    let (request, injected, status, body, _) = REFUSALS[0];
    assert_eq!(verdict(request, injected, status, &encoded("gzip"), body.as_bytes()), NoEvidence);
    let mut twice = gzip(body.as_bytes());
    twice.extend_from_slice(&gzip(body.as_bytes()));
    assert_eq!(verdict(request, injected, status, &encoded("gzip"), &twice), NoEvidence);
    let mut wrong_sum = gzip(body.as_bytes());
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    assert_eq!(verdict(request, injected, status, &encoded("gzip"), &wrong_sum), NoEvidence);
}

#[test]
fn an_answer_that_grows_beyond_the_limit_is_not_read() {
    let padding = " ".repeat(LONGEST_JUDGED);
    let (request, injected, status, body, _) = REFUSALS[0];
    let large = format!("{body}{padding}");
    assert_eq!(plain(request, injected, status, &large), NoEvidence);
    let bomb = gzip(large.as_bytes());
    assert!(bomb.len() < 1024);
    assert_eq!(verdict(request, injected, status, &encoded("gzip"), &bomb), NoEvidence);
    assert_eq!(verdict("GET /v2/applications", Basic, 401, &encoded("gzip"), &bomb), Doubtful);
}

#[test]
fn xml_is_one_document_with_nothing_around_it_and_nothing_twice() {
    let (code, label) = ("<error-code>401</error-code>", "<error-code-label>authentication failed</error-code-label>");
    for (body, expected) in [
        (format!("<r>{code}{label}</r>\n<!-- end -->\n"), Refused),
        (format!("<r>{code}{label}</r><r/>"), Doubtful),
        (format!("<r>{code}{label}</r>401"), Doubtful),
        (format!("<r><error-code>420</error-code>{code}{label}</r>"), Doubtful),
        (format!("<r>{code}{label}"), Doubtful),
    ] {
        assert_eq!(plain("GET /account/get-balance", Basic, 401, &body), expected, "{body}");
    }
}

#[test]
fn xml_nested_without_end_is_not_followed() {
    let refusal = "<error-code>401</error-code><error-code-label>authentication failed</error-code-label>";
    for (depth, expected) in [(1, Refused), (10, Refused), (20, Doubtful), (2000, Doubtful)] {
        let body = format!("<r>{refusal}{}{}</r>", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(plain("GET /account/get-balance", Basic, 401, &body), expected, "{depth}");
    }
}

#[test]
fn no_proper_prefix_of_an_answer_is_refused() {
    for (request, injected, status, body, _) in samples() {
        let body = body.trim_end().as_bytes();
        let status = StatusCode::from_u16(*status).unwrap();
        let zipped = gzip(body);
        for (headers, bytes) in [(HeaderMap::new(), body), (encoded("gzip"), zipped.as_slice())] {
            for cut in (0..bytes.len()).map(|end| &bytes[..end]) {
                for seen in [Seen::Complete(cut), Seen::Partial(cut)] {
                    assert_ne!(
                        judge(row(request), *injected, status, &headers, seen),
                        Refused,
                        "{request} {} of {}",
                        cut.len(),
                        bytes.len()
                    );
                }
            }
            assert_ne!(judge(row(request), *injected, status, &headers, Seen::Partial(bytes)), Refused, "{request}");
        }
    }
}

#[test]
fn a_403_is_a_refusal_at_video_only() {
    let body = br#"{"code":403,"message":"You passed in an invalid Vonage JWT token."}"#;
    let judged = |request| judge(row(request), Jwt, StatusCode::FORBIDDEN, &HeaderMap::new(), Seen::Complete(body));
    assert_eq!(judged("POST /session/create"), Refused);
    assert_eq!(judged("POST /v1/calls"), NoEvidence);
}

#[test]
fn doubtful_exists_for_401_only() {
    for status in (200..600).filter(|status| *status != 401) {
        for (request, injected, _, body, _) in samples() {
            assert_ne!(plain(request, *injected, status, body), Doubtful, "{request} {status}");
        }
    }
}

#[test]
fn no_401_is_accepted() {
    for (request, _, _, body, _) in samples() {
        for injected in ALL_SCHEMES {
            assert_ne!(plain(request, injected, 401, body), Accepted, "{request} {injected:?} {body}");
        }
    }
}

#[test]
fn a_credential_that_the_row_does_not_take_is_never_judged() {
    for (request, _, status, body, _) in samples() {
        for injected in [Scheme::PassThrough, Scheme::Open] {
            assert_eq!(plain(request, injected, *status, body), NoEvidence, "{request}");
        }
    }
    for request in
        ["POST /v1/calls", "POST /session/create", "GET /v1/users", "PATCH /v1/messages/id", "POST /identity-insights/v1/requests"]
    {
        assert_eq!(plain(request, Basic, 401, ""), NoEvidence, "{request}");
    }
    assert_eq!(plain("POST /sms/json", Jwt, 401, ""), NoEvidence);
}

#[test]
fn a_body_is_asked_for_only_where_it_decides() {
    let headers = HeaderMap::new();
    let asks = |request: &str, injected, status| {
        let need = need(row(request), injected, &Method::POST, StatusCode::from_u16(status).unwrap(), &headers);
        matches!(need, Need::Body(otherwise) if otherwise == if status == 401 { Doubtful } else { NoEvidence })
    };
    for request in ["POST /sms/json", "POST /verify/json", "POST /ni/basic/json", "POST /sc/us/2fa/json"] {
        assert!(asks(request, Basic, 200) && asks(request, Basic, 401) && judged_by_body(row(request)), "{request}");
        assert!(!asks(request, Basic, 403) && !asks(request, Basic, 500) && !asks(request, Basic, 429), "{request}");
    }
    for request in ["GET /v2/applications", "POST /v1/messages", "POST /verify/network-unblock", "POST /unknown"] {
        assert!(!asks(request, Basic, 200) && asks(request, Basic, 401) && !asks(request, Basic, 403), "{request}");
        assert!(!judged_by_body(row(request)), "{request}");
    }
    assert!(asks("POST /session/create", Jwt, 403) && !asks("POST /session/create", Jwt, 200));
}

#[test]
fn an_unknown_path_is_judged_by_its_401_alone() {
    assert_eq!(row("GET /unknown"), &UNKNOWN);
    assert_eq!(plain("GET /unknown", Basic, 401, r#"{"title":"Unauthorized"}"#), Refused);
    assert_eq!(plain("GET /unknown", Basic, 200, r#"{"messages":[{"status":"4"}]}"#), Accepted);
    assert_eq!(plain("GET /unknown", Basic, 404, ""), NoEvidence);
}

#[test]
fn a_head_answer_says_no_more_than_its_status() {
    for (status, expected) in [(200, NoEvidence), (401, Doubtful), (404, NoEvidence)] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(need(row("HEAD /sms/json"), Basic, &Method::HEAD, status, &HeaderMap::new()), Need::Nothing(expected), "{status}");
    }
}

fn scheme() -> impl Strategy<Value = Scheme> {
    proptest::sample::select(ALL_SCHEMES.to_vec())
}

fn request() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(samples().map(|sample| sample.0).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(
        request in request(),
        injected in scheme(),
        status in proptest::sample::select(vec![200_u16, 401, 403, 404]),
        coding in proptest::sample::select(vec!["identity", "gzip", "br"]),
        start in proptest::sample::select(vec!["", "{", "<", "<a>", "{\"status\":", "\u{1f}\u{8b}\u{8}"]),
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut body = start.as_bytes().to_vec();
        body.extend_from_slice(&bytes);
        prop_assert_ne!(verdict(request, injected, status, &encoded(coding), &body), Refused);
        let zipped = gzip(&body);
        prop_assert_ne!(verdict(request, injected, status, &encoded("gzip"), &zipped), Refused);
    }

    #[test]
    fn a_known_answer_with_one_byte_changed_is_judged_without_panic(
        sample in proptest::sample::select(samples().collect::<Vec<_>>()),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = sample.3.as_bytes().to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let verdict = verdict(sample.0, sample.1, sample.2, &HeaderMap::new(), &body);
        prop_assert!(sample.2 == 401 || verdict != Doubtful);
    }

    #[test]
    fn no_answer_with_an_element_of_status_0_is_refused(
        before in proptest::collection::vec(0_u8..40, 0..4),
        after in proptest::collection::vec(0_u8..40, 0..4),
        injected in scheme(),
    ) {
        let statuses = || before.iter().chain([&0]).chain(&after);
        let json = |quote: &str| {
            let items: Vec<String> = statuses().map(|status| format!("{{\"status\":{quote}{status}{quote}}}")).collect();
            format!("{{\"messages\":[{}]}}", items.join(","))
        };
        let items: Vec<String> = statuses().map(|status| format!("<message><status>{status}</status></message>")).collect();
        let xml = format!("<r><messages>{}</messages></r>", items.concat());
        for body in [json("\""), json(""), xml, "{\"status\":\"0\"}".to_owned(), "{\"status\":0}".to_owned(), "<r><status>0</status></r>".to_owned()] {
            for request in ["POST /sms/json", "POST /verify/json", "POST /ni/basic/json"] {
                prop_assert_ne!(plain(request, injected, 200, &body), Refused, "{} {}", request, body);
            }
        }
    }

    #[test]
    fn any_number_of_elements_that_all_refuse_is_refused(count in 1_usize..20) {
        let json = format!("{{\"messages\":[{}]}}", vec!["{\"status\":\"4\"}"; count].join(","));
        prop_assert_eq!(plain("POST /sms/json", Basic, 200, &json), Refused);
        let xml = format!("<r><messages>{}</messages></r>", "<message><status>4</status></message>".repeat(count));
        prop_assert_eq!(plain("POST /sms/xml", Basic, 200, &xml), Refused);
    }
}
