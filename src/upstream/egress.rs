//! The egress proxy: which origins go through it, and the tunnel it opens for them.
//!
//! Only origins in TLS go through a proxy, so it sees a name and ciphertext, never a credential. Loopback origins
//! and plain ones (an emulator or a gateway on this machine) never do. What the proxy answers to CONNECT is never
//! taken for an answer of Vonage.
//!
//! Not here: reading the environment, which only `cli` does. Facts: RFC 9110 §9.3.6; the rules of `NO_PROXY` are
//! those of curl, as hyper-util reads them.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;

use super::error::{ConnectError, SetupError};
use super::resolve::Name;
use super::wire::Socket;
use crate::config::{Origin, Proxy, Transport};
use crate::work::work;

/// What the environment says about proxies. The default says nothing.
#[derive(Clone, Default)]
pub struct ProxyEnvironment {
    /// `HTTPS_PROXY` or `https_proxy`.
    pub https_proxy: Option<String>,
    /// `ALL_PROXY` or `all_proxy`: used when there is no `HTTPS_PROXY`.
    pub all_proxy: Option<String>,
    /// `NO_PROXY` or `no_proxy`.
    pub no_proxy: Option<String>,
}

impl fmt::Debug for ProxyEnvironment {
    /// The URLs may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyEnvironment(hidden)")
    }
}

/// How an origin is reached.
#[derive(Clone)]
pub(super) enum Route {
    /// Straight.
    Direct,
    /// Through a tunnel.
    Tunnel(Arc<Gateway>),
}

/// An egress proxy.
pub(super) struct Gateway {
    /// Where it is.
    pub(super) name: Name,
    authorization: Option<HeaderValue>,
}

/// The port of a proxy whose URL names none.
const PROXY_PORT: u16 = 80;

/// Decides the route of every origin.
pub(super) struct Egress {
    matcher: Option<Matcher>,
}

impl fmt::Debug for Egress {
    /// The URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Egress(hidden)")
    }
}

impl Egress {
    pub(super) fn new(proxy: &Proxy, environment: &ProxyEnvironment) -> Result<Self, SetupError> {
        let (url, no_proxy, origin) = match proxy {
            Proxy::None => return Ok(Self { matcher: None }),
            Proxy::Url(uri) => (uri.to_string(), String::new(), "upstream.proxy"),
            Proxy::Environment => {
                let set = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
                let (url, origin) = match (set(&environment.https_proxy), set(&environment.all_proxy)) {
                    (Some(url), _) => (url, "HTTPS_PROXY"),
                    (None, Some(url)) => (url, "ALL_PROXY"),
                    (None, None) => return Ok(Self { matcher: None }),
                };
                (url, environment.no_proxy.clone().unwrap_or_default(), origin)
            }
        };
        // The matcher skips a URL that it cannot read, and one that does not work must not mean "go straight".
        let any = Uri::from_static("https://any.invalid");
        let readable = Matcher::builder().https(url.clone()).build().intercept(&any);
        match readable.as_ref().and_then(|intercept| intercept.uri().scheme_str()) {
            Some("http") => Ok(Self { matcher: Some(Matcher::builder().https(url).no(no_proxy).build()) }),
            Some(_) | None => Err(SetupError::Proxy { origin }),
        }
    }

    pub(super) fn route(&self, origin: &Origin) -> Route {
        if origin.transport == Transport::Plain || is_loopback(&origin.host) {
            return Route::Direct;
        }
        let intercept = self.matcher.as_ref().and_then(|matcher| matcher.intercept(&url(origin)?));
        intercept.as_ref().and_then(gateway).map_or(Route::Direct, |gateway| Route::Tunnel(Arc::new(gateway)))
    }
}

fn url(origin: &Origin) -> Option<Uri> {
    let host = bracketed(&origin.host);
    Uri::builder().scheme("https").authority(host).path_and_query("/").build().ok()
}

fn gateway(intercept: &Intercept) -> Option<Gateway> {
    let host = intercept.uri().host()?.trim_start_matches('[').trim_end_matches(']');
    let port = intercept.uri().port_u16().unwrap_or(PROXY_PORT);
    Some(Gateway { name: Name::new(host, port), authorization: intercept.basic_auth().cloned() })
}

/// Whether a name or address is this machine.
fn is_loopback(host: &str) -> bool {
    host.parse::<IpAddr>().map_or_else(|_| host == "localhost" || host.ends_with(".localhost"), |ip| ip.is_loopback())
}

/// A host as it stands before a port.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl Gateway {
    /// Asks for a tunnel to `host` on a socket that is connected to the proxy.
    pub(super) async fn tunnel(&self, socket: Socket, host: &str, port: u16) -> Result<Socket, ConnectError> {
        let broken = |error| ConnectError::ProxyBroken(Arc::new(io::Error::other(error)));
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
        // It ends with the upgrade, or when `sender` is dropped.
        let connection = connection.with_upgrades();
        let _task = tokio::spawn(work(async move { drop(connection.await) }));
        let response = sender.send_request(self.connect(host, port)).await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(ConnectError::ProxyAuthentication),
            status => return Err(ConnectError::ProxyStatus(status)),
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
        match upgraded.downcast::<TokioIo<Socket>>() {
            // In TLS the client speaks first: bytes that are there already did not come through the tunnel.
            Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io.into_inner()),
            Ok(_) | Err(_) => Err(ConnectError::ProxyBroken(Arc::new(io::Error::other("it spoke into the tunnel")))),
        }
    }

    fn connect(&self, host: &str, port: u16) -> Request<Empty<Bytes>> {
        let authority = format!("{}:{port}", bracketed(host));
        let mut request = Request::new(Empty::new());
        *request.method_mut() = http::Method::CONNECT;
        if let Ok(value) = HeaderValue::from_str(&authority) {
            request.headers_mut().insert(HOST, value);
        }
        if let Ok(uri) = Uri::try_from(authority) {
            *request.uri_mut() = uri;
        }
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value.clone());
        }
        request
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("host", &self.name.host).field("port", &self.name.port).finish_non_exhaustive()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("Direct"),
            Self::Tunnel(gateway) => gateway.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_tunnelled(no_proxy: &str, host: &str) -> bool {
        let text = |value: &str| Some(value.to_owned());
        let environment = ProxyEnvironment { all_proxy: text("proxy.internal"), no_proxy: text(no_proxy), ..ProxyEnvironment::default() };
        let origin = Origin { transport: Transport::Tls, host: host.to_owned(), port: 443 };
        match Egress::new(&Proxy::Environment, &environment).unwrap().route(&origin) {
            Route::Tunnel(gateway) => {
                assert_eq!((&*gateway.name.host, gateway.name.port), ("proxy.internal", PROXY_PORT));
                true
            }
            Route::Direct => false,
        }
    }

    #[test]
    fn no_proxy_names_what_is_reached_straight() {
        assert!(is_tunnelled("", "api.nexmo.com"));
        assert!(is_tunnelled("vonage.com, 10.0.0.0/8", "api.nexmo.com"));
        assert!(!is_tunnelled("vonage.com, nexmo.com", "api.nexmo.com"));
        assert!(!is_tunnelled("*", "api.nexmo.com"));
        assert!(!is_tunnelled("10.0.0.0/8", "10.1.2.3"));
    }

    #[test]
    fn this_machine_is_always_reached_straight() {
        for host in ["localhost", "emulator.localhost", "127.0.0.1", "127.8.0.1", "::1"] {
            assert!(!is_tunnelled("", host), "{host}");
        }
        assert!(is_tunnelled("", "localhost.example.com"));
    }

    #[test]
    fn https_proxy_is_asked_before_all_proxy_and_empty_values_are_none() {
        let environment = ProxyEnvironment {
            https_proxy: Some("http://first:3128".to_owned()),
            all_proxy: Some("http://second".to_owned()),
            no_proxy: None,
        };
        let origin = Origin { transport: Transport::Tls, host: "api.nexmo.com".to_owned(), port: 443 };
        let route = Egress::new(&Proxy::Environment, &environment).unwrap().route(&origin);
        assert!(matches!(route, Route::Tunnel(gateway) if &*gateway.name.host == "first" && gateway.name.port == 3128));
        let empty = ProxyEnvironment { https_proxy: Some(" ".to_owned()), ..ProxyEnvironment::default() };
        assert!(matches!(Egress::new(&Proxy::Environment, &empty).unwrap().route(&origin), Route::Direct));
    }
}
