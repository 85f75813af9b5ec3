//! Signed requests: right, wrong, old, beside a secret, and while two secrets are good.

use http::StatusCode;
use vonage_sidecar::emulator::{AccountSpec, Options, Running, SignatureMethod};

use super::caller::{API, FIRST, KEY, REST, ask, seconds, start_with};

const METHODS: [(&str, SignatureMethod); 5] = [
    ("md5hash", SignatureMethod::Md5Hash),
    ("md5", SignatureMethod::Md5),
    ("sha1", SignatureMethod::Sha1),
    ("sha256", SignatureMethod::Sha256),
    ("sha512", SignatureMethod::Sha512),
];

async fn start(method: SignatureMethod, secrets: &[&str]) -> Running {
    let account = AccountSpec::new(KEY, &[FIRST]).signing(method, secrets);
    start_with(Options { accounts: vec![account], ..Options::default() }).await
}

/// HMAC with SHA-256, by the library; the emulator has its own.
fn sha256(secret: &str, text: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    let (left, right) = tag.as_ref().split_at(16);
    [left, right].map(|half| format!("{:032x}", u128::from_be_bytes(half.try_into().unwrap()))).concat()
}

fn signed(secret: &str, at: u64) -> String {
    let signature = sha256(secret, &format!("&api_key={KEY}&from=Acme&text=a_b _ c&timestamp={at}&to=447700900000"));
    format!("api_key={KEY}&from=Acme&to=447700900000&text=a%3Db+%26+c&timestamp={at}&sig={signature}")
}

async fn status(emulator: &Running, body: &str) -> String {
    let answer = ask(emulator, "POST", REST, "/sms/json", &[], body).await.json();
    answer["messages"][0]["status"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_right_signature_sends_and_a_wrong_one_is_status_14() {
    let emulator = start(SignatureMethod::Sha256, &["SigSecret1"]).await;
    let good = signed("SigSecret1", seconds());
    assert_eq!(status(&emulator, &good).await, "0");
    let (before, signature) = good.rsplit_once("sig=").unwrap();
    assert_eq!(status(&emulator, &format!("{before}sig={}", signature.to_uppercase())).await, "0", "case does not matter");
    assert_eq!(ask(&emulator, "GET", REST, &format!("/sms/json?{good}"), &[], "").await.json()["messages"][0]["status"], "0");
    for bad in [
        signed("Wrong", seconds()),
        good.replace("from=Acme", "from=Acne"),
        format!("{before}sig=nonsense"),
        format!("{before}sig="),
        good.replace(KEY, "unknown1"),
        signed("SigSecret1", seconds() - 3600),
        signed("SigSecret1", seconds() + 3600),
    ] {
        assert_eq!(status(&emulator, &bad).await, "14", "{bad}");
    }
    assert_eq!(emulator.control().executions().total, 3);
}

#[tokio::test]
async fn a_signature_beside_a_secret_is_status_32_if_it_is_right() {
    let emulator = start(SignatureMethod::Sha256, &["SigSecret1"]).await;
    assert_eq!(status(&emulator, &format!("{}&api_secret={FIRST}", signed("SigSecret1", seconds()))).await, "32");
    assert_eq!(status(&emulator, &format!("{}&api_secret=Wrong", signed("Wrong", seconds()))).await, "14");
}

#[tokio::test]
async fn a_signed_json_body_is_understood() {
    let emulator = start(SignatureMethod::Sha256, &["SigSecret1"]).await;
    let now = seconds();
    let signature = sha256("SigSecret1", &format!("&api_key={KEY}&from=Acme&text=Hi&timestamp={now}&to=447700900000"));
    let body = format!(r#"{{"api_key":"{KEY}","from":"Acme","text":"Hi","timestamp":{now},"to":447700900000,"sig":"{signature}"}}"#);
    assert_eq!(status(&emulator, &body).await, "0");
}

#[tokio::test]
async fn every_method_refuses_what_another_made() {
    for (name, method) in METHODS {
        let emulator = start(method, &["SigSecret1"]).await;
        let good = signed("SigSecret1", seconds());
        assert_eq!(status(&emulator, &good).await, if name == "sha256" { "0" } else { "14" }, "{name}");
    }
}

#[tokio::test]
async fn two_signature_secrets_are_good_while_the_control_says_so() {
    let emulator = start(SignatureMethod::Sha256, &["Old", "New"]).await;
    let both = async || (status(&emulator, &signed("Old", seconds())).await, status(&emulator, &signed("New", seconds())).await);
    assert_eq!(both().await, ("0".into(), "0".into()));
    assert!(emulator.control().set_signing(KEY, SignatureMethod::Sha256, &["New"]));
    assert_eq!(both().await, ("14".into(), "0".into()));
    let body = "{\"method\":\"sha256\",\"secrets\":[\"Old\"]}";
    let target = format!("/_emulator/accounts/{KEY}/signing");
    assert_eq!(ask(&emulator, "PUT", "localhost", &target, &[], body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(both().await, ("0".into(), "14".into()));
}

#[tokio::test]
async fn a_conversion_may_be_signed_and_is_refused_without_words() {
    let emulator = start(SignatureMethod::Sha256, &["SigSecret1"]).await;
    let now = seconds();
    let body = |secret: &str| {
        let signature = sha256(secret, &format!("&api_key={KEY}&delivered=true&message-id=1&timestamp={now}"));
        format!("api_key={KEY}&message-id=1&delivered=true&timestamp={now}&sig={signature}")
    };
    assert_eq!(ask(&emulator, "POST", API, "/conversions/sms", &[], &body("SigSecret1")).await.status, StatusCode::OK);
    let refused = ask(&emulator, "POST", API, "/conversions/sms", &[], &body("Wrong")).await;
    assert_eq!((refused.status, refused.body.len()), (StatusCode::UNAUTHORIZED, 0));
}
