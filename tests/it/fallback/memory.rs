//! The memory for kept bodies is full: what must be read whole is turned away with a mark, what need not be goes on, and
//! everything is served again once a body is gone.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::rig::{FORM, JSON, NEW};
use crate::support::caller::{Caller, PLACEHOLDER};
use crate::support::origin::Origin;
use crate::support::process::{Home, Process, free_ports_and};
use crate::support::sidecar::{PATIENCE, one_account};
use crate::support::wire::{Piece, ask, next};

/// Room for one body of this size, not for two.
const SIZE: usize = 24 << 10;
const SETTINGS: &str = "limits.replay = \"32KiB\"\nlimits.replay_memory = \"32KiB\"\n";
/// One like this counts for no memory.
const SMALL: usize = 100;
/// Three of these take all there is but two bytes.
const ANNOUNCED: usize = (32 << 10) / 3;

async fn process(origin: &Origin) -> (Home, Process) {
    let home = Home::new();
    home.write("credentials.toml", &one_account(&[NEW]));
    let process = home.with_settings(&format!("{}{SETTINGS}", free_ports_and(origin.address))).await;
    (home, process)
}

/// A POST of so many bytes, of which so many come, with a text that begins like this.
fn post(path: &str, kind: &str, text: &str, size: usize, come: usize) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {PLACEHOLDER}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    );
    let body = format!("text={text}{}", "x".repeat(size));
    [head.as_bytes(), &body.as_bytes()[..come]].concat()
}

fn sms(text: &str, size: usize) -> Vec<u8> {
    post("/sms/json", FORM, text, size, size)
}

async fn answer(process: &Process, request: &[u8]) -> Piece {
    ask(process.data[0], request).await.only()
}

async fn send(process: &Process, request: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(process.data[0]).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

/// An origin that answers at once, but for a message that is held until it is let.
async fn holding(answers: &Arc<Notify>) -> Origin {
    let answers = Arc::clone(answers);
    Origin::start(move |mut guest| {
        let answers = Arc::clone(&answers);
        async move {
            while let Some(request) = guest.request().await {
                if request.contains("text=hold") {
                    answers.notified().await;
                }
                guest.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn when_kept_bodies_fill_the_memory_the_next_one_is_turned_away_with_a_mark_and_served_once_there_is_room() {
    let answers = Arc::new(Notify::new());
    let mut origin = holding(&answers).await;
    let (_home, process) = process(&origin).await;
    let mut first = send(&process, &sms("hold", SIZE)).await;
    assert!(origin.heard().await.starts_with("POST /sms/json "));

    let refused = answer(&process, &sms("next", SIZE)).await;
    refused.is_marked(503, "memory_full");
    assert!(refused.text().contains("raise limits.replay_memory in sidecar.toml"), "{}", refused.text());
    assert_eq!(origin.heard_so_far(), Vec::<String>::new(), "it was sent all the same");
    // One that is small needs none, and one in which no credential can be is sent as it comes, without being kept.
    for request in [sms("small", SMALL), post("/v1/messages", JSON, "large", SIZE, SIZE)] {
        assert_eq!(answer(&process, &request).await.status, 200);
    }

    answers.notify_one();
    assert_eq!(next(&mut first).await.status, 200);
    let again = async { while answer(&process, &sms("next", SIZE)).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.expect("the memory was never given back");
}

#[tokio::test]
async fn memory_that_half_a_body_takes_is_given_back_when_its_caller_leaves() {
    let origin = holding(&Arc::new(Notify::new())).await;
    let (_home, process) = process(&origin).await;
    for _again in 0..3 {
        // Which of the two comes first is luck; the one that comes second is turned away.
        let full = async {
            loop {
                let half = send(&process, &post("/sms/json", FORM, "half", SIZE + 1000, SIZE)).await;
                if answer(&process, &sms("next", SIZE)).await.code() == "memory_full" {
                    return half;
                }
            }
        };
        drop(tokio::time::timeout(PATIENCE, full).await.expect("never full"));
        let served = async { while answer(&process, &sms("next", SIZE)).await.status != 200 {} };
        tokio::time::timeout(PATIENCE, served).await.expect("the memory was never given back");
    }
}

async fn has_in_flight(process: &Process, requests: usize) {
    let line = format!("vonage_sidecar_in_flight_requests {requests}\n");
    let reached = async { while !Caller::new(process.admin[0]).get("/metrics").await.text().contains(&line) {} };
    tokio::time::timeout(PATIENCE, reached).await.expect("never so many in flight");
}

#[tokio::test]
async fn bodies_that_are_only_announced_turn_nobody_away() {
    let origin = holding(&Arc::new(Notify::new())).await;
    let (_home, process) = process(&origin).await;
    let mut announced = Vec::new();
    for _ in 0..8 {
        announced.push(send(&process, &post("/v1/messages", JSON, "never", ANNOUNCED, 0)).await);
    }
    has_in_flight(&process, announced.len()).await;
    assert_eq!(answer(&process, &sms("middling", 10_000)).await.status, 200);
    // In two pieces: a small one that came in one was never counted.
    let small = sms("small", SMALL);
    let (first, rest) = small.split_at(small.len() - SMALL / 2);
    let mut caller = send(&process, first).await;
    has_in_flight(&process, announced.len() + 1).await;
    caller.write_all(rest).await.unwrap();
    assert_eq!(next(&mut caller).await.status, 200);
}
