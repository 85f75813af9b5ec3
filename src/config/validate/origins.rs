//! Where requests go instead of to Vonage, and through what.
//!
//! Invariant: a credential is never sent in the clear to another machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

use http::Uri;
use toml::Spanned;

use super::Check;
use crate::config::file::Text;
use crate::config::{Origin, Proxy, Transport};
use crate::vonage::hosts::Host;

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NotAnOrigin {
    #[error("is not a URL of scheme, host and port")]
    Shape,
    #[error("has more than scheme, host and port")]
    More,
    #[error("has a user name")]
    User,
    #[error("has a port that does not exist")]
    Port,
}

/// `upstream.proxy`.
pub(super) fn proxy(check: &mut Check<'_>, raw: &Text) -> Option<Proxy> {
    let raw = raw.as_ref()?;
    match raw.get_ref().as_str() {
        "env" => return Some(Proxy::Environment),
        "none" => return Some(Proxy::None),
        _ => (),
    }
    let (what, hint) = match origin(raw.get_ref()) {
        Ok(Origin { transport: Transport::Plain, .. }) => return raw.get_ref().parse().ok().map(Proxy::Url),
        Ok(Origin { transport: Transport::Tls, .. }) => {
            ("is a proxy that is itself reached by TLS".to_owned(), "write \"http://HOST:PORT\": what goes through it is in TLS anyway")
        }
        Err(wrong @ NotAnOrigin::User) => (wrong.to_string(), "put it into HTTPS_PROXY and write \"env\""),
        Err(wrong @ (NotAnOrigin::Shape | NotAnOrigin::More | NotAnOrigin::Port)) => {
            (wrong.to_string(), "write \"env\", \"none\" or \"http://HOST:PORT\"")
        }
    };
    check.error(Some(raw.span()), "upstream.proxy", what, hint);
    None
}

/// `[upstream.hosts]`.
pub(super) fn hosts(check: &mut Check<'_>, raw: &BTreeMap<Spanned<String>, Spanned<String>>) -> BTreeMap<Host, Origin> {
    let mut hosts = BTreeMap::new();
    for (name, url) in raw {
        let field = format!("upstream.hosts.\"{}\"", name.get_ref());
        let host = check.vonage_host(&field, name);
        let origin = replacement(check, &field, url);
        let (Some(host), Some(origin)) = (host, origin) else { continue };
        if hosts.insert(host, origin).is_some() {
            check.error(Some(name.span()), &field, "is a host that is replaced twice", "host names are the same in upper and lower case");
        }
    }
    hosts
}

fn replacement(check: &mut Check<'_>, field: &str, url: &Spanned<String>) -> Option<Origin> {
    match origin(url.get_ref()) {
        Ok(origin) if origin.transport == Transport::Plain && !is_this_machine(&origin.host) => {
            let remedy = "write https://, or an address of this machine such as http://127.0.0.1:9443";
            check.error(Some(url.span()), field, "would get credentials in the clear over a network", remedy);
            None
        }
        Ok(origin) => Some(origin),
        Err(wrong) => {
            check.error(Some(url.span()), field, wrong.to_string(), "write https://HOST:PORT");
            None
        }
    }
}

/// Reads `http://host[:port]` or `https://host[:port]`; a final slash is no path.
fn origin(text: &str) -> Result<Origin, NotAnOrigin> {
    let url: Uri = text.parse().map_err(|_| NotAnOrigin::Shape)?;
    let (transport, usual) = match url.scheme_str() {
        Some("http") => (Transport::Plain, 80),
        Some("https") => (Transport::Tls, 443),
        Some(_) | None => return Err(NotAnOrigin::Shape),
    };
    let authority = url.authority().filter(|authority| !authority.host().is_empty()).ok_or(NotAnOrigin::Shape)?;
    if authority.as_str().contains('@') {
        return Err(NotAnOrigin::User);
    }
    if url.path() != "/" || url.query().is_some() || text.contains('#') {
        return Err(NotAnOrigin::More);
    }
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("") => usual,
        Some(_) | None => authority.port_u16().filter(|port| *port != 0).ok_or(NotAnOrigin::Port)?,
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Ok(Origin { transport, host, port })
}

/// Whether a name or address can only mean this machine (RFC 6761 §6.3).
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
