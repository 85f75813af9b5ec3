//! A name and its addresses. The last ones known are used when the resolver fails or is slow, so that an outage of
//! DNS does not become one of ours.
//!
//! Every connect asks again, so a change is noticed with the next connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::clock;

/// How long addresses may be used after the resolver last confirmed them.
const KNOWN: Duration = Duration::from_secs(10 * 60);

/// A name or address with a port.
#[derive(Debug)]
pub(super) struct Name {
    /// Without brackets.
    pub(super) host: Arc<str>,
    pub(super) port: u16,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Name {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: Arc::from(host), port, known: Mutex::new(None) }
    }

    /// Its addresses; those known before when the resolver fails, or has not answered after `patience`.
    pub(super) async fn addresses(&self, patience: Duration) -> io::Result<Vec<SocketAddr>> {
        let lookup = async { lookup_host((&*self.host, self.port)).await.map(Iterator::collect) };
        self.addresses_from(lookup, patience).await
    }

    async fn addresses_from(
        &self,
        lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
        patience: Duration,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut lookup = std::pin::pin!(lookup);
        let found = match timeout(patience, &mut lookup).await {
            Ok(found) => found,
            Err(_) => match self.known(clock::now()) {
                Some(addresses) => return Ok(addresses),
                None => lookup.await,
            },
        };
        match found {
            Ok(addresses) if !addresses.is_empty() => {
                self.learn(&addresses, clock::now());
                Ok(addresses)
            }
            Ok(_) => self.known(clock::now()).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
            Err(error) => self.known(clock::now()).ok_or(error),
        }
    }

    fn learn(&self, addresses: &[SocketAddr], at: Instant) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known { addresses: addresses.to_vec(), at });
    }

    fn known(&self, now: Instant) -> Option<Vec<SocketAddr>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| now.saturating_duration_since(known.at) < KNOWN).map(|known| known.addresses.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: Duration = Duration::from_secs(10);

    async fn answered(name: &Name, answer: io::Result<Vec<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
        name.addresses_from(std::future::ready(answer), PATIENT).await
    }

    fn failed() -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("the resolver is down"))
    }

    #[tokio::test]
    async fn addresses_known_before_bridge_a_failing_or_slow_resolver() {
        let name = Name::new("api.nexmo.com", 443);
        let (one, other) = (vec!["192.0.2.1:443".parse().unwrap()], vec!["192.0.2.2:443".parse().unwrap()]);
        assert!(answered(&name, failed()).await.is_err());
        assert!(answered(&name, Ok(Vec::new())).await.is_err());
        assert_eq!(answered(&name, Ok(one.clone())).await.unwrap(), one);
        assert_eq!(answered(&name, failed()).await.unwrap(), one);
        assert_eq!(answered(&name, Ok(Vec::new())).await.unwrap(), one);
        assert_eq!(name.addresses_from(std::future::pending(), Duration::ZERO).await.unwrap(), one);
        assert_eq!(answered(&name, Ok(other.clone())).await.unwrap(), other, "what the resolver says now counts");
    }

    #[test]
    fn known_addresses_are_forgotten_in_time() {
        let name = Name::new("api.nexmo.com", 443);
        let now = clock::now();
        name.learn(&["192.0.2.1:443".parse().unwrap()], now);
        assert!(name.known(now + KNOWN.checked_sub(Duration::from_secs(1)).unwrap()).is_some());
        assert!(name.known(now + KNOWN).is_none());
    }
}
