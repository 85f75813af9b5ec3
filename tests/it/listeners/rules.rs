//! What is refused on a plain listener is refused on every other one: unix sockets, TLS by either protocol, and inside
//! a `CONNECT`.

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use vonage_sidecar::config::{Peers, Place, Tunnel, UnixSocket};

use super::rig::{Ca, Client, SECRET, connected, head, said, secured, trusting};
use crate::support::sidecar::{Setup, Sidecar};

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

/// A sidecar with a listener of every kind.
struct House {
    sidecar: Sidecar,
    ca: Ca,
    ports: [std::net::SocketAddr; 2],
}

const KINDS: [&str; 4] = ["plain", "unix", "tls", "proxy"];

impl House {
    async fn new() -> Self {
        let ca = Ca::new();
        let (https, proxy, path) = (ca.https(), ca.proxy(Tunnel::Closed), ca.path("api.sock"));
        let sidecar = Setup::new(&[SECRET], &[SECRET])
            .with(move |settings| {
                let first = settings.listen[0].clone();
                let unix = UnixSocket { path, mode: 0o600, owner: None, group: None, peers: Peers::default() };
                let mut add = |change: &dyn Fn(&mut vonage_sidecar::config::Listen)| {
                    let mut listen = first.clone();
                    change(&mut listen);
                    settings.listen.push(listen);
                };
                add(&|listen| listen.serves = https.clone());
                add(&|listen| listen.serves = proxy.clone());
                add(&|listen| listen.place = Place::Unix(unix.clone()));
            })
            .start()
            .await;
        let ports = [sidecar.all[1], sidecar.all[2]];
        Self { sidecar, ca, ports }
    }

    async fn stream(&self, kind: &str, protocol: &str) -> Box<dyn Both> {
        let trust = trusting(&self.ca.pem(), &[protocol]);
        match kind {
            "plain" => Box::new(connected(self.sidecar.data).await),
            "unix" => Box::new(UnixStream::connect(&self.sidecar.paths[0]).await.unwrap()),
            "tls" => Box::new(secured(connected(self.ports[0]).await, "localhost", &trust).await.unwrap()),
            "proxy" => {
                let mut stream = connected(self.ports[1]).await;
                stream.write_all(b"CONNECT rest.nexmo.com:443 HTTP/1.1\r\n\r\n").await.unwrap();
                head(&mut stream).await;
                Box::new(secured(stream, "rest.nexmo.com", &trust).await.unwrap())
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn every_rule_of_http1_holds_on_every_kind_of_listener() {
    let house = House::new().await;
    let long = "x".repeat(70_000);
    let many = "X-A: b\r\n".repeat(101);
    for kind in KINDS {
        let host = if kind == "proxy" { "rest.nexmo.com" } else { "localhost" };
        let close = "Connection: close\r\n";
        for (request, code) in [
            (format!("TRACE /account/get-balance HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "method_not_allowed"),
            (format!("BREW /account/get-balance HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "method_not_allowed"),
            (format!("GET /account/get-balance HTTP/1.1\r\n{close}\r\n"), "host_malformed"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n{close}\r\n"), "host_malformed"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: evil.example\r\n{close}\r\n"), "host_foreign"),
            (format!("GET http://evil.example/account/get-balance HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "host_foreign"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nOrigin: null\r\n{close}\r\n"), "browser_refused"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-site\r\n{close}\r\n"), "browser_refused"),
            (format!("GET /accounts/abcd1234/secrets HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "management_plane"),
            (format!("GET /x/..%2faccounts/abcd1234/secrets HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "path_ambiguous"),
            (
                format!(
                    "POST /sms/json HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n{close}\r\n0\r\n\r\n"
                ),
                "framing_ambiguous",
            ),
            (
                format!("POST /sms/json HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n{close}\r\n0\r\n\r\n"),
                "framing_ambiguous",
            ),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nExpect: the-best\r\n{close}\r\n"), "expectation_failed"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nX-Long: {long}\r\n{close}\r\n"), "head_too_large"),
            (format!("GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\n{many}{close}\r\n"), "head_too_large"),
            (format!("GET /account get-balance HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"), "request_malformed"),
        ] {
            let answer = said(&mut house.stream(kind, "http/1.1").await, request.as_bytes()).await;
            let first: String = request.chars().take(100).collect();
            assert!(answer.contains(&format!("x-sidecar-error: {code}\r\n")), "{kind} {first:?}: {answer}");
        }
        let whole = format!(
            "GET /account/get-balance HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic YWJjZDEyMzQ6eA==\r\nConnection: close\r\n\r\n"
        );
        let answer = said(&mut house.stream(kind, "http/1.1").await, whole.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{kind}: {answer}");
    }
    assert_eq!(house.sidecar.vonage().seen().len(), KINDS.len());
}

#[tokio::test]
async fn every_rule_that_http2_can_break_holds_there() {
    let house = House::new().await;
    for kind in ["tls", "proxy"] {
        let host = if kind == "proxy" { "rest.nexmo.com" } else { "localhost" };
        let mut client = Client::http2(house.stream(kind, "h2").await).await;
        let long = "x".repeat(70_000);
        let path = "/account/get-balance";
        for (method, at, path, headers, code) in [
            (Method::TRACE, host, path, vec![], "method_not_allowed"),
            (Method::GET, "evil.example", path, vec![], "host_foreign"),
            (Method::GET, host, path, vec![("host", "rest.localhost")], "host_malformed"),
            (Method::GET, host, path, vec![("origin", "https://example.com")], "browser_refused"),
            (Method::GET, host, path, vec![("sec-fetch-site", "cross-site")], "browser_refused"),
            (Method::GET, host, "/accounts/abcd1234/secrets", vec![], "management_plane"),
            (Method::GET, host, "/x/%2e%2e/accounts/abcd1234/secrets", vec![], "path_ambiguous"),
            (Method::GET, host, path, vec![("x-long", long.as_str())], "head_too_large"),
            (Method::GET, host, path, vec![("x-a", "b"); 101], "head_too_large"),
            (Method::GET, host, path, vec![("expect", "the-best")], "expectation_failed"),
        ] {
            let request = client.request(method, at, path);
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let answer = client.send(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
            assert_eq!(answer.code(), code, "{kind} {at}{path} {}", answer.text());
        }
        let good = client.request(Method::GET, host, path).header("host", host).header("authorization", "Basic YWJjZDEyMzQ6eA==");
        let answer = client.send(good.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "the connection serves on: {}", answer.text());
    }
    assert_eq!(house.sidecar.vonage().seen().len(), 2);
}
