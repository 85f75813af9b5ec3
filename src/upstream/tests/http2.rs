//! One connection of HTTP/2: streams, limits, goodbyes, and what failures prove.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Version};
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};

use super::origins::{Authority, fetch, figures, get, read, request, secure, soon, to_secure, until};
use super::peer::{
    CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, RST_STREAM, STATUS_200, origin,
};
use crate::upstream::body::Body;
use crate::upstream::{Protocol, Reuse, SendError, Upstream};
use crate::vonage::hosts::Host;

async fn failure(upstream: &Upstream) -> SendError {
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    soon(connection.send(get())).await.unwrap_err()
}

#[tokio::test]
async fn many_requests_at_a_cold_start_share_one_connection() {
    let (upstream, accepted) = origin(Some(100), |peer, _| peer.answer_all()).await;
    let asking: Vec<_> = (0..60)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(soon(asked).await.unwrap(), "ok");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    let figures = figures(&upstream);
    assert_eq!((figures.http2.open, figures.http2.opened, figures.reused), (1, 1, 59));
}

#[tokio::test]
async fn the_origin_sees_the_vonage_name_as_authority_and_no_header_of_a_connection() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["localhost"], &["h2"], |_| {});
    let (seen, mut requests) = mpsc::unbounded_channel();
    let (address, _) = secure(acceptor, move |stream, _| {
        let seen = seen.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                seen.send(request.map(drop)).unwrap();
                respond.send_response(http::Response::new(()), true).unwrap();
            }
        }
    })
    .await;
    let upstream = to_secure(&authority, address);
    let connection = soon(upstream.connection(Host::API)).await.unwrap();
    assert_eq!((connection.protocol(), connection.reuse()), (Protocol::Http2, Reuse::Fresh));
    let post = request(Method::POST, "/v1/messages?x=%20y", Body::Whole("{}".into()));
    assert_eq!(soon(connection.send(post)).await.unwrap().status(), 200);
    let request = soon(requests.recv()).await.unwrap();
    assert_eq!(request.uri(), "https://api.nexmo.com/v1/messages?x=%20y");
    assert_eq!((request.version(), request.method()), (Version::HTTP_2, &Method::POST));
    assert_eq!(request.headers().get("content-length").unwrap(), "2");
    assert!(request.headers().get("host").is_none());
}

#[tokio::test]
async fn a_refused_stream_was_not_processed_and_any_other_reset_may_have_been() {
    let (upstream, _) = origin(None, |mut peer, _| async move {
        for error in [REFUSED_STREAM, CANCEL, INTERNAL_ERROR, NO_ERROR] {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            peer.reset(stream, error).await;
        }
        peer.answer_all().await;
    })
    .await;
    assert!(matches!(failure(&upstream).await, SendError::Refused(_)));
    for _ in 0..3 {
        assert_eq!(failure(&upstream).await.code(), "exchange_failed");
    }
    assert_eq!(fetch(&upstream).await, "ok", "the connection is still good");
}

#[tokio::test]
async fn a_goodbye_below_a_stream_proves_that_it_was_not_processed() {
    let (upstream, accepted) = origin(None, |mut peer, number| async move {
        if number == 0 {
            let first = peer.next(HEADERS).await.unwrap().stream;
            let second = peer.next(HEADERS).await.unwrap().stream;
            peer.goaway(first, NO_ERROR).await;
            peer.answer(first).await;
            assert!(second > first);
            drop(peer.next(HEADERS).await);
        } else {
            peer.answer_all().await;
        }
    })
    .await;
    let send = || {
        let upstream = Arc::clone(&upstream);
        async move { soon(upstream.connection(Host::API)).await.unwrap().send(get()).await }
    };
    let (one, other) = soon(async { tokio::join!(send(), send()) }).await;
    let (answers, errors): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
    assert_eq!((answers.len(), errors.len()), (1, 1));
    for error in errors {
        assert!(matches!(error, Err(SendError::NotProcessed(_))), "{error:?}");
    }
    for answer in answers {
        assert_eq!(read(answer.unwrap()).await, "ok", "the stream below goes on");
    }
    let connection = soon(upstream.fresh(Host::API)).await.unwrap();
    assert_eq!(connection.reuse(), Reuse::Fresh);
    assert_eq!(read(soon(connection.send(get())).await.unwrap()).await, "ok");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_goodbye_at_a_stream_proves_nothing_about_it() {
    for error in [NO_ERROR, INTERNAL_ERROR] {
        let (upstream, _) = origin(None, move |mut peer, _| async move {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            peer.goaway(stream, error).await;
        })
        .await;
        let failure = failure(&upstream).await;
        assert!(matches!(failure, SendError::Failed(_)), "{failure:?}");
    }
}

#[tokio::test]
async fn a_reused_connection_that_closes_before_an_answer_is_reported_as_such() {
    let (upstream, _) = origin(None, |mut peer, _| async move {
        let stream = peer.next(HEADERS).await.unwrap().stream;
        peer.answer(stream).await;
        drop(peer.next(HEADERS).await);
    })
    .await;
    assert_eq!(fetch(&upstream).await, "ok");
    let failure = failure(&upstream).await;
    assert!(matches!(failure, SendError::ClosedBeforeAnswer(_)), "{failure:?}");
}

#[tokio::test]
async fn after_a_goodbye_the_next_request_takes_a_new_connection() {
    let (upstream, accepted) = origin(None, |mut peer, number| async move {
        if number == 0 {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            peer.answer(stream).await;
            peer.goaway(stream, NO_ERROR).await;
        } else {
            peer.answer_all().await;
        }
    })
    .await;
    assert_eq!(fetch(&upstream).await, "ok");
    until(|| figures(&upstream).http2.open == 0).await;
    assert_eq!(fetch(&upstream).await, "ok");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_stream_limit_that_is_used_up_opens_the_next_connection() {
    let (upstream, accepted) = origin(Some(1), |mut peer, _| async move {
        // The head of the answer comes, its body never ends.
        while let Some(frame) = peer.next(HEADERS).await {
            peer.write(HEADERS, END_HEADERS, frame.stream, &[STATUS_200]).await;
        }
    })
    .await;
    let mut open = Vec::new();
    for number in 1..=4 {
        let mut connection = soon(upstream.connection(Host::API)).await.unwrap();
        let in_flight = connection.in_flight();
        open.push((soon(connection.send(get())).await.unwrap(), in_flight));
        assert_eq!(accepted.load(Ordering::SeqCst), number);
    }
    let waiting = tokio::spawn(soon(upstream.connection(Host::API)).await.unwrap().send(get()));
    drop(open);
    assert_eq!(soon(waiting).await.unwrap().unwrap().status(), 200, "a fifth waits for a stream, not for a connection");
    assert_eq!(accepted.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn more_requests_than_streams_are_all_answered_over_at_most_four_connections() {
    let (upstream, accepted) = origin(Some(5), |peer, _| peer.answer_all()).await;
    assert_eq!(fetch(&upstream).await, "ok");
    let asking: Vec<_> = (0..500)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(soon(asked).await.unwrap(), "ok");
    }
    assert!((2..=4).contains(&accepted.load(Ordering::SeqCst)), "{accepted:?}");
}

#[tokio::test]
async fn a_dropped_request_resets_its_stream_and_leaves_the_connection() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let (upstream, accepted) = origin(None, move |mut peer, _| {
        let seen = seen.clone();
        async move {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            seen.send(0).unwrap();
            let reset = peer.next(RST_STREAM).await.unwrap();
            assert_eq!(reset.stream, stream);
            seen.send(u32::from_be_bytes(reset.payload.try_into().unwrap())).unwrap();
            peer.answer_all().await;
        }
    })
    .await;
    let sending = tokio::spawn(soon(upstream.connection(Host::API)).await.unwrap().send(get()));
    assert_eq!(soon(events.recv()).await, Some(0));
    sending.abort();
    assert_eq!(soon(events.recv()).await, Some(CANCEL));
    assert_eq!(fetch(&upstream).await, "ok");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// Guards the invariant that the proof of a GOAWAY rests on.
#[tokio::test]
async fn everything_that_moves_a_connection_runs_in_one_task() {
    let (upstream, _) = origin(None, |peer, _| peer.answer_all()).await;
    assert_eq!(fetch(&upstream).await, "ok");
    // The origin's listener and its connection; our connection and our sweeper.
    until(|| tokio::runtime::Handle::current().metrics().num_alive_tasks() == 4).await;
}

/// Every connection of the origin says goodbye in the middle of traffic, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_that_was_processed_is_ever_called_not_processed() {
    let authority = Authority::new();
    let processed = Arc::new(Mutex::new(HashSet::new()));
    let record = Arc::clone(&processed);
    let (address, accepted) = secure(authority.acceptor(&["localhost"], &["h2"], |_| {}), move |stream, number| {
        let record = Arc::clone(&record);
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            let mut left = 5 + number % 23;
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                assert!(record.lock().unwrap().insert(request.uri().path().to_owned()), "sent twice");
                drop(respond.send_response(http::Response::new(()), true));
                left = left.saturating_sub(1);
                match (left, number % 3) {
                    (0, 0) => connection.abrupt_shutdown(h2::Reason::NO_ERROR),
                    (0, _) => connection.graceful_shutdown(),
                    (_, _) => {}
                }
            }
        }
    })
    .await;
    let upstream = to_secure(&authority, address);
    let asking: Vec<_> = (0..16)
        .map(|caller| {
            let (upstream, processed) = (Arc::clone(&upstream), Arc::clone(&processed));
            tokio::spawn(async move {
                let mut unprocessed = Vec::new();
                for number in 0..150 {
                    let path = format!("/{caller}/{number}");
                    let connection = soon(upstream.connection(Host::API)).await.unwrap();
                    match soon(connection.send(request(Method::POST, &path, Body::Whole("{}".into())))).await {
                        Ok(answer) => assert!(processed.lock().unwrap().contains(&path), "{answer:?}"),
                        Err(SendError::NotProcessed(_)) => unprocessed.push(path),
                        // An abrupt goodbye leaves requests of which nothing is known; they are not called anything else.
                        Err(error) => assert!(matches!(error, SendError::Failed(_) | SendError::ClosedBeforeAnswer(_)), "{error:?}"),
                    }
                }
                unprocessed
            })
        })
        .collect();
    for asked in asking {
        for path in soon(asked).await.unwrap() {
            assert!(!processed.lock().unwrap().contains(&path), "{path}");
        }
    }
    assert!(accepted.load(Ordering::SeqCst) > 10, "there were goodbyes");
}

#[tokio::test]
async fn trailers_pass() {
    let (upstream, _) = origin(None, |mut peer, _| async move {
        let stream = peer.next(HEADERS).await.unwrap().stream;
        peer.write(HEADERS, END_HEADERS, stream, &[STATUS_200]).await;
        peer.write(DATA, 0, stream, b"ok").await;
        // A literal field without indexing: name and value with their lengths.
        peer.write(HEADERS, END_HEADERS | END_STREAM, stream, b"\x00\x05x-sum\x0242").await;
        drop(peer.next(HEADERS).await);
    })
    .await;
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(get())).await.unwrap();
    let body = soon(answer.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap().get("x-sum").unwrap(), "42");
}

#[tokio::test]
async fn connections_end_with_the_upstream_but_not_before_their_answers() {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let (seen, mut events) = mpsc::unbounded_channel();
    let (upstream, _) = origin(None, move |mut peer, _| {
        let (seen, told) = (seen.clone(), Arc::clone(&told));
        async move {
            let stream = peer.next(HEADERS).await.unwrap().stream;
            peer.write(HEADERS, END_HEADERS, stream, &[STATUS_200]).await;
            told.notified().await;
            peer.write(DATA, END_STREAM, stream, b"ok").await;
            peer.answer_all().await;
            seen.send(()).unwrap();
        }
    })
    .await;
    let answer = soon(soon(upstream.connection(Host::API)).await.unwrap().send(get())).await.unwrap();
    drop(upstream);
    go.notify_one();
    assert_eq!(read(answer).await, "ok");
    assert_eq!(soon(events.recv()).await, Some(()));
}

#[tokio::test]
async fn a_peer_that_has_gone_silent_is_noticed() {
    let (upstream, _) = origin(None, |mut peer, _| async move {
        let stream = peer.next(HEADERS).await.unwrap().stream;
        peer.answer(stream).await;
        // The socket stays open; pings are not answered.
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(fetch(&upstream).await, "ok");
    // With nothing to do, paused time jumps from timer to timer.
    tokio::time::pause();
    let mut seconds = 0;
    while figures(&upstream).http2.open > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds < 45, "it should have been noticed");
    }
    assert!(seconds > 10, "it had time to answer");
}
