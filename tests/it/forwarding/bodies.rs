//! Bodies of any size and framing, at the pace of the slower side, and never a clean end of what was cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{SECRET, before, request, sent};
use crate::support::origin::{Guest, Origin, field};
use crate::support::sidecar::{PATIENCE, Setup};
use crate::support::wire::{Ending, next, pieces, talk};

const LARGE: usize = 10 << 20;
/// What the buffers of all sockets and of the sidecar may hold together, generously: loopback sockets grow to 6 MiB.
const BUFFERS: u64 = 48 << 20;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap()).collect()
}

/// Gives every upload back while it comes; calls that prove a secret are answered.
async fn echo(mut guest: Guest) {
    while let Some(head) = guest.head().await {
        guest.tell(&head);
        let Some(length) = field(&head, "content-length").and_then(|length| length.parse::<usize>().ok()) else {
            guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            continue;
        };
        guest.say(format!("HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await;
        let mut left = length;
        while left > 0 {
            let Some(piece) = guest.some().await else { return };
            guest.say(&piece).await;
            left -= piece.len();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_go_up_and_come_down_at_once() {
    let mut origin = Origin::start(echo).await;
    let sidecar = before(&origin).await;
    let body = pattern(LARGE);
    let head = request("POST /v1/messages HTTP/1.1", &format!("Content-Length: {LARGE}\r\nConnection: close\r\n"), "");
    let (mut reading, mut writing) = TcpStream::connect(sidecar.data).await.unwrap().into_split();
    let mut came = Vec::new();
    let up = async {
        writing.write_all(head.as_bytes()).await.unwrap();
        writing.write_all(&body).await.unwrap();
    };
    let both = async { tokio::join!(up, reading.read_to_end(&mut came)) };
    tokio::time::timeout(PATIENCE, both).await.unwrap().1.unwrap();
    let answer = pieces(&came).remove(0);
    assert!(answer.status == 201 && answer.whole && answer.body == body, "{} {}", answer.status, answer.body.len());
    let heads = origin.heard_so_far();
    assert!(heads.last().unwrap().starts_with("POST /v1/messages") && heads.iter().filter(|head| head.starts_with("POST")).count() == 1);
}

#[tokio::test]
async fn an_upload_of_unknown_length_arrives_whole() {
    let sidecar = Setup::new(&[SECRET], &[SECRET]).start().await;
    // Without zeros, which no form has: where a body is looked at, it may be UTF-16.
    let body: Vec<u8> = pattern(300_000).into_iter().map(|byte| byte.max(1)).collect();
    for path in ["/v1/messages", "/sms/json", "/odd"] {
        let mut bytes = request(&format!("POST {path} HTTP/1.1"), "Transfer-Encoding: chunked\r\n", "").into_bytes();
        for piece in body.chunks(70_001) {
            bytes.extend(format!("{:X};ext=\"1\"\r\n", piece.len()).into_bytes());
            bytes.extend(piece);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"000\r\n\r\n");
        let answer = talk(sidecar.data, &bytes).await.only();
        assert_eq!(answer.code(), "", "{answer:?}");
        let seen = sidecar.vonage().seen().pop().unwrap();
        assert!(seen.complete && seen.path() == path, "{path}");
        assert_eq!((seen.length, &seen.body[..]), (300_000, &body[..seen.body.len()]), "{path}");
    }
}

/// Waits until a counter has stood still for a while.
async fn stalled(count: &AtomicU64) -> u64 {
    let watch = async {
        loop {
            let before = count.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(400)).await;
            if before > 0 && count.load(Ordering::SeqCst) == before {
                return before;
            }
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.expect("it never stalled")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_does_not_read_makes_the_origin_wait() {
    let written = Arc::new(AtomicU64::new(0));
    let (total, piece) = (BUFFERS * 2, vec![b'x'; 1 << 16]);
    let counter = Arc::clone(&written);
    let origin = Origin::start(move |mut guest| {
        let (counter, piece) = (Arc::clone(&counter), piece.clone());
        async move {
            guest.request().await;
            guest.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n").as_bytes()).await;
            while counter.load(Ordering::SeqCst) < total && guest.stream.write_all(&piece).await.is_ok() {
                counter.fetch_add(1 << 16, Ordering::SeqCst);
            }
        }
    })
    .await;
    let sidecar = before(&origin).await;
    let mut caller = sent(&sidecar, request("GET /odd HTTP/1.1", "Connection: close\r\n", "")).await;
    let held = stalled(&written).await;
    assert!(held < BUFFERS, "{held} bytes are held somewhere");
    let mut came = Vec::new();
    tokio::time::timeout(PATIENCE, caller.read_to_end(&mut came)).await.unwrap().unwrap();
    let answer = pieces(&came).remove(0);
    assert!(answer.whole && u64::try_from(answer.body.len()).unwrap() == total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_does_not_read_makes_the_caller_wait() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let total = BUFFERS * 2;
    let origin = Origin::start(move |mut guest| {
        let mut gone = gone.clone();
        async move {
            while let Some(head) = guest.head().await {
                if head.starts_with("POST") {
                    gone.wait_for(|go| *go).await.unwrap();
                    let mut read = 0;
                    while read < total {
                        read += u64::try_from(guest.some().await.unwrap().len()).unwrap();
                    }
                }
                guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            }
        }
    })
    .await;
    let sidecar = before(&origin).await;
    let head = request("POST /odd HTTP/1.1", &format!("Content-Length: {total}\r\n"), "");
    let (mut reading, mut writing) = sent(&sidecar, head).await.into_split();
    let written = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&written);
    let upload = tokio::spawn(async move {
        let piece = vec![b'x'; 1 << 16];
        while counter.load(Ordering::SeqCst) < total {
            writing.write_all(&piece).await.unwrap();
            counter.fetch_add(1 << 16, Ordering::SeqCst);
        }
        writing
    });
    let held = stalled(&written).await;
    assert!(held < BUFFERS, "{held} bytes are held somewhere");
    go.send(true).unwrap();
    let mut writing = tokio::time::timeout(PATIENCE, upload).await.unwrap().unwrap();
    writing.shutdown().await.unwrap();
    let mut came = Vec::new();
    tokio::time::timeout(PATIENCE, reading.read_to_end(&mut came)).await.unwrap().unwrap();
    assert_eq!(pieces(&came)[0].status, 200);
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_the_connections_go_on() {
    let origin = Origin::start(|mut guest| async move {
        while let Some(request) = guest.request().await {
            let answer: &[u8] = match request.split(' ').nth(1) {
                Some("/odd/head") => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n",
                Some("/odd/head-chunked") => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                Some("/odd/204") => b"HTTP/1.1 204 No Content\r\n\r\n",
                Some("/odd/304") => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"x\"\r\n\r\n",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            };
            guest.say(answer).await;
        }
    })
    .await;
    let sidecar = before(&origin).await;
    let mut caller = sent(&sidecar, "").await;
    for (line, status, length) in [
        ("HEAD /odd/head", "200 OK", "1234"),
        ("HEAD /odd/head-chunked", "200 OK", ""),
        ("GET /odd/204", "204 No Content", ""),
        ("GET /odd/304", "304 Not Modified", ""),
        ("DELETE /odd/204", "204 No Content", ""),
    ] {
        caller.write_all(request(&format!("{line} HTTP/1.1"), "", "").as_bytes()).await.unwrap();
        let head = crate::support::wire::until(&mut caller, "\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")) && head.ends_with("\r\n\r\n"), "{line}: {head:?}");
        assert_eq!(field(&head, "content-length").unwrap_or_default(), length, "{line}: {head}");
        caller.write_all(request("GET /odd HTTP/1.1", "", "").as_bytes()).await.unwrap();
        assert_eq!(next(&mut caller).await.text(), "ok", "after {line}");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn informational_answers_are_waited_past() {
    let origin = Origin::saying(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let sidecar = before(&origin).await;
    for line in ["GET /odd HTTP/1.1", "POST /odd HTTP/1.1"] {
        let answer = talk(sidecar.data, request(line, "", "").as_bytes()).await.only();
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn trailers_end_an_answer_cleanly_and_do_not_travel() {
    let origin =
        Origin::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n").await;
    let sidecar = before(&origin).await;
    for lines in ["", "TE: trailers\r\n"] {
        let mut caller = sent(&sidecar, request("GET /odd HTTP/1.1", lines, "")).await;
        let answer = next(&mut caller).await;
        assert_eq!((answer.text().as_str(), answer.header("trailer")), ("ok", ""));
        caller.write_all(request("GET /odd HTTP/1.1", "Connection: close\r\n", "").as_bytes()).await.unwrap();
        assert_eq!(next(&mut caller).await.text(), "ok", "the connection goes on");
    }
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_is_cut_never_ends_cleanly() {
    for (framing, piece) in [("Content-Length: 100\r\n", "half of it"), ("Transfer-Encoding: chunked\r\n", "A\r\nhalf of it\r\n")] {
        for cut in ["close", "reset"] {
            for (version, caller) in [("HTTP/1.1", "1.1"), ("HTTP/1.0", "1.0")] {
                let origin = Origin::start(move |mut guest| async move {
                    guest.request().await;
                    guest.say(format!("HTTP/1.1 200 OK\r\n{framing}\r\n{piece}").as_bytes()).await;
                    // Long enough that the head was passed on.
                    tokio::time::sleep(Duration::from_millis(150)).await;
                    if cut == "reset" {
                        guest.reset();
                    }
                })
                .await;
                let sidecar = before(&origin).await;
                let talk = talk(sidecar.data, request(&format!("GET /odd {version}"), "", "").as_bytes()).await;
                assert_ne!(talk.ending, Ending::Open);
                let what = format!("{framing} {cut} to {caller}: {talk:?}");
                match talk.pieces().first() {
                    Some(answer) if answer.status == 502 => answer.is_marked(502, "answer_broken"),
                    Some(answer) => assert!(!answer.whole || talk.ending == Ending::Reset, "{what}"),
                    None => assert_eq!(talk.ending, Ending::Reset, "{what}"),
                }
            }
        }
    }
}
