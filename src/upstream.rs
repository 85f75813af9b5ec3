//! The way to Vonage: TLS, connections, HTTP/1.1 and HTTP/2, the egress proxy. Sends only an [`Outgoing`].
//!
//! [`Outgoing`]: outgoing::Outgoing

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;

use crate::config;
use crate::vonage::hosts::Host;

pub mod body;
pub mod outgoing;

/// Connections to all Vonage hosts.
#[derive(Debug)]
pub struct Upstream {}

/// Why there is no connection. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took longer than allowed.
    #[error("connecting took too long")]
    Timeout,
}

/// Why there is no answer to a request that was begun.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer provably processed nothing: no byte was written, or it refused the stream, or it said goodbye below it.
    #[error("the peer processed nothing")]
    NotProcessed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A reused connection closed before the first byte of an answer.
    #[error("a reused connection closed before an answer")]
    ClosedBeforeAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The head of the answer did not come in time.
    #[error("no answer in time")]
    Timeout,
    /// Anything else: what the peer did is not known.
    #[error("the exchange failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A connection checked out for one request.
#[derive(Debug)]
pub struct Connection {}

impl Upstream {
    /// Reads roots and proxy settings.
    pub fn new(settings: &config::Upstream, timeouts: &config::Timeouts) -> Result<Arc<Self>, std::io::Error> {
        let _ = (settings, timeouts);
        Ok(Arc::new(Self {}))
    }

    /// A connection to `host`, pooled or new.
    pub async fn connection(self: &Arc<Self>, host: Host) -> Result<Connection, ConnectError> {
        let _ = host;
        Err(ConnectError::Timeout)
    }
}

impl Connection {
    /// Sends one request and waits for the head of its answer.
    pub async fn send(self, outgoing: outgoing::Outgoing) -> Result<Response<Incoming>, SendError> {
        let _ = outgoing;
        Err(SendError::Timeout)
    }
}
