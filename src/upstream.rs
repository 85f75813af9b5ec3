//! The way to Vonage: TLS, connections, HTTP/1.1 and HTTP/2, the egress proxy. Sends only an [`Outgoing`].
//!
//! A connection is taken first and a request sent on it second, because what may be done after a failure depends on
//! where it happened: before anything was written ([`ConnectError`]) or after ([`SendError`]). Nothing is ever sent
//! twice in here; errors say what is proven, and the caller of this room decides.
//!
//! Credentials stay bound to their host: a request goes only over a connection of the host it was made for.
//!
//! [`Outgoing`]: outgoing::Outgoing

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;

use crate::config::{self, Http2, Transport};
use crate::vonage::hosts::Host;
use received::Received;

pub mod body;
mod connect;
mod egress;
mod error;
mod figures;
pub mod hook;
mod http1;
mod http2;
mod join;
mod origin;
pub mod outgoing;
mod places;
mod pool;
pub mod received;
mod resolve;
mod tls;
mod wire;

pub use connect::Protocol;
pub use egress::ProxyEnvironment;
pub use error::{ConnectError, SendError, SetupError, TlsReason, UnsolicitedUpgrade};
pub use figures::{Figures, Opened};
pub use join::JoinError;
pub use tls::reason as tls_reason;

/// The port of Vonage.
const HTTPS: u16 = 443;

/// Connections to all Vonage hosts.
#[derive(Debug)]
pub struct Upstream {
    origins: BTreeMap<Host, Arc<origin::Origin>>,
    dialer: Arc<connect::Dialer>,
    egress: egress::Egress,
}

/// Whether a connection has carried a request before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// This request is its first.
    Fresh,
    /// It was given others before.
    Reused,
}

/// A connection checked out for one request. Dropped unused, it is not given back.
#[derive(Debug)]
pub struct Connection {
    origin: Arc<origin::Origin>,
    reuse: Reuse,
    carrier: Carrier,
}

#[derive(Debug)]
enum Carrier {
    Single(http1::Link),
    Shared(http2::Link, Option<http2::Stream>),
}

/// Holds the place of a request among those under way on its connection; see [`Connection::in_flight`].
#[derive(Debug)]
pub struct InFlight {
    _stream: Option<http2::Stream>,
}

/// A request was about to go over a connection of another host.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a request for {0} was given to a connection of {1}")]
struct OtherHost(Host, Host);

/// TLS as it is used to the provider, for those of our own that are asked over HTTP/1.1.
pub fn client_tls(settings: &config::Upstream) -> Result<Arc<rustls::ClientConfig>, SetupError> {
    tls::configuration(settings.ca_file.as_deref(), Http2::Off)
}

impl Upstream {
    /// Reads roots, proxy settings and replaced hosts. Connects to nobody.
    pub fn new(settings: &config::Upstream, timeouts: &config::Timeouts, environment: &ProxyEnvironment) -> Result<Arc<Self>, SetupError> {
        let tls = tls::configuration(settings.ca_file.as_deref(), settings.http2)?;
        let egress = egress::Egress::new(&settings.proxy, environment)?;
        let dialer = Arc::new(connect::Dialer::new(tls, timeouts));
        let mut origins = BTreeMap::new();
        for host in Host::all() {
            let vonage = || config::Origin { transport: Transport::Tls, host: host.name().to_owned(), port: HTTPS };
            let place = settings.hosts.get(&host).cloned().unwrap_or_else(vonage);
            let target = connect::Target::new(&place, egress.route(&place))?;
            let speaks = match (place.transport, settings.http2) {
                (Transport::Tls, Http2::Offered) => pool::Speaks::Unknown,
                (Transport::Tls, Http2::Off) | (Transport::Plain, _) => pool::Speaks::Http1,
            };
            let origin = origin::Origin::new(host, target, speaks, Arc::clone(&dialer), timeouts.answer_head);
            origins.insert(host, Arc::new(origin));
        }
        Ok(Arc::new(Self { origins, dialer, egress }))
    }

    /// A connection to `host`, pooled or new.
    pub async fn connection(&self, host: Host) -> Result<Connection, ConnectError> {
        self.origin(host)?.any().await
    }

    /// A connection to `host` that was opened after this call, for the one resend after
    /// [`SendError::NotProcessed`] or [`SendError::ClosedBeforeAnswer`]. Several that ask together may share one.
    pub async fn fresh(&self, host: Host) -> Result<Connection, ConnectError> {
        self.origin(host)?.fresh().await
    }

    /// What has been counted, for every host that was connected to.
    pub fn figures(&self) -> Vec<Figures> {
        let touched = |figures: &Figures| figures.http1.opened > 0 || figures.http2.opened > 0 || !figures.failures.is_empty();
        self.origins.values().map(|origin| origin.figures()).filter(touched).collect()
    }

    fn origin(&self, host: Host) -> Result<&Arc<origin::Origin>, ConnectError> {
        // There is one for every host that can exist.
        self.origins.get(&host).ok_or(ConnectError::Unstable)
    }
}

impl Connection {
    /// Whether it has carried a request before.
    pub fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        match self.carrier {
            Carrier::Single(_) => Protocol::Http1,
            Carrier::Shared(..) => Protocol::Http2,
        }
    }

    /// The place of the request among those under way. Hold it until the body of the answer has been read: as long
    /// as it lives the stream counts against the peer's limit, and another connection is opened in time. Without it
    /// the stream counts until the head of the answer is there.
    #[must_use = "dropping it at once is worse than not asking for it"]
    pub fn in_flight(&mut self) -> InFlight {
        match &mut self.carrier {
            Carrier::Single(_) => InFlight { _stream: None },
            Carrier::Shared(_, stream) => InFlight { _stream: stream.take() },
        }
    }

    /// Sends one request and waits for the head of its answer, at most `timeouts.answer_head`; where no stream is free it
    /// waits for one before, as long at most. A dropped future
    /// closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
    pub async fn send(self, outgoing: outgoing::Outgoing) -> Result<Response<Received>, SendError> {
        let Self { origin, reuse, carrier } = self;
        if outgoing.host() != origin.host() {
            return Err(SendError::Failed(Box::new(OtherHost(outgoing.host(), origin.host()))));
        }
        match carrier {
            Carrier::Single(link) => Box::pin(origin.send_single(link, outgoing)).await,
            Carrier::Shared(link, stream) => {
                let answer = origin.send_shared(link, reuse, outgoing).await;
                drop(stream);
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests;
