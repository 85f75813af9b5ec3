//! The bodies of HTTP/2: requests that go up as they come, answers that end or break off, requests that wait for a stream.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};

use super::origins::{body_of, fetch, get, head, plain, read, request, soon};
use super::peer::{CANCEL, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, NO_ERROR, Peer, RST_STREAM, STATUS_200, origin};
use crate::upstream::SendError;
use crate::upstream::body::BodyError;
use crate::vonage::hosts::Host;

/// A literal field without indexing: name and value with their lengths.
const LENGTH_5: &[u8] = b"\x00\x0econtent-length\x015";

async fn begin_answer(peer: &mut Peer, stream: u32, fields: &[u8]) {
    peer.write(HEADERS, END_HEADERS, stream, &[&[STATUS_200], fields].concat()).await;
}

/// The body of an answer that `script` gives, or none when it broke off.
async fn answered<F>(script: impl Fn(Peer, u32) -> F + Copy + Send + Sync + 'static) -> Option<Bytes>
where
    F: Future<Output = Peer> + Send + 'static,
{
    let (upstream, _) = origin(None, move |mut peer, _| async move {
        let stream = peer.next(HEADERS).await.unwrap().stream;
        drop(script(peer, stream).await.next(HEADERS).await);
    })
    .await;
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(get())).await.unwrap();
    soon(answer.into_body().collect()).await.ok().map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn an_answer_that_is_cut_off_never_looks_complete() {
    for (error, fields) in [(CANCEL, &[][..]), (NO_ERROR, &[]), (CANCEL, LENGTH_5), (NO_ERROR, LENGTH_5)] {
        let cut = answered(move |mut peer, stream| async move {
            begin_answer(&mut peer, stream, fields).await;
            peer.write(DATA, 0, stream, b"he").await;
            peer.reset(stream, error).await;
            peer
        });
        assert_eq!(cut.await, None, "{error}");
    }
}

#[tokio::test]
async fn an_answer_is_complete_though_its_stream_is_reset_behind_it() {
    for (error, fields) in [(NO_ERROR, &[][..]), (NO_ERROR, LENGTH_5), (CANCEL, LENGTH_5)] {
        let whole = answered(move |mut peer, stream| async move {
            begin_answer(&mut peer, stream, fields).await;
            peer.write(DATA, END_STREAM, stream, b"hello").await;
            peer.reset(stream, error).await;
            peer
        });
        assert_eq!(whole.await.unwrap(), "hello", "{error}");
    }
}

/// RFC 9113 §8.1: a peer that wants no more of an upload ends its stream behind a complete answer.
#[tokio::test]
async fn an_answer_is_complete_though_the_rest_of_the_upload_is_not_wanted() {
    let (upstream, _) = origin(None, |mut peer, _| async move {
        let stream = peer.next(DATA).await.unwrap().stream;
        peer.answer(stream).await;
        peer.reset(stream, NO_ERROR).await;
        drop(peer.next(HEADERS).await);
    })
    .await;
    let (address, _) = plain(|mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let post = request(Method::POST, "/v1/files", body_of(address).await);
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(post)).await.unwrap();
    assert_eq!(read(answer).await, "ok");
}

#[tokio::test]
async fn a_body_that_breaks_off_resets_its_stream_and_is_the_fault_of_the_caller() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let (upstream, _) = origin(None, move |mut peer, _| {
        let seen = seen.clone();
        async move {
            drop(peer.next(HEADERS).await);
            let data = peer.next(DATA).await.unwrap();
            seen.send(data.payload).unwrap();
            seen.send(peer.next(RST_STREAM).await.unwrap().payload).unwrap();
            peer.answer_all().await;
        }
    })
    .await;
    let (address, _) = plain(|mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
    })
    .await;
    let broken = request(Method::POST, "/v1/files", body_of(address).await);
    let error = soon(soon(upstream.connection(Host::API)).await.unwrap().send(broken)).await.unwrap_err();
    assert!(matches!(error.body(), Some(BodyError::Caller(_))), "{error:?}");
    assert_eq!(soon(events.recv()).await.unwrap(), b"he");
    assert_eq!(soon(events.recv()).await.unwrap(), CANCEL.to_be_bytes());
    assert_eq!(fetch(&upstream).await, "ok", "the connection is still good");
}

#[tokio::test]
async fn the_rest_of_a_body_goes_up_behind_an_early_answer() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let (upstream, _) = origin(None, move |mut peer, _| {
        let seen = seen.clone();
        async move {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            peer.answer(stream).await;
            let mut body = Vec::new();
            while body.len() < 5 {
                let Frame { payload, .. } = peer.next(DATA).await.unwrap();
                body.extend(payload);
            }
            seen.send(body).unwrap();
            drop(peer.next(HEADERS).await);
        }
    })
    .await;
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let (address, _) = plain(move |mut stream, _| {
        let told = Arc::clone(&told);
        async move {
            head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
            told.notified().await;
            stream.write_all(b"llo").await.unwrap();
        }
    })
    .await;
    let post = request(Method::POST, "/v1/files", body_of(address).await);
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(post)).await.unwrap();
    go.notify_one();
    assert_eq!(read(answer).await, "ok");
    assert_eq!(soon(events.recv()).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_request_that_waits_for_a_stream_was_not_processed_when_the_connection_ends() {
    let end = Arc::new(Notify::new());
    let told = Arc::clone(&end);
    let (upstream, _) = origin(Some(1), move |mut peer, _| {
        let told = Arc::clone(&told);
        async move {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            begin_answer(&mut peer, stream, &[]).await;
            told.notified().await;
        }
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut connection = soon(upstream.connection(Host::API)).await.unwrap();
        let in_flight = connection.in_flight();
        open.push((soon(connection.send(get())).await.unwrap(), in_flight));
    }
    let waiting = soon(upstream.connection(Host::API)).await.unwrap();
    let post = request(Method::POST, "/v1/messages", crate::upstream::body::Body::Whole("{}".into()));
    let waiting = tokio::spawn(waiting.send(post));
    end.notify_waiters();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::NotProcessed(_)), "{error:?}");
}
