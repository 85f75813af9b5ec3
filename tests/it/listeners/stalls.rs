//! HTTP/2 over TLS: a caller that stops in the middle of a head, of a body or of an answer is not waited for longer than
//! the settings say, and others go on.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use super::rig::{Client, SECRET, connected, secured, trusting};
use crate::support::caller::PLACEHOLDER;
use crate::support::origin::Origin;
use crate::support::process::{FREE_PORT, Home, Process, listening};
use crate::support::sidecar::{PATIENCE, one_account};

const SHORT: &str = "timeouts.caller_head = \"300ms\"\ntimeouts.idle = \"300ms\"\n";
/// What `/slow` takes, and how many ask for it.
const SLOW: Duration = Duration::from_millis(60);
const BUSY: u32 = 8;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A process with a listener of TLS whose times are short, and an origin that answers everything but `/endless` and bodies.
struct Stalled {
    home: Home,
    process: Process,
    origin: Origin,
}

impl Stalled {
    async fn new() -> Self {
        let origin = Origin::start(|mut guest| async move {
            while let Some(request) = guest.request().await {
                if request.starts_with("POST ") {
                    // It answers no body before its end.
                    while guest.some().await.is_some() {}
                    return;
                }
                if request.starts_with("GET /slow ") {
                    tokio::time::sleep(SLOW).await;
                }
                if !request.starts_with("GET /endless ") {
                    guest.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                    continue;
                }
                guest.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
                let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
                while guest.stream.write_all(&chunk).await.is_ok() {}
                guest.tell("let go");
                return;
            }
        })
        .await;
        let home = Home::new();
        home.write("credentials.toml", &one_account(&[SECRET]));
        let listener = format!("{FREE_PORT}, tls = {{ ca_dir = \"ca\" }}");
        let process = home.with_settings(&format!("{}{SHORT}", listening(&[&listener], origin.address))).await;
        Self { home, process, origin }
    }

    async fn stream(&self) -> TlsStream<TcpStream> {
        let trust = trusting(&self.home.file("ca/ca.pem"), &["h2"]);
        secured(connected(self.process.data[0]).await, "localhost", &trust).await.unwrap()
    }

    /// Somebody else is served.
    async fn serves_others(&self) {
        assert_eq!(Client::http2(self.stream().await).await.balance("localhost").await.unwrap().status, 200);
    }
}

/// One frame on stream 1, or 0 where the type belongs to a connection.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = u8::from(kind != 4);
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The beginning of a head that wants more frames: `:method: GET` and no more.
fn half_a_head() -> Vec<u8> {
    frame(1, 0, &[0x82])
}

fn request(method: Method, path: &str) -> Request<()> {
    let builder = Request::builder().method(method).uri(format!("https://localhost{path}")).version(http::Version::HTTP_2);
    builder.header("authorization", PLACEHOLDER).header("content-type", "application/json").body(()).unwrap()
}

async fn ends(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut read = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is waited for").ok();
}

#[tokio::test]
async fn a_connection_whose_head_never_comes_to_its_end_is_closed() {
    let stalled = Stalled::new().await;
    let preface = [PREFACE, &frame(4, 0, &[])].concat();
    for begin in [
        Vec::new(),
        PREFACE[..10].to_vec(),
        preface.clone(),
        [preface.clone(), half_a_head()].concat(),
        [preface.clone(), half_a_head()[..5].to_vec()].concat(),
    ] {
        let mut stream = stalled.stream().await;
        stream.write_all(&begin).await.unwrap();
        ends(&mut stream).await;
    }
    stalled.serves_others().await;
}

/// The first request of a connection says nothing about the next one.
#[tokio::test]
async fn a_later_head_that_never_comes_to_its_end_closes_the_connection_too_also_when_it_drips() {
    let stalled = Stalled::new().await;
    let first = [0x82, 0x87, 0x84, 0x41, 0x09].into_iter().chain(*b"localhost").collect::<Vec<u8>>();
    for drips in [false, true] {
        let (mut reading, mut writing) = tokio::io::split(stalled.stream().await);
        let begin = [PREFACE, &frame(4, 0, &[]), &frame(1, 5, &first)].concat();
        writing.write_all(&begin).await.unwrap();
        // Its answer is there, so it is over.
        let mut some = [0; 1];
        tokio::time::timeout(PATIENCE, reading.read_exact(&mut some)).await.unwrap().unwrap();
        let mut second = half_a_head();
        second[8] = 3;
        writing.write_all(&second).await.unwrap();
        let dripping = async {
            let mut more = frame(9, 0, &[0x84]);
            more[8] = 3;
            while drips && writing.write_all(&more).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = dripping => {}
            () = ends(&mut reading) => {}
        }
        stalled.serves_others().await;
    }
}

#[tokio::test]
async fn a_body_that_stalls_is_told_so_on_its_stream_and_the_others_of_the_connection_go_on() {
    let stalled = Stalled::new().await;
    let (sender, connection) = h2::client::handshake(stalled.stream().await).await.unwrap();
    tokio::spawn(connection);
    for (path, begin) in [("/v1/messages", &b"{\"to\":"[..]), ("/v1/messages", b""), ("/sms/json", b"{\"to\":"), ("/sms/json", b"")] {
        let mut sender = sender.clone().ready().await.unwrap();
        let (answer, mut body) = sender.send_request(request(Method::POST, path), false).unwrap();
        if !begin.is_empty() {
            body.send_data(Bytes::from_static(begin), false).unwrap();
        }
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("it is waited for").unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["x-sidecar-error"].to_str().unwrap()), (408, "body_stalled"), "{path}");
        let (other, _) = sender.ready().await.unwrap().send_request(request(Method::GET, "/account/get-balance"), true).unwrap();
        assert_eq!(tokio::time::timeout(PATIENCE, other).await.unwrap().unwrap().status(), 200);
    }
    stalled.serves_others().await;
}

#[tokio::test]
async fn an_answer_that_is_never_read_is_given_up_with_its_connection_and_its_origin_let_go() {
    let mut stalled = Stalled::new().await;
    for window in [0, 1000] {
        let mut builder = h2::client::Builder::new();
        let handshake = builder.initial_window_size(window).handshake::<_, Bytes>(stalled.stream().await).await;
        let (mut sender, connection) = handshake.unwrap();
        let connection = tokio::spawn(connection);
        let (answer, _) = sender.send_request(request(Method::GET, "/endless"), true).unwrap();
        let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert!(stalled.origin.heard().await.starts_with("GET /endless "));
        assert_eq!(stalled.origin.heard().await, "let go");
        tokio::time::timeout(PATIENCE, connection).await.expect("it is kept").unwrap().ok();
        drop(answer);
        stalled.serves_others().await;
        assert!(stalled.origin.heard().await.starts_with("GET /account/get-balance "));
    }
}

/// Those who do read keep the connection busy, which says nothing about the one who does not.
#[tokio::test]
async fn an_answer_that_is_never_read_is_given_up_while_others_of_the_connection_go_on() {
    let mut stalled = Stalled::new().await;
    let mut builder = h2::client::Builder::new();
    let handshake = builder.initial_window_size(1000).handshake::<_, Bytes>(stalled.stream().await).await;
    let (sender, connection) = handshake.unwrap();
    let connection = tokio::spawn(connection);
    let (answer, _) = sender.clone().ready().await.unwrap().send_request(request(Method::GET, "/endless"), true).unwrap();
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
    // Several at a time, so that there is always one under way.
    let mut busy = JoinSet::new();
    for number in 0..BUSY {
        let sender = sender.clone();
        busy.spawn(async move {
            tokio::time::sleep(SLOW * number / BUSY).await;
            loop {
                let Ok(mut ready) = sender.clone().ready().await else { return };
                let Ok((other, _)) = ready.send_request(request(Method::GET, "/slow"), true) else { return };
                assert_eq!(other.await.unwrap().status(), 200);
            }
        });
    }
    let let_go = async { while stalled.origin.heard().await != "let go" {} };
    tokio::time::timeout(PATIENCE, let_go).await.expect("its origin is never let go");
    // The connection was left, and nobody on it failed.
    while let Some(one) = busy.join_next().await {
        one.unwrap();
    }
    drop(answer);
    connection.abort();
    stalled.serves_others().await;
}
