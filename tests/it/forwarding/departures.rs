//! Callers that leave.

use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::{SECRET, before, request, sent};
use crate::support::origin::{Guest, Origin};
use crate::support::sidecar::{PATIENCE, Setup};

fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Tells whether the sidecar goes away while it waits for an answer.
async fn slow(mut guest: Guest) {
    guest.request().await;
    let mut byte = [0];
    if tokio::time::timeout(Duration::from_millis(500), guest.stream.read(&mut byte)).await.is_ok() {
        guest.tell("cancelled");
        return;
    }
    guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
    guest.say(b"ok").await;
    // A connection whose answer was read to its end goes back and stays open.
    let kept = tokio::time::timeout(Duration::from_millis(200), guest.stream.read(&mut byte)).await.is_err();
    guest.tell(if kept { "read to its end" } else { "cut" });
}

#[tokio::test]
async fn a_call_that_only_reads_is_cancelled_upstream_when_its_caller_resets() {
    let mut origin = Origin::start(slow).await;
    let sidecar = before(&origin).await;
    let caller = sent(&sidecar, request("GET /account/get-balance HTTP/1.1", "", "")).await;
    assert!(origin.heard().await.starts_with("GET /account/get-balance"));
    reset(caller);
    assert_eq!(origin.heard().await, "cancelled");
}

#[tokio::test]
async fn a_call_that_sends_is_read_to_its_verdict_when_its_caller_resets() {
    let mut origin = Origin::start(slow).await;
    let sidecar = before(&origin).await;
    for (line, lines, body) in
        [("POST /v1/messages HTTP/1.1", "Content-Length: 2\r\n", "{}"), ("GET /sms/json?to=1&text=x HTTP/1.1", "", "")]
    {
        let caller = sent(&sidecar, request(line, lines, body)).await;
        assert!(origin.heard().await.starts_with(line));
        reset(caller);
        assert_eq!(origin.heard().await, "read to its end", "{line}");
    }
}

#[tokio::test]
async fn a_caller_that_resets_in_the_middle_of_its_upload_executes_nothing() {
    let sidecar = Setup::new(&[SECRET], &[SECRET]).start().await;
    for path in ["/v1/messages", "/sms/json"] {
        let half = request(&format!("POST {path} HTTP/1.1"), "Content-Length: 100000\r\nContent-Type: application/json\r\n", "{\"from\"");
        reset(sent(&sidecar, half).await);
    }
    let good = crate::support::wire::talk(sidecar.data, request("GET /account/get-balance HTTP/1.1", "", "").as_bytes()).await.only();
    assert_eq!(good.status, 200);
    let over = sidecar.vonage().wait_for(|vonage| vonage.count(|seen| seen.status.is_some()) >= 1, PATIENCE).await;
    assert!(over && sidecar.vonage().executions().total == 0);
}
