//! Every documented answer, and what is like one and is none.

use super::*;

fn problem(fragment: &str, title: &str, detail: &str) -> String {
    json!({ "type": format!("https://developer.nexmo.com/api-errors/account/secret-management#{fragment}"), "title": title, "detail": detail })
        .to_string()
}

const ENTRY: &str = r#"{"_links":{"self":{"href":"/accounts/abcd1234/secrets/id-1"}},"id":"id-1","created_at":"2017-03-02T16:34:49Z"}"#;

fn key() -> ApiKey {
    ApiKey::parse("abcd1234").unwrap()
}

fn entry() -> Listed {
    Listed { id: SecretId::parse("id-1").unwrap(), created_at: humantime::parse_rfc3339("2017-03-02T16:34:49Z").ok() }
}

#[test]
fn calls_have_the_documented_form_and_the_value_is_in_the_body_alone() {
    let value = ApiSecret::parse(r#"a"b\c"#).unwrap();
    let call = create(&key(), &value);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/accounts/abcd1234/secrets"));
    let sent: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(sent, json!({ "secret": r#"a"b\c"# }));
    assert_eq!(format!("{call:?}"), "POST /accounts/abcd1234/secrets");
    assert_eq!(format!("{:?}", revoke(&key(), &entry().id)), "DELETE /accounts/abcd1234/secrets/id-1");
    let sent: Value = serde_json::from_slice(&create_subaccount(&key(), "Team \"B\"", &value).body).unwrap();
    assert_eq!(sent, json!({ "name": "Team \"B\"", "secret": r#"a"b\c"# }));
}

#[test]
fn a_list_is_whole_or_unclear() {
    let body = format!(r#"{{"_embedded":{{"secrets":[{ENTRY}]}}}}"#);
    assert_eq!(listed(StatusCode::OK, body.as_bytes()), Ok(Secrets::Listed(vec![entry()])));
    for length in 0..body.len() {
        assert_eq!(listed(StatusCode::OK, &body.as_bytes()[..length]), Err(Unclear(StatusCode::OK)), "{length}");
    }
    let odd = br#"{"_embedded":{"secrets":[{"id":"with space"}]}}"#;
    assert_eq!(listed(StatusCode::OK, odd), Err(Unclear(StatusCode::OK)));
}

#[test]
fn a_full_account_is_known_by_fragment_or_by_word() {
    let documented = problem("add-excess-secret", "Secret Addition Forbidden", "Account reached maximum number [2] of allowed secrets");
    let older = problem("maximum-secrets-allowed", "Maxmimum number of secrets already met", "reached maximum number of '2'");
    let words_only = problem("other", "Forbidden", "MAXIMUM reached");
    for body in [documented, older, words_only] {
        assert_eq!(created(StatusCode::FORBIDDEN, body.as_bytes()), Ok(Created::Full), "{body}");
        assert_eq!(created(StatusCode::BAD_REQUEST, body.as_bytes()), Ok(Created::Full), "{body}");
    }
    assert_eq!(created(StatusCode::FORBIDDEN, b"{}"), Ok(Created::Denied(Denied::Forbidden(StatusCode::FORBIDDEN))));
}

#[test]
fn a_value_that_is_not_taken_is_told_in_the_words_of_the_provider() {
    let body = json!({ "title": "Bad Request", "detail": "The request failed due to validation errors",
        "invalid_parameters": [{ "name": "secret", "reason": "Does not meet complexity requirements" }] });
    let found = created(StatusCode::BAD_REQUEST, body.to_string().as_bytes());
    assert_eq!(found, Ok(Created::Invalid("Does not meet complexity requirements".to_owned())));
}

#[test]
fn the_last_secret_and_an_unknown_id_are_told_apart() {
    let last = problem("delete-last-secret", "Secret Deletion Forbidden", "Can not delete the last secret.");
    assert_eq!(revoked(StatusCode::FORBIDDEN, last.as_bytes()), Ok(Revoked::LastSecret));
    let id = problem("invalid-id", "Invalid ID", "ID 'x' could not be found");
    assert_eq!(revoked(StatusCode::NOT_FOUND, id.as_bytes()), Ok(Revoked::NoSuchId));
    let key = problem("invalid-api-key", "Invalid API Key", "API key 'x' does not exist, or you do not have access");
    assert_eq!(revoked(StatusCode::NOT_FOUND, key.as_bytes()), Ok(Revoked::Denied(Denied::NoSuchKey)));
    assert_eq!(revoked(StatusCode::NO_CONTENT, b""), Ok(Revoked::Revoked));
    // A gateway's own page.
    let page = revoked(StatusCode::NOT_FOUND, b"<html>not found</html>");
    assert_eq!(page, Ok(Revoked::Denied(Denied::Forbidden(StatusCode::NOT_FOUND))));
}

#[test]
fn what_does_not_say_whether_it_was_done_is_unclear() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY, StatusCode::REQUEST_TIMEOUT, StatusCode::FOUND] {
        assert_eq!(created(status, b""), Err(Unclear(status)));
        assert_eq!(revoked(status, b""), Err(Unclear(status)));
        assert_eq!(listed(status, b""), Err(Unclear(status)));
    }
    assert_eq!(created(StatusCode::CREATED, b"{\"id\":"), Err(Unclear(StatusCode::CREATED)));
    assert_eq!(created(StatusCode::UNAUTHORIZED, b""), Ok(Created::Denied(Denied::Unauthorized)));
    assert_eq!(created(StatusCode::TOO_MANY_REQUESTS, b""), Ok(Created::Denied(Denied::Busy)));
}

#[test]
fn a_subaccount_comes_with_the_secret_that_holds() {
    let ours = ApiSecret::parse("OursOurs1").unwrap();
    let body =
        |secret: &str| format!(r#"{{"api_key":"sub00001","name":"B","created_at":"2018-03-02T16:34:49Z","suspended":false{secret}}}"#);
    for (secret, wanted) in [("", "OursOurs1"), (r#","secret":"Theirs1234""#, "Theirs1234")] {
        let Ok(Enrolled::Created(made, value)) = subaccount_created(StatusCode::CREATED, body(secret).as_bytes(), &ours) else { panic!() };
        assert_eq!((made.key.as_str(), made.name.as_str(), made.activity), ("sub00001", "B", Activity::Active));
        assert!(value.equals(wanted.as_bytes()));
    }
}

#[test]
fn an_application_is_put_back_unchanged_but_for_its_key() {
    let resource = json!({ "id": "a", "name": "N", "capabilities": { "voice": { "x": 1 } }, "privacy": { "improve_ai": false },
        "keys": { "public_key": "old" }, "_links": {} });
    let call = put_public_key(&ApplicationId::parse("a").unwrap(), &resource, "new");
    let sent: Value = serde_json::from_slice(&call.body).unwrap();
    let wanted = json!({ "name": "N", "capabilities": { "voice": { "x": 1 } }, "privacy": { "improve_ai": false }, "keys": { "public_key": "new" } });
    assert_eq!((call.path.as_str(), sent), ("/v2/applications/a", wanted));
}
