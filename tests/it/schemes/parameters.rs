//! Key and secret as parameters and as path segments, for endpoints that take nothing else.

use http::Method;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{LIVE, request, send};
use crate::fallback::rig::{FORM, JSON, NEW, OLD, attempts, standing};
use crate::support::caller::PLACEHOLDER;
use crate::support::origin::{Guest, Origin};
use crate::support::sidecar::{KEY, Setup, Sidecar};

/// A secret that every form has to escape, and one that is revoked.
const ODD: &str = r#"a&b+c%25"d:e\f=g/h?i#j"#;

async fn sidecar() -> Sidecar {
    Setup::new(&[LIVE], &[LIVE]).start().await
}

/// Sends one request and returns target and body of the only one that went upstream.
async fn sent(sidecar: &Sidecar, method: Method, target: &str, kind: &str, body: &str) -> (String, String) {
    sidecar.vonage().reset();
    let answer = send(sidecar, request(method, target, Some(PLACEHOLDER), kind, body)).await;
    assert_eq!(answer.code(), "", "{target}: {}", answer.text());
    let seen = sidecar.vonage().seen();
    assert_eq!((seen.len(), seen[0].header("authorization")), (1, ""), "{target}");
    assert_eq!(seen[0].header("content-length"), if body.is_empty() { String::new() } else { seen[0].body.len().to_string() }, "{target}");
    (seen[0].target.clone(), String::from_utf8(seen[0].body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_and_secret_go_where_the_callers_parameters_are_and_nothing_else_moves() {
    let sidecar = sidecar().await;
    let (target, _) = sent(&sidecar, Method::GET, "/search/message?api_secret=x&id=A%20b&API_KEY=abcd1234", "", "").await;
    assert_eq!(target, format!("/search/message?id=A%20b&api_key={KEY}&api_secret={LIVE}"));
    let (target, _) = sent(&sidecar, Method::GET, "/v1/applications", "", "").await;
    assert_eq!(target, format!("/v1/applications?api_key={KEY}&api_secret={LIVE}"));
    let body = r#"{ "id":"A", "api_secret":"x" }"#;
    let (target, body) = sent(&sidecar, Method::POST, "/search/message", JSON, body).await;
    assert_eq!((target.as_str(), body), ("/search/message", format!("{{ \"id\":\"A\" ,\"api_key\":\"{KEY}\",\"api_secret\":\"{LIVE}\"}}")));
    let (target, body) = sent(&sidecar, Method::POST, "/ussd/json", FORM, "to=1&api_secret=x&text=a+b%20c").await;
    assert_eq!((target.as_str(), body), ("/ussd/json", format!("to=1&text=a+b%20c&api_key={KEY}&api_secret={LIVE}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_and_secret_go_into_the_path_in_place_of_the_callers() {
    let sidecar = sidecar().await;
    let (target, _) = sent(&sidecar, Method::POST, &format!("/number/buy/{KEY}/placeholder/GB/447700900000"), "", "").await;
    assert_eq!(target, format!("/number/buy/{KEY}/{LIVE}/GB/447700900000"));
    let (target, _) = sent(&sidecar, Method::GET, &format!("/account/numbers/{KEY}/x?index=1"), "", "").await;
    assert_eq!(target, format!("/account/numbers/{KEY}/{LIVE}?index=1"));
    sidecar.vonage().reset();
    let other = send(&sidecar, request(Method::POST, "/number/buy/other000/x/GB/1", None, "", "")).await;
    assert_eq!((other.status.as_u16(), other.code()), (403, "key_unknown"));
    let differ = send(&sidecar, request(Method::POST, "/number/buy/other000/x/GB/1", Some(PLACEHOLDER), "", "")).await;
    assert_eq!((differ.status.as_u16(), differ.code()), (400, "keys_differ"));
    assert!(sidecar.vonage().seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_secret_arrives_in_every_form() {
    let sidecar = Setup::new(&[ODD], &[ODD]).start().await;
    for (method, target, kind, body) in [
        (Method::GET, "/search/message?id=A".to_owned(), "", ""),
        (Method::POST, "/search/message".to_owned(), JSON, r#"{"id":"A"}"#),
        (Method::POST, "/ussd/json".to_owned(), FORM, "to=447700900000&from=1&text=x"),
        (Method::GET, format!("/account/numbers/{KEY}/x"), "", ""),
    ] {
        sidecar.vonage().reset();
        let answer = send(&sidecar, request(method, &target, Some(PLACEHOLDER), kind, body)).await;
        assert!(answer.status.is_success(), "{target}: {} {}", answer.status, answer.text());
        assert!(sidecar.vonage().seen()[0].secret.is_some(), "{target}: it was not let in");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_parameter_or_path_is_cured_by_the_other_secret() {
    for (method, target, kind, body) in [
        (Method::GET, "/search/message?id=A".to_owned(), "", ""),
        (Method::POST, "/search/message".to_owned(), JSON, r#"{"id":"A"}"#),
        (Method::GET, format!("/account/numbers/{KEY}/x"), "", ""),
    ] {
        let sidecar = Setup::new(&[NEW], &[OLD, NEW]).start().await;
        let answer = send(&sidecar, request(method, &target, Some(PLACEHOLDER), kind, body)).await;
        assert!(answer.status.is_success(), "{target}: {} {}", answer.status, answer.text());
        assert_eq!(sidecar.vonage().seen().len(), 2, "{target}");
        assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused, "{target}");
        assert_eq!(standing(&sidecar, 1, Host::REST), Standing::Good, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_written_into_is_told_so_and_not_sent() {
    let sidecar = Setup::new(&[LIVE], &[LIVE]).with(|settings| settings.limits.replay = 2048).start().await;
    let large = format!("text={}", "x".repeat(4096));
    for (target, kind, body, status, code) in [
        ("/ussd/json", FORM, large.as_str(), 413, "body_too_long_to_read"),
        ("/search/message", JSON, r#"{"id":"A""#, 400, "body_unreadable"),
        ("/ussd/json", JSON, "to=1&text=x", 415, "body_type_differs"),
        ("/search/message", FORM, r#"{"id":"A"}"#, 415, "body_type_differs"),
    ] {
        let answer = send(&sidecar, request(Method::POST, target, Some(PLACEHOLDER), kind, body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{target} {kind}");
        assert!(!answer.text().is_empty());
    }
    let mut compressed = request(Method::POST, "/ussd/json", Some(PLACEHOLDER), FORM, "anything");
    compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(send(&sidecar, compressed).await.code(), "body_opaque");
    assert!(sidecar.vonage().seen().is_empty(), "nothing was sent");
    assert!(attempts(&sidecar, "/ussd/json").is_empty());
}

/// Sends every caller to where it is, as a server does that wants another scheme or a slash at the end.
async fn redirects(mut guest: Guest) {
    while let Some(request) = guest.request().await {
        let target = request.split(' ').nth(1).unwrap();
        let lines = format!("location: https://other.example{target}\r\ncontent-location: {target}\r\nlink: <{target}>; rel=next\r\n");
        let lines = format!("{lines}refresh: 0; url={target}\r\nx-next: /login?to={}\r\n", target.replace('%', "%25"));
        guest.say(format!("HTTP/1.1 301 Moved\r\n{lines}content-length: 0\r\n\r\n").as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_that_repeats_the_target_tells_the_caller_no_secret() {
    let origin = Origin::start(redirects).await;
    for secret in [LIVE, ODD] {
        let sidecar = Setup::scripted(origin.address, &[secret]).start().await;
        for (target, expected) in [
            ("/search/message?id=A".to_owned(), format!("/search/message?id=A&api_key={KEY}&api_secret=-")),
            (format!("/account/numbers/{KEY}/x?index=1"), format!("/account/numbers/{KEY}/-?index=1")),
        ] {
            let answer = send(&sidecar, request(Method::GET, &target, Some(PLACEHOLDER), "", "")).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (301, ""), "{target}");
            assert_eq!(answer.header("location"), format!("https://other.example{expected}"));
            assert_eq!(answer.header("content-location"), expected);
            assert_eq!(answer.header("link"), format!("<{expected}>; rel=next"));
            let all = format!("{:?}", answer.headers);
            let decoded = percent_encoding::percent_decode_str(&all).decode_utf8_lossy().into_owned();
            let twice = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
            assert!([all, decoded, twice].iter().all(|text| !text.contains(secret)), "{:?}", answer.headers);
        }
    }
}
