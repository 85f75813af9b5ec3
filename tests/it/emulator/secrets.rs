//! Slots: Secret Management's rules, and how long a change takes to be seen.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use vonage_sidecar::emulator::{AccountSpec, Lag, Options, Running, SecretNotCreated};

use super::caller::{API, Answer, FIRST, KEY, REST, SECOND, ask, basic, start, start_with};

const SECRETS: &str = "/accounts/abcd1234/secrets";

async fn manage(emulator: &Running, secret: &str, method: &str, target: &str, body: &str) -> Answer {
    ask(emulator, method, API, target, &[("authorization", &basic(secret))], body).await
}

async fn is_accepted(emulator: &Running, secret: &str, host: &str) -> bool {
    let target = if host == REST { "/account/get-balance" } else { "/v2/applications" };
    ask(emulator, "GET", host, target, &[("authorization", &basic(secret))], "").await.status == StatusCode::OK
}

fn created(value: &str) -> String {
    json!({ "secret": value }).to_string()
}

#[tokio::test]
async fn a_secret_is_created_listed_and_revoked_without_ever_showing_its_value() {
    let emulator = start().await;
    let answer = manage(&emulator, FIRST, "POST", SECRETS, &created(SECOND)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let second = answer.json();
    let id = second["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(second["_links"]["self"]["href"], format!("{SECRETS}/{id}"));
    let date = second["created_at"].as_str().unwrap();
    assert!(date.len() == 20 && date.ends_with('Z') && !date.contains('.'), "{date}");

    let list = manage(&emulator, SECOND, "GET", SECRETS, "").await;
    assert!(!list.text().contains(SECOND) && !list.text().contains(FIRST));
    let list = list.json();
    assert_eq!(list["_links"]["self"]["href"], SECRETS);
    let entries = list["_embedded"]["secrets"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[1]), (2, &second));
    assert_eq!(manage(&emulator, FIRST, "GET", &format!("{SECRETS}/{id}"), "").await.json(), second);

    let first = entries[0]["id"].as_str().unwrap();
    let answer = manage(&emulator, SECOND, "DELETE", &format!("{SECRETS}/{first}"), "").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
    assert!(!is_accepted(&emulator, FIRST, API).await);
    assert!(is_accepted(&emulator, SECOND, API).await);
}

#[tokio::test]
async fn the_rules_of_the_slots_hold() {
    let emulator = start_with(Options::with_account(KEY, &[FIRST, SECOND])).await;
    let answer = manage(&emulator, FIRST, "POST", SECRETS, &created("ThirdSecret3")).await;
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::FORBIDDEN, "add-excess-secret"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("maximum"));

    let id = emulator.control().secret_id(KEY, FIRST).unwrap();
    assert_eq!(manage(&emulator, SECOND, "DELETE", &format!("{SECRETS}/{id}"), "").await.status, StatusCode::NO_CONTENT);
    let answer = manage(&emulator, SECOND, "DELETE", &format!("{SECRETS}/{id}"), "").await;
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::NOT_FOUND, "invalid-id"));
    let last = emulator.control().secret_id(KEY, SECOND).unwrap();
    let answer = manage(&emulator, SECOND, "DELETE", &format!("{SECRETS}/{last}"), "").await;
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::FORBIDDEN, "delete-last-secret"));

    for bad in ["Short1", "nouppercase1", "NOLOWERCASE1", "NoDigitsHere", "aB3aB3aB3aB3aB3aB3aB3aB3aB", SECOND] {
        let answer = manage(&emulator, SECOND, "POST", SECRETS, &created(bad)).await;
        assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::BAD_REQUEST, "validation"), "{bad}");
    }
    let answer = manage(&emulator, SECOND, "GET", "/accounts/unknown1/secrets", "").await;
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::NOT_FOUND, "invalid-api-key"));
}

#[tokio::test]
async fn a_primary_account_manages_the_slots_of_its_subaccounts_only() {
    let accounts = vec![
        AccountSpec::new(KEY, &[FIRST]),
        AccountSpec::new("sub00001", &["SubSecret1"]).under(KEY),
        AccountSpec::new("other001", &["OtherSecret1"]),
    ];
    let emulator = start_with(Options { accounts, ..Options::default() }).await;
    assert_eq!(manage(&emulator, FIRST, "POST", "/accounts/sub00001/secrets", &created(SECOND)).await.status, StatusCode::CREATED);
    let answer = manage(&emulator, FIRST, "GET", "/accounts/other001/secrets", "").await;
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::NOT_FOUND, "invalid-api-key"));

    let made = manage(&emulator, FIRST, "POST", "/accounts/abcd1234/subaccounts", "{\"name\":\"New\"}").await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(made.json()["secret"].as_str().unwrap().len() >= 8);
    let list = manage(&emulator, FIRST, "GET", "/accounts/abcd1234/subaccounts", "").await.json();
    assert_eq!(list["_embedded"]["subaccounts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_change_is_seen_by_each_host_in_its_own_time() {
    let emulator = start().await;
    let control = emulator.control();
    let never = Duration::from_secs(3600);
    control.set_lag(Some(API), Lag { new: never, revoked: never });
    control.create_secret(KEY, SECOND).unwrap();
    assert!(is_accepted(&emulator, SECOND, REST).await);
    assert!(!is_accepted(&emulator, SECOND, API).await, "not there yet");
    assert!(control.revoke_value(KEY, FIRST));
    assert!(!is_accepted(&emulator, FIRST, REST).await);
    assert!(is_accepted(&emulator, FIRST, API).await, "still there");
    control.set_lag(Some(API), Lag::default());
    assert!(is_accepted(&emulator, SECOND, API).await);
    assert!(!is_accepted(&emulator, FIRST, API).await);
    // Listed at once, whatever the lag; the first one, revoked, is good again for as long as that lag lasts.
    control.set_lag(None, Lag { new: never, revoked: never });
    control.create_secret(KEY, "ThirdSecret3").unwrap();
    assert!(!is_accepted(&emulator, "ThirdSecret3", REST).await);
    let list = manage(&emulator, FIRST, "GET", SECRETS, "").await.json();
    assert_eq!(list["_embedded"]["secrets"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_new_secret_becomes_good_when_its_lag_has_passed() {
    let lag = Lag { new: Duration::from_millis(30), revoked: Duration::ZERO };
    let emulator = start_with(Options { lag, ..Options::with_account(KEY, &[FIRST]) }).await;
    emulator.control().create_secret(KEY, SECOND).unwrap();
    let accepted = async { while !is_accepted(&emulator, SECOND, API).await {} };
    tokio::time::timeout(super::caller::BOUND, accepted).await.expect("became good");
    assert_eq!(emulator.control().accepted(KEY, SECOND), 1);
}

#[tokio::test]
async fn a_person_at_the_dashboard_follows_the_same_rules_except_for_the_last_one() {
    let emulator = start().await;
    let control = emulator.control();
    assert_eq!(control.create_secret("unknown1", SECOND), Err(SecretNotCreated::NoSuchAccount));
    assert_eq!(control.create_secret(KEY, "weak"), Err(SecretNotCreated::Policy));
    control.create_secret(KEY, SECOND).unwrap();
    assert_eq!(control.create_secret(KEY, "ThirdSecret3"), Err(SecretNotCreated::SlotsFull));
    assert!(control.revoke_value(KEY, FIRST) && control.revoke_value(KEY, SECOND));
    assert!(!is_accepted(&emulator, SECOND, API).await);
    assert_eq!(control.state()["accounts"][KEY]["secrets"], Value::Array(Vec::new()));
}
