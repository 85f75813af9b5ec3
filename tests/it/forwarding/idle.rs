//! An origin that closes idle connections without a word, as many gateways do.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use super::SECRET;
use crate::support::caller::{Caller, message, request};
use crate::support::sidecar::Setup;

const CALLERS: u64 = 40;
const EACH: u64 = 60;
/// Requests come about as often as idle connections are closed, so that the two meet.
const PAUSE: Duration = Duration::from_millis(30);

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
                tokio::time::sleep(PAUSE + Duration::from_micros(200) * u32::try_from(number % 9).unwrap() - Duration::from_millis(1))
                    .await;
                let balance = request(Method::GET, "/account/get-balance", "", Bytes::new());
                let answer = client.send(balance).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                read += 1;
                tokio::time::sleep(PAUSE).await;
                let answer = client.send(message(&format!("c{caller}n{number}"))).await.unwrap();
                if answer.status != 202 {
                    assert_eq!(answer.code(), "closed_before_answer", "{}", answer.text());
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
