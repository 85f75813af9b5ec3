//! Listening sockets, for callers and operators alike: addresses, and unix sockets in the file system.
//!
//! Of the two loopback addresses the second may be missing, since not every machine has IPv6; that somebody else has
//! the port there is an error, since half of the requests would go to them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::config::{Address, Place};

mod unix;

pub use unix::UnixSocketListener;

/// Connections that the kernel completes before we accept them: hyper's usual 128 makes a burst wait for seconds.
const BACKLOG: u32 = 4096;
/// Tries to find a port that is free on both loopback addresses.
const PORT_TRIES: usize = 32;

/// Why a listener is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// Where.
    pub address: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl BindError {
    fn at(address: &impl ToString, source: io::Error) -> Self {
        Self { address: address.to_string(), source }
    }
}

/// A bound listener of callers.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixSocketListener),
}

impl Listener {
    /// Where it is, for people.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string()),
            Self::Unix(listener) => format!("unix:{}", listener.path().display()),
        }
    }
}

/// Binds the place of a data listener.
pub fn place(place: &Place) -> Result<Vec<Listener>, BindError> {
    match place {
        Place::Tcp(address) => Ok(listeners(*address)?.into_iter().map(Listener::Tcp).collect()),
        Place::Unix(socket) => Ok(vec![Listener::Unix(unix::bind(socket)?)]),
    }
}

/// Binds an address. Of both loopback addresses the second may be missing: not every machine has IPv6.
pub fn listeners(address: Address) -> Result<Vec<TcpListener>, BindError> {
    match address {
        Address::Ip(address) => Ok(vec![bind_socket(address)?]),
        Address::Localhost { port } => bind_localhost(port),
    }
}

fn bind_localhost(port: u16) -> Result<Vec<TcpListener>, BindError> {
    let v4 = |port| SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port);
    let v6 = |port| SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), port);
    let mut tries = if port == 0 { PORT_TRIES } else { 1 };
    loop {
        let first = bind_socket(v4(port))?;
        let chosen = first.local_addr().map_err(|source| BindError::at(&v4(port), source))?.port();
        match bind_socket(v6(chosen)) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && tries > 1 => tries -= 1,
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => {
                tracing::info!(address = %error.address, cause = %error.source, "no IPv6 loopback: listening on IPv4 alone");
                return Ok(vec![first]);
            }
        }
    }
}

fn bind_socket(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|source| BindError::at(&address, source))
}
