//! An origin that closes idle connections without a word, as many gateways do.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use super::{SECRET, before};
use crate::support::caller::{Caller, message, request};
use crate::support::origin::Origin;
use crate::support::sidecar::Setup;

const CALLERS: u64 = 200;
const EACH: u64 = 12;
/// Requests come about as often as idle connections are closed, so that the two meet; and seldom enough that a machine
/// with much else to do does not leave a new connection idle for so long.
const PAUSE: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_close_silently_fail_no_call_that_reads_and_repeat_none_that_sends() {
    let sidecar = Setup::new(&[SECRET], &[SECRET]).start().await;
    sidecar.vonage().close_idle_after(Some(PAUSE));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let to = sidecar.data;
        callers.spawn(async move {
            let mut client = Caller::new(to);
            let (mut read, mut failed) = (0, 0);
            for number in 0..EACH {
                tokio::time::sleep(Duration::from_micros(240_000 + 1_000 * ((7 * number + caller) % 20))).await;
                let balance = request(Method::GET, "/account/get-balance", "", Bytes::new());
                let answer = client.send(balance).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                read += 1;
                tokio::time::sleep(PAUSE).await;
                let answer = client.send(message(&format!("c{caller}n{number}"))).await.unwrap();
                if answer.status != 202 {
                    // Whether it was executed is not known, so it is told and not repeated.
                    assert!(["closed_before_answer", "exchange_failed"].contains(&answer.code()), "{}", answer.text());
                    failed += 1;
                }
            }
            (read, failed)
        });
    }
    let counts = callers.join_all().await;
    let (read, failed): (u64, u64) = counts.into_iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let vonage = sidecar.vonage();
    println!("{read} reads, 0 failed; {} sends, {failed} failed, {} connections", CALLERS * EACH, vonage.connections());
    assert_eq!(read, CALLERS * EACH);
    assert!(vonage.connections() > CALLERS, "none was closed");
    assert_eq!(vonage.duplicates(), []);
}

#[tokio::test]
async fn a_close_that_meets_a_request_is_followed_by_one_more_read_and_by_no_second_send() {
    // Answers the first request of a connection, and closes when the second one has come.
    let mut origin = Origin::start(|mut guest| async move {
        if guest.request().await.is_some() {
            guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            guest.request().await;
        }
    })
    .await;
    let sidecar = before(&origin).await;
    let mut client = Caller::new(sidecar.data);
    for _ in 0..50 {
        assert_eq!(client.get("/account/get-balance").await.status, 200);
    }
    assert_eq!(origin.heard_so_far().len(), 99, "every connection but the first was met in its closing");
    let (mut sent, mut failed) = (0, 0);
    for number in 0..50 {
        let answer = client.send(message(&format!("m{number}"))).await.unwrap();
        if answer.status != 200 {
            assert_eq!((answer.status.as_u16(), answer.code()), (502, "closed_before_answer"));
            failed += 1;
        }
        sent += 1;
    }
    assert_eq!((sent, failed), (50, 25));
    assert_eq!(origin.heard_so_far().len(), 50, "each was sent once");
}
