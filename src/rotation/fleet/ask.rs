//! One request to one member.
//!
//! It is never sent through a proxy: the answer shows what is held. An address is asked by itself in `Host`, which is
//! what the observe listener takes; a name is, where TLS proves it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::roster::{Target, Transport};
use crate::secret::AccessToken;
use crate::upstream::{TlsReason, tls_reason};

/// The longest status: a thousand accounts with room to spare.
const LONGEST: usize = 16 << 20;

/// What a POST needs, and what every answer of an admin listener has.
const ADMIN_HEADER: &str = "x-sidecar-admin";

/// An answer.
pub(super) struct Heard {
    pub(super) speaker: Speaker,
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// An admin listener.
    Admin,
    /// Somebody who does not say so: one for apps hands on what Vonage says.
    Somebody,
}

/// Why nothing was heard.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unheard {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(std::io::Error),
    /// It did not prove to be who it should be, or does not speak TLS.
    #[error("{0}")]
    Tls(TlsReason),
    /// It took too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    TooSlow(Duration),
    /// The answer is none.
    #[error("the answer cannot be read")]
    Broken,
}

/// Asks, within `patience`.
pub(super) async fn exchange(
    target: &Target,
    tls: &Arc<ClientConfig>,
    token: Option<&AccessToken>,
    method: Method,
    path: &str,
    patience: Duration,
) -> Result<Heard, Unheard> {
    let talk = async {
        let (stream, address) = connect(target).await?;
        match target.transport {
            Transport::Plain => over(stream, request(&address.to_string(), token, method, path)?).await,
            Transport::Tls => {
                let name = ServerName::try_from(target.host.clone()).map_err(|_| Unheard::Broken)?;
                let stream =
                    TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(|error| Unheard::Tls(tls_reason(&error)))?;
                over(stream, request(&authority(&target.host), token, method, path)?).await
            }
        }
    };
    tokio::time::timeout(patience, talk).await.unwrap_or(Err(Unheard::TooSlow(patience)))
}

/// Every address of the name, or the one that is asked for.
pub(super) async fn addresses(target: &Target) -> std::io::Result<Vec<SocketAddr>> {
    match target.only {
        Some(address) => Ok(vec![SocketAddr::new(address, target.port)]),
        None => Ok(tokio::net::lookup_host((target.host.as_str(), target.port)).await?.collect()),
    }
}

/// The first address that answers. Refused only when all of them are.
async fn connect(target: &Target) -> Result<(TcpStream, SocketAddr), Unheard> {
    let addresses = addresses(target).await.map_err(Unheard::Unreachable)?;
    let mut failed = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => failed = failed.or(Some(Unheard::Refused)),
            Err(error) => failed = Some(Unheard::Unreachable(error)),
        }
    }
    Err(failed.unwrap_or(Unheard::Broken))
}

/// An IPv6 address stands in brackets.
fn authority(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn request(host: &str, token: Option<&AccessToken>, method: Method, path: &str) -> Result<Request<Empty<Bytes>>, Unheard> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, host).header(ADMIN_HEADER, "1");
    if let Some(token) = token {
        let text = zeroize::Zeroizing::new(format!("Bearer {}", *token.written()));
        let mut header = HeaderValue::from_str(&text).map_err(|_| Unheard::Broken)?;
        header.set_sensitive(true);
        request = request.header(AUTHORIZATION, header);
    }
    request.body(Empty::new()).map_err(|_| Unheard::Broken)
}

async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: Request<Empty<Bytes>>) -> Result<Heard, Unheard> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Unheard::Broken)?;
    let answered = async {
        let (head, body) = sender.send_request(request).await.map_err(|_| Unheard::Broken)?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|_| Unheard::Broken)?;
        let speaker = if head.headers.contains_key(ADMIN_HEADER) { Speaker::Admin } else { Speaker::Somebody };
        Ok(Heard { speaker, status: head.status, body: body.to_bytes() })
    };
    // The connection is driven beside the exchange and dropped with it; its error is also that of the exchange.
    tokio::pin!(answered, connection);
    tokio::select! {
        answer = &mut answered => answer,
        _ended = &mut connection => answered.await,
    }
}
