//! A peer of HTTP/2 that a test scripts frame by frame.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::origins::{Accepted, Authority, secure, to_secure};
use crate::upstream::Upstream;

/// A peer that speaks frames, so that a test can say what no library would.
pub(super) struct Peer(TlsStream<TcpStream>);

#[derive(Debug)]
pub(super) struct Frame {
    kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

// RFC 9113 §6 and §7.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const ACK: u8 = 1;
pub(super) const NO_ERROR: u32 = 0;
pub(super) const INTERNAL_ERROR: u32 = 2;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: u32 = 8;
/// `:status: 200` in HPACK's static table.
pub(super) const STATUS_200: u8 = 0x88;

impl Peer {
    /// Begins the connection; `limit` is what the peer allows in streams.
    async fn begin(mut stream: TlsStream<TcpStream>, limit: Option<u32>) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut peer = Self(stream);
        let settings = limit.map_or_else(Vec::new, |limit| [&[0, 3], &limit.to_be_bytes()[..]].concat());
        peer.write(SETTINGS, 0, 0, &settings).await;
        peer
    }

    pub(super) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        drop(self.0.write_all(&frame).await);
        drop(self.0.flush().await);
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => self.write(SETTINGS, ACK, 0, &[]).await,
            (PING, 0) => self.write(PING, ACK, 0, &payload).await,
            _ => {}
        }
        Some(Frame { kind: head[3], stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload })
    }

    /// The next frame of a kind.
    pub(super) async fn next(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    pub(super) async fn answer(&mut self, stream: u32) {
        self.write(HEADERS, END_HEADERS, stream, &[STATUS_200]).await;
        self.write(DATA, END_STREAM, stream, b"ok").await;
    }

    pub(super) async fn goaway(&mut self, last: u32, error: u32) {
        self.write(GOAWAY, 0, 0, &[last.to_be_bytes(), error.to_be_bytes()].concat()).await;
    }

    pub(super) async fn reset(&mut self, stream: u32, error: u32) {
        self.write(RST_STREAM, 0, stream, &error.to_be_bytes()).await;
    }

    pub(super) async fn answer_all(mut self) {
        while let Some(frame) = self.next(HEADERS).await {
            self.answer(frame.stream).await;
        }
    }
}

/// An origin of HTTP/2 for every connection of which `script` runs.
pub(super) async fn origin<F, S>(limit: Option<u32>, script: S) -> (Arc<Upstream>, Accepted)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(Peer, usize) -> F + Send + Sync + 'static,
{
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["localhost"], &["h2", "http/1.1"], |_| {});
    let script = Arc::new(script);
    let (address, accepted) = secure(acceptor, move |stream, number| {
        let script = Arc::clone(&script);
        async move { script(Peer::begin(stream, limit).await, number).await }
    })
    .await;
    (to_secure(&authority, address), accepted)
}
