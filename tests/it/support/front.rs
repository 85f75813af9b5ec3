//! TLS in front of something that speaks none, as a gateway or a service mesh puts it there.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;

/// It is there until it is dropped.
pub struct Front {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// With a certificate of this authority for `localhost`; what is inside goes to `to`, byte for byte.
    pub async fn of(authority: &Authority, to: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(authority.server(&["localhost"], &["http/1.1"]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust us ends the handshake.
                    let Ok(mut inside) = acceptor.accept(stream).await else { return };
                    let mut behind = TcpStream::connect(to).await.unwrap();
                    copy_bidirectional(&mut inside, &mut behind).await.ok();
                });
            }
        });
        Self { address, task }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}
