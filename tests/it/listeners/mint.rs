//! Tokens for clients of apps: who may have which.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use vonage_sidecar::config::{Mint, Serves, Token};
use vonage_sidecar::secret::AccessToken;

use super::rig::{Client, SECRET, connected};
use crate::schemes::rig::{APPLICATION, OTHER_APPLICATION, PAIRS, application};
use crate::support::sidecar::{Setup, Sidecar, one_account};

const TOKEN: &str = "a-token-of-16-bytes";

async fn minting(mint: Mint) -> Sidecar {
    let sidecar = Setup::new(&[SECRET], &[SECRET])
        .with(move |settings| {
            settings.listen[0].serves = Serves::Mint(mint);
            settings.listen[0].tokens = vec![Token::Value(AccessToken::parse(TOKEN).unwrap())];
        })
        .start()
        .await;
    sidecar.write_text(&format!("{}{}", one_account(&[SECRET]), application(APPLICATION, &[&PAIRS[0]])));
    sidecar.holds(|snapshot| !snapshot.applications.is_empty()).await;
    sidecar
}

fn order(path: &str, token: &str, body: &str) -> Request<Full<Bytes>> {
    let builder = Request::post(path).header("host", "localhost").header("x-sidecar-token", token);
    builder.body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_caller_with_the_token_gets_the_claims_that_it_asks_for() {
    let sidecar = minting(Mint::default()).await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    let answer = client.send(order("/jwt", TOKEN, r#"{"sub":"alice","acl":{"paths":{"/*/users/**":{}}},"ttl":3600}"#)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["expires_in"], 3600);
    let token = document["jwt"].as_str().unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!((claims["sub"].as_str(), claims["application_id"].as_str()), (Some("alice"), Some(APPLICATION)));
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((3600..=3660).contains(&life), "{life}");
    assert!(sidecar.vonage().seen().is_empty(), "no call passes such a listener");
    let held = sidecar.store.load().application(APPLICATION).unwrap().clone();
    assert_eq!(held.handed_out.lock().unwrap().alive(vonage_sidecar::clock::wall()), 1, "it is counted while it lives");
}

#[tokio::test]
async fn nobody_gets_a_token_or_a_claim_that_the_settings_do_not_give() {
    let sidecar = minting(Mint { longest: std::time::Duration::from_secs(600), claims: vec!["sub".to_owned()] }).await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    for (request, status, code) in [
        (order("/jwt", "another-token-1234", "{}"), 401, "caller_token_wrong"),
        (order("/jwt", TOKEN, r#"{"ttl":601}"#), 403, "mint_life"),
        (order("/jwt", TOKEN, r#"{"acl":{}}"#), 403, "mint_claim"),
        (order("/jwt", TOKEN, r#"{"application_id":"another"}"#), 403, "application_unknown"),
        (order("/jwt", TOKEN, "{"), 400, "mint_malformed"),
        (order("/sms/json", TOKEN, "{}"), 404, "mint_elsewhere"),
        (order("/%6awt", TOKEN, "{}"), 404, "mint_elsewhere"),
    ] {
        let shown = format!("{request:?}");
        let answer = client.send(request).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{shown}: {}", answer.text());
    }
    assert_eq!(client.send(order("/jwt", TOKEN, "")).await.unwrap().status, 200);
    assert!(sidecar.vonage().seen().is_empty());
}

#[tokio::test]
async fn an_application_that_another_one_replaced_in_the_file_does_not_make_two_of_it() {
    let sidecar = minting(Mint::default()).await;
    sidecar.write_text(&format!("{}{}", one_account(&[SECRET]), application(OTHER_APPLICATION, &[&PAIRS[1]])));
    sidecar.holds(|snapshot| snapshot.application(OTHER_APPLICATION).is_some()).await;
    assert!(sidecar.store.load().application(APPLICATION).is_some(), "the old one lingers");
    let mut client = Client::http1(connected(sidecar.data).await).await;
    let answer = client.send(order("/jwt", TOKEN, "")).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (200, ""), "{}", answer.text());
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(document["jwt"].as_str().unwrap().split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["application_id"], OTHER_APPLICATION);
}
