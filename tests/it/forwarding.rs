//! What comes in goes out: the same bytes both ways, but for what may not travel; and who leaves is noticed.

mod bodies;
mod departures;
mod heads;
mod idle;
mod refused;
mod secure;
mod turns;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::caller::PLACEHOLDER;
use crate::support::origin::Origin;
use crate::support::sidecar::{Setup, Sidecar};

const SECRET: &str = "Secret1aB3";
/// `abcd1234:Secret1aB3`.
const OURS: &str = "Basic YWJjZDEyMzQ6U2VjcmV0MWFCMw==";

async fn before(origin: &Origin) -> Sidecar {
    Setup::scripted(origin.address, &[SECRET]).start().await
}

/// A request by its first line, with the placeholder.
fn request(line: &str, lines: &str, body: &str) -> String {
    format!("{line}\r\nHost: localhost\r\nAuthorization: {PLACEHOLDER}\r\n{lines}\r\n{body}")
}

/// A connection on which something was sent.
async fn sent(sidecar: &Sidecar, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream
}
