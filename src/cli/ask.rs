//! Asks a running sidecar something on its admin listener.
//!
//! Only this machine is asked, and never through a proxy: the answer shows what is held. What does not answer as an
//! admin listener does is not read: a listener for apps hands on what Vonage says.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::locate::Location;
use super::report::Failure;
use crate::admin::guard::ADMIN_HEADER;
use crate::config::Address;

/// For the whole exchange: a sidecar on this machine that needs longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer: a thousand accounts with room to spare.
const LONGEST: usize = 16 << 20;

/// Which sidecar.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Sidecar {
    /// Its admin address [default: the one in the settings]
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<Target>,
    #[command(flatten)]
    location: Location,
}

/// An admin address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// In the order in which to try them.
    sockets: Vec<SocketAddr>,
    /// As it is asked for.
    name: String,
}

/// Why an address is none.
#[derive(Debug, thiserror::Error)]
#[error("expected localhost:PORT or an IP address with a port, such as 127.0.0.1:9787")]
pub(super) struct NoTarget;

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        match text.strip_prefix("localhost:") {
            Some(port) => port.parse().map(|port| Self::of(Address::Localhost { port })).map_err(|_| NoTarget),
            None => text.parse().map(|address| Self::of(Address::Ip(address))).map_err(|_| NoTarget),
        }
    }
}

impl Target {
    /// The way to a listener at this address.
    fn of(address: Address) -> Self {
        let sockets: Vec<SocketAddr> = address.sockets().into_iter().map(reachable).collect();
        let name = match address {
            Address::Localhost { port } => format!("localhost:{port}"),
            Address::Ip(address) => reachable(address).to_string(),
        };
        Self { sockets, name }
    }
}

/// What is bound everywhere is asked on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    }
}

/// What it said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Answer {
    /// The words of a problem document, if that is what it is.
    pub(super) fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What the admin listener says when it does not do what was asked.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) detail: String,
    pub(super) remedy: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("nothing answers at {0}")]
    Connect(SocketAddr, #[source] std::io::Error),
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    #[error("the answer broke off")]
    Http(#[source] hyper::Error),
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it is no admin listener (it answers {0}): a listener for apps passes on to Vonage what it is asked")]
    Another(StatusCode),
}

impl AskError {
    fn hint(&self) -> &'static str {
        match self {
            Self::Another(_) => {
                "--admin HOST:PORT is the address of [admin] in the settings of the sidecar, localhost:9787 if they name none"
            }
            Self::Connect(..) | Self::TooSlow | Self::Http(_) | Self::Body(_) => {
                "is it running, and is this its admin address? --admin HOST:PORT names another one"
            }
        }
    }
}

impl Sidecar {
    /// Asks for a path.
    pub(super) fn get(&self, path: &'static str) -> Result<Answer, Failure> {
        let target = match &self.admin {
            Some(target) => target.clone(),
            None => Target::of(self.location.settings()?.settings.admin.address),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::could_not_run("the runtime cannot start").caused_by(&error))?;
        let patiently = async { tokio::time::timeout(PATIENCE, exchange(&target, path)).await.unwrap_or(Err(AskError::TooSlow)) };
        runtime.block_on(patiently).map_err(|error| {
            Failure::could_not_run(format!("the sidecar at {} cannot be asked", target.name)).caused_by(&error).hint(error.hint())
        })
    }
}

async fn exchange(target: &Target, path: &'static str) -> Result<Answer, AskError> {
    let stream = connect(&target.sockets).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(AskError::Http)?;
    let request = Request::get(path).header(header::HOST, &target.name).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| AskError::Body(error.into()))?;
    let answered = async {
        let (head, body) = sender.send_request(request).await.map_err(AskError::Http)?.into_parts();
        if !head.headers.contains_key(ADMIN_HEADER) {
            return Err(AskError::Another(head.status));
        }
        let body = Limited::new(body, LONGEST).collect().await.map_err(AskError::Body)?;
        Ok(Answer { status: head.status, body: body.to_bytes() })
    };
    // The connection is driven beside the exchange and dropped with it; its error is also that of the exchange.
    tokio::pin!(answered, connection);
    tokio::select! {
        answer = &mut answered => answer,
        _ended = &mut connection => answered.await,
    }
}

/// The first address that answers. The first one is always bound when a sidecar runs, so its error is the telling one.
async fn connect(sockets: &[SocketAddr]) -> Result<TcpStream, AskError> {
    let mut first = None;
    for address in sockets {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => first = first.or(Some(AskError::Connect(*address, error))),
        }
    }
    Err(first.unwrap_or(AskError::TooSlow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_loopback_name_or_an_ip_address_with_a_port() {
        let local: Target = "localhost:9787".parse().unwrap();
        assert_eq!((local.name.as_str(), local.sockets.len()), ("localhost:9787", 2));
        let given: Target = "http://127.0.0.1:9787/".parse().unwrap();
        assert_eq!(given.name, "127.0.0.1:9787");
        assert_eq!("0.0.0.0:9788".parse::<Target>().unwrap().name, "127.0.0.1:9788");
        for bad in ["", "9787", "localhost", "localhost:x", "example.com:80", "127.0.0.1", "https://127.0.0.1:1", "localhost:70000"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
