//! What the endpoints do, what counts as executed, what is remembered, and control over HTTP.

use http::StatusCode;
use serde_json::json;

use super::caller::{API, APPLICATION, FIRST, KEY, REST, SECOND, SMS, ask, basic, bearer, pair, public_pem, request, send, start, until};

#[tokio::test]
async fn every_way_of_presenting_a_pair_is_understood() {
    let emulator = start().await;
    let pair = format!("api_key={KEY}&api_secret={FIRST}");
    let json = json!({"api_key": KEY, "api_secret": FIRST, "from": "Acme", "to": 447_700_900_000_u64, "text": "Hi"}).to_string();
    for (method, target, body) in [
        ("POST", "/sms/json".to_owned(), format!("{pair}&{SMS}")),
        ("POST", format!("/sms/json?{pair}"), SMS.to_owned()),
        ("GET", format!("/sms/json?{pair}&{SMS}"), String::new()),
        ("POST", "/sms/json".to_owned(), json),
    ] {
        let answer = ask(&emulator, method, REST, &target, &[], &body).await.json();
        assert_eq!(answer["messages"][0]["status"], "0", "{method} {target}");
    }
    let bought = ask(&emulator, "POST", REST, &format!("/number/buy/{KEY}/{FIRST}/GB/447700900001"), &[], "").await;
    assert_eq!(bought.json(), json!({"error-code": "200", "error-code-label": "success"}));
    let listed = ask(&emulator, "GET", REST, &format!("/account/numbers/{KEY}/{FIRST}"), &[], "").await;
    assert_eq!(listed.json()["count"], 1);
    assert_eq!(emulator.control().accepted(KEY, FIRST), 6);
}

#[tokio::test]
async fn what_sends_is_counted_by_message_and_what_reads_is_not() {
    let emulator = start().await;
    let (control, good) = (emulator.control(), basic(FIRST));
    let send_as = |id: &'static str, method: &'static str| {
        let headers = [("authorization", good.as_str()), ("x-message-id", id)];
        send(emulator.address(), request(method, REST, &format!("/sms/json?{SMS}"), &headers, ""))
    };
    send_as("a", "POST").await.unwrap();
    send_as("b", "GET").await.unwrap();
    let head = send_as("c", "HEAD").await.unwrap();
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!((control.executions().total, control.executions().messages), (3, 3));
    assert!(control.duplicates().is_empty());
    send_as("a", "POST").await.unwrap();
    assert_eq!(control.duplicates(), [("a".to_owned(), 2)]);
    assert_eq!((control.executed("a"), control.executed("b"), control.executed("c")), (2, 1, 1));
    control.reset();

    // Without an id the words decide, not the credentials or where they stand.
    let first = format!("api_key={KEY}&api_secret={FIRST}&{SMS}");
    ask(&emulator, "POST", REST, "/sms/json", &[], &first).await;
    ask(&emulator, "POST", REST, "/sms/json", &[("authorization", &good)], SMS).await;
    ask(&emulator, "POST", REST, "/sms/json", &[("authorization", &good)], &SMS.replace("Hello", "Bye")).await;
    assert_eq!((control.executions().total, control.executions().messages), (3, 2));
    control.reset();
    for target in ["/account/get-balance", "/v2/applications", "/accounts/abcd1234/secrets"] {
        assert_eq!(ask(&emulator, "GET", "localhost", target, &[("authorization", &good)], "").await.status, StatusCode::OK);
    }
    assert_eq!(control.executions().total, 0);
}

#[tokio::test]
async fn a_verification_runs_its_course() {
    let emulator = start().await;
    let good = basic(FIRST);
    let headers = [("authorization", good.as_str())];
    let started = ask(&emulator, "POST", API, "/verify/json", &headers, "number=447700900000&brand=Acme").await.json();
    let id = started["request_id"].as_str().unwrap();
    let search = format!("/verify/search/json?request_id={id}");
    assert_eq!(ask(&emulator, "GET", API, &search, &headers, "").await.json()["status"], "IN PROGRESS");
    let wrong = ask(&emulator, "POST", API, "/verify/check/json", &headers, &format!("request_id={id}&code=0000")).await.json();
    assert_eq!(wrong["status"], "16");
    let right = ask(&emulator, "POST", API, "/verify/check/json", &headers, &format!("request_id={id}&code=1234")).await.json();
    assert_eq!(right["status"], "0");
    assert_eq!(ask(&emulator, "GET", API, &search, &headers, "").await.json()["status"], "SUCCESS");
    let late = ask(&emulator, "POST", API, "/verify/control/xml", &headers, &format!("request_id={id}&cmd=cancel")).await;
    assert!(late.text().contains("<response>") && late.text().contains("<status>19</status>"), "{}", late.text());

    let body = json!({"brand": "Acme", "workflow": [{"channel": "sms", "to": "447700900000"}]}).to_string();
    let token = bearer(APPLICATION);
    let started = ask(&emulator, "POST", API, "/v2/verify", &[("authorization", &token)], &body).await;
    assert_eq!(started.status, StatusCode::ACCEPTED);
    let member = format!("/v2/verify/{}", started.json()["request_id"].as_str().unwrap());
    assert_eq!(ask(&emulator, "POST", API, &member, &headers, "{\"code\":\"0\"}").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&emulator, "POST", API, &member, &headers, "{\"code\":\"1234\"}").await.json()["status"], "completed");
    assert_eq!(ask(&emulator, "DELETE", API, &member, &headers, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_other_products_answer_and_count() {
    let emulator = start().await;
    let good = basic(FIRST);
    for (method, target, body, status, executions) in [
        ("POST", "/v1/messages", "{\"to\":\"1\",\"from\":\"2\",\"text\":\"x\"}", 202, 1),
        ("POST", "/v1/messages", "{\"to\":\"1\"}", 422, 0),
        ("GET", "/ni/advanced/json?number=447700900000", "", 200, 1),
        ("POST", "/conversions/sms", "message-id=1", 200, 1),
        ("POST", "/v1/redact/transaction", "{\"id\":\"1\"}", 204, 1),
        ("GET", "/v2/reports/records", "", 200, 0),
        ("OPTIONS", "/beta/audit/events", "", 200, 0),
        ("GET", "/v3/media", "", 200, 0),
        ("GET", "/v2/account/pricing/sms-outbound?country=GB", "", 200, 0),
        ("POST", "/account/top-up", "trx=1", 401, 0),
        ("POST", "/never/heard/of", "{}", 200, 1),
        ("GET", "/never/heard/of", "", 200, 0),
    ] {
        let before = emulator.control().executions().total;
        let answer = ask(&emulator, method, "localhost", target, &[("authorization", &good)], body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {target}");
        assert_eq!(emulator.control().executions().total - before, executions, "{method} {target}");
    }
}

#[tokio::test]
async fn an_application_is_created_changed_and_deleted() {
    let emulator = start().await;
    let good = basic(FIRST);
    let headers = [("authorization", good.as_str())];
    let made = ask(&emulator, "POST", API, "/v2/applications", &headers, "{\"name\":\"One\"}").await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    assert!(made["keys"]["private_key"].as_str().is_some_and(|key| key.contains("PRIVATE KEY")), "shown once");
    let member = format!("/v2/applications/{}", made["id"].as_str().unwrap());
    let shown = ask(&emulator, "GET", API, &member, &headers, "").await.json();
    assert_eq!((&shown["name"], &shown["keys"]["private_key"]), (&json!("One"), &json!(null)));
    assert_eq!(shown["capabilities"], json!({}));
    let capabilities = json!({"voice": {"webhooks": {"answer_url": {"address": "https://example.com", "http_method": "GET"}}}});
    let pem = public_pem(pair());
    let body = json!({"name": "Two", "keys": {"public_key": pem}, "capabilities": capabilities, "privacy": {"improve_ai": false}});
    let changed = ask(&emulator, "PUT", API, &member, &headers, &body.to_string()).await.json();
    assert_eq!((&changed["name"], &changed["keys"]["public_key"]), (&json!("Two"), &json!(pem)));
    assert_eq!((&changed["capabilities"], &changed["privacy"]), (&capabilities, &json!({"improve_ai": false})));
    let shorter = ask(&emulator, "PUT", API, &member, &headers, "{\"name\":\"Three\"}").await.json();
    assert_eq!((&shorter["capabilities"], &shorter["keys"]["public_key"]), (&json!({}), &json!(pem)), "all of it is replaced but the key");
    let unreadable = json!({"name": "Four", "keys": {"public_key": "PEM"}}).to_string();
    assert_eq!(ask(&emulator, "PUT", API, &member, &headers, &unreadable).await.status, StatusCode::BAD_REQUEST);
    let page = ask(&emulator, "GET", API, "/v2/applications?page_size=1", &headers, "").await.json();
    assert_eq!((&page["total_items"], page["_embedded"]["applications"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    assert_eq!(ask(&emulator, "DELETE", API, &member, &headers, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&emulator, "GET", API, &member, &headers, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requests_are_remembered_as_they_came() {
    let emulator = start().await;
    let good = basic(FIRST);
    ask(&emulator, "POST", REST, "/sms/json?a=b", &[("authorization", &good), ("x-own", "1")], SMS).await;
    let seen = emulator.control().seen();
    let only = &seen[0];
    assert_eq!((only.method.as_str(), only.target.as_str(), only.path(), only.host.as_str()), ("POST", "/sms/json?a=b", "/sms/json", REST));
    assert_eq!((only.header("authorization"), only.header("x-own")), (good.as_str(), "1"));
    assert_eq!((&only.body[..], only.complete, only.status, only.connection), (SMS.as_bytes(), true, Some(200), 1));
    assert_eq!((only.account.as_deref(), only.secret.clone()), (Some(KEY), emulator.control().secret_id(KEY, FIRST)));

    let large = "x".repeat(100_000);
    ask(&emulator, "POST", REST, "/sms/json", &[("authorization", &good)], &large).await;
    let last = emulator.control().seen().pop().unwrap();
    assert_eq!((last.number, last.body.len(), last.length), (1, 64 * 1024, 100_000));
}

#[tokio::test]
async fn a_wait_ends_when_what_it_waits_for_happens() {
    let emulator = start().await;
    let control = emulator.control().clone();
    let waiting = tokio::spawn(async move { until(&control, |control| control.executed("late") == 1).await });
    let good = basic(FIRST);
    ask(&emulator, "POST", REST, "/sms/json", &[("authorization", &good), ("x-message-id", "late")], SMS).await;
    waiting.await.unwrap();
    assert!(!emulator.control().wait_for(|_| false, std::time::Duration::from_millis(5)).await);
}

#[tokio::test]
async fn everything_is_controlled_over_http_too() {
    let emulator = start().await;
    let call = async |method: &str, target: &str, body: &str| {
        ask(&emulator, method, "localhost", &format!("/_emulator/{target}"), &[], body).await
    };
    assert_eq!(call("PUT", "accounts/other001", "{\"secrets\":[\"OtherSecret1\"]}").await.status, StatusCode::NO_CONTENT);
    let id = call("POST", &format!("accounts/{KEY}/secrets"), &json!({ "secret": SECOND }).to_string()).await.json()["id"].clone();
    assert_eq!(call("POST", &format!("accounts/{KEY}/secrets"), "{\"secret\":\"ThirdSecret3\"}").await.status, StatusCode::CONFLICT);
    assert_eq!(call("GET", "state", "").await.json()["accounts"][KEY]["secrets"][1]["id"], id);
    let id = id.as_str().unwrap();
    assert_eq!(call("DELETE", &format!("accounts/{KEY}/secrets/{id}"), "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("DELETE", &format!("accounts/{KEY}/secrets/{id}"), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(call("PUT", "lag", "{\"host\":\"api.nexmo.com\",\"new_ms\":5}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("GET", "state", "").await.json()["lag_of"]["api.nexmo.com"], json!({"new_ms": 5, "revoked_ms": 0}));
    assert_eq!(call("PUT", "dialect", "{\"basic\":\"problem-401\"}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("PUT", "clock", "{\"ahead_seconds\":0}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("PUT", "idle-close", "{\"ms\":0}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("POST", "faults", "{\"faults\":\"status=503\",\"path\":\"/sms\",\"times\":1}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(call("POST", "faults", "{\"faults\":\"bang\"}").await.status, StatusCode::BAD_REQUEST);
    let good = basic(FIRST);
    let sms =
        async || ask(&emulator, "POST", REST, "/sms/json", &[("authorization", &good), ("x-message-id", "m")], SMS).await.status.as_u16();
    assert_eq!((sms().await, sms().await), (503, 200));
    assert_eq!(call("GET", "executions", "").await.json(), json!({"total": 1, "messages": 1, "duplicates": {}}));
    assert_eq!(call("GET", "executions/m", "").await.json()["count"], 1);
    let seen = call("GET", "seen", "").await.json();
    assert_eq!(seen.as_array().map(Vec::len), Some(2), "control calls are not among them");
    assert_eq!((&seen[1]["executed"], &seen[1]["status"]), (&json!("m"), &json!(200)));
    call("POST", "reset", "").await;
    assert_eq!(call("GET", "seen", "").await.json(), json!([]));
    let page = ask(&emulator, "GET", "localhost", "/_emulator/seen", &[("origin", "https://evil.example")], "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}
