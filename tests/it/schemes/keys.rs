//! Private keys beyond requests: proofs, probes, figures, and clocks that differ.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::Lag;
use vonage_sidecar::jwt::generate::Generated;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{APPLICATION, LIVE, PAIRS, application, call, one, standing, token, with};
use crate::fallback::rig::attempts;
use crate::support::caller::{Answer, Caller};
use crate::support::sidecar::{KEY, PATIENCE, Sidecar, one_account};

async fn admin(sidecar: &Sidecar, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "localhost").header("x-sidecar-admin", "1");
    Caller::new(sidecar.admin).send(request.body(Full::default()).unwrap()).await.unwrap()
}

/// Puts a public key in the place of the application's, as an operator does: it spreads with the emulator's lag.
pub async fn put_key(sidecar: &Sidecar, pair: &Generated) {
    use base64::Engine;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:{LIVE}"));
    let request = Request::put(format!("/v2/applications/{APPLICATION}"))
        .header("host", "api.nexmo.com")
        .header("content-type", "application/json")
        .header("authorization", format!("Basic {basic}"));
    let body = json!({ "name": "app", "keys": { "public_key": pair.public } }).to_string();
    let answer = Caller::new(sidecar.emulator.as_ref().unwrap().address()).send(request.body(Full::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn proofs(answer: &Answer) -> Vec<(Option<String>, u64, String)> {
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let row = |row: &Value| {
        let application = row.get("application").map(|id| id.as_str().unwrap().to_owned());
        (application, row["position"].as_u64().unwrap(), row["outcome"].as_str().unwrap().to_owned())
    };
    document["proofs"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_are_asked_of_private_keys_too_and_of_one_application_alone() {
    let sidecar = one(&[&PAIRS[0], &PAIRS[1]]).await;
    let of_key = |position, outcome: &str| (Some(APPLICATION.to_owned()), position, outcome.to_owned());
    let asked = proofs(&admin(&sidecar, Method::POST, &format!("/prove?application={APPLICATION}")).await);
    assert_eq!(asked, [of_key(0, "refused"), of_key(1, "accepted")]);
    assert_eq!((standing(&sidecar, 0, Host::API), standing(&sidecar, 1, Host::API)), (Standing::Refused, Standing::Good));
    let of_account = proofs(&admin(&sidecar, Method::POST, &format!("/prove?account={KEY}")).await);
    assert_eq!(of_account.iter().filter(|(application, ..)| application.is_some()).count(), 2);
    assert_eq!(of_account.len(), 4, "one secret at two hosts, two keys at one");
    assert_eq!(admin(&sidecar, Method::POST, "/prove?application=another").await.code(), "not_held");
    let metrics = admin(&sidecar, Method::GET, "/metrics").await;
    let line = format!("vonage_sidecar_usable_private_keys{{application=\"{APPLICATION}\"}} 1");
    assert!(metrics.text().lines().any(|printed| printed == line), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_in_front_is_probed_until_the_provider_has_heard_of_it() {
    let sidecar = with(&application(APPLICATION, &[&PAIRS[0]]), &PAIRS[0], |_| {}).await;
    assert!(call(&sidecar, Method::GET, "/v1/calls", None).await.status.is_success());
    sidecar.vonage().set_lag(None, Lag { new: Duration::from_millis(1500), revoked: Duration::from_secs(60) });
    let generation = sidecar.generation();
    sidecar.write_text(&(one_account(&[LIVE]) + &application(APPLICATION, &[&PAIRS[1], &PAIRS[0]])));
    sidecar.newer_than(generation).await;
    put_key(&sidecar, &PAIRS[1]).await;
    let probed = async {
        while standing(&sidecar, 0, Host::API) != Standing::Good {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, probed).await.expect("the new key was never found to be live");
    sidecar.vonage().reset();
    assert!(call(&sidecar, Method::POST, "/v1/calls", None).await.status.is_success());
    let signers: Vec<usize> =
        attempts(&sidecar, "/v1/calls").iter().filter(|seen| seen.method == Method::POST).map(|seen| token(seen).0).collect();
    assert_eq!(signers, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_made_up_for_in_the_very_request_that_finds_it() {
    for ahead in [-400, 400, 599] {
        let sidecar = one(&[&PAIRS[1], &PAIRS[0]]).await;
        sidecar.vonage().set_clock(ahead);
        let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
        assert!(answer.status.is_success(), "{ahead}: {} {}", answer.status, answer.text());
        sidecar.vonage().reset();
        assert!(call(&sidecar, Method::POST, "/v1/calls", None).await.status.is_success());
        let seen = attempts(&sidecar, "/v1/calls");
        assert_eq!(seen.iter().map(|seen| token(seen).0).collect::<Vec<_>>(), [0], "{ahead}: the right key, at once");
        sidecar.vonage().set_clock(0);
        assert!(call(&sidecar, Method::POST, "/v1/calls", None).await.status.is_success(), "{ahead}: and back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_too_far_off_is_not_made_up_for() {
    let sidecar = one(&[&PAIRS[0]]).await;
    sidecar.vonage().set_clock(-3600);
    let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, ""), "the provider's own answer");
    assert_eq!(attempts(&sidecar, "/v1/calls").iter().filter(|seen| seen.method == Method::POST).count(), 1);
}
