//! Hostile inputs of our own, each with the statuses it deserves.

/// What becomes of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// This refusal, marked, and nothing goes upstream.
    Refused(u16),
    /// A marked refusal, after its beginning may have gone upstream.
    Broken(u16),
    /// One plain request goes upstream.
    Served,
    /// The first request is served, what follows it is refused with a mark.
    ThenRefused(u16),
}

use Fate::{Broken, Refused, Served, ThenRefused};

fn head(line: &str, lines: &str) -> String {
    format!("{line}\r\nHost: localhost\r\n{lines}\r\n")
}

/// A GET of this target.
fn at(target: &str) -> String {
    head(&format!("GET {target} HTTP/1.1"), "")
}

/// A GET with these lines.
fn with(lines: &str) -> String {
    head("GET /odd HTTP/1.1", lines)
}

/// An upload with these lines and this body.
fn upload(lines: &str, body: &str) -> String {
    format!("{}{body}", head("POST /odd HTTP/1.1", lines))
}

const CHUNKS: &str = "1\r\nx\r\n0\r\n\r\n";
const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// All of them.
pub fn all() -> Vec<(String, Fate)> {
    [framing(), chunks(), lines(), targets(), hosts(), others()].concat()
}

fn framing() -> Vec<(String, Fate)> {
    vec![
        (upload("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", SMUGGLED), Refused(400)),
        (upload("Content-Length: 6\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: chunked\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: xchunked\r\nContent-Length: 6\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding : chunked\r\nContent-Length: 6\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: identity, chunked\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding:\x0bchunked\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: chunked, \r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding\r\n : chunked\r\n", SMUGGLED), Refused(400)),
        (upload(" Transfer-Encoding: chunked\r\n", SMUGGLED), Refused(400)),
        (upload("X: y\r\n Transfer-Encoding: chunked\r\n", SMUGGLED), Refused(400)),
        (upload("Transfer-Encoding: chu\r\n nked\r\n", SMUGGLED), Refused(400)),
        (upload("Content-Length: 1\r\nContent-Length: 2\r\n", "xy"), Refused(400)),
        (upload("Content-Length: 1, 1\r\n", "x"), Refused(400)),
        (upload("Content-Length: 1 1\r\n", "x"), Refused(400)),
        (upload("Content-Length: +1\r\n", "x"), Refused(400)),
        (upload("Content-Length: -1\r\n", "x"), Refused(400)),
        (upload("Content-Length: 0x1\r\n", "x"), Refused(400)),
        (upload("Content-Length: 1.0\r\n", "x"), Refused(400)),
        (upload("Content-Length: \r\n", "x"), Refused(400)),
        (upload("Content-Length: 99999999999999999999\r\n", "x"), Refused(400)),
        (upload("Content-Length: 9999999999999999999\r\n", "x"), Refused(413)),
        (upload("Content-Length: 10\r\n", "x"), Broken(400)),
        (upload("Content-Length: 01\r\n", "x"), Served),
        (upload("Content-Length: 1\r\n", &format!("x{}", "garbage\r\n\r\n")), ThenRefused(400)),
        (upload("Connection: content-length\r\nContent-Length: 1\r\n", "x"), Served),
        (upload("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", CHUNKS), Served),
    ]
}

fn chunks() -> Vec<(String, Fate)> {
    let chunked = |body: &str| upload("Transfer-Encoding: chunked\r\n", body);
    vec![
        (chunked("1;a=b\r\nx\r\n0\r\n\r\n"), Served),
        (chunked("0000001\r\nx\r\n0\r\n\r\n"), Served),
        (chunked("x\r\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("0x1\r\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("-1\r\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1 1\r\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1\r\nxy\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1;\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1\rx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("FFFFFFFFFFFFFFFF1\r\nx\r\n0\r\n\r\n"), Broken(400)),
        (chunked("1\r\nx\r\n"), Broken(400)),
        (chunked("1\r\nx\r\n0\r\n"), Broken(400)),
        (chunked("1\r\nx\r\n0\r\nno trailer\r\n\r\n"), Broken(400)),
        (chunked(&format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(20_000))), Broken(400)),
    ]
}

fn lines() -> Vec<(String, Fate)> {
    vec![
        (with("X : y\r\n"), Refused(400)),
        (with("X y\r\n"), Refused(400)),
        (with(": y\r\n"), Refused(400)),
        (with("X: a\rb\r\n"), Refused(400)),
        (with("X: a\0b\r\n"), Refused(400)),
        (with("X\0: a\r\n"), Refused(400)),
        (with("X: a\x7fb\r\n"), Refused(400)),
        (with("X: y\r\n folded\r\n"), Refused(400)),
        (with("\tX: y\r\n"), Refused(400)),
        (with("Authorization: Basic eDp5\r\nauthorization: Bearer x\r\nAuthorization : x\r\n"), Refused(400)),
        (with("Connection: Authorization\r\nAuthorization: Basic YWJjZDEyMzQ6eQ==\r\n"), Served),
        (with("Connection: host, authorization, close\r\n"), Served),
        (with("Upgrade: websocket\r\nConnection: upgrade\r\n"), Refused(501)),
        (with("Expect: 100-continue, x\r\n"), Refused(417)),
        (with("X-Original-URL: /accounts/abcd1234/secrets\r\nX-HTTP-Method-Override: DELETE\r\n"), Served),
        (with("Origin: http://localhost\r\n"), Refused(403)),
        (with("Sec-Fetch-Site: same-origin\r\n"), Refused(403)),
    ]
}

fn targets() -> Vec<(String, Fate)> {
    vec![
        (at("http://evil.example/odd"), Refused(421)),
        (at("http://localhost@evil.example/odd"), Refused(400)),
        (at("http://localhost/odd"), Served),
        (at("ftp://localhost/odd"), Refused(400)),
        (at("evil.example:443"), Refused(400)),
        (at("@evil.example"), Refused(400)),
        (at("/@evil.example"), Served),
        (at("//evil.example/odd"), Served),
        (at("/odd/../accounts/abcd1234/secrets"), Refused(400)),
        (at("/odd/%2e%2e/accounts/abcd1234/secrets"), Refused(400)),
        (at("/odd/;/../secrets"), Refused(400)),
        (at("//accounts/abcd1234/secrets"), Refused(403)),
        (at("/ACCOUNTS/abcd1234/secrets"), Refused(403)),
        (at("/accounts;x/abcd1234/secrets"), Refused(403)),
        (at("/%2561ccounts/abcd1234/secrets"), Refused(403)),
        (at("\\accounts\\abcd1234"), Refused(400)),
        (at("/\\accounts\\abcd1234"), Refused(403)),
        (at("/odd\0"), Refused(400)),
        (at("/odd\x7f"), Refused(400)),
        (at("/%00"), Refused(400)),
        (at("/odd%0d%0aX:%20y"), Refused(400)),
        (at("/odd?x=%0d%0aX:%20y"), Served),
        (at("/odd?x=\r\nX: y"), Refused(400)),
        (at("/odd#fragment"), Served),
        (at("/odd /odd"), Refused(400)),
        (at(""), Refused(400)),
    ]
}

fn hosts() -> Vec<(String, Fate)> {
    let host = |host: &str| format!("GET /odd HTTP/1.1\r\nHost: {host}\r\n\r\n");
    vec![
        (host("evil.example"), Refused(421)),
        (host("localhost\r\nHost: evil.example"), Refused(400)),
        (host("localhost, evil.example"), Refused(400)),
        (host("localhost#@evil.example"), Refused(400)),
        (host("localhost/odd"), Refused(400)),
        (host("localhost:80@evil.example"), Refused(400)),
        (host("api.nexmo.com.evil.example"), Refused(421)),
        (host("api.nexmo.com."), Refused(421)),
        (host("169.254.169.254"), Refused(421)),
        (host("\u{ff4c}ocalhost"), Refused(400)),
        ("GET /odd HTTP/1.1\r\n\r\n".to_owned(), Refused(400)),
    ]
}

fn others() -> Vec<(String, Fate)> {
    vec![
        (head("CONNECT evil.example:443 HTTP/1.1", ""), Refused(405)),
        (head("TRACE /odd HTTP/1.1", ""), Refused(405)),
        (head("PRI * HTTP/2.0", ""), Refused(400)),
        (head("GET /odd HTTP/1.2", ""), Refused(400)),
        (head("GET /odd HTTP/9.9", ""), Refused(400)),
        (head("GET /odd http/1.1", ""), Refused(400)),
        ("GET /odd\r\n\r\n".to_owned(), Refused(400)),
        (head("GET  /odd HTTP/1.1", ""), Refused(400)),
        (head("G\0T /odd HTTP/1.1", ""), Refused(400)),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_owned(), Refused(400)),
        (format!("{}{}", at("/odd"), upload("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", SMUGGLED)), ThenRefused(400)),
        (format!("{}GET /accounts/x HTTP/1.1\r\nHost: localhost\r\n\r\n", at("/odd")), ThenRefused(403)),
    ]
}
