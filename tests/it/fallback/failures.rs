//! A second attempt that fails: the app must never read "refused, nothing happened" of something that may have happened.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::rig::{MESSAGE, NEW, NEXT, OLD, SMS, attempts, counted, rule, send};
use crate::support::caller::Caller;
use crate::support::sidecar::{Setup, Sidecar};

const REFUSAL: &str = r#"{"type":"https://developer.vonage.com/api-errors#unauthorized","title":"Unauthorized","detail":"You did not provide correct credentials."}"#;

/// The first attempt is refused; the second one meets the fault.
async fn second_meets(fault: &str) -> Sidecar {
    let sidecar = Setup::new(&[NEW], &[OLD, NEW]).with(|settings| settings.timeouts.answer_head = Duration::from_millis(400)).start().await;
    sidecar.vonage().add_fault(rule(fault).on_path(SMS.path).after(1).times(1));
    sidecar
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_that_breaks_is_told_as_unknown_and_never_as_refused() {
    let broken = ["reset-before", "reset-after", "close-before", "close-after", "garbage-after", "reset-after-head", "reset-mid-body"];
    for (fault, status) in broken.map(|fault| (fault, 502)).into_iter().chain([("silence-before", 504), ("silence-after", 504)]) {
        let sidecar = second_meets(fault).await;
        let answer = send(&sidecar, SMS).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, "outcome_unknown"), "{fault}: {}", answer.text());
        assert_eq!(answer.header("x-sidecar-refused"), "", "{fault}");
        assert_eq!(attempts(&sidecar, SMS.path).len(), 2, "{fault}");
        assert!(sidecar.vonage().executions().total <= 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_that_fails_for_another_reason_is_the_answer() {
    for (fault, status) in [("status=500", 500), ("status=503", 503), ("throttled=2", 429), ("quota", 401), ("forbidden", 403)] {
        let sidecar = second_meets(fault).await;
        let answer = send(&sidecar, SMS).await;
        assert_eq!((answer.status.as_u16(), answer.code(), answer.header("x-sidecar-refused")), (status, "", ""), "{fault}");
        assert_eq!(attempts(&sidecar, SMS.path).len(), 2, "{fault}");
        assert_eq!(sidecar.vonage().executions().total, 0, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_that_was_never_written_gives_the_first_answer_back_marked() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let sidecar = Setup::scripted(listener.local_addr().unwrap(), &[OLD, NEW]).start().await;
    let origin = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Nobody listens any more when the answer comes.
        drop(listener);
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut read).await.unwrap();
        }
        let head =
            "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\nconnection: close\r\nx-kept: 1\r\ncontent-length";
        stream.write_all(format!("{head}: {}\r\n\r\n{REFUSAL}", REFUSAL.len()).as_bytes()).await.unwrap();
    });
    let answer = Caller::new(sidecar.data).get("/v2/applications").await;
    origin.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("x-sidecar-refused")), (401, "fallback-failed"));
    assert_eq!((answer.text().as_str(), answer.header("x-kept"), answer.code()), (REFUSAL, "1", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_both_are_refused_the_first_answer_goes_back_marked_after_two_attempts() {
    for call in [SMS, MESSAGE] {
        let sidecar = Setup::new(&[NEXT], &[OLD, NEW]).with(|settings| settings.fallback.hold = Duration::ZERO).start().await;
        let answer = send(&sidecar, call.clone()).await;
        let seen = attempts(&sidecar, call.path);
        assert_eq!(seen.len(), 2, "{}", call.path);
        assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
        assert_eq!(answer.header("x-sidecar-refused"), "all");
        assert_eq!(answer.code(), "");
        assert_eq!(sidecar.vonage().executions().total, 0);
        assert_eq!(counted(&sidecar, "vonage_sidecar_fallbacks_total{outcome=\"refused\"}"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_attempt_is_made_only_for_a_value_that_a_read_brought_after_the_second_refusal() {
    let setup = Setup { watching: vonage_sidecar::credentials::watch::Watching::Polling, ..Setup::new(&[NEXT], &[OLD, NEW]) };
    let sidecar = setup.with(|settings| settings.fallback.hold = Duration::ZERO).start().await;
    sidecar.vonage().add_fault(rule("delay=300").on_path(SMS.path).after(1).times(1));
    let to = sidecar.data;
    let request = tokio::spawn(async move { Caller::new(to).send(SMS.request()).await.unwrap() });
    // The second attempt is under way: what is written now is found by the read after its refusal.
    assert!(sidecar.vonage().wait_for(|vonage| vonage.count(|seen| seen.path() == SMS.path) == 2, Duration::from_secs(10)).await);
    sidecar.write(&[NEXT, NEW]);
    let answer = request.await.unwrap();
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    assert_eq!(attempts(&sidecar, SMS.path).len(), 3);
    assert_eq!(sidecar.vonage().executions().total, 1);
}
