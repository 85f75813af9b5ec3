//! Methods, targets and headers.

use super::{OURS, SECRET, before, request, sent};
use crate::support::origin::{Origin, field};
use crate::support::sidecar::Setup;
use crate::support::wire::{next, talk};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn methods_targets_and_queries_arrive_byte_for_byte() {
    let mut origin = Origin::saying(OK).await;
    let sidecar = before(&origin).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for target in [
            "/odd/thing",
            "/odd/thing?b=2&a=1&&a=1&=&x",
            "/odd/Thing?x=%41%2f%2F+%20;a'(b)*!~",
            "/odd/%7Euser/a%20b?x=%2e%2e%2F&y=/../?&z=?",
            "/odd/thing?",
            "/v1/messages?api_secret_not=1&next=http://localhost/",
        ] {
            let (lines, body) = if method == "GET" { ("", "") } else { ("Content-Length: 5\r\n", "\r\n\0\u{e9}") };
            let bytes = request(&format!("{method} {target} HTTP/1.1"), lines, body);
            assert_eq!(talk(sidecar.data, bytes.as_bytes()).await.only().status, 200, "{method} {target}");
            let heard = origin.heard().await;
            assert!(heard.starts_with(&format!("{method} {target} HTTP/1.1\r\n")), "{heard}");
            assert!(heard.ends_with(&format!("\r\n\r\n{body}")), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn header_values_arrive_as_they_were_and_in_their_order() {
    let mut origin = Origin::saying(OK).await;
    let sidecar = before(&origin).await;
    let lines = "X-Twice: one\r\nX-Between: \"a, b\"  c\t; d\r\nX-Twice: two, three\r\nX-Empty:\r\nX-Twice: one\r\nUser-Agent: vonage-java/1.2 (x)\r\n\
                 Accept: */*\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nIdempotency-Key: =?:/\r\nX-Obs: caf\u{e9}\r\n";
    assert_eq!(talk(sidecar.data, request("GET /odd HTTP/1.1", lines, "").as_bytes()).await.only().status, 200);
    let heard = origin.heard().await;
    let twice: Vec<&str> = heard.lines().filter_map(|line| line.strip_prefix("x-twice: ")).collect();
    assert_eq!(twice, ["one", "two, three", "one"]);
    for (name, value) in [
        ("x-between", "\"a, b\"  c\t; d"),
        ("x-empty", ""),
        ("user-agent", "vonage-java/1.2 (x)"),
        ("accept", "*/*"),
        ("content-type", "text/plain; charset=\"utf-8\""),
        ("idempotency-key", "=?:/"),
        ("x-obs", "caf\u{e9}"),
        ("host", "api.nexmo.com"),
    ] {
        assert_eq!(field(&heard, name), Some(value), "{heard}");
    }
}

#[tokio::test]
async fn what_is_for_one_connection_or_steers_does_not_travel() {
    let mut origin = Origin::saying(OK).await;
    let sidecar = before(&origin).await;
    let lines = "Connection: keep-alive, X-Hop, authorization, content-type\r\nConnection: x-other-hop, , close\r\nX-Hop: 1\r\nX-Other-Hop: 1\r\n\
        Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic evil\r\nTE: trailers\r\nTrailer: X\r\n\
        Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\nForwarded: for=10.0.0.1\r\nVia: 1.1 x\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: evil\r\n\
        X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /\r\nX-Real-IP: 10.0.0.1\r\nCookie: a=b\r\nCookie: c=d\r\n\
        X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\nX-Original-URL: /accounts\r\n\
        X-Rewrite-URL: /accounts\r\nSec-Fetch-Mode: cors\r\nAuthorization: Basic YWJjZDEyMzQ6dHdv\r\nX-Stays: 1\r\nContent-Type: text/plain\r\n";
    let bytes = format!("GET /odd HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    assert_eq!(talk(sidecar.data, bytes.as_bytes()).await.only().status, 200);
    let heard = origin.heard().await;
    let mut names: Vec<&str> = heard.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "host", "x-stays"], "{heard}");
    assert_eq!(field(&heard, "authorization"), Some(OURS));
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_without_what_is_for_one_connection() {
    let origin = Origin::saying(
        "HTTP/1.1 418 I am a teapot\r\nContent-Length: 3\r\nX-Twice: 2\r\nX-A: 1\r\nX-Twice: 1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nAlt-Svc: h3=\":443\"\r\nUpgrade: h2c\r\nX-Sidecar-Error: spoofed\r\nX-Sidecar-Refused: all\r\nServer: nginx\r\nRetry-After: 7\r\n\
         WWW-Authenticate: Basic realm=\"x\"\r\n\r\n\0\r\n",
    )
    .await;
    let sidecar = before(&origin).await;
    let answer = next(&mut sent(&sidecar, request("GET /odd HTTP/1.1", "", "")).await).await;
    assert_eq!((answer.status, &answer.body[..]), (418, &b"\0\r\n"[..]));
    assert_eq!(answer.headers("x-twice"), ["2", "1"]);
    assert_eq!(
        (answer.header("server"), answer.header("retry-after"), answer.header("www-authenticate")),
        ("nginx", "7", "Basic realm=\"x\"")
    );
    for gone in ["x-hop", "keep-alive", "proxy-authenticate", "alt-svc", "upgrade", "x-sidecar-error", "x-sidecar-refused"] {
        assert_eq!(answer.header(gone), "", "{gone}");
    }
}

#[tokio::test]
async fn a_redirect_is_passed_on_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let mut origin = Origin::saying(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: https://evil.example/{status}?x#y\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        let sidecar = before(&origin).await;
        let answer = talk(sidecar.data, request("GET /odd HTTP/1.1", "", "").as_bytes()).await.only();
        assert_eq!((answer.status, answer.header("location")), (status, format!("https://evil.example/{status}?x#y").as_str()));
        assert_eq!((origin.heard_so_far().len(), origin.connections()), (1, 1));
    }
}

#[tokio::test]
async fn a_caller_of_http_1_0_is_served_in_its_own_way() {
    let sidecar = Setup::new(&[SECRET], &[SECRET]).start().await;
    let plain =
        talk(sidecar.data, request("GET /account/get-balance HTTP/1.0", "", "").replace("Host: localhost\r\n", "").as_bytes()).await;
    let answer = plain.only();
    assert_eq!((answer.status, answer.whole), (200, true));
    let chunked =
        talk(sidecar.data, request("GET /account/get-balance HTTP/1.0", "X-Emulator-Fault: chunked\r\n", "").as_bytes()).await.only();
    assert_eq!((chunked.status, chunked.header("transfer-encoding")), (200, ""), "it knows no chunks");
    assert_eq!(chunked.body, answer.body);
    let mut kept = sent(&sidecar, request("GET /account/get-balance HTTP/1.0", "Connection: keep-alive\r\n", "")).await;
    assert_eq!(next(&mut kept).await.header("connection"), "keep-alive");
}
