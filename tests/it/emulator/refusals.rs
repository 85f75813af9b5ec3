//! Each family of refusals, byte for byte where the facts have bytes, and what looks like one and is not.

use http::StatusCode;
use serde_json::{Value, json};
use vonage_sidecar::emulator::{Dialect, LegacyBasic, NumbersRefusal, Options};

use super::caller::{API, APPLICATION, Answer, FIRST, KEY, REST, SMS, ask, basic, bearer, start, start_with};

const WRONG: &str = "api_key=abcd1234&api_secret=Wrong";

async fn wrong(host: &str, method: &str, target: &str, body: &str) -> Answer {
    ask(&start().await, method, host, target, &[("authorization", &basic("Wrong"))], body).await
}

#[tokio::test]
async fn a_wrong_pair_on_sms_is_a_200_with_status_4() {
    let emulator = start().await;
    let answer = ask(&emulator, "POST", REST, "/sms/json", &[], &format!("{WRONG}&{SMS}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), json!({"message-count": "1", "messages": [{"status": "4", "error-text": "Bad Credentials"}]}));
    let answer = ask(&emulator, "GET", REST, &format!("/sms/xml?{WRONG}&{SMS}"), &[], "").await;
    assert_eq!(
        answer.text(),
        "<?xml version='1.0' encoding='UTF-8' ?><mt-submission-response><messages count='1'><message><status>4</status>\
         <errorText>Bad Credentials</errorText></message></messages></mt-submission-response>"
    );
    assert_eq!(emulator.control().executions().total, 0);
}

#[tokio::test]
async fn every_part_of_a_long_message_is_refused() {
    let text = "x".repeat(400);
    let body = json!({"api_key": KEY, "api_secret": "Wrong", "from": "Acme", "to": "447700900000", "text": text}).to_string();
    let answer = ask(&start().await, "POST", REST, "/sms/json", &[], &body).await.json();
    let statuses: Vec<&Value> = answer["messages"].as_array().unwrap().iter().map(|part| &part["status"]).collect();
    assert_eq!(statuses, ["4", "4", "4"]);
    assert_eq!(answer["message-count"], "3");
}

#[tokio::test]
async fn sms_tells_a_missing_credential_from_a_wrong_one_under_both_names() {
    let emulator = start().await;
    for (credentials, status) in [
        (String::new(), "2"),
        (format!("api_key={KEY}"), "2"),
        (format!("username={KEY}&password={FIRST}"), "0"),
        (format!("username={KEY}&password=Wrong"), "4"),
    ] {
        let answer = ask(&emulator, "POST", REST, "/sms/json", &[], &format!("{credentials}&{SMS}")).await;
        assert_eq!(answer.json()["messages"][0]["status"], status, "{credentials}");
    }
}

#[tokio::test]
async fn verify_answers_in_text_and_insight_in_integers() {
    let emulator = start().await;
    let answer = ask(&emulator, "POST", API, "/verify/json", &[], &format!("{WRONG}&number=1")).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "4", "error_text": "Invalid credentials were provided"})));
    assert!(answer.text().contains("\"status\": \"4\""), "indented as the provider does");
    let answer = ask(&emulator, "POST", API, "/verify/json", &[], "number=1").await;
    assert_eq!(answer.json(), json!({"status": "2", "error_text": "Missing api_key"}));
    let answer = ask(&emulator, "GET", API, &format!("/verify/search/xml?{WRONG}&request_id=1"), &[], "").await;
    assert!(
        answer
            .text()
            .contains("<verify_request><error_text>Invalid credentials were provided</error_text><status>4</status></verify_request>")
    );

    let answer = ask(&emulator, "GET", API, &format!("/ni/standard/json?{WRONG}&number=1"), &[], "").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": 4, "status_message": "Invalid credentials"})));
    let answer = ask(&emulator, "GET", API, &format!("/ni/advanced/async/json?{WRONG}&number=1"), &[], "").await;
    assert_eq!(answer.json(), json!({"error_text": "Invalid credentials", "status": 4}));
    let answer = ask(&emulator, "GET", API, &format!("/ni/basic/xml?{WRONG}&number=1"), &[], "").await;
    assert!(answer.text().ends_with("<format><error code=\"4\">Invalid credentials</error></format>"));
    assert_eq!(emulator.control().executions().total, 0);
}

#[tokio::test]
async fn a_wrong_basic_header_on_legacy_paths_has_two_possible_answers() {
    let emulator = start().await;
    for target in ["/sms/json", "/verify/json", "/ni/basic/json"] {
        let headers = [("authorization", basic("Wrong"))];
        let headers = [(headers[0].0, headers[0].1.as_str())];
        emulator.control().set_dialect(Dialect::default());
        assert_eq!(ask(&emulator, "POST", "localhost", target, &headers, SMS).await.status, StatusCode::OK, "{target}");
        emulator.control().set_dialect(Dialect { basic: LegacyBasic::Problem401, ..Dialect::default() });
        let answer = ask(&emulator, "POST", "localhost", target, &headers, SMS).await;
        assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"), "{target}");
        let answer = ask(&emulator, "POST", "localhost", target, &[], &format!("{WRONG}&number=1&{SMS}")).await;
        assert_eq!(answer.status, StatusCode::OK, "parameters keep their own answer on {target}");
    }
}

#[tokio::test]
async fn account_and_numbers_answer_401_with_an_error_code() {
    let expected = json!({"error-code": "401", "error-code-label": "authentication failed"});
    for (method, target) in
        [("GET", "/account/get-balance"), ("GET", "/account/numbers"), ("POST", "/number/buy"), ("GET", "/search/message")]
    {
        let answer = wrong(REST, method, target, "").await;
        assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, expected.clone()), "{target}");
    }
    let headers = [("accept", "application/xml")];
    let answer = ask(&start().await, "GET", REST, &format!("/account/get-balance?{WRONG}"), &headers, "").await;
    assert!(answer.text().contains("<accountBalance><error-code>401</error-code><error-code-label>authentication failed<"));
    let answer = wrong(REST, "GET", "/account/get-pricing/outbound/sms?country=GB", "").await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::UNAUTHORIZED, &json!("401")));

    let dialect = Dialect { numbers: NumbersRefusal::Problem, ..Dialect::default() };
    let emulator = start_with(Options { dialect, ..Options::with_account(KEY, &[FIRST]) }).await;
    let answer = ask(&emulator, "GET", REST, &format!("/number/search/{KEY}/Wrong/GB"), &[], "").await;
    assert_eq!((answer.status, &answer.json()["detail"]), (StatusCode::UNAUTHORIZED, &json!("You did not provide correct credentials.")));
}

#[tokio::test]
async fn problem_documents_come_in_their_shapes() {
    for (method, target, fragment, title) in [
        ("GET", "/accounts/abcd1234/secrets", "unauthorized", "Invalid credentials supplied"),
        ("GET", "/v2/applications", "unauthorized", "Invalid credentials supplied"),
        ("GET", "/accounts/abcd1234/subaccounts", "unauthorized", "Invalid credentials supplied"),
        ("POST", "/v1/messages", "unathorized", "You did not provide correct credentials."),
        ("GET", "/v2/reports/records", "unathorized", "You did not provide correct credentials."),
        ("POST", "/v2/verify", "unauthorized", "Unauthorized"),
        ("POST", "/verify/network-unblock", "unauthorized", "Unauthorized"),
        ("GET", "/beta/chatapp-accounts", "unauthorized", "Unauthorised"),
    ] {
        let answer = wrong(API, method, target, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{target}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{target}");
        assert_eq!((answer.fragment().as_str(), &answer.json()["title"]), (fragment, &json!(title)), "{target}");
    }
    let missing = ask(&start().await, "POST", API, "/v1/messages", &[], "{}").await.json();
    assert_eq!((&missing["title"], &missing["detail"]), (&json!("Unauthorised"), &json!("Request header 'Authorization' missing")));
}

#[tokio::test]
async fn the_other_families_keep_their_own_words() {
    let voice = json!({"type": "UNAUTHORIZED", "error_title": "Unauthorized"});
    let answer = wrong(API, "POST", "/v1/redact/transaction", "{}").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, voice.clone()));
    let answer = wrong(API, "GET", "/v1/users", "").await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::UNAUTHORIZED, &json!("system:error:invalid-token")));
    let answer = wrong(API, "GET", "/beta/audit/events", "").await;
    assert!(answer.json()["message"].as_str().unwrap().starts_with("Full authentication is required."));
    let answer = wrong(API, "POST", "/conversions/sms", "message-id=1").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::UNAUTHORIZED, 0));
    let answer = wrong("video.api.vonage.com", "POST", "/session/create", "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["message"], "You passed in an invalid Vonage JWT token.");

    // Voice takes a token only: a good Basic header is a wrong scheme.
    let emulator = start().await;
    let answer = ask(&emulator, "GET", API, "/v1/calls", &[("authorization", &basic(FIRST))], "").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, voice));
    assert_eq!(ask(&emulator, "GET", API, "/v1/calls", &[("authorization", &bearer(APPLICATION))], "").await.status, StatusCode::OK);
    assert_eq!(
        ask(&emulator, "GET", API, "/v1/calls", &[("authorization", &bearer("unknown"))], "").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ask(&emulator, "GET", API, "/v1/calls/ping", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn two_methods_of_authentication_are_one_too_many() {
    let emulator = start().await;
    let header = basic(FIRST);
    for (target, body) in [
        (format!("/sms/json?api_key={KEY}&api_secret={FIRST}"), SMS.to_owned()),
        ("/sms/json".to_owned(), format!("api_key={KEY}&api_secret={FIRST}&{SMS}")),
        ("/sms/json".to_owned(), format!("api_key={KEY}&sig=0c417d34004f305b7425f0357255a006&{SMS}")),
        (format!("/v2/applications?api_secret={FIRST}"), "{\"name\":\"x\"}".to_owned()),
    ] {
        let answer = ask(&emulator, "POST", "localhost", &target, &[("authorization", &header)], &body).await;
        assert_eq!((answer.status, answer.fragment().as_str()), (StatusCode::UNAUTHORIZED, "multiple-auth-methods"), "{target}");
    }
    let both = format!("api_key={KEY}&api_secret={FIRST}");
    let answer = ask(&emulator, "POST", REST, &format!("/sms/json?{both}"), &[], &format!("{both}&{SMS}")).await;
    assert_eq!(answer.fragment(), "multiple-auth-methods");
    assert_eq!(emulator.control().executions().total, 0);
}

#[tokio::test]
async fn the_gateway_answers_before_it_looks_at_credentials() {
    let emulator = start().await;
    let answer = ask(&emulator, "DELETE", API, "/v2/applications", &[], "").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::FORBIDDEN, "403 Forbidden"));
    assert_eq!(ask(&emulator, "PUT", REST, "/sms/json", &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ask(&emulator, "GET", API, "/sms/json", &[], "").await.status, StatusCode::NOT_FOUND, "not on this host");
}

#[tokio::test]
async fn look_alikes_are_answered_whatever_the_credential() {
    let emulator = start().await;
    let good = basic(FIRST);
    for (fault, host, target, status, expected) in [
        ("quota", API, "/v2/verify", 401, "#quota-exceeded"),
        ("unprovisioned", API, "/v1/messages", 401, "#unprovisioned"),
        ("top-up", REST, "/account/top-up", 401, "not auto-reload enabled"),
        ("suspended", API, "/v2/verify", 401, "#account-suspended"),
        ("invalid-ip", API, "/v2/verify", 401, "#invalid-ip"),
        ("jwt-expired", API, "/v2/verify", 401, "#jwt-expired"),
        ("empty-401", API, "/v2/verify", 401, ""),
        ("proxy-page", API, "/v2/verify", 401, "<h1>401 Unauthorized</h1>"),
        ("forbidden", API, "/v2/verify", 403, "403 Forbidden"),
        ("body-status=14", REST, "/sms/json", 200, "\"status\":\"14\""),
        ("body-status=9", REST, "/sms/json", 200, "\"status\":\"9\""),
        ("body-status=1", API, "/ni/basic/json", 200, "\"status\":1"),
        ("throttled=7", API, "/v2/verify", 429, "#throttled"),
        ("status=503", API, "/v2/verify", 503, ""),
        ("refused", REST, "/sms/json", 200, "\"status\":\"4\""),
    ] {
        let headers = [("authorization", good.as_str()), ("x-emulator-fault", fault)];
        let answer = ask(&emulator, "POST", host, target, &headers, SMS).await;
        assert_eq!(answer.status.as_u16(), status, "{fault}");
        assert!(answer.text().contains(expected), "{fault}: {}", answer.text());
        if fault.starts_with("throttled") {
            assert_eq!(answer.headers["retry-after"], "7");
        }
    }
    assert_eq!(emulator.control().executions().total, 0);

    let headers = [("authorization", good.as_str()), ("x-emulator-fault", "mixed")];
    let answer = ask(&emulator, "POST", REST, "/sms/json", &headers, SMS).await.json();
    assert_eq!((&answer["messages"][0]["status"], &answer["messages"][1]["status"]), (&json!("0"), &json!("4")));
    assert_eq!(emulator.control().executions().total, 1, "its first part was sent");
}

#[tokio::test]
async fn an_account_without_credit_or_product_is_not_a_wrong_credential() {
    let emulator = start().await;
    let good = basic(FIRST);
    let headers = [("authorization", good.as_str())];
    let verification = json!({"brand": "Acme", "workflow": [{"channel": "sms", "to": "447700900000"}]}).to_string();
    emulator.control().set_balance(KEY, 0.0);
    assert_eq!(ask(&emulator, "POST", REST, "/sms/json", &headers, SMS).await.json()["messages"][0]["status"], "9");
    assert_eq!(ask(&emulator, "POST", API, "/v2/verify", &headers, &verification).await.fragment(), "quota-exceeded");
    emulator.control().set_balance(KEY, 1.0);
    emulator.control().disable(KEY, "verify-v2");
    assert_eq!(ask(&emulator, "POST", API, "/v2/verify", &headers, &verification).await.fragment(), "unprovisioned");
    emulator.control().enable(KEY, "verify-v2");
    assert_eq!(ask(&emulator, "POST", API, "/v2/verify", &headers, &verification).await.status, StatusCode::ACCEPTED);
    assert_eq!(emulator.control().executions().total, 1);
}
