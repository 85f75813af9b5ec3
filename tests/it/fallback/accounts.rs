//! Whose request it is; rows that get no credential of ours; one account's rotation is its own.

use http::{Method, Request};
use http_body_util::Full;
use vonage_sidecar::config::Settings;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::{AccountSpec, Options};
use vonage_sidecar::secret::ApiKey;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{BALANCE, FORM, NEW, OLD, SMS, attempts, send, standing};
use crate::support::caller::{Answer, Caller, request};
use crate::support::sidecar::{KEY, Setup, Sidecar};

const OTHER: &str = "ffff9999";
/// `ffff9999:placeholder`.
const OTHER_USER: &str = "Basic ZmZmZjk5OTk6cGxhY2Vob2xkZXI=";

fn two_accounts(first: &[&str], second: &[&str]) -> String {
    format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = {first:?}\n[[account]]\napi_key = \"{OTHER}\"\nsecrets = {second:?}\n")
}

async fn two(adjust: impl FnOnce(&mut Settings) + Send + 'static) -> Sidecar {
    let mut setup = Setup::new(&[], &[OLD]).with(adjust);
    let accounts = vec![AccountSpec::new(KEY, &[OLD]), AccountSpec::new(OTHER, &["Other1Secret"])];
    setup.options = Some(Options { accounts, ..Options::default() });
    let sidecar = setup.start().await;
    let generation = sidecar.generation();
    sidecar.write_text(&two_accounts(&[OLD], &["Other1Secret"]));
    sidecar.newer_than(generation).await;
    sidecar
}

fn call(user: &str, query: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = request(Method::GET, &format!("/account/get-balance{query}"), "", bytes::Bytes::new());
    match user {
        "" => drop(request.headers_mut().remove("authorization")),
        user => drop(request.headers_mut().insert("authorization", user.parse().unwrap())),
    }
    request
}

async fn ask(sidecar: &Sidecar, user: &str, query: &str) -> Answer {
    Caller::new(sidecar.data).send(call(user, query)).await.unwrap()
}

fn last_account(sidecar: &Sidecar) -> String {
    attempts(sidecar, "/account/get-balance").last().unwrap().account.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_that_the_caller_names_chooses_the_account() {
    let sidecar = two(|_| {}).await;
    for (user, query, expected) in [
        ("", "", KEY),
        ("", "?api_key=ffff9999&api_secret=x", OTHER),
        (OTHER_USER, "", OTHER),
        (OTHER_USER, "?api_key=ffff9999", OTHER),
        // Without padding, behind a tab, and in Latin-1.
        ("Basic ZmZmZjk5OTk6cGxhY2Vob2xkZXI", "", OTHER),
        ("Basic\tZmZmZjk5OTk6cGxhY2Vob2xkZXI=", "", OTHER),
        ("Basic ZmZmZjk5OTk6cGzkdHo=", "", OTHER),
        ("Bearer some.to.ken", "", KEY),
    ] {
        let answer = ask(&sidecar, user, query).await;
        assert_eq!(answer.status, 200, "{user} {query}: {}", answer.text());
        assert_eq!(last_account(&sidecar), expected, "{user} {query}");
    }
    sidecar.vonage().reset();
    let refused = [
        (OTHER_USER, "?api_key=abcd1234", 400, "keys_differ"),
        ("", "?api_key=abcd1234&API_KEY=ffff9999", 400, "keys_differ"),
        ("", "?api_key=nobody00", 403, "key_unknown"),
        ("Basic ZmZmZjk5OTk6!", "", 400, "basic_broken"),
    ];
    for (user, query, status, code) in refused {
        let answer = ask(&sidecar, user, query).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{user} {query}");
    }
    assert!(sidecar.vonage().seen().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listeners_account_is_a_limit() {
    let sidecar = two(|settings| settings.listen[0].account = Some(ApiKey::parse(OTHER).unwrap())).await;
    assert_eq!(ask(&sidecar, "", "").await.status, 200);
    assert_eq!(last_account(&sidecar), OTHER);
    let answer = ask(&sidecar, "", "?api_key=abcd1234").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "key_not_served"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_one_account_leaves_the_other_ones_standings_alone() {
    let sidecar = two(|_| {}).await;
    assert_eq!(ask(&sidecar, OTHER_USER, "").await.status, 200);
    assert_eq!(ask(&sidecar, "", "").await.status, 200);
    let believed = |sidecar: &Sidecar| {
        let snapshot = sidecar.store.load();
        let account = snapshot.account(OTHER).unwrap();
        let known = account.opinion.lock().hosts(account.secrets[0].uid);
        (account.secrets[0].uid, known)
    };
    let before = believed(&sidecar);
    assert_eq!(before.1, [(Host::REST, Standing::Good)]);
    sidecar.vonage().create_secret(KEY, NEW).unwrap();
    let generation = sidecar.generation();
    sidecar.write_text(&two_accounts(&[NEW, OLD], &["Other1Secret"]));
    sidecar.newer_than(generation).await;
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    assert!(send(&sidecar, SMS).await.text().contains("\"status\":\"0\""));
    assert_eq!(standing(&sidecar, 0, Host::REST), Standing::Good);
    assert_eq!(believed(&sidecar), before);
    assert_eq!(ask(&sidecar, OTHER_USER, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_other_credentials_keep_the_callers_own_and_token_rows_want_an_application() {
    let sidecar = Setup::new(&[OLD], &[OLD]).start().await;
    let mut own = request(Method::POST, "/camara/sim-swap/v040/check", "application/json", "{}".into());
    own.headers_mut().insert("authorization", "Bearer the-callers-own".parse().unwrap());
    assert!(Caller::new(sidecar.data).send(own).await.unwrap().status.is_success());
    assert_eq!(attempts(&sidecar, "/camara/sim-swap/v040/check")[0].header("authorization"), "Bearer the-callers-own");
    let open = Caller::new(sidecar.data).get("/v2/verify/x/silent-auth/redirect").await;
    assert_eq!(open.code(), "");
    assert_eq!(attempts(&sidecar, "/v2/verify/x/silent-auth/redirect")[0].header("authorization"), "");
    sidecar.vonage().reset();
    for path in ["/v1/calls", "/v1/users"] {
        let answer = Caller::new(sidecar.data).post(path, FORM, "").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "no_application"), "{path}");
    }
    assert!(sidecar.vonage().seen().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_key_counts_though_its_header_is_named_in_connection() {
    let sidecar = Setup::new(&[OLD], &[OLD]).start().await;
    let raw = format!(
        "GET {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic b3RoZXJrZXk6eA==\r\nconnection: authorization, close\r\n\r\n",
        BALANCE.path
    );
    let answer = crate::support::caller::raw(sidecar.data, raw.as_bytes()).await;
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 403") && text.contains("key_unknown"), "{text}");
}
