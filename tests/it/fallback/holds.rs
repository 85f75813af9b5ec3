//! Waiting for a newer file when everything we hold is refused.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{BALANCE, FORM, MESSAGE, NEW, NEXT, OLD, SMS, attempts, counted, leave, open, send, standing, until};
use crate::support::caller::{Answer, Caller, request};
use crate::support::sidecar::{KEY, PATIENCE, Setup, Sidecar};

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the test's own stop-watch")]
    Instant::now()
}

/// A sidecar whose one secret was accepted a moment ago and then revoked.
async fn revoked(hold: Duration, watching: Watching) -> Sidecar {
    let setup = Setup { watching, ..Setup::new(&[OLD], &[OLD]) };
    let sidecar = setup.with(move |settings| settings.fallback.hold = hold).start().await;
    assert!(send(&sidecar, SMS).await.text().contains("\"status\":\"0\""));
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    sidecar.vonage().create_secret(KEY, NEW).unwrap();
    sidecar.vonage().reset();
    sidecar
}

fn spawn(sidecar: &Sidecar) -> tokio::task::JoinHandle<Answer> {
    let to = sidecar.data;
    tokio::spawn(async move { Caller::new(to).send(SMS.request()).await.unwrap() })
}

async fn refused_once(sidecar: &Sidecar) {
    let answered = |seen: &vonage_sidecar::emulator::Seen| seen.status.is_some();
    assert!(sidecar.vonage().wait_for(|vonage| vonage.count(answered) >= 1, PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_finds_a_file_that_was_written_without_an_event() {
    let sidecar = revoked(Duration::ZERO, Watching::Polling).await;
    sidecar.write(&[NEW]);
    let answer = send(&sidecar, SMS).await;
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    assert_eq!(attempts(&sidecar, SMS.path).len(), 2);
    assert_eq!(sidecar.vonage().executions().total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_request_is_served_when_the_file_comes() {
    let sidecar = revoked(Duration::from_secs(20), Watching::Events).await;
    let waiting = spawn(&sidecar);
    refused_once(&sidecar).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "it waits");
    sidecar.write(&[NEW]);
    let answer = waiting.await.unwrap();
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    assert_eq!(attempts(&sidecar, SMS.path).len(), 2);
    assert_eq!(sidecar.vonage().executions().total, 1);
    assert_eq!(counted(&sidecar, "vonage_sidecar_holds_total{outcome=\"served\"}"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_in_vain_gives_the_first_answer_and_is_not_repeated_until_the_file_changes() {
    let hold = Duration::from_millis(400);
    let sidecar = revoked(hold, Watching::Events).await;
    let before = now();
    let answer = send(&sidecar, SMS).await;
    assert!(before.elapsed() >= hold, "it waited");
    assert_eq!(answer.header("x-sidecar-refused"), "all");
    assert!(answer.text().contains("\"status\":\"4\""));
    let before = now();
    assert_eq!(send(&sidecar, SMS).await.header("x-sidecar-refused"), "all");
    assert!(before.elapsed() < hold, "it did not wait again");
    // A file that brings nothing good is a change all the same, and one request waits again.
    let generation = sidecar.generation();
    sidecar.write(&["Wrong1Secret"]);
    sidecar.newer_than(generation).await;
    let before = now();
    assert_eq!(send(&sidecar, SMS).await.header("x-sidecar-refused"), "all");
    assert!(before.elapsed() >= hold, "it waited for the next file");
    assert_eq!(sidecar.vonage().executions().total, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_waits_of_one_request_together_are_no_longer_than_hold() {
    let hold = Duration::from_millis(1500);
    let sidecar = revoked(hold, Watching::Events).await;
    let before = now();
    let waiting = spawn(&sidecar);
    refused_once(&sidecar).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // What comes is refused as well.
    sidecar.write(&["Wrong1Secret"]);
    let answer = waiting.await.unwrap();
    let took = before.elapsed();
    assert_eq!(answer.header("x-sidecar-refused"), "all");
    assert_eq!(attempts(&sidecar, SMS.path).len(), 2);
    assert!(took >= hold && took < hold + Duration::from_millis(800), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_hold_or_without_a_recent_acceptance_nothing_waits() {
    let sidecar = revoked(Duration::ZERO, Watching::Events).await;
    let before = now();
    assert_eq!(send(&sidecar, SMS).await.header("x-sidecar-refused"), "all");
    assert!(before.elapsed() < Duration::from_secs(2));
    let sidecar = Setup::new(&[NEXT], &[OLD]).start().await;
    let before = now();
    assert_eq!(send(&sidecar, MESSAGE).await.header("x-sidecar-refused"), "all");
    assert!(before.elapsed() < Duration::from_secs(2), "an account that never worked is not worth waiting for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_sent_again_is_not_held() {
    let setup = Setup::new(&[OLD], &[OLD]).with(|settings| {
        settings.fallback.hold = Duration::from_secs(15);
        settings.limits.replay = 64;
    });
    let sidecar = setup.start().await;
    assert!(send(&sidecar, BALANCE).await.status.is_success());
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    let body = bytes::Bytes::from(vec![b'x'; 1000]);
    let before = now();
    let answer = Caller::new(sidecar.data).send(request(http::Method::POST, "/v2/verify", FORM, body)).await.unwrap();
    assert_eq!(answer.header("x-sidecar-refused"), "not-replayable");
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_ends_when_its_caller_leaves() {
    let sidecar = revoked(Duration::from_mins(1), Watching::Events).await;
    let stream = open(&sidecar, &SMS).await;
    refused_once(&sidecar).await;
    leave(stream);
    until("the connection was let go of", || counted(&sidecar, "vonage_sidecar_caller_connections") == 0).await;
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Suspect, "what was refused is learnt all the same");
    let generation = sidecar.generation();
    sidecar.write(&[NEW]);
    sidecar.newer_than(generation).await;
    // The next request shows that there was time for another attempt.
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
    assert_eq!(attempts(&sidecar, SMS.path).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_256_wait_and_the_others_are_answered_at_once() {
    let sidecar = revoked(Duration::from_mins(1), Watching::Events).await;
    let mut waiting = JoinSet::new();
    for _ in 0..300 {
        let to = sidecar.data;
        waiting.spawn(async move { Caller::new(to).send(SMS.request()).await.unwrap() });
    }
    for _ in 0..44 {
        assert_eq!(waiting.join_next().await.unwrap().unwrap().header("x-sidecar-refused"), "all");
    }
    until("44 did not wait", || counted(&sidecar, "vonage_sidecar_holds_total{outcome=\"full\"}") == 44).await;
    sidecar.write(&[NEW]);
    let served = waiting.join_all().await;
    assert_eq!(served.len(), 256);
    assert!(served.iter().all(|answer| answer.text().contains("\"status\":\"0\"")));
    assert_eq!(sidecar.vonage().executions().total, 256);
}
