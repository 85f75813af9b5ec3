//! Origins whose every byte a test decides, and the certificates they show.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{self, Http2, Origin, Proxy, Settings, Timeouts, Transport};
use crate::upstream::body::{Body, ReplayMemory, Tee};
use crate::upstream::outgoing::Outgoing;
use crate::upstream::received::Received;
use crate::upstream::{Figures, ProxyEnvironment, Upstream};
use crate::vonage::hosts::Host;

/// Nothing here takes that long unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Ends a test that would hang.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it should not take so long")
}

/// Waits for a condition.
pub(super) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A root and what it signs.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("a root")
    }

    pub(super) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn ca_file(&self) -> std::path::PathBuf {
        let path = self.directory.path().join("ca.pem");
        #[expect(clippy::disallowed_methods, reason = "a test file")]
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    /// A server's side of TLS for a leaf that may be made bad.
    pub(super) fn acceptor(&self, names: &[&str], protocols: &[&str], spoil: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        spoil(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Counts the connections that an origin has taken.
pub(super) type Accepted = Arc<AtomicUsize>;

/// An origin in the clear: `script` gets every connection and its number.
pub(super) async fn plain<F, S>(script: S) -> (SocketAddr, Accepted)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream, usize) -> F + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Accepted::default();
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(script(stream, number));
        }
    });
    (address, accepted)
}

/// An origin in TLS.
pub(super) async fn secure<F, S>(acceptor: TlsAcceptor, script: S) -> (SocketAddr, Accepted)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TlsStream<TcpStream>, usize) -> F + Send + Sync + 'static,
{
    let script = Arc::new(script);
    plain(move |stream, number| {
        let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                script(stream, number).await;
            }
        }
    })
    .await
}

pub(super) fn settings() -> config::Upstream {
    config::Upstream { region: None, http2: Http2::Offered, proxy: Proxy::None, ca_file: None, hosts: BTreeMap::new() }
}

pub(super) fn timeouts() -> Timeouts {
    Settings::default().timeouts
}

pub(super) fn at(transport: Transport, address: SocketAddr) -> Origin {
    Origin { transport, host: address.ip().to_string(), port: address.port() }
}

/// An upstream whose api.nexmo.com is this origin in the clear.
pub(super) fn to_plain(address: SocketAddr) -> Arc<Upstream> {
    let mut settings = settings();
    settings.hosts.insert(Host::API, at(Transport::Plain, address));
    Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap()
}

/// An upstream whose api.nexmo.com is this origin in TLS, called `localhost`.
pub(super) fn to_secure(authority: &Authority, address: SocketAddr) -> Arc<Upstream> {
    let mut settings = settings();
    settings.ca_file = Some(authority.ca_file());
    settings.hosts.insert(Host::API, Origin { host: "localhost".to_owned(), ..at(Transport::Tls, address) });
    Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap()
}

pub(super) fn request(method: Method, path: &str, body: Body) -> Outgoing {
    let head = Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0;
    Outgoing::assemble(Host::API, head, body)
}

pub(super) fn get() -> Outgoing {
    request(Method::GET, "/v1/calls?page=1", Body::Empty)
}

/// The body of what an origin answers as hyper reads it, as if it were that of a caller.
pub(super) async fn body_of(address: SocketAddr) -> Body {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    drop(tokio::spawn(connection));
    let answer = soon(sender.send_request(Request::new(Empty::<Bytes>::new()))).await.unwrap();
    let tee = Tee::new(answer.into_body(), 1 << 20, PATIENCE, &Arc::new(ReplayMemory::new(1 << 20)));
    Body::Teed(tee.reader().unwrap())
}

pub(super) async fn read(answer: http::Response<Received>) -> Bytes {
    soon(answer.into_body().collect()).await.unwrap().to_bytes()
}

/// A GET over a pooled connection, read to its end.
pub(super) async fn fetch(upstream: &Upstream) -> Bytes {
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    read(soon(connection.send(get())).await.unwrap()).await
}

pub(super) fn figures(upstream: &Upstream) -> Figures {
    upstream.figures().into_iter().find(|figures| figures.host == Host::API).expect("it was connected to")
}

/// Reads the head of a request, as text; none at the end of the connection.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(bytes).unwrap())
}

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers every request of a connection.
pub(super) async fn answer_all(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while head(&mut stream).await.is_some() {
        if stream.write_all(OK.as_bytes()).await.is_err() {
            return;
        }
    }
}
