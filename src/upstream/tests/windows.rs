//! How much may be under way on a connection of HTTP/2: answers that nobody reads, and peers that allow many streams.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Method, Response};

use super::origins::{Accepted, Authority, fetch, get, read, request, secure, soon, to_secure, until};
use crate::upstream::Upstream;
use crate::upstream::body::Body;
use crate::vonage::hosts::Host;

/// More than one stream may have under way.
const LARGE: &[u8] = &[b'x'; 300 << 10];

/// An origin that allows any number of streams, and answers `/large` with much.
async fn generous() -> (Arc<Upstream>, Accepted) {
    let authority = Authority::new();
    let (address, accepted) = secure(authority.acceptor(&["localhost"], &["h2"], |_| {}), |stream, _| async move {
        let mut connection = h2::server::Builder::new().max_concurrent_streams(10_000).handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let body = if request.uri().path() == "/large" { LARGE } else { b"ok" };
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(body), true).unwrap();
        }
    })
    .await;
    (to_secure(&authority, address), accepted)
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_stop_the_others_of_their_connection() {
    let (upstream, accepted) = generous().await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        let connection = soon(upstream.connection(Host::API)).await.unwrap();
        unread.push(soon(connection.send(request(Method::GET, "/large", Body::Empty))).await.unwrap());
    }
    assert_eq!(fetch(&upstream).await, "ok");
    assert_eq!(accepted.load(Ordering::SeqCst), 1, "over the same connection");
    for answer in unread {
        assert_eq!(read(answer).await.len(), LARGE.len());
    }
}

#[tokio::test]
async fn a_peer_that_allows_more_streams_than_are_used_gets_more_connections() {
    let (upstream, accepted) = generous().await;
    let mut open = Vec::new();
    for _ in 0..300 {
        let mut connection = soon(upstream.connection(Host::API)).await.unwrap();
        let in_flight = connection.in_flight();
        open.push((soon(connection.send(get())).await.unwrap(), in_flight));
    }
    until(|| accepted.load(Ordering::SeqCst) == 2).await;
    assert_eq!(fetch(&upstream).await, "ok");
}
