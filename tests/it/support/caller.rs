//! Callers: a client with one kept connection, and raw bytes for what no client would send.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sidecar::{KEY, PATIENCE};

/// `Authorization` of an app with a placeholder: `abcd1234:placeholder`.
pub const PLACEHOLDER: &str = "Basic YWJjZDEyMzQ6cGxhY2Vob2xkZXI=";

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The code of an answer that the sidecar made.
    pub fn code(&self) -> &str {
        self.header("x-sidecar-error")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client with one connection that is kept, and opened again when it was closed.
pub struct Caller {
    to: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Caller {
    pub fn new(to: SocketAddr) -> Self {
        Self { to, sender: None }
    }

    /// Sends a request and reads the whole answer. A failure of the connection is an error, as an app would see it.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => connect(self.to).await?,
        };
        let exchange = async {
            sender.ready().await.map_err(|error| format!("not ready: {error}"))?;
            let answer = sender.send_request(request).await.map_err(|error| format!("no answer: {error:?}"))?;
            whole(answer).await
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| "no answer in time".to_owned())??;
        self.sender = Some(sender);
        Ok(answer)
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(request(Method::GET, path, "", Bytes::new())).await.unwrap()
    }

    pub async fn post(&mut self, path: &str, content_type: &str, body: &str) -> Answer {
        self.send(request(Method::POST, path, content_type, Bytes::from(body.to_owned()))).await.unwrap()
    }
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(to).await.map_err(|error| format!("not connected: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn whole(answer: Response<hyper::body::Incoming>) -> Result<Answer, String> {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| format!("answer cut: {error:?}"))?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// A request with the placeholder credential.
pub fn request(method: Method, path: &str, content_type: &str, body: Bytes) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "localhost").header("authorization", PLACEHOLDER);
    if !content_type.is_empty() {
        builder = builder.header("content-type", content_type);
    }
    builder.body(Full::new(body)).unwrap()
}

/// One SMS with an identity of its own.
pub fn sms(identity: &str) -> Request<Full<Bytes>> {
    let body = format!("api_key={KEY}&api_secret=placeholder&from=Acme&to=447700900000&text={identity}");
    with_identity(request(Method::POST, "/sms/json", "application/x-www-form-urlencoded", body.into()), identity)
}

/// One message with an identity of its own.
pub fn message(identity: &str) -> Request<Full<Bytes>> {
    let body = format!(
        "{{\"from\":\"447700900001\",\"to\":\"447700900000\",\"message_type\":\"text\",\"text\":\"{identity}\",\"channel\":\"sms\"}}"
    );
    with_identity(request(Method::POST, "/v1/messages", "application/json", body.into()), identity)
}

/// One Verify v1 request with an identity of its own.
pub fn verify(identity: &str) -> Request<Full<Bytes>> {
    let body = format!("{{\"api_key\":\"{KEY}\",\"api_secret\":\"x\",\"number\":\"447700900000\",\"brand\":\"{identity}\"}}");
    with_identity(request(Method::POST, "/verify/json", "application/json", body.into()), identity)
}

fn with_identity(mut request: Request<Full<Bytes>>, identity: &str) -> Request<Full<Bytes>> {
    request.headers_mut().insert("x-message-id", identity.parse().unwrap());
    request
}

/// Sends raw bytes on a connection of its own and reads until the peer closes, or nothing came for a while after
/// something had come.
pub async fn raw(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_on(&mut stream).await
}

/// Reads what comes, until the end or 300 ms of silence after the first byte.
pub async fn read_on(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        let wait = if read.is_empty() { PATIENCE } else { Duration::from_millis(300) };
        match tokio::time::timeout(wait, stream.read_buf(&mut read)).await {
            Ok(Ok(0) | Err(_)) | Err(_) => return read,
            Ok(Ok(_)) => {}
        }
    }
}

/// The status of a raw answer.
pub fn status(raw: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(raw);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
