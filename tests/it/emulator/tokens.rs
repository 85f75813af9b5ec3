//! Tokens: who may sign them, how long they live, how each family refuses them, and how a key is replaced.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use vonage_sidecar::emulator::{Lag, Running};

use super::caller::{
    API, APPLICATION, Answer, FIRST, KEY, ask, basic, bearer, claims, make_pair, pair, public_pem, seconds, signed, start_keyed,
};

const EU: &str = "api-eu.vonage.com";
const VIDEO: &str = "video.api.vonage.com";

async fn calls(emulator: &Running, host: &str, token: &str) -> StatusCode {
    ask(emulator, "GET", host, "/v1/calls", &[("authorization", token)], "").await.status
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

async fn put_key(emulator: &Running, pem: &str) -> Answer {
    let body = json!({ "name": "Emulated application", "keys": { "public_key": pem } }).to_string();
    ask(emulator, "PUT", API, &format!("/v2/applications/{APPLICATION}"), &[("authorization", &basic(FIRST))], &body).await
}

#[tokio::test]
async fn only_the_private_key_of_the_application_signs_its_tokens() {
    let emulator = start_keyed().await;
    let good = signed(pair(), &claims());
    assert_eq!(calls(&emulator, API, &good).await, StatusCode::OK);
    assert_eq!(emulator.control().accepted_tokens(APPLICATION, &public_pem(pair())), 1);
    assert_eq!(emulator.control().seen()[0].application.as_deref(), Some(APPLICATION));
    let (text, _) = good.rsplit_once('.').unwrap();
    for bad in [
        bearer(APPLICATION),
        signed(&make_pair(), &claims()),
        signed(pair(), &with("application_id", "unknown")),
        format!("{text}.c2ln"),
        signed(pair(), &with("sub", "x")).rsplit_once('.').map(|(_, signature)| format!("{text}.{signature}")).unwrap(),
    ] {
        assert_eq!(calls(&emulator, API, &bad).await, StatusCode::UNAUTHORIZED, "{bad}");
    }
}

#[tokio::test]
async fn a_token_lives_fifteen_minutes_or_as_it_says_and_at_most_a_day() {
    let emulator = start_keyed().await;
    let aged = |age: u64, life: Option<u64>| {
        let mut claims = with("iat", seconds() - age);
        if let Some(life) = life {
            claims["exp"] = json!(seconds() - age + life);
        }
        signed(pair(), &claims)
    };
    for (token, status) in [
        (aged(10 * 60, None), 200),
        (aged(20 * 60, None), 401),
        (aged(20 * 60, Some(60 * 60)), 200),
        (aged(25 * 60 * 60, Some(48 * 60 * 60)), 401),
        (aged(0, Some(10)), 401),
        (signed(pair(), &with("iat", seconds() + 600)), 401),
        (signed(pair(), &with("nbf", seconds() + 600)), 401),
        (signed(pair(), &json!({ "application_id": APPLICATION, "iat": seconds() })), 401),
        (signed(pair(), &json!({ "application_id": APPLICATION, "jti": "1" })), 401),
    ] {
        assert_eq!(calls(&emulator, API, &token).await.as_u16(), status, "{token}");
    }
}

#[tokio::test]
async fn each_family_refuses_a_wrong_and_an_expired_token_in_its_words() {
    let emulator = start_keyed().await;
    let (wrong, expired) = (signed(&make_pair(), &claims()), signed(pair(), &with("iat", seconds() - 3600)));
    for (method, host, target, status, of_wrong, of_expired) in [
        ("POST", API, "/v2/verify", 401, "#unauthorized", "#jwt-expired"),
        ("POST", API, "/v1/messages", 401, "#unathorized", "#jwt-expired"),
        ("PATCH", API, "/v1/messages/1", 401, "#unathorized", "#jwt-expired"),
        ("POST", EU, "/identity-insights/v1/requests", 401, "#unauthorized", "#jwt-expired"),
        ("GET", API, "/v1/calls", 401, "\"UNAUTHORIZED\"", "\"UNAUTHORIZED\""),
        ("GET", API, "/v1/users", 401, "system:error:invalid-token", "system:error:invalid-token"),
        ("GET", API, "/beta/chatapp-accounts", 401, "Invalid Token", "Invalid Token"),
        ("POST", VIDEO, "/session/create", 403, "invalid Vonage JWT token", "invalid Vonage JWT token"),
        ("POST", EU, "/oauth2/token", 401, "invalid_client", "invalid_client"),
    ] {
        for (token, words) in [(&wrong, of_wrong), (&expired, of_expired)] {
            let answer = ask(&emulator, method, host, target, &[("authorization", token)], "").await;
            assert_eq!(answer.status.as_u16(), status, "{target}");
            assert!(answer.text().contains(words), "{target}: {}", answer.text());
        }
    }
    assert_eq!(emulator.control().executions().total, 0);
}

#[tokio::test]
async fn the_network_apis_take_no_token_that_is_limited_to_paths() {
    let emulator = start_keyed().await;
    let limited = signed(pair(), &with("acl", json!({ "paths": { "/*/users/**": {} } })));
    for (host, target, status) in [(EU, "/oauth2/bc-authorize", 401), (API, "/oauth2/token", 401), (API, "/v1/users", 200)] {
        let method = if target == "/v1/users" { "GET" } else { "POST" };
        let answer = ask(&emulator, method, host, target, &[("authorization", &limited)], "").await;
        assert_eq!(answer.status.as_u16(), status, "{target}");
    }
    let free = signed(pair(), &claims());
    assert_eq!(ask(&emulator, "POST", EU, "/oauth2/token", &[("authorization", &free)], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_video_project_is_its_own_application_only() {
    let emulator = start_keyed().await;
    let token = signed(pair(), &claims());
    let ask = async |id: &str| ask(&emulator, "GET", VIDEO, &format!("/v2/project/{id}/archive"), &[("authorization", &token)], "").await;
    assert_eq!(ask(APPLICATION).await.status, StatusCode::OK);
    assert_eq!(ask("bbbbbbbb-0000-0000-0000-000000000000").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_replaced_key_is_seen_by_each_host_in_its_own_time() {
    let emulator = start_keyed().await;
    let control = emulator.control();
    let never = Duration::from_secs(3600);
    control.set_lag(Some(API), Lag { new: never, revoked: never });
    let next = make_pair();
    assert_eq!(put_key(&emulator, &public_pem(&next)).await.status, StatusCode::OK);
    let (old, new) = (signed(pair(), &claims()), signed(&next, &claims()));
    let other = "api-us.nexmo.com";
    assert_eq!((calls(&emulator, API, &old).await, calls(&emulator, API, &new).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    assert_eq!((calls(&emulator, other, &old).await, calls(&emulator, other, &new).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    control.set_lag(None, Lag::default());
    assert_eq!((calls(&emulator, API, &old).await, calls(&emulator, API, &new).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
}

#[tokio::test]
async fn the_private_key_that_create_returns_once_signs_for_the_new_application() {
    let emulator = start_keyed().await;
    let good = basic(FIRST);
    let made = ask(&emulator, "POST", API, "/v2/applications", &[("authorization", &good)], "{\"name\":\"New\"}").await.json();
    let private = made["keys"]["private_key"].as_str().unwrap();
    let body: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    let pair = aws_lc_rs::signature::RsaKeyPair::from_pkcs8(&der).unwrap();
    assert_eq!(calls(&emulator, API, &signed(&pair, &with("application_id", made["id"].clone()))).await, StatusCode::OK);
    let member = format!("/v2/applications/{}", made["id"].as_str().unwrap());
    let shown = ask(&emulator, "GET", API, &member, &[("authorization", &good)], "").await.json();
    assert_eq!((&shown["keys"]["public_key"], &shown["keys"]["private_key"]), (&made["keys"]["public_key"], &Value::Null));
    assert_eq!(emulator.control().state()["applications"][made["id"].as_str().unwrap()], KEY);
}
