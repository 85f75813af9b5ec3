//! What useless second attempts cost, and a crowd at the instant of a revoke.

use std::time::Duration;

use tokio::task::JoinSet;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{BALANCE, MESSAGE, NEW, NEXT, OLD, SMS, VERIFY2, attempts, rule, send, standing};
use crate::support::caller::{Caller, sms};
use crate::support::sidecar::{KEY, PATIENCE, Setup, Sidecar};

/// Requests that are refused at one instant. `SIDECAR_CROWD` makes it more.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by a variable")]
fn crowd() -> usize {
    std::env::var("SIDECAR_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

async fn no_hold(live: &[&str], held: &[&str]) -> Sidecar {
    Setup::new(live, held).with(|settings| settings.fallback.hold = Duration::ZERO).start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_at_the_instant_of_a_revoke_is_served_with_two_attempts_each_and_one_flip() {
    let sidecar = Setup::new(&[OLD, NEW], &[OLD, NEW]).start().await;
    assert!(send(&sidecar, SMS).await.text().contains("\"status\":\"0\""));
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Good);
    sidecar.vonage().reset();
    let crowd = crowd();
    sidecar.vonage().add_fault(rule("delay-before=1500").on_path(SMS.path).times(u64::try_from(crowd).unwrap()));
    let mut requests = JoinSet::new();
    for number in 0..crowd {
        let to = sidecar.data;
        requests.spawn(async move { Caller::new(to).send(sms(&format!("n{number}"))).await });
    }
    assert!(sidecar.vonage().wait_for(|vonage| vonage.count(|seen| seen.complete) >= crowd / 2, PATIENCE).await);
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap().unwrap();
        assert!(answer.text().contains("\"status\":\"0\""), "{} {}", answer.header("x-sidecar-refused"), answer.text());
    }
    let executed = sidecar.vonage().executions();
    assert_eq!((executed.total, executed.messages), (u64::try_from(crowd).unwrap(), crowd));
    assert!(sidecar.vonage().count(|seen| seen.path() == SMS.path) <= 2 * crowd);
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Refused);
    assert_eq!(standing(&sidecar, 1, Host::REST), Standing::Good);
    // Exactly one flip: from here on nothing is refused.
    sidecar.vonage().reset();
    for _ in 0..20 {
        send(&sidecar, SMS).await;
    }
    assert_eq!(attempts(&sidecar, SMS.path).len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_on_which_everything_is_refused_makes_one_attempt_until_there_is_hope() {
    let sidecar = no_hold(&[NEXT], &[OLD, NEW]).await;
    let mut refused = Vec::new();
    for _ in 0..6 {
        refused.push(send(&sidecar, MESSAGE).await.header("x-sidecar-refused").to_owned());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(refused[..3], ["all", "all", "all"]);
    assert_eq!(refused[5], "backed-off");
    sidecar.vonage().reset();
    let answers = [send(&sidecar, VERIFY2).await, send(&sidecar, SMS).await];
    assert!(answers.iter().all(|answer| answer.header("x-sidecar-refused") == "all"), "other rows are not backed off");
    // A new value opens it at once.
    let generation = sidecar.generation();
    sidecar.write(&[OLD, NEXT]);
    sidecar.newer_than(generation).await;
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptance_anywhere_in_the_account_ends_the_back_off() {
    let sidecar = no_hold(&[NEXT], &[OLD, NEW]).await;
    for _ in 0..5 {
        send(&sidecar, MESSAGE).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(send(&sidecar, MESSAGE).await.header("x-sidecar-refused"), "backed-off");
    sidecar.vonage().create_secret(KEY, NEW).unwrap();
    assert!(send(&sidecar, BALANCE).await.status.is_success());
    assert!(send(&sidecar, MESSAGE).await.status.is_success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_product_that_is_not_enabled_does_not_switch_the_fallback_off_for_others() {
    let sidecar = no_hold(&[OLD, NEW], &[OLD, NEW]).await;
    // "Check that your account has this feature enabled" is the same answer as that for a wrong secret.
    sidecar.vonage().add_fault(rule("refused").on_path(MESSAGE.path));
    let mut load = JoinSet::new();
    for _ in 0..16 {
        let to = sidecar.data;
        load.spawn(async move {
            let mut caller = Caller::new(to);
            loop {
                caller.send(MESSAGE.request()).await.unwrap();
            }
        });
    }
    let mut caller = Caller::new(sidecar.data);
    for number in 0..300 {
        assert!(caller.send(sms(&format!("before{number}"))).await.unwrap().text().contains("\"status\":\"0\""), "{number}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    for number in 0..50 {
        let answer = caller.send(sms(&format!("after{number}"))).await.unwrap();
        assert!(answer.text().contains("\"status\":\"0\""), "{number}: {} {}", answer.header("x-sidecar-refused"), answer.text());
        let answer = caller.send(VERIFY2.request()).await.unwrap();
        assert!(answer.status.is_success(), "{number}: {} {}", answer.header("x-sidecar-refused"), answer.text());
    }
    load.abort_all();
    assert_eq!(sidecar.vonage().executed("after0"), 1);
}
