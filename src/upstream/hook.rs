//! A POST to somebody who is not the provider: the webhook of an operator. A connection for each, HTTP/1.1, no pool.
//!
//! Nothing of ours goes along: an [`Outgoing`](super::outgoing::Outgoing) cannot come here, and a body is what the
//! caller of this gives. It leaves by the egress proxy where that is set, and TLS is verified, as everywhere.

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connect::{Dialer, Target};
use super::egress::{Egress, ProxyEnvironment};
use super::error::{ConnectError, SetupError};
use super::tls;
use crate::config::{self, Http2, Origin, Transport};

/// The way to a webhook.
#[derive(Debug)]
pub struct Hook {
    dialer: Dialer,
    target: Target,
    uri: Uri,
}

/// Why nothing was posted, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is no way.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The exchange broke off.
    #[error("the exchange broke off")]
    Http(#[from] hyper::Error),
    /// The address cannot be written into a request.
    #[error("the address cannot be asked for")]
    Request(#[from] http::Error),
}

impl Hook {
    /// To this address, `http` or `https`. None: it is neither.
    pub fn new(
        address: &str,
        settings: &config::Upstream,
        timeouts: &config::Timeouts,
        environment: &ProxyEnvironment,
    ) -> Result<Option<Self>, SetupError> {
        let Some((uri, origin)) = parts(address) else { return Ok(None) };
        let tls = tls::configuration(settings.ca_file.as_deref(), Http2::Off)?;
        let route = Egress::new(&settings.proxy, environment)?.route(&origin);
        let target = Target::new(&origin, route)?;
        Ok(Some(Self { dialer: Dialer::new(tls, timeouts), target, uri }))
    }

    /// Posts JSON and says what the status of the answer is. The caller limits the time.
    pub async fn post(&self, json: Bytes) -> Result<StatusCode, HookError> {
        let (wire, _) = self.dialer.dial(&self.target).await?;
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("vonage-sidecar/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Full::new(json))?;
        exchange(wire, request).await
    }
}

async fn exchange(
    wire: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, HookError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
    let answer = sender.send_request(request);
    // The connection is driven beside the exchange and dropped with it; its error is also that of the exchange.
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => Ok(answer?.status()),
        _ended = &mut connection => Ok(answer.await?.status()),
    }
}

fn parts(address: &str) -> Option<(Uri, Origin)> {
    let uri: Uri = address.parse().ok()?;
    let (transport, port) = match uri.scheme_str()? {
        "http" => (Transport::Plain, 80),
        "https" => (Transport::Tls, super::HTTPS),
        _ => return None,
    };
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(port);
    Some((uri, Origin { transport, host, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_whether_tls_is_spoken_and_which_port_it_is() {
        let of = |address| parts(address).map(|(_, origin)| (origin.transport, origin.host, origin.port));
        assert_eq!(of("https://hooks.example.com/a?b=c"), Some((Transport::Tls, "hooks.example.com".to_owned(), 443)));
        assert_eq!(of("http://[::1]:8080/"), Some((Transport::Plain, "::1".to_owned(), 8080)));
        assert_eq!((of("ftp://a/"), of("/path"), of("")), (None, None, None));
    }
}
