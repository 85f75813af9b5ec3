//! JSON web tokens: whose application, what a token claims, which key signs, and what a refused one costs.

use http::Method;
use serde_json::json;
use vonage_sidecar::config::{MintClaims, Settings};
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::secret::ApplicationId;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{
    APPLICATION, LIVE, OTHER_APPLICATION, PAIRS, application, call, one, placeholder, placeholder_of, request, send, standing, token, with,
};
use crate::fallback::rig::{attempts, rule};
use crate::support::caller::PLACEHOLDER;
use crate::support::sidecar::{KEY, one_account};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_takes_only_tokens_gets_ours_whatever_the_caller_sent() {
    let sidecar = one(&[&PAIRS[0]]).await;
    let named = placeholder_of(APPLICATION);
    for authorization in [Some(named.as_str()), Some(PLACEHOLDER), None] {
        sidecar.vonage().reset();
        let answer = call(&sidecar, Method::GET, "/v1/calls", authorization).await;
        assert!(answer.status.is_success(), "{} {}", answer.status, answer.text());
        let (signer, claims) = token(&attempts(&sidecar, "/v1/calls")[0]);
        assert_eq!((signer, claims["application_id"].as_str()), (0, Some(APPLICATION)));
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert!((900..1000).contains(&life) && claims["jti"].as_str().is_some_and(|id| id.len() == 36), "{claims}");
        assert_eq!((claims.get("acl"), claims.get("sub")), (None, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_share_a_token_and_a_reload_keeps_it() {
    let sidecar = one(&[&PAIRS[0]]).await;
    for _ in 0..3 {
        assert!(call(&sidecar, Method::GET, "/v1/calls", None).await.status.is_success());
    }
    let generation = sidecar.generation();
    sidecar.write_text(&(one_account(&[LIVE, "Second1Secret"]) + &application(APPLICATION, &[&PAIRS[0]])));
    sidecar.newer_than(generation).await;
    assert!(call(&sidecar, Method::GET, "/v1/calls", None).await.status.is_success());
    let tokens: std::collections::BTreeSet<String> =
        attempts(&sidecar, "/v1/calls").iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(tokens.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_takes_both_gets_what_the_caller_sent_a_placeholder_for() {
    let sidecar = one(&[&PAIRS[0]]).await;
    let body = r#"{"from":"447700900001","to":"447700900000","message_type":"text","text":"x","channel":"sms"}"#;
    for (authorization, scheme) in [(placeholder_of(APPLICATION), "Bearer "), (PLACEHOLDER.to_owned(), "Basic ")] {
        sidecar.vonage().reset();
        let answer = send(&sidecar, request(Method::POST, "/v1/messages", Some(&authorization), "application/json", body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert!(attempts(&sidecar, "/v1/messages")[0].header("authorization").starts_with(scheme));
    }
    let without = with("", &PAIRS[0], |_| {}).await;
    let answer = send(&without, request(Method::POST, "/v1/messages", Some(&placeholder_of(APPLICATION)), "application/json", body)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(attempts(&without, "/v1/messages")[0].header("authorization").starts_with("Basic "), "an account without an application");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_signed_again_by_the_other_key_and_both_are_settled() {
    for (path, fault) in [("/v1/calls", ""), ("/v1/users", ""), ("/v1/calls", "empty-401"), ("/v1/messages/x", "")] {
        let sidecar = one(&[&PAIRS[0], &PAIRS[1]]).await;
        if !fault.is_empty() {
            sidecar.vonage().add_fault(rule(fault).on_path(path).times(1));
        }
        let method = if path == "/v1/messages/x" { Method::PATCH } else { Method::POST };
        let answer = call(&sidecar, method, path, Some(&placeholder_of(APPLICATION))).await;
        assert!(answer.status.is_success(), "{path} {fault}: {} {}", answer.status, answer.text());
        assert_eq!((answer.header("x-sidecar-refused"), answer.code()), ("", ""));
        let seen = attempts(&sidecar, path);
        assert_eq!(seen.iter().map(|seen| token(seen).0).collect::<Vec<_>>(), [0, 1], "{path} {fault}");
        assert_eq!(standing(&sidecar, 1, Host::API), Standing::Good);
        assert_eq!(standing(&sidecar, 0, Host::API), if fault.is_empty() { Standing::Refused } else { Standing::Suspect });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_403_of_video_is_cured_by_the_other_key_and_other_403s_are_not() {
    let sidecar = one(&[&PAIRS[0], &PAIRS[1]]).await;
    let path = format!("/v2/project/{APPLICATION}/archive");
    assert!(call(&sidecar, Method::GET, &path, None).await.status.is_success());
    assert_eq!(attempts(&sidecar, &path).iter().map(|seen| token(seen).0).collect::<Vec<_>>(), [0, 1]);
    sidecar.vonage().reset();
    sidecar.vonage().add_fault(rule("forbidden").on_path(&path));
    assert_eq!(call(&sidecar, Method::GET, &path, None).await.status, 403);
    assert_eq!(attempts(&sidecar, &path).len(), 1);
}

/// Vonage may refuse the old key of an application before it takes the new one everywhere, and Video has no free call that
/// would show when that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_every_key_fails_for_a_moment_is_tried_once_more_where_nobody_else_can_find_out() {
    let path = format!("/v2/project/{APPLICATION}/archive");
    let hold = |settings: &mut Settings| settings.fallback.hold = std::time::Duration::from_millis(2500);
    for (moments, wanted, attempts_made) in [(2, 200, 3), (9, 403, 3)] {
        let sidecar = with(&application(APPLICATION, &[&PAIRS[0], &PAIRS[1]]), &PAIRS[0], hold).await;
        assert!(call(&sidecar, Method::GET, &path, None).await.status.is_success());
        sidecar.vonage().reset();
        sidecar.vonage().add_fault(rule("refused").on_path(&path).times(moments));
        let answer = call(&sidecar, Method::GET, &path, None).await;
        assert_eq!(answer.status, wanted, "{}", answer.text());
        assert_eq!(attempts(&sidecar, &path).len(), attempts_made);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_made_afresh_by_the_same_key_once() {
    let sidecar = with(&application(APPLICATION, &[&PAIRS[0], &PAIRS[1]]), &PAIRS[0], |_| {}).await;
    sidecar.vonage().add_fault(rule("jwt-expired").on_path("/v1/calls").times(1));
    let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text());
    let seen = attempts(&sidecar, "/v1/calls");
    assert_eq!(seen.iter().map(|seen| token(seen).0).collect::<Vec<_>>(), [0, 0]);
    assert_ne!(token(&seen[0]).1["jti"], token(&seen[1]).1["jti"]);
    assert_eq!(standing(&sidecar, 0, Host::API), Standing::Good);
    sidecar.vonage().reset();
    sidecar.vonage().add_fault(rule("jwt-expired").on_path("/v1/calls"));
    let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, ""), "the provider's own answer");
    assert_eq!(attempts(&sidecar, "/v1/calls").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_keys_are_refused_the_first_answer_goes_back_marked() {
    let sidecar = one(&[&PAIRS[0], &PAIRS[1]]).await;
    sidecar.vonage().add_fault(rule("refused").on_path("/v1/calls"));
    let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-sidecar-refused")), (401, "all"));
    assert_eq!(attempts(&sidecar, "/v1/calls").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_a_token_are_refused_or_carried_over_but_never_dropped() {
    let limited = placeholder(&json!({ "application_id": APPLICATION, "sub": "alice", "acl": { "paths": { "/*/users/**": {} } } }));
    let strict = one(&[&PAIRS[0]]).await;
    let answer = call(&strict, Method::GET, "/v1/users", Some(&limited)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "token_limited"));
    assert!(strict.vonage().seen().is_empty() && answer.text().contains("mint_claims"), "{}", answer.text());

    // Neither by key and secret, whether the endpoint takes no token or there is no application to make one.
    for settings in [MintClaims::Refuse, MintClaims::Keep] {
        let without = with("", &PAIRS[0], move |all| all.listen[0].mint_claims = settings).await;
        for (method, path) in [(Method::POST, "/v1/messages"), (Method::GET, "/account/get-balance")] {
            assert_eq!(call(&without, method, path, Some(&limited)).await.code(), "token_limited", "{path}");
        }
        assert!(without.vonage().seen().is_empty());
    }

    let keeping =
        with(&application(APPLICATION, &[&PAIRS[0]]), &PAIRS[0], |settings| settings.listen[0].mint_claims = MintClaims::Keep).await;
    assert!(call(&keeping, Method::GET, "/v1/users", Some(&limited)).await.status.is_success());
    let (_, claims) = token(&attempts(&keeping, "/v1/users")[0]);
    assert_eq!((claims["sub"].as_str(), claims["acl"]["paths"].is_object()), (Some("alice"), true));
    let answer = call(&keeping, Method::POST, "/oauth2/token", Some(&limited)).await;
    assert_ne!(answer.code(), "token_limited");
    let (_, claims) = token(&attempts(&keeping, "/oauth2/token")[0]);
    assert_eq!((claims["sub"].as_str(), claims.get("acl")), (Some("alice"), None), "no acl at a token endpoint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_or_the_wrong_thing_about_its_application_is_told_so_and_not_sent() {
    let two = with(&(application(APPLICATION, &[&PAIRS[0]]) + &application(OTHER_APPLICATION, &[&PAIRS[1]])), &PAIRS[0], |_| {}).await;
    let unknown = placeholder_of("cccccccc-bbbb-cccc-dddd-0123456789ab");
    let nameless = placeholder(&json!({ "iat": 1 }));
    let broken = "Bearer eyJhbGciOiJSUzI1NiJ9.eyJhcHBsaWNhd";
    for (authorization, status, code) in [
        (Some(broken), 400, "token_broken"),
        (Some("Bearer placeholder"), 400, "token_broken"),
        (Some(unknown.as_str()), 403, "application_unknown"),
        (Some(nameless.as_str()), 400, "application_not_named"),
        (Some(PLACEHOLDER), 400, "application_not_named"),
        (None, 400, "application_not_named"),
    ] {
        let answer = call(&two, Method::POST, "/v1/calls", authorization).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{authorization:?}");
        assert!(answer.text().contains("\"detail\":\""), "{}", answer.text());
    }
    assert!(two.vonage().seen().is_empty(), "nothing was sent");
    assert!(call(&two, Method::POST, "/v1/calls", Some(&placeholder_of(OTHER_APPLICATION))).await.status.is_success());
    assert_eq!(token(&attempts(&two, "/v1/calls")[0]).0, 1);

    let none = with("", &PAIRS[0], |_| {}).await;
    assert_eq!(call(&none, Method::POST, "/v1/calls", None).await.code(), "no_application");
    let keyless = one(&[]).await;
    assert_eq!(call(&keyless, Method::POST, "/v1/calls", None).await.code(), "no_private_key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listeners_application_is_a_limit_and_names_the_one_of_many() {
    let both = application(APPLICATION, &[&PAIRS[0]]) + &application(OTHER_APPLICATION, &[&PAIRS[1]]);
    let only = ApplicationId::parse(OTHER_APPLICATION).unwrap();
    let sidecar = with(&both, &PAIRS[0], move |settings| settings.listen[0].application = Some(only)).await;
    assert!(call(&sidecar, Method::POST, "/v1/calls", None).await.status.is_success());
    assert_eq!(token(&attempts(&sidecar, "/v1/calls")[0]).0, 1);
    let answer = call(&sidecar, Method::POST, "/v1/calls", Some(&placeholder_of(APPLICATION))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "application_not_served"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listeners_application_limits_key_and_secret_to_its_account() {
    let only = ApplicationId::parse(APPLICATION).unwrap();
    let other = "[[account]]\napi_key = \"other567\"\nsecrets = [\"Other1Secret\"]\n";
    let sidecar = with("", &PAIRS[0], move |settings| settings.listen[0].application = Some(only)).await;
    let balance = |authorization: &'static str| call(&sidecar, Method::GET, "/account/get-balance", Some(authorization));
    assert_eq!(balance(PLACEHOLDER).await.code(), "application_unknown", "whose it is, is not known");
    // The other account is the first of the file, so it is what a request without a key would get.
    sidecar.write_text(&format!("{other}{}{}", one_account(&[LIVE]), application(APPLICATION, &[&PAIRS[0]])));
    sidecar.holds(|snapshot| !snapshot.applications.is_empty()).await;
    // `other567:placeholder`, by Basic and as parameters.
    let basic = balance("Basic b3RoZXI1Njc6cGxhY2Vob2xkZXI=").await;
    assert_eq!((basic.status.as_u16(), basic.code()), (403, "key_not_served"));
    let parameters = call(&sidecar, Method::GET, "/account/get-balance?api_key=other567&api_secret=x", None).await;
    assert_eq!((parameters.status.as_u16(), parameters.code()), (403, "key_not_served"));
    assert!(sidecar.vonage().seen().is_empty());
    assert_eq!(balance(PLACEHOLDER).await.status, 200);
    assert_eq!(call(&sidecar, Method::GET, "/account/get-balance", None).await.status, 200);
    assert!(attempts(&sidecar, "/account/get-balance").iter().all(|seen| seen.account.as_deref() == Some(KEY)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_rotates_through_the_file_without_a_refused_request() {
    let sidecar = one(&[&PAIRS[0]]).await;
    assert!(call(&sidecar, Method::POST, "/v1/calls", None).await.status.is_success());
    // The file has the new key only; the old one lingers, and signs when the new one is refused.
    sidecar.write_text(&(one_account(&[LIVE]) + &application(APPLICATION, &[&PAIRS[1]])));
    sidecar.holds(|snapshot| snapshot.application(APPLICATION).is_some_and(|held| held.keys.len() == 2)).await;
    sidecar.vonage().reset();
    let answer = call(&sidecar, Method::POST, "/v1/calls", None).await;
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text());
    // Which one goes first, a probe of the new one may have settled meanwhile.
    let signers: Vec<usize> =
        attempts(&sidecar, "/v1/calls").iter().filter(|seen| seen.method == Method::POST).map(|seen| token(seen).0).collect();
    assert_eq!((signers.last(), signers.len() <= 2), (Some(&0), true), "{signers:?}");
}
