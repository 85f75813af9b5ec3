//! A caller that goes away: no further attempt is made for it, and what was written with an effect is followed.

use std::time::Duration;

use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::Control;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{BALANCE, Call, MESSAGE, NEW, OLD, attempts, leave, open, rule, standing, until};
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};

/// Sends a request and leaves as soon as the emulator has it.
async fn send_and_leave(sidecar: &Sidecar, call: &Call) {
    let stream = open(sidecar, call).await;
    let arrived = |vonage: &Control| vonage.count(|seen| seen.path() == call.path && seen.complete) == 1;
    assert!(sidecar.vonage().wait_for(arrived, PATIENCE).await);
    leave(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_followed_to_its_verdict_and_not_sent_again() {
    let sidecar = Setup::new(&[NEW], &[OLD, NEW]).start().await;
    sidecar.vonage().add_fault(rule("delay=400").on_path(MESSAGE.path).times(1));
    send_and_leave(&sidecar, &MESSAGE).await;
    until("the refusal was learnt", || standing(&sidecar, 0, Host::API) != Standing::Untested).await;
    assert_eq!(standing(&sidecar, 0, Host::API), Standing::Suspect);
    assert_eq!(attempts(&sidecar, MESSAGE.path).len(), 1);
    assert_eq!(sidecar.vonage().executions().total, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_was_accepted_teaches_although_nobody_waits() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    sidecar.vonage().add_fault(rule("delay=400").on_path(MESSAGE.path).times(1));
    send_and_leave(&sidecar, &MESSAGE).await;
    until("the acceptance was learnt", || standing(&sidecar, 0, Host::API) == Standing::Good).await;
    assert_eq!(sidecar.vonage().executions().total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_that_only_reads_is_cancelled() {
    let sidecar = Setup::new(&[NEW], &[OLD, NEW]).start().await;
    sidecar.vonage().add_fault(rule("delay=400").on_path(BALANCE.path).times(1));
    send_and_leave(&sidecar, &BALANCE).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Untested);
    assert_eq!(attempts(&sidecar, BALANCE.path).len(), 1);
    let usage = sidecar.store.load().accounts[0].secrets[0].usage.figures(vonage_sidecar::clock::now());
    assert_eq!(usage.in_flight, 0, "a cancelled attempt is no use any more");
}
