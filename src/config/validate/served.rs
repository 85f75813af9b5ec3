//! What a listener speaks, and which calls it serves.
//!
//! Invariants: one of TLS and proxy mode at most; a certificate has its key; a path or host that is written here can
//! match something.

use toml::Spanned;

use super::Check;
use crate::config::file;
use crate::config::{Calls, Certificates, Destination, Mint, Names, PathPattern, ProxyMode, Serves, Tunnel};

/// The methods that a listener can be limited to.
const METHODS: [http::Method; 7] = [
    http::Method::GET,
    http::Method::HEAD,
    http::Method::POST,
    http::Method::PUT,
    http::Method::PATCH,
    http::Method::DELETE,
    http::Method::OPTIONS,
];
/// What identifies a token and limits its time.
const OUR_CLAIMS: [&str; 5] = ["application_id", "iat", "exp", "jti", "nbf"];
/// The shortest life that Vonage takes.
const SHORTEST_LIFE: std::time::Duration = std::time::Duration::from_secs(30);
/// The port of a tunnel that names none.
const HTTPS: u16 = 443;

/// What is spoken.
pub(super) fn serves(check: &mut Check<'_>, field: &str, raw: &file::Listen) -> Serves {
    if let Some(mint) = raw.mint.as_ref().filter(|mint| !matches!(mint.get_ref(), file::Mint::Switch(false))) {
        if raw.tls.is_some() || raw.proxy.is_some() {
            check.error(Some(mint.span()), &format!("{field}.mint"), "stands beside tls or proxy", "write a [[listen]] table of its own");
        }
        return Serves::Mint(self::mint(check, &format!("{field}.mint"), mint.get_ref()));
    }
    match (&raw.tls, &raw.proxy) {
        (None, None) => Serves::Http,
        (Some(tls), None) => Serves::Https(certificates(check, &format!("{field}.tls"), tls)),
        (None, Some(proxy)) => Serves::Proxy(self::proxy(check, &format!("{field}.proxy"), proxy)),
        (Some(tls), Some(_)) => {
            check.error(Some(tls.span()), &format!("{field}.tls"), "stands beside proxy", "write a [[listen]] table for each of them");
            Serves::Http
        }
    }
}

fn mint(check: &mut Check<'_>, field: &str, raw: &file::Mint) -> Mint {
    let default = Mint::default();
    let file::Mint::Limits(limits) = raw else { return default };
    let longest = check.wait(&format!("{field}.max_ttl"), &limits.max_ttl, default.longest);
    if !(SHORTEST_LIFE..=default.longest).contains(&longest) {
        let at = limits.max_ttl.as_ref().map(Spanned::span);
        check.error(at, &format!("{field}.max_ttl"), "is no life that Vonage takes", "write \"30s\" to \"24h\"");
    }
    let claims = match &limits.claims {
        None => default.claims,
        Some(names) => check.each(&format!("{field}.claims"), names, Check::claim),
    };
    Mint { longest, claims }
}

fn certificates(check: &mut Check<'_>, field: &str, raw: &Spanned<file::Tls>) -> Certificates {
    let table = raw.get_ref();
    let pair = table.cert.is_some() || table.key.is_some();
    if table.ca_dir.is_some() && pair {
        check.error(Some(raw.span()), field, "has a certificate and a local CA", "write cert and key, or ca_dir");
    }
    if !pair {
        return Certificates::Made(check.authority(raw.span(), field, &table.ca_dir, &table.publish));
    }
    if let Some(publish) = &table.publish {
        check.error(Some(publish.span()), &format!("{field}.publish"), "has nothing to publish", "it goes with ca_dir");
    }
    Certificates::Given {
        cert: check.needed_path(raw.span(), &format!("{field}.cert"), &table.cert, "write the file of the certificate chain"),
        key: check.needed_path(raw.span(), &format!("{field}.key"), &table.key, "write the file of the private key"),
    }
}

fn proxy(check: &mut Check<'_>, field: &str, raw: &Spanned<file::ProxyMode>) -> ProxyMode {
    let table = raw.get_ref();
    let authority = check.authority(raw.span(), field, &table.ca_dir, &table.publish);
    let tunnel = match &table.tunnel {
        None => Tunnel::Closed,
        Some(tunnel) => self::tunnel(check, &format!("{field}.tunnel"), tunnel),
    };
    ProxyMode { authority, tunnel }
}

fn tunnel(check: &mut Check<'_>, field: &str, raw: &Spanned<file::Tunnel>) -> Tunnel {
    match raw.get_ref() {
        file::Tunnel::Word(word) if word == "any" => Tunnel::Any,
        file::Tunnel::Word(_) => {
            check.error(Some(raw.span()), field, "is not \"any\"", "write \"any\" or a list such as [\"*.example.com\"]");
            Tunnel::Closed
        }
        file::Tunnel::List(hosts) => Tunnel::Listed(check.each(field, hosts, Check::destination)),
    }
}

/// The calls that are served.
pub(super) fn calls(check: &mut Check<'_>, field: &str, raw: &file::Listen) -> Calls {
    Calls {
        methods: check.each(&format!("{field}.methods"), &raw.methods, Check::method),
        allow: check.each(&format!("{field}.paths.allow"), &raw.paths.allow, Check::path_pattern),
        deny: check.each(&format!("{field}.paths.deny"), &raw.paths.deny, Check::path_pattern),
    }
}

impl Check<'_> {
    fn method(&mut self, field: &str, raw: &Spanned<String>) -> Option<http::Method> {
        let method = METHODS.into_iter().find(|method| method.as_str() == raw.get_ref());
        if method.is_none() {
            let known: Vec<&str> = METHODS.iter().map(http::Method::as_str).collect();
            self.error(Some(raw.span()), field, "is not a method of a Vonage API", super::one_of(raw.get_ref(), &known));
        }
        method
    }

    fn claim(&mut self, field: &str, raw: &Spanned<String>) -> Option<String> {
        if OUR_CLAIMS.contains(&raw.get_ref().as_str()) {
            self.error(Some(raw.span()), field, "is a claim that the sidecar sets", "leave it out");
            return None;
        }
        Some(raw.get_ref().clone())
    }

    /// `/path` or `/path/*`, in the form in which paths are decided on.
    fn path_pattern(&mut self, field: &str, raw: &Spanned<String>) -> Option<PathPattern> {
        let text = raw.get_ref().to_ascii_lowercase();
        let (path, below) = text.strip_suffix("/*").map_or((text.as_str(), false), |path| (path, true));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b':' | b'@' | b'.');
        let segment = |segment: &str| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain);
        let mut segments = path.split('/');
        let begins = segments.next() == Some("") && text.starts_with('/');
        let whole = text == "/" || (path.is_empty() && below);
        if !begins || !(whole || segments.all(segment)) {
            let hint = "write a plain path such as \"/v1/messages\", or \"/sms/*\" for it and all below it";
            self.error(Some(raw.span()), field, "is not a path that can be matched", hint);
            return None;
        }
        Some(if below { PathPattern::Below(path.to_owned()) } else { PathPattern::Exactly(path.to_owned()) })
    }

    /// `host`, `*.host`, with or without a port.
    fn destination(&mut self, field: &str, raw: &Spanned<String>) -> Option<Destination> {
        let text = raw.get_ref().to_ascii_lowercase();
        let destination = destination(&text);
        if destination.is_none() {
            let hint = "write \"host\", \"host:port\" or \"*.example.com\"";
            self.error(Some(raw.span()), field, "is not a host to join", hint);
        }
        destination
    }
}

fn destination(text: &str) -> Option<Destination> {
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without a port has colons of its own.
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        Some(_) | None => (text, HTTPS),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    let named = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(of_a_name);
    let names = match host.strip_prefix("*.") {
        Some(parent) if named(parent) => Names::Below(parent.to_owned()),
        None if named(host) => Names::Exactly(host.to_owned()),
        Some(_) | None => return None,
    };
    Some(Destination { names, port })
}
