//! Safety of the data port: what no caller reaches, however it writes it down, and what no page in a browser does.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use vonage_sidecar::config::{self, Address, Place};

use crate::support::caller::{Caller, PLACEHOLDER, raw, request, status};
use crate::support::sidecar::{Setup, Sidecar};

mod spellings;

/// Credentials, settings of the account, who pays, keys of applications: all of the management plane.
const MANAGEMENT: [(&str, &str); 13] = [
    ("GET", "/accounts/abcd1234/secrets"),
    ("POST", "/accounts/abcd1234/secrets"),
    ("GET", "/accounts/abcd1234/secrets/id-1"),
    ("DELETE", "/accounts/abcd1234/secrets/id-1"),
    ("POST", "/accounts/abcd1234/subaccounts"),
    ("PATCH", "/accounts/abcd1234/subaccounts/efgh5678"),
    ("POST", "/accounts/abcd1234/balance-transfers"),
    ("GET", "/accounts"),
    ("POST", "/account/settings"),
    ("POST", "/account/top-up"),
    ("POST", "/v2/applications"),
    ("PUT", "/v1/applications/aaaaaaaa-bbbb-cccc-dddd-0123456789ab"),
    ("POST", "/v1/psip"),
];

/// Other ways to write the same path. Not all of them mean it to every server, which is the point.
fn spellings(path: &str) -> Vec<String> {
    let rest = path.trim_start_matches('/');
    let first = rest.chars().next().unwrap();
    let tail = &rest[first.len_utf8()..];
    let escaped = format!("%{:02x}", u32::from(first));
    let mut all = vec![
        path.to_owned(),
        path.to_ascii_uppercase(),
        format!("/{}{tail}", first.to_ascii_uppercase()),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}/."),
        format!("{path}/x/.."),
        format!("{path};a=b"),
        format!("{path};/"),
        format!("{path}?x=1"),
        format!("{path}/?x=/../sms/json"),
        format!("{path}%3fx"),
        format!("//{rest}"),
        format!("///{rest}"),
        format!("/./{rest}"),
        format!("/../{rest}"),
        format!("/x/../{rest}"),
        format!("/sms/json/../../{rest}"),
        format!("/sms/..;/{rest}"),
        format!("/sms/..;a=b/{rest}"),
        format!("/sms/%2e%2e/{rest}"),
        format!("/sms/%2E./{rest}"),
        format!("/sms/.%2e/{rest}"),
        format!("/sms/%252e%252e/{rest}"),
        format!("/sms%2f..%2f{rest}"),
        format!("/sms/..%2f{rest}"),
        format!("/sms/..%5c{rest}"),
        format!("/%2e/{rest}"),
        format!("/;/{rest}"),
        format!("/;a=b/{rest}"),
        format!("/%3b/{rest}"),
        format!("/%2f{rest}"),
        format!("/%5c{rest}"),
        format!("/{escaped}{tail}"),
        format!("/{}{tail}", escaped.to_ascii_uppercase()),
        format!("/%25{}{tail}", &escaped[1..]),
        format!("/%2525{}{tail}", &escaped[1..]),
        format!("/\\{rest}"),
        format!("\\{rest}"),
        path.replace('/', "//"),
        path.replacen('/', "%2f", 2).replacen("%2f", "/", 1),
        path.replace('/', "/./"),
        path.replace('/', "/;x=y/"),
        path.replace('/', "\\"),
        path.chars().map(|letter| if letter == '/' { "/".to_owned() } else { format!("%{:02X}", u32::from(letter)) }).collect(),
    ];
    all.sort();
    all.dedup();
    all
}

fn head(method: &str, target: &str, host: &str) -> String {
    let length = if method == "GET" || method == "HEAD" || method == "DELETE" { "" } else { "content-length: 0\r\n" };
    format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: {PLACEHOLDER}\r\n{length}connection: close\r\n\r\n")
}

/// The status and the code of an answer to raw bytes.
async fn told(sidecar: &Sidecar, bytes: &str) -> (u16, String) {
    let answer = raw(sidecar.data, bytes.as_bytes()).await;
    let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let code = text.lines().find_map(|line| line.strip_prefix("x-sidecar-error: ")).unwrap_or_default().to_owned();
    (status(&answer), code)
}

fn nothing_reached(sidecar: &Sidecar) {
    let seen: Vec<String> =
        sidecar.vonage().seen().into_iter().map(|seen| format!("{} {} {}", seen.host, seen.method, seen.target)).collect();
    assert!(seen.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn the_management_plane_is_closed_in_every_spelling() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    let mut tried = 0;
    for (method, path) in MANAGEMENT {
        for target in spellings(path) {
            let (status, code) = told(&sidecar, &head(method, &target, "localhost")).await;
            tried += 1;
            let is_closed = (status, code.as_str()) == (403, "management_plane")
                || (status == 400 && ["path_ambiguous", "target_malformed", "request_malformed"].contains(&code.as_str()));
            assert!(is_closed, "{method} {target}: {status} {code}");
        }
    }
    assert!(tried > 13 * 40, "{tried}");
    nothing_reached(&sidecar);
}

#[tokio::test]
async fn the_management_plane_is_closed_by_every_method_that_changes_it_and_by_every_host() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for path in ["/accounts/abcd1234/secrets", "/account/settings", "/account/top-up"] {
            for host in [
                "localhost:1",
                "127.0.0.1",
                "[::1]:8787",
                "rest.nexmo.com",
                "api.nexmo.com",
                "rest.localhost",
                "api-eu.localhost",
                "video.localhost",
            ] {
                for target in [path.to_owned(), format!("http://{host}{path}"), format!("https://api.nexmo.com{path}")] {
                    let (status, code) = told(&sidecar, &head(method, &target, host)).await;
                    assert_eq!((status, code.as_str()), (403, "management_plane"), "{method} {target} at {host}");
                }
            }
        }
    }
    nothing_reached(&sidecar);
}

#[tokio::test]
async fn headers_that_name_another_method_or_path_change_nothing() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    let overrides = [
        "x-http-method-override: DELETE",
        "x-http-method: DELETE",
        "x-method-override: DELETE",
        "x-original-url: /accounts/abcd1234/secrets",
        "x-rewrite-url: /accounts/abcd1234/secrets",
    ];
    for header in overrides {
        let bytes =
            head("GET", "/account/get-balance", "localhost").replace("connection: close", &format!("{header}\r\nconnection: close"));
        assert_eq!(told(&sidecar, &bytes).await, (200, String::new()), "{header}");
    }
    for seen in sidecar.vonage().seen() {
        let carried = seen.headers.keys().find(|name| overrides.iter().any(|header| header.starts_with(name.as_str())));
        assert_eq!((carried, seen.target.as_str()), (None, "/account/get-balance"));
    }
}

#[tokio::test]
async fn allow_opens_exactly_the_part_that_it_names() {
    let sidecar =
        Setup::new(&["LiveSecret1"], &["LiveSecret1"]).with(|settings| settings.listen[0].allow = vec!["secrets".to_owned()]).start().await;
    let mut open = 0;
    for (method, path) in MANAGEMENT {
        let (status, code) = told(&sidecar, &head(method, path, "localhost")).await;
        if path.contains("/secrets") {
            assert_ne!(code, "management_plane", "{method} {path}: {status}");
            open += 1;
        } else {
            assert_eq!((status, code.as_str()), (403, "management_plane"), "{method} {path}");
        }
    }
    assert_eq!((open, sidecar.vonage().seen().len()), (4, 4));
    assert_eq!(told(&sidecar, &head("GET", "/accounts/abcd1234/secrets/../subaccounts", "localhost")).await.1, "path_ambiguous");
}

#[tokio::test]
async fn no_page_in_a_browser_reaches_the_data_port() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    for header in [
        "origin: https://evil.example",
        "origin: null",
        "origin: http://localhost:3000",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
        "sec-fetch-site: same-origin",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let bytes = head(method, "/sms/json", "localhost").replace("connection: close", &format!("{header}\r\nconnection: close"));
            assert_eq!(told(&sidecar, &bytes).await, (403, "browser_refused".to_owned()), "{method} {header}");
        }
    }
    nothing_reached(&sidecar);
    for header in ["sec-fetch-mode: cors", "sec-fetch-site: none", "sec-fetch-dest: empty\r\nsec-fetch-mode: cors"] {
        let bytes =
            head("GET", "/account/get-balance", "localhost").replace("connection: close", &format!("{header}\r\nconnection: close"));
        assert_eq!(told(&sidecar, &bytes).await, (200, String::new()), "{header}");
    }
}

#[tokio::test]
async fn a_name_that_somebody_points_at_us_is_refused_on_data_and_admin() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"])
        .with(|settings| settings.listen[0].allowed_hosts = vec!["sidecar.internal".to_owned()])
        .start()
        .await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "rest.nexmo.com.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "nosuch.localhost",
        "xsidecar.internal",
    ] {
        assert_eq!(told(&sidecar, &head("GET", "/account/get-balance", host)).await, (421, "host_foreign".to_owned()), "{host}");
        let absolute = head("GET", &format!("http://{host}/account/get-balance"), "localhost");
        assert_eq!(told(&sidecar, &absolute).await, (421, "host_foreign".to_owned()), "{host}");
        let admin = raw(sidecar.admin, head("GET", "/status", host).as_bytes()).await;
        // Every name under localhost is this machine's own (RFC 6761), so no page elsewhere can use one.
        let expected = if host.ends_with(".localhost") { 200 } else { 421 };
        assert_eq!(status(&admin), expected, "{host}");
    }
    for host in ["", "a b", "user@localhost", "localhost, localhost", "localhost/x", "localhost:99999"] {
        let (status, code) = told(&sidecar, &head("GET", "/account/get-balance", host)).await;
        assert_eq!((status, code.as_str()), (400, "host_malformed"), "{host}");
    }
    nothing_reached(&sidecar);
    for host in
        ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.9.9.9:1", "[::1]", "sidecar.internal", "Sidecar.Internal:8787", "rest.localhost"]
    {
        assert_eq!(told(&sidecar, &head("GET", "/account/get-balance", host)).await, (200, String::new()), "{host}");
    }
}

#[tokio::test]
async fn no_page_in_a_browser_reaches_admin() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    for header in ["origin: https://evil.example", "origin: null", "sec-fetch-site: cross-site", "sec-fetch-site: same-origin"] {
        for (method, path) in [("GET", "/status"), ("GET", "/"), ("POST", "/reload"), ("POST", "/prove"), ("POST", "/quit")] {
            let bytes = head(method, path, "localhost")
                .replace("connection: close", &format!("x-sidecar-admin: 1\r\n{header}\r\nconnection: close"));
            let answer = raw(sidecar.admin, bytes.as_bytes()).await;
            assert_eq!(status(&answer), 403, "{method} {path} {header}");
        }
    }
    for path in ["/reload", "/prove", "/quit"] {
        assert_eq!(status(&raw(sidecar.admin, head("POST", path, "localhost").as_bytes()).await), 403, "{path} without its header");
    }
    assert!(!sidecar.shutdown.is_draining());
    nothing_reached(&sidecar);
    let typed =
        head("GET", "/", "localhost").replace("connection: close", "sec-fetch-site: none\r\nsec-fetch-mode: navigate\r\nconnection: close");
    assert_eq!(status(&raw(sidecar.admin, typed.as_bytes()).await), 200);
}

#[tokio::test]
async fn a_key_that_is_not_held_gets_no_credential_of_another() {
    let sidecar = Setup::new(&["LiveSecret1"], &["LiveSecret1"]).start().await;
    let mut caller = Caller::new(sidecar.data);
    let body = "api_key=nobody00&api_secret=x&to=447700900000&from=Acme&text=x";
    for (method, target, content_type, body) in [
        ("GET", "/account/get-balance?api_key=nobody00&api_secret=x", "", ""),
        ("POST", "/sms/json", "application/x-www-form-urlencoded", body),
        ("POST", "/verify/json", "application/json", r#"{"api_key":"nobody00","api_secret":"x","number":"1","brand":"x"}"#),
    ] {
        let bytes = Request::builder().method(method).uri(target).header("host", "localhost").header("content-type", content_type);
        let answer = caller.send(bytes.body(Full::from(body)).unwrap()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "key_unknown"), "{method} {target}");
    }
    let two = request(Method::GET, "/account/get-balance?api_key=other000&api_secret=x", "", Bytes::new());
    let answer = caller.send(two).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "keys_differ"));
    nothing_reached(&sidecar);
}

#[test]
fn nothing_that_others_can_reach_is_bound() {
    let settings = |text: &str| config::parse(std::path::Path::new("sidecar.toml"), text);
    for address in ["0.0.0.0:8787", "[::]:8787", "10.1.2.3:8787", "[2001:db8::1]:8787", "192.168.0.1:1"] {
        for text in [format!("[[listen]]\naddress = \"{address}\"\n"), format!("[admin]\naddress = \"{address}\"\n")] {
            let problems = settings(&text).unwrap_err().to_string();
            assert!(problems.contains("2:11") && problems.contains("can be reached from other machines"), "{problems}");
        }
    }
    let (good, _) = settings("[[listen]]\naddress = \"127.0.0.2:1\"\n").unwrap();
    assert!(matches!(good.listen[0].place, Place::Tcp(Address::Ip(address)) if address.ip().is_loopback()));
}
