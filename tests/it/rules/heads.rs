//! What a head may say: host, target, method, size, expectations, upgrades.

use super::{answer, get, post, refused, serves, sidecar};
use crate::support::caller::PLACEHOLDER;
use crate::support::origin::Origin;
use crate::support::sidecar::Setup;
use crate::support::wire::{Ending, talk};

#[tokio::test]
async fn rule_02_a_caller_that_closes_its_half_after_the_request_is_answered() {
    let sidecar = sidecar().await;
    for request in [get(""), post("Content-Length: 2\r\n", "{}"), post("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n")] {
        let talk = talk(sidecar.data, request.as_bytes()).await;
        assert_eq!(talk.ending, Ending::Closed);
        let answer = talk.only();
        assert!(answer.whole && answer.code().is_empty() && answer.status < 500, "{answer:?}");
    }
    assert_eq!(sidecar.vonage().seen().len(), 3);
}

#[tokio::test]
async fn rule_03_a_request_names_exactly_one_host_and_one_of_ours() {
    let sidecar = sidecar().await;
    let with = |hosts: &str| format!("GET /account/get-balance HTTP/1.1\r\n{hosts}Authorization: {PLACEHOLDER}\r\n\r\n");
    for hosts in [
        "",
        "Host:\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: user@localhost\r\n",
        "Host: localhost@evil.example\r\n",
        "Host: localhost/path\r\n",
        "Host: localhost, evil.example\r\n",
        "Host: localhost:80:80\r\n",
        "Host: localhost:99999\r\n",
        "Host: [::1\r\n",
        "Host: local host\r\n",
    ] {
        refused(&sidecar, with(hosts), 400, "host_malformed").await;
    }
    for hosts in ["evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.nip.io", "10.0.0.1", "api.nexmo.com.evil.example"]
    {
        refused(&sidecar, with(&format!("Host: {hosts}\r\n")), 421, "host_foreign").await;
    }
    for hosts in ["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "[::1]:8787", "rest.nexmo.com", "rest.nexmo.com:443"] {
        assert_eq!(answer(&sidecar, with(&format!("Host: {hosts}\r\n"))).await.status, 200, "{hosts}");
    }
}

#[tokio::test]
async fn rule_04_a_target_is_a_path() {
    let sidecar = sidecar().await;
    for target in ["evil:80", "foo", "*", "ftp://localhost/x", "localhost/account/get-balance", "?x", "@evil"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = answer(&sidecar, &request).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        assert!(["target_malformed", "request_malformed"].contains(&answer.code()), "{target}: {answer:?}");
        assert_eq!(sidecar.vonage().seen().len(), 0);
    }
}

#[tokio::test]
async fn rule_05_an_absolute_target_is_served_for_our_own_names_only() {
    let sidecar = sidecar().await;
    for target in ["http://evil.example/account/get-balance", "https://evil.example:443/x", "http://localhost.evil.example/x"] {
        refused(&sidecar, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 421, "host_foreign").await;
    }
    refused(&sidecar, "GET http://user@localhost/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "host_malformed").await;
    refused(&sidecar, "GET http://localhost/x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "host_foreign").await;
    let ours = format!("GET http://localhost/account/get-balance?a=b HTTP/1.1\r\nHost: localhost\r\nAuthorization: {PLACEHOLDER}\r\n\r\n");
    assert_eq!(answer(&sidecar, ours).await.status, 200);
    assert_eq!(sidecar.vonage().seen()[0].target, "/account/get-balance?a=b");
}

#[tokio::test]
async fn rule_06_connect_is_refused() {
    let sidecar = sidecar().await;
    refused(&sidecar, "CONNECT api.nexmo.com:443 HTTP/1.1\r\nHost: api.nexmo.com\r\n\r\n", 405, "method_not_allowed").await;
    refused(&sidecar, "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 405, "method_not_allowed").await;
}

#[tokio::test]
async fn rule_07_trace_is_refused() {
    let sidecar = sidecar().await;
    refused(&sidecar, "TRACE /account/get-balance HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed").await;
}

#[tokio::test]
async fn rule_11_one_100_is_said_before_the_upload_and_other_expectations_are_refused() {
    let sidecar = sidecar().await;
    let answers = talk(sidecar.data, post("Content-Length: 2\r\nExpect: 100-Continue\r\n", "{}").as_bytes()).await.pieces();
    let informed = answers.iter().filter(|piece| piece.status == 100).count();
    assert!(informed <= 1 && answers.last().unwrap().status >= 200, "{answers:?}");
    assert!(!sidecar.vonage().seen()[0].headers.contains_key("expect"));
    sidecar.vonage().reset();
    refused(&sidecar, post("Content-Length: 2\r\nExpect: 200-ok\r\n", "{}"), 417, "expectation_failed").await;
}

#[tokio::test]
async fn rule_12_a_head_has_bounds_and_a_method_is_one_we_know() {
    let sidecar = sidecar().await;
    refused(&sidecar, get(&format!("X-Long: {}\r\n", "a".repeat(66_000))), 431, "head_too_large").await;
    refused(&sidecar, get(&format!("X-Long: {}\r\n", "a".repeat(500_000))), 431, "head_too_large").await;
    let many: Vec<String> = (0..99).map(|number| format!("X-{number}: a\r\n")).collect();
    refused(&sidecar, get(&many.concat()), 431, "head_too_large").await;
    for length in [17_000, 60_000] {
        let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(length));
        refused(&sidecar, long, 414, "target_too_long").await;
    }
    for method in ["BREW", "get", "PROPFIND", "X"] {
        refused(&sidecar, format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405, "method_not_allowed").await;
    }
    refused(&sidecar, format!("{} / HTTP/1.1\r\nHost: localhost\r\n\r\n", "G".repeat(20_000)), 405, "method_not_allowed").await;
    assert_eq!(answer(&sidecar, get(&format!("X-Long: {}\r\n", "a".repeat(60_000)))).await.status, 200, "60 kB are within the limit");
}

#[tokio::test]
async fn rule_13_nobody_switches_protocols() {
    let origin = Origin::saying_once("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframes").await;
    let sidecar = Setup::scripted(origin.address, &[super::SECRET]).start().await;
    answer(&sidecar, get("")).await.is_marked(502, "unsolicited_upgrade");
    drop(sidecar);

    let sidecar = super::sidecar().await;
    let offer = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    refused(&sidecar, get(offer), 501, "upgrade_not_supported").await;
    for offer in ["h2c", "TLS/1.2", "h2c, TLS/1.3"] {
        let lines = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {offer}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n");
        assert_eq!(answer(&sidecar, get(&lines)).await.status, 200, "{offer} may be ignored");
    }
    for seen in sidecar.vonage().seen() {
        assert!(!seen.headers.contains_key("upgrade") && !seen.headers.contains_key("http2-settings"), "{seen:?}");
    }
}

#[tokio::test]
async fn rule_16_other_line_ends_leading_lines_and_equal_lengths_are_written_anew() {
    let sidecar = sidecar().await;
    assert_eq!(answer(&sidecar, get("").replace("\r\n", "\n")).await.status, 200);
    assert_eq!(answer(&sidecar, format!("\r\n\r\n{}", get(""))).await.status, 200);
    assert_eq!(answer(&sidecar, post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}")).await.code(), "");
    let seen = sidecar.vonage().seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].headers.get_all("content-length").iter().collect::<Vec<_>>(), ["2"]);
}

#[tokio::test]
async fn rule_18_a_path_is_ascii() {
    let sidecar = sidecar().await;
    for target in ["/caf\u{e9}", "/x?name=\u{fc}ber", "/\u{1f600}"] {
        let answer = answer(&sidecar, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        assert!(!answer.code().is_empty() && sidecar.vonage().seen().is_empty());
    }
    assert_eq!(answer(&sidecar, get("X-Name: caf\u{e9}\r\n")).await.status, 200, "a header value may be");
    serves(&sidecar).await;
}
