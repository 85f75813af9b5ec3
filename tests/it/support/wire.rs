//! Bytes on the wire, both ways: what was sent is sent as it is, what came is taken apart by nothing but this file.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sidecar::PATIENCE;

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Neither, within the patience of a test.
    Open,
}

/// Everything that came on one connection.
#[derive(Debug)]
pub struct Talk {
    pub bytes: Vec<u8>,
    pub ending: Ending,
}

/// One answer of HTTP/1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the body is as long as its framing says.
    pub whole: bool,
}

impl Piece {
    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }

    /// All values of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The code of an answer that the sidecar made.
    pub fn code(&self) -> &str {
        self.header("x-sidecar-error")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Fails unless this is a refusal that the sidecar made, with this status, a mark and a document that agree.
    pub fn is_marked(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert!(self.whole, "{self:?}");
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((document["status"].as_u64(), document["code"].as_str()), (Some(u64::from(status)), Some(code)));
        assert!(!document["detail"].as_str().unwrap().is_empty(), "a remedy");
    }
}

impl Talk {
    /// The answers, in order.
    pub fn pieces(&self) -> Vec<Piece> {
        pieces(&self.bytes)
    }

    /// The only answer.
    pub fn only(&self) -> Piece {
        let mut pieces = self.pieces();
        assert_eq!(pieces.len(), 1, "one answer: {}", String::from_utf8_lossy(&self.bytes));
        pieces.remove(0)
    }
}

/// Sends bytes, closes our half, and reads to the end.
pub async fn talk(to: SocketAddr, bytes: &[u8]) -> Talk {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // The other side may answer and close before it has read all.
    if stream.write_all(bytes).await.is_ok() {
        stream.shutdown().await.ok();
    }
    listen(&mut stream).await
}

/// Sends bytes, leaves our half open, and reads until the other side closes.
pub async fn ask(to: SocketAddr, bytes: &[u8]) -> Talk {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.ok();
    listen(&mut stream).await
}

/// Reads to the end.
pub async fn listen(stream: &mut TcpStream) -> Talk {
    let mut bytes = Vec::new();
    let ending = match tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await {
        Ok(Ok(_)) => Ending::Closed,
        Ok(Err(_)) => Ending::Reset,
        Err(_) => Ending::Open,
    };
    Talk { bytes, ending }
}

/// Reads one whole answer and leaves the connection open.
pub async fn next(stream: &mut TcpStream) -> Piece {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            if let Some(piece) = pieces(&bytes).into_iter().find(|piece| piece.whole && piece.status >= 200) {
                return piece;
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "closed after {}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no answer")
}

/// Reads what comes until this text has come.
pub async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&bytes).contains(text) {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "closed after {}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {text:?}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes answers apart. An answer without framing ends with the connection.
pub fn pieces(mut bytes: &[u8]) -> Vec<Piece> {
    let mut found = Vec::new();
    while let Some(end) = position(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end + 2]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut piece = Piece { status, head, body: Vec::new(), whole: true };
        let rest = &bytes[end + 4..];
        let used = if status < 200 || status == 204 || status == 304 {
            0
        } else if piece.header("transfer-encoding") == "chunked" {
            let used;
            (piece.body, used, piece.whole) = chunked(rest);
            used
        } else if let Ok(length) = piece.header("content-length").parse::<usize>() {
            let used = length.min(rest.len());
            piece.whole = used == length;
            piece.body = rest[..used].to_vec();
            used
        } else {
            piece.body = rest.to_vec();
            rest.len()
        };
        bytes = &rest[used..];
        found.push(piece);
    }
    found
}

/// The body, how many bytes it took, and whether it came to its end. There are no trailers.
fn chunked(bytes: &[u8]) -> (Vec<u8>, usize, bool) {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = position(&bytes[at..], b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&bytes[at..at + line]), 16).unwrap();
        let start = at + line + 2;
        if bytes.len() < start + size + 2 {
            return (body, bytes.len(), false);
        }
        body.extend_from_slice(&bytes[start..start + size]);
        at = start + size + 2;
        if size == 0 {
            return (body, at, true);
        }
    }
    (body, bytes.len(), false)
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
