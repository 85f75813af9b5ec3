//! From a name to a wire that HTTP can be spoken on: addresses, a socket, a tunnel, TLS and the protocol agreed on.
//!
//! Addresses of both families race (RFC 8305 in its simple form: the next one starts when the one before failed or
//! took 250 ms), so a broken IPv6 costs a quarter of a second and not a timeout.
//!
//! Not here: when to connect (`pool`, `origin`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::egress::{Gateway, Route};
use super::error::{ConnectError, SetupError};
use super::resolve::Name;
use super::tls;
use super::wire::{Socket, Wire};
use crate::config::{self, Origin, Transport};

/// How long an address may take before the next one starts beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The protocol agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Where to connect to.
#[derive(Debug)]
pub(super) struct Target {
    name: Name,
    /// None: in the clear.
    server_name: Option<ServerName<'static>>,
    route: Route,
}

impl Target {
    pub(super) fn new(origin: &Origin, route: Route) -> Result<Self, SetupError> {
        let server_name = match origin.transport {
            Transport::Plain => None,
            Transport::Tls => {
                let name = ServerName::try_from(origin.host.clone());
                Some(name.map_err(|_| SetupError::OriginName { name: origin.host.clone() })?)
            }
        };
        Ok(Self { name: Name::new(&origin.host, origin.port), server_name, route })
    }
}

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dialer {
    tls: Arc<rustls::ClientConfig>,
    connect: Duration,
    handshake: Duration,
}

impl Dialer {
    pub(super) fn new(tls: Arc<rustls::ClientConfig>, timeouts: &config::Timeouts) -> Self {
        Self { tls, connect: timeouts.connect, handshake: timeouts.handshake }
    }

    /// A wire to `target`, within the limits of time.
    pub(super) async fn dial(&self, target: &Target) -> Result<(Wire, Protocol), ConnectError> {
        timeout(self.handshake, self.unlimited(target)).await.unwrap_or(Err(ConnectError::TlsTimeout))
    }

    async fn unlimited(&self, target: &Target) -> Result<(Wire, Protocol), ConnectError> {
        let socket = match &target.route {
            Route::Direct => self.socket(&target.name).await?,
            Route::Tunnel(gateway) => self.tunnel(gateway, target).await?,
        };
        let Some(name) = &target.server_name else { return Ok((Wire::Plain(socket), Protocol::Http1)) };
        let connecting = TlsConnector::from(Arc::clone(&self.tls)).connect(name.clone(), socket);
        let stream = connecting.await.map_err(|error| ConnectError::Tls { reason: tls::reason(&error), source: Arc::new(error) })?;
        let protocol = if stream.get_ref().1.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
        Ok((Wire::Tls(Box::new(stream)), protocol))
    }

    async fn tunnel(&self, gateway: &Gateway, target: &Target) -> Result<Socket, ConnectError> {
        self.through(gateway, &target.name.host, target.name.port).await
    }

    /// A tunnel through an egress proxy.
    pub(super) async fn through(&self, gateway: &Gateway, host: &str, port: u16) -> Result<Socket, ConnectError> {
        let socket = self.socket(&gateway.name).await;
        let socket = socket.map_err(|error| ConnectError::ProxyUnreachable(Arc::new(error)))?;
        gateway.tunnel(socket, host, port).await
    }

    async fn socket(&self, name: &Name) -> Result<Socket, ConnectError> {
        let connecting = async { self.connected(self.addresses(name).await?).await };
        timeout(self.connect, connecting).await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// Half of the time is for the resolver, if there are addresses to go on with.
    pub(super) async fn addresses(&self, name: &Name) -> Result<Vec<SocketAddr>, ConnectError> {
        let unknown = |source| ConnectError::Dns { name: Arc::clone(&name.host), source: Arc::new(source) };
        name.addresses(self.connect / 2).await.map_err(unknown)
    }

    /// A socket to the first of these that connects.
    pub(super) async fn connected(&self, addresses: Vec<SocketAddr>) -> Result<Socket, ConnectError> {
        let stream = race(alternate(addresses)).await.map_err(refused_or_unreachable)?;
        // Requests are written whole: waiting for more to send would only add delay.
        stream.set_nodelay(true).map_err(refused_or_unreachable)?;
        Ok(Socket::new(stream))
    }

    /// For everything until a peer can be spoken to.
    pub(super) fn patience(&self) -> Duration {
        self.handshake
    }
}

fn refused_or_unreachable(error: io::Error) -> ConnectError {
    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
    let error = Arc::new(error);
    if refused { ConnectError::Refused(error) } else { ConnectError::Unreachable(error) }
}

/// Addresses of both families in turn, beginning with the family that the resolver put first.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return ordered;
        }
        ordered.extend(one);
        ordered.extend(other);
    }
}

/// The first address that connects; the error of the last one that failed when none does.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match waiting.next() {
            Some(address) => drop(attempts.spawn(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let patience = if waiting.len() == 0 { Duration::MAX } else { HEAD_START };
        match timeout(patience, attempts.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(lost))) => failure = io::Error::other(lost),
            // Nobody has failed yet: the next one starts beside them.
            Ok(None) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_in_the_resolvers_order() {
        let found = addresses(&["[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:1", "127.0.0.1:2"]);
        assert_eq!(alternate(found), addresses(&["[::1]:1", "127.0.0.1:1", "[::1]:2", "127.0.0.1:2", "[::1]:3"]));
        assert_eq!(alternate(addresses(&["127.0.0.1:1", "[::1]:1"])), addresses(&["127.0.0.1:1", "[::1]:1"]));
        assert_eq!(alternate(Vec::new()), Vec::new());
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = open.local_addr().unwrap();
        assert_eq!(race(vec![closed, address]).await.unwrap().peer_addr().unwrap(), address);
        assert_eq!(race(vec![closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(Vec::new()).await.is_err());
    }
}
