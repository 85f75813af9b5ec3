//! What a `CONNECT` opens: a host of the provider, another one, or nothing. Pure.
//!
//! Invariants: a host of the provider is never joined undecrypted, since its credentials would be the caller's; any
//! other one is joined only if the settings list it; a name that is not listed by itself never leads to this machine (its
//! own addresses are known to `listen::own`).
//!
//! Facts: RFC 9110 §9.3.6 (CONNECT has a target in authority form and no body), §11.7 (`Proxy-Authorization`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::entrance::Vouched;
use super::fault::Fault;
use super::token::{self, Presence};
use crate::config::{Destination, Names, Tunnel};
use crate::secret::AccessToken;
use crate::vonage::hosts::Host;

/// The port of the provider, and of what is joined without being listed.
const HTTPS: u16 = 443;
/// How a request of this kind begins.
const METHOD: &[u8] = b"CONNECT ";

/// What the first bytes of a connection are.
#[derive(Debug)]
pub enum Beginning {
    /// Not a `CONNECT`.
    Other,
    /// Not enough to say.
    Unclear,
    /// A head that is no head.
    Malformed,
    /// A whole `CONNECT`; the bytes behind its head belong to what it opens.
    Connect(Request),
}

/// A `CONNECT`.
#[derive(Debug)]
pub struct Request {
    /// How long its head is.
    pub length: usize,
    target: String,
    authorizations: Vec<http::HeaderValue>,
}

/// What it opens.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// A host of the provider, served by us.
    Vonage(Host, Vouched),
    /// Another one, joined byte for byte.
    Tunnel {
        /// Its name or address, without brackets.
        host: String,
        /// Its port.
        port: u16,
        /// Where the name may lead.
        reach: Reach,
    },
}

/// Where a name may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the settings list this very name.
    Anywhere,
    /// Not to this machine or its link, where other services trust whoever reaches them.
    Elsewhere,
}

/// Looks at the first bytes of a connection.
pub fn begins(bytes: &[u8]) -> Beginning {
    if !bytes.starts_with(METHOD) {
        return if METHOD.starts_with(bytes) { Beginning::Unclear } else { Beginning::Other };
    }
    let mut headers = [httparse::EMPTY_HEADER; super::guard::MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Beginning::Unclear,
        Err(_) => return Beginning::Malformed,
    };
    let (Some(target), Some(_)) = (head.path, head.version) else { return Beginning::Malformed };
    let value = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case("proxy-authorization");
    let authorizations = head.headers.iter().filter(value).filter_map(|header| http::HeaderValue::from_bytes(header.value).ok()).collect();
    Beginning::Connect(Request { length, target: target.to_owned(), authorizations })
}

/// Decides what a `CONNECT` opens on a listener with these tokens.
pub fn opens(request: &Request, tunnel: &Tunnel, tokens: &[AccessToken]) -> Result<Opening, Fault> {
    let (host, port) = authority(&request.target).ok_or(Fault::Target)?;
    let presence = token::of_values(request.authorizations.iter(), tokens);
    if presence == Presence::Wrong {
        return Err(Fault::ProxyToken);
    }
    if let Some(host) = Host::named(&host) {
        let vouched = if presence == Presence::Good { Vouched::Yes } else { Vouched::No };
        return if port == HTTPS { Ok(Opening::Vonage(host, vouched)) } else { Err(Fault::TunnelRefused) };
    }
    let reach = reach(&host, port, tunnel).ok_or(Fault::TunnelRefused)?;
    if presence == Presence::Absent {
        return Err(Fault::ProxyToken);
    }
    if reach == Reach::Elsewhere && is_here_by_name(&host) {
        return Err(Fault::TunnelAddress);
    }
    Ok(Opening::Tunnel { host, port, reach })
}

/// `host:port`, the host in lower case and without brackets.
fn authority(target: &str) -> Option<(String, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').filter(|address| address.parse::<Ipv6Addr>().is_ok())?,
        None => Some(host).filter(|host| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')))?,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    (!host.is_empty()).then_some((host, port))
}

fn reach(host: &str, port: u16, tunnel: &Tunnel) -> Option<Reach> {
    let listed = match tunnel {
        Tunnel::Closed => return None,
        Tunnel::Any => return (port == HTTPS).then_some(Reach::Elsewhere),
        Tunnel::Listed(listed) => listed,
    };
    let of = |destination: &Destination| match &destination.names {
        Names::Exactly(name) if name == host => Some(Reach::Anywhere),
        Names::Below(parent) if host.strip_suffix(parent.as_str()).is_some_and(|label| label.len() > 1 && label.ends_with('.')) => {
            Some(Reach::Elsewhere)
        }
        Names::Exactly(_) | Names::Below(_) => None,
    };
    let mut reaches = listed.iter().filter(|destination| destination.port == port).filter_map(of);
    let first = reaches.next()?;
    Some(if first == Reach::Anywhere || reaches.any(|other| other == Reach::Anywhere) { Reach::Anywhere } else { Reach::Elsewhere })
}

fn is_here_by_name(host: &str) -> bool {
    host.parse().map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), is_here)
}

/// Whether an address is this machine or its link by its form, where cloud metadata and other services trust their
/// neighbours. Addresses that interfaces of this machine were given are not told by their form.
pub fn is_here(address: IpAddr) -> bool {
    match meant(address) {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_link_local() || address.is_broadcast() || address.is_multicast() || address.octets()[0] == 0
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local() || address.is_multicast()
        }
    }
}

/// The address of IPv4 that one of IPv6 stands for, if it does: mapped and compatible ones (RFC 4291 §2.5.5), of a
/// translator (RFC 6052 §2.1), of 6to4 (RFC 3056 §2).
pub fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(native) = address.to_canonical() else { return address.to_canonical() };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match native.segments() {
        // No address of IPv4 begins with 0, so `::` and `::1` are what they are.
        [0, 0, 0, 0, 0, 0, high @ 0x100..=0xffff, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        _native => IpAddr::V6(native),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str) -> Request {
        match begins(head.as_bytes()) {
            Beginning::Connect(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn opened(target: &str, tunnel: &Tunnel) -> Result<Opening, &'static str> {
        opens(&request(&format!("CONNECT {target} HTTP/1.1\r\n\r\n")), tunnel, &[]).map_err(|fault| fault.description().code)
    }

    fn listed(names: Names, port: u16) -> Tunnel {
        Tunnel::Listed(vec![Destination { names, port }])
    }

    #[test]
    fn a_connect_is_known_by_its_first_bytes_however_they_come() {
        let head = b"CONNECT api.nexmo.com:443 HTTP/1.1\r\nHost: api.nexmo.com\r\n\r\nTLS";
        for end in 0..head.len() - 3 {
            assert!(matches!(begins(&head[..end]), Beginning::Unclear), "{end}");
        }
        assert_eq!(request(std::str::from_utf8(head).unwrap()).length, head.len() - 3);
        for other in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"CONNECTX", b"connect ", b"\x16\x03"] {
            assert!(matches!(begins(other), Beginning::Other), "{other:?}");
        }
        for bad in [&b"CONNECT \x00 HTTP/1.1\r\n\r\n"[..], b"CONNECT a:1 HTTP/3.9\r\n\r\n"] {
            assert!(matches!(begins(bad), Beginning::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_host_of_the_provider_is_served_and_never_joined() {
        for tunnel in [Tunnel::Closed, Tunnel::Any, listed(Names::Below("nexmo.com".to_owned()), 443)] {
            assert_eq!(opened("API.nexmo.com:443", &tunnel), Ok(Opening::Vonage(Host::API, Vouched::No)));
            assert_eq!(opened("api.nexmo.com.:443", &tunnel), Ok(Opening::Vonage(Host::API, Vouched::No)));
            assert_eq!(opened("api.nexmo.com:80", &tunnel), Err("tunnel_refused"));
        }
    }

    #[test]
    fn others_are_joined_only_as_the_settings_list_them() {
        assert_eq!(opened("example.com:443", &Tunnel::Closed), Err("tunnel_refused"));
        let joined = |host: &str, port, reach| Ok(Opening::Tunnel { host: host.to_owned(), port, reach });
        assert_eq!(opened("example.com:443", &Tunnel::Any), joined("example.com", 443, Reach::Elsewhere));
        assert_eq!(opened("example.com:25", &Tunnel::Any), Err("tunnel_refused"));
        let below = listed(Names::Below("example.com".to_owned()), 443);
        assert_eq!(opened("a.b.Example.com:443", &below), joined("a.b.example.com", 443, Reach::Elsewhere));
        for other in ["example.com:443", "notexample.com:443", ".example.com:443", "a.example.com:444", "a.example.com.evil.org:443"] {
            assert_eq!(opened(other, &below), Err("tunnel_refused"), "{other}");
        }
        let this = listed(Names::Exactly("127.0.0.1".to_owned()), 9000);
        assert_eq!(opened("127.0.0.1:9000", &this), joined("127.0.0.1", 9000, Reach::Anywhere));
    }

    #[test]
    fn this_machine_is_reached_only_by_a_name_that_is_listed() {
        for here in [
            "localhost:443",
            "x.localhost:443",
            "127.0.0.1:443",
            "169.254.169.254:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "0.0.0.0:443",
            "[::]:443",
            "[fe80::1]:443",
            "[::127.0.0.1]:443",
            "[64:ff9b::169.254.169.254]:443",
            "[2002:7f00:1::]:443",
        ] {
            assert_eq!(opened(here, &Tunnel::Any), Err("tunnel_address"), "{here}");
        }
        for malformed in ["example.com", "example.com:0", "example.com:x", ":443", "[::1:443", "user@example.com:443", "[example.com]:443"]
        {
            assert_eq!(opened(malformed, &Tunnel::Any), Err("target_malformed"), "{malformed}");
        }
    }

    #[test]
    fn a_tunnel_needs_the_token_and_a_served_host_may_get_it_inside() {
        let tokens = [AccessToken::parse("a-token-of-16-bytes").unwrap()];
        let asked = |target: &str, header: &str| {
            let request = request(&format!("CONNECT {target}:443 HTTP/1.1\r\n{header}\r\n"));
            opens(&request, &Tunnel::Any, &tokens).map_err(|fault| fault.description().code)
        };
        let good = "Proxy-Authorization: Bearer a-token-of-16-bytes\r\n";
        assert_eq!(asked("api.nexmo.com", ""), Ok(Opening::Vonage(Host::API, Vouched::No)));
        assert_eq!(asked("api.nexmo.com", good), Ok(Opening::Vonage(Host::API, Vouched::Yes)));
        assert_eq!(asked("api.nexmo.com", "Proxy-Authorization: Bearer another\r\n"), Err("proxy_token"));
        assert_eq!(asked("example.com", ""), Err("proxy_token"));
        assert!(asked("example.com", good).is_ok());
    }
}
