//! What is learnt of a secret, when, and what is asked about it.

use std::time::Duration;

use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::Rule;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{BALANCE, MESSAGE, NEW, NEXT, OLD, SMS, attempts, fault, is_probe, probes, rule, send, standing, until};
use crate::support::caller::Caller;
use crate::support::sidecar::{KEY, PATIENCE, Setup, Sidecar};

fn spawn(sidecar: &Sidecar) -> tokio::task::JoinHandle<crate::support::caller::Answer> {
    let to = sidecar.data;
    tokio::spawn(async move { Caller::new(to).send(SMS.request()).await.unwrap() })
}

/// Waits until the emulator has read a request whole, and so has chosen which fault it meets.
async fn read_one(sidecar: &Sidecar) {
    assert!(sidecar.vonage().wait_for(|vonage| vonage.count(|seen| seen.path() == SMS.path && seen.complete) == 1, PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptance_from_before_the_flip_changes_nothing() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    // Executed at once, answered late.
    sidecar.vonage().add_fault(rule("delay=900").on_path(SMS.path).times(1));
    let late = spawn(&sidecar);
    assert!(sidecar.vonage().wait_for(|vonage| vonage.executions().total == 1, PATIENCE).await);
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    send(&sidecar, SMS).await;
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused);
    assert!(!late.is_finished());
    assert!(late.await.unwrap().text().contains("\"status\":\"0\""));
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused);
    sidecar.vonage().reset();
    send(&sidecar, SMS).await;
    assert_eq!(attempts(&sidecar, SMS.path).len(), 1, "the next one does not ask the dead secret first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_from_before_the_secret_became_live_changes_nothing() {
    let sidecar = Setup::new(&[NEW], &[NEXT, NEW]).start().await;
    // Refused at once, answered late: by then the same secret is live and proven.
    sidecar.vonage().add_fault(rule("refused,delay=2500").on_path(SMS.path).times(1));
    let late = spawn(&sidecar);
    read_one(&sidecar).await;
    sidecar.vonage().create_secret(KEY, NEXT).unwrap();
    send(&sidecar, SMS).await;
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Good);
    assert!(!late.is_finished());
    assert!(late.await.unwrap().text().contains("\"status\":\"0\""));
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_back_to_the_first_secret_takes_two_acceptances_a_second_apart() {
    let sidecar = Setup::new(&[NEW], &[NEXT, NEW]).start().await;
    send(&sidecar, BALANCE).await;
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused);
    sidecar.vonage().reset();
    sidecar.vonage().create_secret(KEY, NEXT).unwrap();
    until("the first secret is good again", || standing(&sidecar, 0, Host::REST) == Standing::Good).await;
    let accepted = sidecar.vonage().count(|seen| is_probe(seen) && seen.host == "rest.nexmo.com" && seen.status == Some(200));
    assert_eq!(accepted, 2, "probes that were accepted");
    sidecar.vonage().reset();
    send(&sidecar, BALANCE).await;
    let seen = attempts(&sidecar, BALANCE.path);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].secret, sidecar.vonage().secret_id(KEY, NEXT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_spare_is_never_asked_about() {
    let sidecar = Setup::new(&[OLD], &[OLD, NEW]).start().await;
    for call in [BALANCE, MESSAGE, SMS] {
        assert!(send(&sidecar, call).await.status.is_success());
    }
    // Longer than the first waits between probes together.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(probes(&sidecar), 0);
    for seen in sidecar.vonage().seen() {
        assert!(seen.secret.is_some(), "nothing was ever refused");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_first_secret_that_is_not_live_yet_costs_no_request_a_second_attempt_and_is_taken_up_when_it_is() {
    let sidecar = Setup::new(&[OLD], &[OLD]).start().await;
    for call in [BALANCE, MESSAGE] {
        assert!(send(&sidecar, call).await.status.is_success());
    }
    let generation = sidecar.generation();
    sidecar.write(&[NEW, OLD]);
    sidecar.newer_than(generation).await;
    sidecar.vonage().reset();
    let mut caller = Caller::new(sidecar.data);
    for _ in 0..50 {
        assert!(caller.send(MESSAGE.request()).await.unwrap().status.is_success());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(attempts(&sidecar, MESSAGE.path).len(), 50, "no request asked about the new one");
    until("it was probed", || standing(&sidecar, 0, Host::API) == Standing::Refused).await;
    sidecar.vonage().create_secret(KEY, NEW).unwrap();
    until("it is good at both hosts", || [Host::API, Host::REST].iter().all(|host| standing(&sidecar, 0, *host) == Standing::Good)).await;
    sidecar.vonage().reset();
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
    let seen = attempts(&sidecar, MESSAGE.path);
    assert_eq!((seen.len(), seen[0].secret.clone()), (1, sidecar.vonage().secret_id(KEY, NEW)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_without_another_acceptance_makes_a_suspect_and_a_probe_decides() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).with(|settings| settings.fallback.hold = Duration::ZERO).start().await;
    assert!(send(&sidecar, BALANCE).await.status.is_success());
    sidecar.vonage().add_fault(Rule::new([fault("refused")]).on_path(SMS.path).times(2));
    assert_eq!(send(&sidecar, SMS).await.header("x-sidecar-refused"), "all");
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Suspect);
    assert_eq!(standing(&sidecar, 1, Host::REST), Standing::Suspect);
    until("a probe made it good", || standing(&sidecar, 0, Host::REST) == Standing::Good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_free_call_exists_one_request_tries_a_new_first_secret_and_none_fails() {
    let sidecar = Setup::new(&[OLD], &[OLD]).start().await;
    let sandbox = || {
        let mut request = MESSAGE.request();
        request.headers_mut().insert("host", "messages-sandbox.nexmo.com".parse().unwrap());
        request
    };
    let mut caller = Caller::new(sidecar.data);
    assert!(caller.send(sandbox()).await.unwrap().status.is_success());
    let generation = sidecar.generation();
    sidecar.write(&[NEW, OLD]);
    sidecar.newer_than(generation).await;
    sidecar.vonage().reset();
    for _ in 0..20 {
        assert!(caller.send(sandbox()).await.unwrap().status.is_success());
    }
    assert_eq!(attempts(&sidecar, MESSAGE.path).len(), 21, "one of them tried the new one");
    assert_eq!(probes(&sidecar), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_one_secret_that_is_not_live_yet_fails_nothing_while_the_one_before_retires() {
    let sidecar = Setup::new(&[OLD], &[OLD]).start().await;
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
    let generation = sidecar.generation();
    sidecar.write(&[NEW]);
    sidecar.newer_than(generation).await;
    sidecar.vonage().reset();
    for _ in 0..5 {
        assert!(send(&sidecar, MESSAGE).await.status.is_success());
    }
    assert_eq!(attempts(&sidecar, MESSAGE.path).len(), 6, "one request found out");
    sidecar.vonage().create_secret(KEY, NEW).unwrap();
    until("it is good", || standing(&sidecar, 0, Host::API) == Standing::Good).await;
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
}
