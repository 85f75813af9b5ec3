//! HTTP/2 to a peer that takes no more streams: what it refused it did not execute, and what waits for one was not begun.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::secure::to;
use crate::support::authority::Authority;
use crate::support::caller::{Caller, message, request};
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};

/// An origin of HTTP/2 in TLS of which every connection runs this, and a sidecar before it.
async fn before<F, S>(script: S, adjust: impl FnOnce(Setup) -> Setup) -> Sidecar
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TlsStream<TcpStream>) -> F + Send + 'static,
{
    let authority = Authority::new();
    let acceptor = TlsAcceptor::from(authority.server(&["127.0.0.1"], &["h2"]));
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            tokio::spawn(script(stream));
        }
    });
    adjust(to("127.0.0.1", port, &authority)).start().await
}

/// How often each message came.
type Came = Arc<Mutex<BTreeMap<String, usize>>>;

/// Refuses each message so often, and answers after that.
async fn refusing(times: usize) -> (Sidecar, Came) {
    let came = Came::default();
    let counting = Arc::clone(&came);
    let script = move |stream| {
        let came = Arc::clone(&counting);
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let identity = request.headers()["x-message-id"].to_str().unwrap().to_owned();
                let count = came.lock().unwrap().entry(identity).and_modify(|count| *count += 1).or_insert(1).to_owned();
                if count > times {
                    respond.send_response(Response::new(()), true).unwrap();
                } else {
                    respond.send_reset(Reason::REFUSED_STREAM);
                }
            }
        }
    };
    (before(script, |setup| setup).await, came)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_stream_is_refused_is_sent_again_until_it_is_taken_and_never_after_that() {
    let (sidecar, came) = refusing(3).await;
    let mut callers = JoinSet::new();
    for number in 0..40 {
        let to = sidecar.data;
        callers.spawn(async move { Caller::new(to).send(message(&format!("m{number}"))).await.unwrap().status.as_u16() });
    }
    assert_eq!(callers.join_all().await, [200; 40]);
    let came = came.lock().unwrap();
    assert!(came.len() == 40 && came.values().all(|count| *count == 4), "{came:?}");
}

#[tokio::test]
async fn a_peer_that_refuses_every_stream_is_asked_a_few_times() {
    let (sidecar, came) = refusing(usize::MAX).await;
    let answer = Caller::new(sidecar.data).send(message("one")).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (502, "not_processed"));
    assert_eq!(came.lock().unwrap()["one"], 6);
}

#[tokio::test]
async fn an_upload_that_is_refused_on_its_way_and_cannot_be_sent_again_is_no_fault_of_its_caller() {
    let script = |stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if request.method() == Method::POST {
                tokio::spawn(async move {
                    request.into_body().data().await.unwrap().unwrap();
                    respond.send_reset(Reason::REFUSED_STREAM);
                });
            } else {
                respond.send_response(Response::new(()), true).unwrap();
            }
        }
    };
    let sidecar = before(script, |setup| setup.with(|settings| settings.limits.replay = 16 << 10)).await;
    let upload = request(Method::POST, "/v1/messages", "application/json", Bytes::from(vec![b'x'; 256 << 10]));
    let answer = Caller::new(sidecar.data).send(upload).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (502, "not_processed"));
}

// RFC 9113 §6 and §7.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], stream, payload].concat()
}

/// Refuses the secret of the first request, and allows no stream after that; no library would.
async fn closes_behind_a_refusal(mut stream: TlsStream<TcpStream>) {
    const NONE: [u8; 4] = [0; 4];
    let (mut preface, mut head) = ([0; 24], [0; 9]);
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, &NONE, &[])).await.unwrap();
    while stream.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        let answer = match (head[3], head[4]) {
            (SETTINGS, 0) => frame(SETTINGS, ACK, &NONE, &[]),
            (HEADERS, _) => [
                frame(SETTINGS, 0, &NONE, &[0, 3, 0, 0, 0, 0]),
                // A literal of which the name is that of the eighth entry of HPACK's static table.
                frame(HEADERS, END_HEADERS, &head[5..], b"\x08\x03401"),
                frame(
                    DATA,
                    END_STREAM,
                    &head[5..],
                    br#"{"type":"https://developer.nexmo.com/api-errors#unauthorized","title":"Unauthorized"}"#,
                ),
            ]
            .concat(),
            _other => continue,
        };
        stream.write_all(&answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_attempt_that_finds_no_stream_was_not_begun_and_the_first_answer_goes_back() {
    let setup = |setup: Setup| {
        let setup = Setup { secrets: ["OldSecret1", "NewSecret2"].map(str::to_owned).to_vec(), ..setup };
        setup.with(|settings| settings.timeouts.answer_head = Duration::from_millis(300))
    };
    let sidecar = before(closes_behind_a_refusal, setup).await;
    let answer = tokio::time::timeout(PATIENCE, Caller::new(sidecar.data).send(message("one"))).await.unwrap().unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("x-sidecar-refused")), (401, "fallback-failed"));
    let answer = Caller::new(sidecar.data).send(message("two")).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (504, "no_stream"));
}
