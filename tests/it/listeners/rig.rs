//! Clients that trust what a test tells them to, over any stream, by HTTP/1.1 or HTTP/2.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vonage_sidecar::config::{CertificateAuthority, Certificates, ProxyMode, Serves, Tunnel};

use crate::support::caller::{Answer, PLACEHOLDER};
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};

pub const SECRET: &str = "LiveSecret1";

/// A directory for an authority.
pub struct Ca {
    pub directory: TempDir,
}

impl Ca {
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub fn settings(&self) -> CertificateAuthority {
        CertificateAuthority { dir: self.path("ca"), publish: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn pem(&self) -> PathBuf {
        self.path("ca/ca.pem")
    }

    pub fn https(&self) -> Serves {
        Serves::Https(Certificates::Made(self.settings()))
    }

    pub fn proxy(&self, tunnel: Tunnel) -> Serves {
        Serves::Proxy(ProxyMode { authority: self.settings(), tunnel })
    }
}

/// A sidecar with an emulator behind it, whose listener serves this.
pub async fn serving(serves: Serves) -> Sidecar {
    Setup::new(&[SECRET], &[SECRET]).with(move |settings| settings.listen[0].serves = serves).start().await
}

/// What a client trusts.
pub fn trusting(pem: &Path, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(pem).unwrap() {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// TLS over a stream, as a client that asks for this name or address.
pub async fn secured<S: AsyncRead + AsyncWrite + Unpin>(stream: S, name: &str, trust: &Arc<ClientConfig>) -> Result<TlsStream<S>, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connecting = TlsConnector::from(Arc::clone(trust)).connect(name, stream);
    tokio::time::timeout(PATIENCE, connecting).await.map_err(|_| "no handshake in time".to_owned())?.map_err(|error| error.to_string())
}

pub async fn connected(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

/// A client of a stream.
pub enum Client {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::One(sender)
    }

    pub async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::Two(sender)
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let exchange = async {
            let answer = match self {
                Self::One(sender) => sender.send_request(request).await,
                Self::Two(sender) => sender.send_request(request).await,
            };
            let (head, body) = answer.map_err(|error| format!("no answer: {error:?}"))?.into_parts();
            let body = body.collect().await.map_err(|error| format!("answer cut: {error:?}"))?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// The balance, asked for at this host.
    pub async fn balance(&mut self, host: &str) -> Result<Answer, String> {
        let request = self.request(Method::GET, host, "/account/get-balance");
        self.send(request.header("authorization", PLACEHOLDER).body(Full::default()).unwrap()).await
    }

    /// A request as the protocol of this client has it.
    pub fn request(&self, method: Method, host: &str, path: &str) -> http::request::Builder {
        let builder = Request::builder().method(method);
        match self {
            Self::One(_) => builder.uri(path).header("host", host),
            Self::Two(_) => builder.uri(format!("https://{host}{path}")).version(http::Version::HTTP_2),
        }
    }
}

/// Writes bytes, and reads to the end of what comes back or until it has been silent for a while.
pub async fn said(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> String {
    stream.write_all(bytes).await.ok();
    let mut read = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("never closed").ok();
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads one head.
pub async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !read.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { break };
            read.push(byte);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no head");
    String::from_utf8_lossy(&read).into_owned()
}

pub fn write(path: &Path, text: &str) {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text).unwrap();
    std::fs::rename(&temporary, path).unwrap();
}

pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
