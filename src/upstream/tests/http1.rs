//! One connection of HTTP/1.1: when it is used again, and what its failures prove.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use super::origins::{
    OK, answer_all, at, body_of, fetch, figures, get, head, plain, read, request, settings, soon, timeouts, to_plain, until,
};
use crate::config::{Timeouts, Transport};
use crate::upstream::body::{Body, BodyError};
use crate::upstream::received::Received;
use crate::upstream::{Protocol, ProxyEnvironment, Reuse, SendError, Upstream};
use crate::vonage::hosts::Host;

#[tokio::test]
async fn one_connection_carries_requests_one_after_another() {
    let (address, accepted) = plain(|stream, _| answer_all(stream)).await;
    let upstream = to_plain(address);
    for _ in 0..20 {
        assert_eq!(fetch(&upstream).await, "ok");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    let figures = figures(&upstream);
    assert_eq!((figures.http1.open, figures.http1.opened, figures.reused), (1, 1, 19));
}

#[tokio::test]
async fn the_origin_sees_path_and_query_and_the_name_of_the_vonage_host() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let (address, _) = plain(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            seen.send(head(&mut stream).await.unwrap()).unwrap();
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    fetch(&to_plain(address)).await;
    let head = soon(heads.recv()).await.unwrap();
    assert!(head.starts_with("GET /v1/calls?page=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: api.nexmo.com\r\n"), "{head}");
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_while_it_rested_is_not_taken() {
    let (address, accepted) = plain(|mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let upstream = to_plain(address);
    for number in 1..=5 {
        let connection = soon(upstream.connection(Host::API)).await.unwrap();
        assert_eq!(connection.reuse(), Reuse::Fresh);
        read(soon(connection.send(get())).await.unwrap()).await;
        until(|| figures(&upstream).http1.open == 0).await;
        assert_eq!(accepted.load(Ordering::SeqCst), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gets_to_a_peer_that_closes_silently_never_fail_beyond_one_resend() {
    let (address, _) = plain(|mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let upstream = to_plain(address);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(read(resent(&upstream).await).await, "ok");
                }
            })
        })
        .collect();
    for asked in asking {
        soon(asked).await.unwrap();
    }
}

/// The answer to a GET that is sent once more where the design allows it.
async fn resent(upstream: &Upstream) -> http::Response<Received> {
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    match soon(connection.send(get())).await {
        Ok(answer) => answer,
        Err(SendError::NotProcessed(_) | SendError::ClosedBeforeAnswer(_)) => {
            let connection = soon(upstream.fresh(Host::API)).await.unwrap();
            assert_eq!(connection.reuse(), Reuse::Fresh);
            soon(connection.send(get())).await.unwrap()
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_resting_connection_is_closed_before_the_peer_says_it_will() {
    let (seen, mut ends) = mpsc::unbounded_channel();
    let (address, _) = plain(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            stream.read_u8().await.unwrap_err();
            seen.send(()).unwrap();
        }
    })
    .await;
    let upstream = to_plain(address);
    fetch(&upstream).await;
    assert_eq!(soon(ends.recv()).await, Some(()));
    until(|| figures(&upstream).http1.open == 0).await;
}

/// The second request on a connection gets `last`, and then the connection closes.
async fn after_one_answer(last: &'static str) -> Arc<Upstream> {
    let (address, _) = plain(move |mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(OK.as_bytes()).await.unwrap();
        if head(&mut stream).await.is_some() {
            stream.write_all(last.as_bytes()).await.unwrap();
        }
    })
    .await;
    to_plain(address)
}

#[tokio::test]
async fn a_reused_connection_that_closes_before_an_answer_is_reported_as_such() {
    let upstream = after_one_answer("").await;
    fetch(&upstream).await;
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    assert_eq!((connection.reuse(), connection.protocol()), (Reuse::Reused, Protocol::Http1));
    let error = soon(connection.send(get())).await.unwrap_err();
    assert!(matches!(error, SendError::ClosedBeforeAnswer(_)), "{error:?}");
}

#[tokio::test]
async fn half_a_head_is_an_answer_that_was_begun() {
    let upstream = after_one_answer("HTTP/1.1 200 O").await;
    fetch(&upstream).await;
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    assert_eq!(connection.reuse(), Reuse::Reused);
    let error = soon(connection.send(get())).await.unwrap_err();
    assert!(matches!(error, SendError::Failed(_)), "{error:?}");
}

#[tokio::test]
async fn a_new_connection_that_closes_before_an_answer_proves_nothing() {
    let (address, _) = plain(|mut stream, _| async move {
        head(&mut stream).await;
    })
    .await;
    let connection = soon(to_plain(address).connection(Host::API)).await.unwrap();
    let error = soon(connection.send(get())).await.unwrap_err();
    assert_eq!(error.code(), "exchange_failed", "{error:?}");
}

#[tokio::test]
async fn a_connection_is_not_used_again_before_its_answer_was_read() {
    let (address, accepted) = plain(|mut stream, _| async move {
        while head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8000000\r\n\r\nbegin").await.unwrap();
            stream.read_u8().await.unwrap_err();
        }
    })
    .await;
    let upstream = to_plain(address);
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    let mut answer = soon(connection.send(get())).await.unwrap();
    assert_eq!(soon(answer.body_mut().frame()).await.unwrap().unwrap().into_data().unwrap(), "begin");
    let second = soon(upstream.connection(Host::API)).await.unwrap();
    assert_eq!((second.reuse(), accepted.load(Ordering::SeqCst)), (Reuse::Fresh, 2));
    drop((answer, second));
    until(|| figures(&upstream).http1.open == 0).await;
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_body_still_goes_up_and_ends_the_connection() {
    let (address, accepted) = plain(|mut stream, _| async move {
        if head(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
            // The rest of the body is never read; the connection stays open until the other side gives up.
            std::future::pending::<()>().await;
        }
    })
    .await;
    let upstream = to_plain(address);
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    let body = Body::Whole(Bytes::from(vec![b'x'; 64 << 20]));
    let answer = soon(connection.send(request(Method::POST, "/v1/files", body))).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(read(answer).await, "big");
    let second = soon(upstream.connection(Host::API)).await.unwrap();
    assert_eq!(second.reuse(), Reuse::Fresh);
    until(|| accepted.load(Ordering::SeqCst) == 2).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout_and_closes_the_connection() {
    let closed = Arc::new(Notify::new());
    let told = Arc::clone(&closed);
    let (address, _) = plain(move |mut stream, _| {
        let told = Arc::clone(&told);
        async move {
            head(&mut stream).await.unwrap();
            stream.read_u8().await.unwrap_err();
            told.notify_one();
        }
    })
    .await;
    let mut settings = settings();
    settings.hosts.insert(Host::API, at(Transport::Plain, address));
    let timeouts = Timeouts { answer_head: Duration::from_millis(50), ..timeouts() };
    let upstream = Upstream::new(&settings, &timeouts, &ProxyEnvironment::default()).unwrap();
    let error = soon(soon(upstream.connection(Host::API)).await.unwrap().send(get())).await.unwrap_err();
    assert_eq!(error.code(), "answer_timeout");
    soon(closed.notified()).await;
}

#[tokio::test]
async fn an_answer_under_way_outlives_the_pool() {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let (address, _) = plain(move |mut stream, _| {
        let told = Arc::clone(&told);
        async move {
            head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
            told.notified().await;
            stream.write_all(b"ok").await.unwrap();
        }
    })
    .await;
    let upstream = to_plain(address);
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(get())).await.unwrap();
    drop(upstream);
    go.notify_one();
    assert_eq!(read(answer).await, "ok");
}

#[tokio::test]
async fn a_dropped_request_closes_its_connection() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let (address, _) = plain(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            head(&mut stream).await.unwrap();
            seen.send("asked").unwrap();
            stream.read_u8().await.unwrap_err();
            seen.send("closed").unwrap();
        }
    })
    .await;
    let upstream = to_plain(address);
    let sending = tokio::spawn(soon(upstream.connection(Host::API)).await.unwrap().send(get()));
    assert_eq!(soon(events.recv()).await, Some("asked"));
    sending.abort();
    assert_eq!(soon(events.recv()).await, Some("closed"));
}

/// The body of this answer, as if it were that of a caller.
async fn teed(answer: &'static str) -> Body {
    let (address, _) = plain(move |mut stream, _| async move {
        head(&mut stream).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    body_of(address).await
}

#[tokio::test]
async fn a_body_of_known_length_goes_up_with_its_length() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let (address, _) = plain(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            let head = head(&mut stream).await.unwrap();
            let mut body = [0; 5];
            stream.read_exact(&mut body).await.unwrap();
            seen.send((head, body)).unwrap();
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let body = teed("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    let connection = soon(to_plain(address).connection(Host::API)).await.unwrap();
    assert_eq!(read(soon(connection.send(request(Method::POST, "/v1/files", body))).await.unwrap()).await, "ok");
    let (head, body) = soon(heads.recv()).await.unwrap();
    assert!(head.contains("\r\ncontent-length: 5\r\n"), "{head}");
    assert_eq!(&body, b"hello");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_fault_of_the_caller() {
    let (address, _) = plain(|mut stream, _| async move {
        drop(head(&mut stream).await);
        std::future::pending::<()>().await;
    })
    .await;
    let body = teed("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await;
    let connection = soon(to_plain(address).connection(Host::API)).await.unwrap();
    let error = soon(connection.send(request(Method::POST, "/v1/files", body))).await.unwrap_err();
    assert_eq!(error.code(), "caller_body", "{error:?}");
    assert!(matches!(error.body(), Some(BodyError::Caller(_))));
}

/// What an origin that answers every request with `answer` leads to.
async fn outcome(answer: Vec<u8>) -> Result<(u16, Bytes), SendError> {
    let (address, _) = plain(move |mut stream, _| {
        let answer = answer.clone();
        async move {
            while head(&mut stream).await.is_some() {
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let answer = soon(soon(to_plain(address).connection(Host::API)).await.unwrap().send(get())).await?;
    Ok((answer.status().as_u16(), read(answer).await))
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_a_failure() {
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_vec();
    assert_eq!(outcome(answer).await.unwrap_err().code(), "unsolicited_upgrade");
}

#[tokio::test]
async fn informational_answers_are_skipped() {
    let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    assert_eq!(outcome(format!("{hints}{OK}").into_bytes()).await.unwrap(), (200, Bytes::from("ok")));
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_refused() {
    let large = format!("HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(70 << 10));
    assert_eq!(outcome(large.into_bytes()).await.unwrap_err().code(), "answer_head_too_large");
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x-many: 1\r\n".repeat(100));
    assert_eq!(outcome(many.into_bytes()).await.unwrap_err().code(), "answer_head_too_large");
    let garbage = b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec();
    assert_eq!(outcome(garbage).await.unwrap_err().code(), "answer_malformed");
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = to_plain(address);
    let error = soon(upstream.connection(Host::API)).await.unwrap_err();
    assert_eq!((error.code(), error.is_timeout()), ("connect_refused", false));
    assert_eq!(figures(&upstream).failures.get("connect_refused"), Some(&1));
}

#[tokio::test]
async fn a_connection_carries_no_request_of_another_host() {
    let (address, _) = plain(|stream, _| answer_all(stream)).await;
    let mut settings = settings();
    settings.hosts.insert(Host::REST, at(Transport::Plain, address));
    let upstream = Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap();
    let connection = soon(upstream.connection(Host::REST)).await.unwrap();
    assert!(matches!(soon(connection.send(get())).await, Err(SendError::Failed(_))));
}
