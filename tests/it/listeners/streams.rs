//! HTTP/2 for callers: a stream that is reset, uploads that wait, a process that drains, a peer that floods.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;
use vonage_sidecar::config::{Origin as Place, Serves, Transport};
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{Ca, Client, SECRET, connected, secured, trusting};
use crate::support::caller::PLACEHOLDER;
use crate::support::origin::Origin;
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

async fn scripted(origin: &Origin, serves: Serves) -> Sidecar {
    Setup::scripted(origin.address, &[SECRET]).with(move |settings| settings.listen[0].serves = serves).start().await
}

async fn stream(sidecar: &Sidecar, ca: &Ca) -> TlsStream<TcpStream> {
    secured(connected(sidecar.data).await, "localhost", &trusting(&ca.pem(), &["h2"])).await.unwrap()
}

fn request(method: Method, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(format!("https://localhost{path}")).version(http::Version::HTTP_2);
    builder.header("authorization", PLACEHOLDER).header("content-type", "application/json").body(Full::from(body)).unwrap()
}

/// An origin that tells when the request is there and when its connection ends, and answers when it is let.
async fn slow(answers: Arc<Notify>) -> Origin {
    Origin::start(move |mut guest| {
        let answers = Arc::clone(&answers);
        async move {
            while guest.request().await.is_some() {
                tokio::select! {
                    () = answers.notified() => guest.say(OK).await,
                    rest = guest.some() => {
                        assert!(rest.is_none());
                        guest.tell("gone");
                        return;
                    }
                }
                guest.tell("answered");
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_reset_stream_cancels_a_get_and_follows_a_post_to_its_verdict() {
    let ca = Ca::new();
    let answers = Arc::new(Notify::new());
    let mut origin = slow(Arc::clone(&answers)).await;
    let sidecar = scripted(&origin, ca.https()).await;
    let mut client = Client::http2(stream(&sidecar, &ca).await).await;
    tokio::select! {
        answer = client.send(request(Method::GET, "/account/get-balance", "")) => panic!("{answer:?}"),
        heard = origin.heard() => assert!(heard.starts_with("GET "), "{heard}"),
    }
    assert_eq!(origin.heard().await, "gone", "nobody waits for it any more");
    tokio::select! {
        answer = client.send(request(Method::POST, "/v1/messages", "{\"to\":\"447700900000\"}")) => panic!("{answer:?}"),
        heard = origin.heard() => assert!(heard.starts_with("POST "), "{heard}"),
    }
    // A later request on the same connection shows that the reset has arrived.
    tokio::select! {
        answer = client.send(request(Method::GET, "/account/get-pricing", "")) => panic!("{answer:?}"),
        heard = origin.heard() => assert!(heard.starts_with("GET "), "{heard}"),
    }
    answers.notify_waiters();
    assert_eq!(origin.heard().await, "answered");
}

#[tokio::test]
async fn a_draining_process_finishes_what_is_under_way_and_takes_no_more_on_the_connection() {
    let ca = Ca::new();
    let answers = Arc::new(Notify::new());
    let mut origin = slow(Arc::clone(&answers)).await;
    let sidecar = scripted(&origin, ca.https()).await;
    let (mut sender, connection) = h2::client::handshake(stream(&sidecar, &ca).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let head = request(Method::GET, "/account/get-balance", "").map(drop);
    let (answer, _) = sender.send_request(head, true).unwrap();
    origin.heard().await;
    sidecar.shutdown.request();
    answers.notify_one();
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer);
    let ended = tokio::time::timeout(PATIENCE, connection).await.expect("no GOAWAY").unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn a_peer_that_resets_without_end_is_cut_off_and_others_are_served() {
    let ca = Ca::new();
    let answers = Arc::new(Notify::new());
    let origin = slow(Arc::clone(&answers)).await;
    let sidecar = scripted(&origin, ca.https()).await;
    let (mut sender, connection) = h2::client::handshake(stream(&sidecar, &ca).await).await.unwrap();
    let connection = tokio::spawn(connection);
    let flood = async {
        loop {
            let Ok(ready) = sender.clone().ready().await else { return };
            sender = ready;
            let Ok((answer, mut stream)) = sender.send_request(request(Method::GET, "/account/get-balance", "").map(drop), true) else {
                return;
            };
            // The request has begun when it is reset, as far as one thread allows.
            tokio::task::yield_now().await;
            stream.send_reset(h2::Reason::CANCEL);
            drop(answer);
        }
    };
    let cut = async {
        tokio::select! {
            () = flood => {}
            ended = connection => drop(ended),
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.expect("it may go on for ever");
    let mut other = Client::http2(stream(&sidecar, &ca).await).await;
    let answer = tokio::select! {
        answer = other.send(request(Method::POST, "/v1/messages", "{}")) => answer.unwrap(),
        () = async { loop { answers.notify_waiters(); tokio::task::yield_now().await } } => unreachable!(),
    };
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn streams_are_bounded_and_the_peer_is_told_how_many_there_may_be() {
    let ca = Ca::new();
    let origin = Origin::saying(OK).await;
    let sidecar = scripted(&origin, ca.https()).await;
    let (mut sender, connection) = h2::client::handshake(stream(&sidecar, &ca).await).await.unwrap();
    tokio::spawn(connection);
    let (answer, _) = sender.send_request(request(Method::GET, "/account/get-balance", "").map(drop), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(sender.current_max_send_streams(), 128);
}

/// Sends as much of a body as the peer would take without reading any of it.
async fn fill(stream: &mut h2::SendStream<Bytes>) {
    stream.reserve_capacity(1 << 20);
    let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
    stream.send_data(Bytes::from(vec![b'x'; room]), false).unwrap();
}

#[tokio::test]
async fn uploads_that_nobody_reads_do_not_stop_the_others_of_their_connection() {
    let ca = Ca::new();
    let origin = Origin::saying(OK).await;
    // Connections to it stand, and no TLS session ever does.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (serves, port) = (ca.https(), silent.local_addr().unwrap().port());
    let setup = Setup::scripted(origin.address, &[SECRET]).with(move |settings| {
        settings.listen[0].serves = serves;
        settings.timeouts.handshake = PATIENCE * 2;
        settings.upstream.hosts.insert(Host::API, Place { transport: Transport::Tls, host: "localhost".to_owned(), port });
    });
    let sidecar = setup.start().await;
    let (mut sender, connection) = h2::client::handshake(stream(&sidecar, &ca).await).await.unwrap();
    tokio::spawn(connection);
    let mut post = |path: &str| sender.send_request(request(Method::POST, path, "").map(drop), false).unwrap();
    let (sms, mut body) = post("/sms/json");
    body.send_data(Bytes::from_static(b"{}"), true).unwrap();
    assert_eq!(sms.await.unwrap().status(), 200, "the windows of the peer are known from here on");
    let mut uploads = Vec::new();
    for _ in 0..40 {
        let (answer, mut body) = post("/v1/messages");
        tokio::time::timeout(PATIENCE, fill(&mut body)).await.expect("no room is left for it");
        uploads.push((answer, body));
    }
    let (sms, mut body) = post("/sms/json");
    fill(&mut body).await;
    body.send_data(Bytes::new(), true).unwrap();
    let answer = tokio::time::timeout(PATIENCE, sms).await.expect("it waits for the uploads").unwrap();
    assert_eq!(answer.status(), 200);
}
