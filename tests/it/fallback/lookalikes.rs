//! What only looks like a refusal goes back as it came, after one attempt.

use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{APPLICATIONS, BALANCE, Call, MESSAGE, NEW, OLD, SMS, VERIFY, VERIFY2, attempts, rule, send, standing};
use crate::support::caller::{Answer, Caller};
use crate::support::sidecar::{Setup, Sidecar};

/// Stand-ins that say nothing about the secret, with endpoints on which they occur.
fn nothing_said() -> Vec<(&'static str, Call)> {
    let mut cases = Vec::new();
    for stand_in in
        ["quota", "unprovisioned", "suspended", "invalid-ip", "forbidden", "not-found", "throttled=3", "status=500", "status=503"]
    {
        cases.extend([MESSAGE, VERIFY2, APPLICATIONS, SMS].map(|call| (stand_in, call)));
    }
    cases.push(("top-up", BALANCE));
    for status in ["body-status=2", "body-status=14", "body-status=1", "body-status=9", "body-status=8", "body-status=32", "body-status=5"]
    {
        cases.push((status, SMS));
        cases.push((status, VERIFY));
    }
    cases
}

/// The answer of the emulator itself, without us.
async fn straight(sidecar: &Sidecar, call: &Call, fault: &str) -> Answer {
    let address = sidecar.emulator.as_ref().unwrap().address();
    Caller::new(address).send(call.clone().with("x-emulator-fault", fault)).await.unwrap()
}

/// Documents carry a random `instance`, which alone may differ.
fn without_instance(text: &str) -> String {
    match text.split_once("\"instance\":\"") {
        Some((before, after)) => format!("{before}{}", after.split_once('"').unwrap().1),
        None => text.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_says_nothing_about_the_secret_goes_back_after_one_attempt() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    for (stand_in, call) in nothing_said() {
        let expected = straight(&sidecar, &call, stand_in).await;
        sidecar.vonage().reset();
        let answer = Caller::new(sidecar.data).send(call.clone().with("x-emulator-fault", stand_in)).await.unwrap();
        let what = format!("{stand_in} on {}", call.path);
        assert_eq!(attempts(&sidecar, call.path).len(), 1, "{what}");
        assert_eq!(answer.status, expected.status, "{what}");
        assert_eq!(without_instance(&answer.text()), without_instance(&expected.text()), "{what}");
        assert_eq!(answer.header("content-type"), expected.header("content-type"), "{what}");
        assert_eq!(answer.header("retry-after"), expected.header("retry-after"), "{what}");
        assert_eq!((answer.code(), answer.header("x-sidecar-refused")), ("", ""), "{what}");
        assert_eq!(sidecar.vonage().executions().total, 0, "{what}");
        for (position, host) in [(0, Host::API), (1, Host::API), (0, Host::REST), (1, Host::REST)] {
            assert_ne!(standing(&sidecar, position, host), Standing::Refused, "{what}");
            assert_ne!(standing(&sidecar, position, host), Standing::Suspect, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_which_one_part_was_sent_is_never_sent_again() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    let answer = Caller::new(sidecar.data).send(SMS.with("x-emulator-fault", "mixed")).await.unwrap();
    assert_eq!(sidecar.vonage().executions().total, 1);
    assert_eq!(attempts(&sidecar, SMS.path).len(), 1);
    assert!(answer.text().contains("\"status\":\"0\"") && answer.text().contains("\"status\":\"4\""), "{}", answer.text());
    assert_eq!(answer.header("x-sidecar-refused"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_of_unknown_shape_gets_one_more_attempt_and_condemns_nobody() {
    for stand_in in ["proxy-page", "empty-401", "status=401"] {
        for call in [SMS, MESSAGE, APPLICATIONS] {
            let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
            let expected = straight(&sidecar, &call, stand_in).await;
            sidecar.vonage().reset();
            let answer = Caller::new(sidecar.data).send(call.clone().with("x-emulator-fault", stand_in)).await.unwrap();
            let what = format!("{stand_in} on {}", call.path);
            assert_eq!(attempts(&sidecar, call.path).len(), 2, "{what}");
            assert_eq!((answer.status, answer.text()), (expected.status, expected.text()), "{what}");
            assert_eq!(answer.code(), "", "{what}");
            for (position, host) in [(0, Host::API), (1, Host::API), (0, Host::REST), (1, Host::REST)] {
                assert_ne!(standing(&sidecar, position, host), Standing::Refused, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_in_front_of_the_provider_passes_when_it_is_gone() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    sidecar.vonage().add_fault(rule("proxy-page").times(1));
    let answer = send(&sidecar, MESSAGE).await;
    assert!(answer.status.is_success(), "{}", answer.status);
    assert_eq!(sidecar.vonage().executions().total, 1);
}
