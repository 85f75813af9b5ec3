//! One request after another on a connection, and answers that come before their requests have ended.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{SECRET, before, request, sent};
use crate::support::origin::Origin;
use crate::support::sidecar::Setup;
use crate::support::wire::{Piece, listen, next, talk, until};

/// Says the target of every request.
async fn echo() -> Origin {
    Origin::start(|mut guest| async move {
        while let Some(request) = guest.request().await {
            let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
            guest.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len()).as_bytes()).await;
        }
    })
    .await
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let origin = echo().await;
    let sidecar = before(&origin).await;
    let three: String = ["/odd/1", "/odd/2", "/odd/3"].iter().map(|path| request(&format!("GET {path} HTTP/1.1"), "", "")).collect();
    let answers: Vec<String> = talk(sidecar.data, three.as_bytes()).await.pieces().iter().map(Piece::text).collect();
    assert_eq!(answers, ["/odd/1", "/odd/2", "/odd/3"]);
}

#[tokio::test]
async fn a_bad_request_behind_a_good_one_is_refused_with_a_mark() {
    let origin = echo().await;
    let sidecar = before(&origin).await;
    for bad in ["GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", "garbage\r\n\r\n", "GET /odd HTTP/1.1\r\nHost: evil\r\n\r\n"] {
        let both = format!("{}{bad}", request("POST /odd/1 HTTP/1.1", "Content-Length: 2\r\n", "{}"));
        let answers = talk(sidecar.data, both.as_bytes()).await.pieces();
        assert_eq!((answers.len(), answers[0].text().as_str()), (2, "/odd/1"), "{answers:?}");
        assert!(answers[1].status >= 400 && !answers[1].code().is_empty(), "{answers:?}");
    }
}

#[tokio::test]
async fn a_connection_carries_one_request_after_another() {
    let origin = echo().await;
    let sidecar = before(&origin).await;
    let mut caller = TcpStream::connect(sidecar.data).await.unwrap();
    for number in 0..20 {
        let (lines, body) =
            [("", ""), ("Content-Length: 2\r\n", "{}"), ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n")][number % 2];
        let line = if body.is_empty() { format!("GET /odd/{number} HTTP/1.1") } else { format!("POST /odd/{number} HTTP/1.1") };
        caller.write_all(request(&line, lines, body).as_bytes()).await.unwrap();
        assert_eq!(next(&mut caller).await.text(), format!("/odd/{number}"));
    }
    assert_eq!(origin.connections(), 1, "and so does the one behind it");
}

#[tokio::test]
async fn an_upload_that_waits_to_be_asked_for_is_asked_for_once() {
    let sidecar = Setup::new(&[SECRET], &[SECRET]).start().await;
    for path in ["/v1/messages", "/sms/json"] {
        let head = request(&format!("POST {path} HTTP/1.1"), "Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n", "");
        let mut caller = sent(&sidecar, head).await;
        assert_eq!(until(&mut caller, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n", "{path}");
        caller.write_all(b"{}").await.unwrap();
        let rest = listen(&mut caller).await.only();
        assert!(rest.status >= 200 && rest.code().is_empty(), "{path}: {rest:?}");
        let seen = sidecar.vonage().seen().pop().unwrap();
        assert!(seen.complete && &seen.body[..] == b"{}" && !seen.headers.contains_key("expect"), "{seen:?}");
    }
    let refused = request("POST /v1/messages HTTP/1.1", "Content-Length: 2\r\nExpect: 100-continue\r\n", "").replace("localhost", "evil");
    let mut caller = sent(&sidecar, refused).await;
    next(&mut caller).await.is_marked(421, "host_foreign");
}

#[tokio::test]
async fn an_answer_before_the_upload_has_ended_is_delivered_and_its_connection_not_used_again() {
    for close in ["", "Connection: close\r\n"] {
        let origin = Origin::start(move |mut guest| async move {
            while let Some(head) = guest.head().await {
                if head.starts_with("POST") {
                    guest.until("begin").await;
                    guest.say(format!("HTTP/1.1 422 No\r\nContent-Length: 2\r\n{close}\r\nno").as_bytes()).await;
                    if close.is_empty() {
                        // Reads on, and takes nothing of the upload for a request.
                        guest.until("no such text").await;
                    }
                    return;
                }
                guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        })
        .await;
        let sidecar = before(&origin).await;
        let mut uploader = sent(&sidecar, request("POST /odd HTTP/1.1", "Content-Length: 1000000\r\n", "begin")).await;
        let answer = next(&mut uploader).await;
        assert_eq!((answer.status, answer.text().as_str()), (422, "no"));
        for _ in 0..3 {
            let other = talk(sidecar.data, request("GET /odd HTTP/1.1", "", "").as_bytes()).await.only();
            assert_eq!((other.status, other.text().as_str()), (200, "ok"));
        }
        assert_eq!(origin.connections(), 2);
        // What is left of the upload is not taken for a request.
        uploader.write_all(request("GET /odd HTTP/1.1", "", "").as_bytes()).await.ok();
        uploader.shutdown().await.ok();
        assert!(listen(&mut uploader).await.pieces().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_behind_a_large_answer_waits_for_its_turn() {
    for size in [200_000, 1_000_000, 5_000_000, 20_000_000] {
        let body = vec![b'x'; size];
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        answer.extend(&body);
        let origin = Origin::saying(answer).await;
        let sidecar = before(&origin).await;
        let mut caller = sent(&sidecar, format!("{}garbage\r\n\r\n", request("GET /odd HTTP/1.1", "", ""))).await;
        // Until the answer is stuck on its way, the last of it in the sidecar's own buffers.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let answers = listen(&mut caller).await.pieces();
        assert_eq!(answers.len(), 2, "{size}");
        assert!(answers[0].whole && answers[0].body == body, "{size}");
        answers[1].is_marked(400, "request_malformed");
    }
}
