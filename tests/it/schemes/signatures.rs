//! Signed requests: an account with signature secrets signs wherever the provider takes a signature.

use http::Method;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::{AccountSpec, SignatureMethod};
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{LIVE, request, send};
use crate::fallback::rig::{FORM, JSON};
use crate::support::caller::PLACEHOLDER;
use crate::support::sidecar::{KEY, Setup, Sidecar, one_account};

/// A sidecar whose account signs with these, of which the last one is the right one, by this method.
async fn signing(secrets: &[&str], method: &str) -> Sidecar {
    let mut setup = Setup::new(&[LIVE], &[LIVE]);
    if let Some(options) = &mut setup.options {
        let live = secrets.last().copied().unwrap_or_default();
        options.accounts = vec![AccountSpec::new(KEY, &[LIVE]).signing(of(method), &[live])];
    }
    let sidecar = setup.start().await;
    sidecar.write_text(&format!("{}signature_secrets = {secrets:?}\nsignature_method = \"{method}\"\n", one_account(&[LIVE])));
    sidecar.holds(|snapshot| snapshot.account(KEY).is_some_and(|account| !account.signatures.is_empty())).await;
    sidecar
}

fn of(method: &str) -> SignatureMethod {
    match method {
        "md5hash" => SignatureMethod::Md5Hash,
        "md5" => SignatureMethod::Md5,
        "sha1" => SignatureMethod::Sha1,
        "sha256" => SignatureMethod::Sha256,
        "sha512" => SignatureMethod::Sha512,
        other => panic!("{other}"),
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found: Vec<&str> = pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
    assert_eq!(found.len(), 1, "{name} in {pairs:?}");
    found[0]
}

fn standing(sidecar: &Sidecar, position: usize) -> Standing {
    let snapshot = sidecar.store.load();
    let account = snapshot.account(KEY).unwrap();
    let standings = account.signature_opinion.lock();
    standings.standing(account.signatures[position].uid, Host::REST)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_an_object_and_a_query_are_signed_with_a_fresh_time_and_no_other_credential() {
    for (method, length) in [("md5hash", 32), ("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)] {
        let sidecar = signing(&["Signature1"], method).await;
        let stale = "from=Acme&to=447700900000&text=a%26b+c&sig=stale&timestamp=1&api_secret=placeholder";
        let answer = send(&sidecar, request(Method::POST, "/sms/json", Some(PLACEHOLDER), FORM, stale)).await;
        assert!(answer.text().contains("\"status\":\"0\""), "{method}: {}", answer.text());
        let seen = sidecar.vonage().seen();
        assert_eq!(seen[0].header("authorization"), "");
        let sent = pairs(&seen[0].body);
        assert_eq!((value(&sent, "text"), value(&sent, "api_key"), value(&sent, "sig").len()), ("a&b c", KEY, length));
        assert!(value(&sent, "timestamp").parse::<u64>().unwrap() > 1_700_000_000);
        assert!(sent.iter().all(|(name, _)| name != "api_secret"));
    }
    let sidecar = signing(&["Signature1"], "sha256").await;
    let body = r#"{"from":"Acme","to":447700900000,"text":"hello"}"#;
    let answer = send(&sidecar, request(Method::POST, "/sms/json", Some(PLACEHOLDER), JSON, body)).await;
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    let sent: serde_json::Value = serde_json::from_slice(&sidecar.vonage().seen()[0].body).unwrap();
    assert!(sent["sig"].as_str().is_some_and(|sig| sig.len() == 64) && sent["timestamp"].is_string(), "{sent}");
    sidecar.vonage().reset();
    let target = "/sms/json?from=Acme&to=447700900000&text=hello&timestamp=1";
    let answer = send(&sidecar, request(Method::GET, target, Some(PLACEHOLDER), "", "")).await;
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    let target = sidecar.vonage().seen()[0].target.clone();
    let sent = pairs(target.split_once('?').unwrap().1.as_bytes());
    assert_eq!((value(&sent, "sig").len(), value(&sent, "text")), (64, "hello"));
    assert_ne!(value(&sent, "timestamp"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_14_is_cured_by_the_other_signature_secret() {
    let sidecar = signing(&["Signature1", "Signature2"], "sha256").await;
    let body = "from=Acme&to=447700900000&text=hello";
    let answer = send(&sidecar, request(Method::POST, "/sms/json", Some(PLACEHOLDER), FORM, body)).await;
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    let seen = sidecar.vonage().seen();
    let signatures: Vec<String> = seen.iter().map(|seen| value(&pairs(&seen.body), "sig").to_owned()).collect();
    assert!(signatures.len() == 2 && signatures[0] != signatures[1], "{signatures:?}");
    assert_eq!((standing(&sidecar, 0), standing(&sidecar, 1)), (Standing::Refused, Standing::Good));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_signs_as_long_as_its_file_says_so_and_only_where_signatures_are_taken() {
    let sidecar = signing(&["Signature1"], "sha256").await;
    let _balance = send(&sidecar, request(Method::GET, "/account/get-balance", Some(PLACEHOLDER), "", "")).await;
    assert!(sidecar.vonage().seen()[0].header("authorization").starts_with("Basic "), "no signature is taken there");
    let generation = sidecar.generation();
    sidecar.write(&[LIVE]);
    sidecar.newer_than(generation).await;
    sidecar.vonage().reset();
    let body = "from=Acme&to=447700900000&text=hello";
    let answer = send(&sidecar, request(Method::POST, "/sms/json", Some(PLACEHOLDER), FORM, body)).await;
    assert!(answer.text().contains("\"status\":\"0\""), "{}", answer.text());
    assert!(sidecar.vonage().seen()[0].header("authorization").starts_with("Basic "), "the file says no more that it signs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_defined_signature_is_told_so_and_not_sent() {
    let sidecar = signing(&["Signature1"], "md5hash").await;
    for (kind, body, code) in [
        (FORM, "to=1&to=2&text=x", "not_signable"),
        (JSON, r#"{"to":["1"],"text":"x"}"#, "not_signable"),
        (JSON, "to=1&text=x", "body_type_differs"),
        (JSON, r#"{"to":"1""#, "body_unreadable"),
    ] {
        let answer = send(&sidecar, request(Method::POST, "/sms/json", Some(PLACEHOLDER), kind, body)).await;
        assert!(answer.status.is_client_error() && answer.code() == code, "{body}: {} {}", answer.status, answer.text());
    }
    assert!(sidecar.vonage().seen().is_empty(), "nothing was sent");
}
