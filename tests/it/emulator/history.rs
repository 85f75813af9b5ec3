//! What a rotation leans on: who changed what and when, dates, both words for full slots, allowance, and answers that are
//! lost or late.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use serde_json::{Value, json};
use vonage_sidecar::emulator::{AccountSpec, Author, Changed, Dialect, Options, Running, SlotsRefusal};

use super::caller::{API, Answer, FIRST, KEY, SECOND, ask, basic, pair, public_pem, request, send, start, start_keyed, start_with, until};

const SECRETS: &str = "/accounts/abcd1234/secrets";

async fn create(emulator: &Running, value: &str, fault: &str) -> Result<Answer, hyper::Error> {
    let good = basic(FIRST);
    let headers = [("authorization", good.as_str()), ("x-emulator-fault", fault)];
    send(emulator.address(), request("POST", API, SECRETS, &headers, &json!({ "secret": value }).to_string())).await
}

#[tokio::test]
async fn every_change_is_written_down_with_its_author_in_order() {
    let emulator = start_keyed().await;
    let control = emulator.control();
    let first = control.secret_id(KEY, FIRST).unwrap();
    let second = create(&emulator, SECOND, "").await.unwrap().json()["id"].as_str().unwrap().to_owned();
    let revoke = ask(&emulator, "DELETE", API, &format!("{SECRETS}/{first}"), &[("authorization", &basic(SECOND))], "").await;
    assert_eq!(revoke.status, StatusCode::NO_CONTENT);
    let foreign = control.create_secret(KEY, "Dashboard3Secret").unwrap();
    control.revoke_secret(KEY, &foreign);
    let body = json!({ "name": "x", "keys": { "public_key": public_pem(pair()) } }).to_string();
    let member = format!("/v2/applications/{}", super::caller::APPLICATION);
    ask(&emulator, "PUT", API, &member, &[("authorization", &basic(SECOND))], &body).await;

    let caller = |secret: &str| Author::Caller { account: KEY.into(), secret: Some(secret.to_owned()) };
    let changes = control.changes();
    let told: Vec<(&Changed, &Author)> = changes.iter().map(|change| (&change.what, &change.by)).collect();
    assert_eq!(
        told,
        [
            (&Changed::SecretCreated(second.clone()), &caller(&first)),
            (&Changed::SecretRevoked(first.clone()), &caller(&second)),
            (&Changed::SecretCreated(foreign.clone()), &Author::Dashboard),
            (&Changed::SecretRevoked(foreign), &Author::Dashboard),
        ],
        "the same key again is no change"
    );
    assert!(changes.windows(2).all(|two| two[0].number + 1 == two[1].number && two[0].at <= two[1].at));
    let listed = ask(&emulator, "GET", "localhost", "/_emulator/changes", &[], "").await.json();
    assert_eq!((&listed[0]["what"], &listed[0]["by"]["secret"]), (&json!("secret-created"), &json!(first)));
    assert_eq!(listed[3]["by"], "dashboard");
}

#[tokio::test]
async fn the_age_of_a_secret_is_what_a_test_says() {
    let old = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let account = AccountSpec::new(KEY, &[FIRST, SECOND]).created_at(&[old]);
    let emulator = start_with(Options { accounts: vec![account], ..Options::default() }).await;
    let list = async || ask(&emulator, "GET", API, SECRETS, &[("authorization", &basic(FIRST))], "").await.json();
    let entries = list().await["_embedded"]["secrets"].clone();
    assert_eq!(entries[0]["created_at"], "2023-11-14T22:13:20Z");
    assert_ne!(entries[1]["created_at"], "2023-11-14T22:13:20Z");
    let second = emulator.control().secret_id(KEY, SECOND).unwrap();
    let target = format!("/_emulator/accounts/{KEY}/secrets/{second}");
    let answer = ask(&emulator, "PUT", "localhost", &target, &[], "{\"created_at\":\"2025-01-02T03:04:05Z\"}").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(list().await["_embedded"]["secrets"][1]["created_at"], "2025-01-02T03:04:05Z");
    assert_eq!(ask(&emulator, "PUT", "localhost", &target, &[], "{\"created_at\":\"lately\"}").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn full_slots_are_refused_in_either_of_two_words() {
    let dialect = Dialect { slots: SlotsRefusal::Maximum, ..Dialect::default() };
    let emulator = start_with(Options { dialect, ..Options::with_account(KEY, &[FIRST, SECOND]) }).await;
    let answer = create(&emulator, "ThirdSecret3", "").await.unwrap();
    assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::FORBIDDEN, "maximum-secrets-allowed"));
    assert_eq!(answer.json()["title"], "Maxmimum number of secrets already met");
    ask(&emulator, "PUT", "localhost", "/_emulator/dialect", &[], "{\"slots\":\"add-excess\"}").await;
    assert_eq!(create(&emulator, "ThirdSecret3", "").await.unwrap().fragment(), "add-excess-secret");
}

#[tokio::test]
async fn an_hour_has_so_many_management_calls() {
    let emulator = start().await;
    emulator.control().set_allowance(KEY, 2);
    let list = async || ask(&emulator, "GET", API, SECRETS, &[("authorization", &basic(FIRST))], "").await;
    let first = list().await;
    assert_eq!((first.status, &first.headers["x-ratelimit-limit"]), (StatusCode::OK, &"2".parse().unwrap()));
    assert_eq!(first.headers["x-ratelimit-remaining"], "1");
    assert!(first.headers.contains_key("x-request-id") && first.headers.contains_key("x-ratelimit-reset"));
    list().await;
    let third = list().await;
    assert_eq!((third.status, third.fragment().as_str()), (StatusCode::TOO_MANY_REQUESTS, "throttled"));
    assert!(third.headers["retry-after"].to_str().unwrap().parse::<u64>().is_ok_and(|wait| wait <= 3600));
    let other = ask(&emulator, "GET", API, "/v2/applications", &[("authorization", &basic(FIRST))], "").await;
    assert_eq!(other.status, StatusCode::OK, "other calls are not counted");
}

fn slots(emulator: &Running) -> usize {
    emulator.control().state()["accounts"][KEY]["secrets"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn an_answer_to_create_can_be_lost_before_or_after_the_deed() {
    for (fault, made) in [
        ("status=503", 1),
        ("status-after=503", 2),
        ("reset-before", 1),
        ("reset-after", 2),
        ("close-after", 2),
        ("throttled=1", 1),
        ("garbage-after", 2),
    ] {
        let emulator = start().await;
        let answer = create(&emulator, SECOND, fault).await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| !answer.status.is_success()), "{fault}");
        assert_eq!(slots(&emulator), made, "{fault}");
        assert_eq!(emulator.control().changes().len(), made - 1, "{fault}");
    }
}

#[tokio::test]
async fn a_create_can_be_done_after_its_caller_was_told_that_it_failed() {
    let emulator = start().await;
    let answer = create(&emulator, SECOND, "late=50").await.unwrap();
    assert_eq!((answer.status, slots(&emulator)), (StatusCode::GATEWAY_TIMEOUT, 1));
    until(emulator.control(), |control| !control.changes().is_empty()).await;
    assert_eq!(slots(&emulator), 2);
    assert!(emulator.control().secret_id(KEY, SECOND).is_some());
}

#[tokio::test]
async fn a_new_subaccount_shows_its_first_secret_once_and_is_managed_by_both() {
    let emulator = start().await;
    let good = basic(FIRST);
    let made =
        ask(&emulator, "POST", API, "/accounts/abcd1234/subaccounts", &[("authorization", &good)], "{\"name\":\"New\"}").await.json();
    let (key, secret) = (made["api_key"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let shown = ask(&emulator, "GET", API, &format!("/accounts/abcd1234/subaccounts/{key}"), &[("authorization", &good)], "").await.json();
    assert_eq!((&shown["name"], &shown["secret"]), (&json!("New"), &Value::Null));
    let pair = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{key}:{secret}"));
    let target = format!("/accounts/{key}/secrets");
    let own = format!("Basic {pair}");
    for (who, status) in [(own.as_str(), StatusCode::OK), (good.as_str(), StatusCode::OK)] {
        assert_eq!(ask(&emulator, "GET", API, &target, &[("authorization", who)], "").await.status, status);
    }
    let upwards = ask(&emulator, "GET", API, SECRETS, &[("authorization", &own)], "").await;
    assert_eq!((upwards.status, upwards.fragment().as_str()), (StatusCode::NOT_FOUND, "invalid-api-key"), "not the other way");
    assert_eq!(emulator.control().changes()[0].account, key);
}
