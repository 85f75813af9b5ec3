//! Rule 15: who is slow is given time, and not more than that.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{get, post, serves};
use crate::support::origin::Origin;
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};
use crate::support::wire::{Ending, Talk, ask, listen, next};

const SHORT: Duration = Duration::from_millis(250);

fn short(setup: Setup) -> Setup {
    setup.with(|settings| {
        settings.timeouts.caller_head = SHORT;
        settings.timeouts.idle = SHORT;
    })
}

async fn sidecar() -> Sidecar {
    short(Setup::new(&[super::SECRET], &[super::SECRET])).start().await
}

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

#[tokio::test]
async fn rule_15_a_head_that_does_not_come_is_a_marked_408() {
    let sidecar = sidecar().await;
    for part in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "] {
        let talk = ask(sidecar.data, part.as_bytes()).await;
        assert_ne!(talk.ending, Ending::Open, "{part:?}");
        talk.only().is_marked(408, "head_stalled");
    }
    assert_eq!(sidecar.vonage().seen().len(), 0);
}

#[tokio::test]
async fn rule_15_a_head_that_drips_is_not_waited_for() {
    let sidecar = sidecar().await;
    let (mut reading, mut writing) = connect(sidecar.data).await.into_split();
    let dripping = async {
        writing.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        // Ends with the connection.
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let mut read = Vec::new();
    let ended = async {
        tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut read).await.ok();
    };
    tokio::select! {
        () = dripping => {}
        ended = tokio::time::timeout(PATIENCE, ended) => ended.expect("not waited for"),
    }
    serves(&sidecar).await;
}

#[tokio::test]
async fn rule_15_a_body_that_does_not_come_is_a_marked_408() {
    let sidecar = sidecar().await;
    for request in [
        post("Content-Length: 10\r\n", ""),
        post("Content-Length: 10\r\n", "{"),
        post("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n"),
        post("Content-Length: 10\r\n", "{").replace("/v1/messages", "/sms/json"),
        post("Transfer-Encoding: chunked\r\n", "1\r\n{\r\n").replace("/v1/messages", "/sms/json"),
    ] {
        let talk = ask(sidecar.data, request.as_bytes()).await;
        assert_ne!(talk.ending, Ending::Open);
        talk.only().is_marked(408, "body_stalled");
    }
    assert_eq!(sidecar.vonage().executions().total, 0);
    serves(&sidecar).await;
}

#[tokio::test]
async fn rule_15_who_does_not_read_an_answer_is_cut_off_and_its_origin_let_go() {
    let mut origin = Origin::start(|mut guest| async move {
        if guest.request().await.is_some() {
            guest.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
            while guest.stream.write_all(&chunk).await.is_ok() {}
            guest.tell("let go");
        }
    })
    .await;
    let sidecar = short(Setup::scripted(origin.address, &[super::SECRET])).start().await;
    let mut caller = connect(sidecar.data).await;
    caller.write_all(get("").as_bytes()).await.unwrap();
    assert!(origin.heard().await.starts_with("GET /account/get-balance"));
    assert_eq!(origin.heard().await, "let go");
    let Talk { ending, .. } = listen(&mut caller).await;
    assert_ne!(ending, Ending::Open);
}

#[tokio::test]
async fn rule_15_a_connection_that_never_says_anything_is_closed_without_a_word() {
    let sidecar = sidecar().await;
    let talk = listen(&mut connect(sidecar.data).await).await;
    assert_eq!((talk.bytes.len(), talk.ending), (0, Ending::Closed));
}

#[tokio::test]
async fn rule_15_a_kept_connection_may_rest_longer_than_a_head_may_take() {
    let sidecar = sidecar().await;
    let mut caller = connect(sidecar.data).await;
    for _ in 0..3 {
        for request in [get(""), post("Content-Length: 2\r\n", "{}")] {
            caller.write_all(request.as_bytes()).await.unwrap();
            assert_eq!(next(&mut caller).await.code(), "");
            tokio::time::sleep(SHORT + SHORT / 2).await;
        }
    }
    // And its next head is given its own time.
    let request = get("");
    let (first, second) = request.split_at(20);
    caller.write_all(first.as_bytes()).await.unwrap();
    tokio::time::sleep(SHORT / 3).await;
    caller.write_all(second.as_bytes()).await.unwrap();
    assert_eq!(next(&mut caller).await.status, 200);
}
