//! A socket to somebody who is not the provider, for a tunnel of a caller: no TLS of ours, no credential, no pool.
//!
//! It leaves by the egress proxy where that is set, as everything else does. Where a name leads is asked once, and
//! only addresses that may be reached are connected to, so a name cannot lead elsewhere between look and use.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Upstream;
use super::egress::Route;
use super::error::ConnectError;
use super::resolve::Name;
use crate::config::{Origin, Transport};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The name leads only to addresses that may not be reached.
    #[error("the name leads to an address that may not be reached")]
    Forbidden,
    /// There is no way.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl Upstream {
    /// A socket to a name or address and port. An egress proxy resolves names by itself; it is not ours to say where
    /// they lead from there, but an address leads to itself.
    pub async fn join(
        &self,
        host: &str,
        port: u16,
        may_be: &(dyn Fn(IpAddr) -> bool + Sync),
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, JoinError> {
        if host.parse().is_ok_and(|address| !may_be(address)) {
            return Err(JoinError::Forbidden);
        }
        let origin = Origin { transport: Transport::Tls, host: host.to_owned(), port };
        let dialer = &self.dialer;
        let joining = async {
            match self.egress.route(&origin) {
                Route::Direct => {
                    let found = dialer.addresses(&Name::new(host, port)).await?;
                    let may: Vec<_> = found.into_iter().filter(|address| may_be(address.ip())).collect();
                    if may.is_empty() { Err(JoinError::Forbidden) } else { Ok(dialer.connected(may).await?) }
                }
                Route::Tunnel(gateway) => Ok(dialer.through(&gateway, host, port).await?),
            }
        };
        timeout(dialer.patience(), joining).await.unwrap_or(Err(JoinError::Connect(ConnectError::Timeout)))
    }
}
