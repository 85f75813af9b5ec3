//! Tokens for clients of apps, by what the settings file says: the provider accepts them, and who may have them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;
use tokio::net::UnixStream;
use vonage_sidecar::emulator::{ApplicationSpec, Options, Running};

use super::rig::{Client, SECRET, connected};
use crate::schemes::rig::{APPLICATION, OTHER_APPLICATION, PAIRS, application};
use crate::support::caller::{Answer, Caller};
use crate::support::process::{FREE_PORT, Home, listening, vonage};
use crate::support::sidecar::{KEY, one_account};

const TOKEN: &str = "a-token-of-16-bytes";

async fn home() -> (Home, Running) {
    let mut options = Options::with_account(KEY, &[SECRET]);
    let spec = |id: &str, public: &str| ApplicationSpec { id: id.to_owned(), account: KEY.to_owned(), public_key: Some(public.to_owned()) };
    options.applications = vec![spec(APPLICATION, &PAIRS[0].public), spec(OTHER_APPLICATION, &PAIRS[1].public)];
    let home = Home::new();
    let applications = application(APPLICATION, &[&PAIRS[0]]) + &application(OTHER_APPLICATION, &[&PAIRS[1]]);
    home.write("credentials.toml", &(one_account(&[SECRET]) + &applications));
    (home, vonage(options).await)
}

fn order(body: &str) -> Request<Full<Bytes>> {
    let builder = Request::post("/jwt").header("host", "localhost").header("x-sidecar-token", TOKEN);
    builder.body(Full::from(body.to_owned())).unwrap()
}

/// The token that was made and what it claims.
fn made(answer: &Answer) -> (String, Value) {
    assert_eq!((answer.status.as_u16(), answer.code()), (200, ""), "{}", answer.text());
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = document["jwt"].as_str().unwrap().to_owned();
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    (token, claims)
}

/// What the provider says to a client that presents this token, without a sidecar in between.
async fn taken(emulator: &Running, token: &str) -> u16 {
    let request = Request::get("/v1/calls").header("host", "api.nexmo.com").header("authorization", format!("Bearer {token}"));
    Caller::new(emulator.address()).send(request.body(Full::default()).unwrap()).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn a_token_that_was_minted_is_accepted_by_the_provider_until_somebody_changes_it() {
    let (home, emulator) = home().await;
    let user = rustix::process::geteuid().as_raw();
    let by_user = format!("unix = \"mint.sock\", mode = \"0600\", uids = [{user}], mint = true");
    let by_token = format!("{FREE_PORT}, mint = true, tokens = [\"{TOKEN}\"]");
    let sidecar = home.with_settings(&listening(&[&by_token, &by_user], emulator.address())).await;
    let named = format!("{{\"application_id\":\"{APPLICATION}\",\"sub\":\"alice\"}}");
    let mut over_tcp = Client::http1(connected(sidecar.data[0]).await).await;
    let mut over_unix = Client::http1(UnixStream::connect(home.file("mint.sock")).await.unwrap()).await;
    for client in [&mut over_tcp, &mut over_unix] {
        let (token, claims) = made(&client.send(order(&named)).await.unwrap());
        assert_eq!((claims["application_id"].as_str(), claims["sub"].as_str()), (Some(APPLICATION), Some("alice")));
        let before = emulator.control().accepted_tokens(APPLICATION, &PAIRS[0].public);
        assert_eq!(taken(&emulator, &token).await, 200);
        assert_eq!(emulator.control().accepted_tokens(APPLICATION, &PAIRS[0].public), before + 1);
        let forged = token.replacen(token.split('.').nth(1).unwrap(), &URL_SAFE_NO_PAD.encode("{\"application_id\":\"other\"}"), 1);
        assert_eq!(taken(&emulator, &forged).await, 401);
    }
    let stranger = Request::post("/jwt").header("host", "localhost").body(Full::from(named)).unwrap();
    assert_eq!(over_tcp.send(stranger).await.unwrap().code(), "caller_token_missing");
}

#[tokio::test]
async fn the_limits_of_the_settings_file_hold() {
    let (home, emulator) = home().await;
    let caller = format!("{FREE_PORT}, tokens = [\"{TOKEN}\"]");
    let widest = format!("{caller}, mint = true");
    let narrow = format!("{caller}, application = \"{APPLICATION}\", mint = {{ max_ttl = \"10m\", claims = [\"sub\"] }}");
    let sidecar = home.with_settings(&listening(&[&widest, &narrow], emulator.address())).await;
    let of = |rest: &str| format!("{{\"application_id\":\"{APPLICATION}\"{rest}}}");
    let other = format!("{{\"application_id\":\"{OTHER_APPLICATION}\"}}");
    for (listener, body, code) in [
        (0, of(",\"ttl\":86400,\"acl\":{},\"session_id\":\"1_A\",\"role\":\"publisher\""), ""),
        (0, of(",\"ttl\":86401"), "mint_life"),
        (0, of(",\"admin\":true"), "mint_claim"),
        (0, other.clone(), ""),
        (0, String::new(), "application_not_named"),
        (1, of(",\"ttl\":600,\"sub\":\"alice\""), ""),
        (1, String::new(), ""),
        (1, of(",\"ttl\":601"), "mint_life"),
        (1, of(",\"acl\":{}"), "mint_claim"),
        (1, other, "application_not_served"),
    ] {
        let mut client = Client::http1(connected(sidecar.data[listener]).await).await;
        let answer = client.send(order(&body)).await.unwrap();
        assert_eq!(answer.code(), code, "{listener} {body}: {}", answer.text());
        if code.is_empty() {
            let (_, claims) = made(&answer);
            let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
            assert!(life <= if listener == 0 { 86_460 } else { 660 }, "{claims}");
        }
    }
    let mut client = Client::http1(connected(sidecar.data[0]).await).await;
    let call = client.request(Method::GET, "localhost", "/v1/calls").header("x-sidecar-token", TOKEN).body(Full::default()).unwrap();
    assert_eq!(client.send(call).await.unwrap().code(), "mint_elsewhere");
    assert!(emulator.control().seen().is_empty(), "no call passes such a listener");
}

#[tokio::test]
async fn without_control_of_its_callers_a_listener_does_not_mint() {
    let (home, emulator) = home().await;
    for (listener, place) in [
        ("address = \"127.0.0.1:0\", mint = true", "sidecar.toml:2:15 listen[0].address mints tokens for whoever can connect"),
        ("mint = true", "sidecar.toml:2:12 listen[0].address mints tokens for whoever can connect"),
        ("mint = { max_ttl = \"1h\" }", "sidecar.toml:2:12 listen[0].address mints tokens for whoever can connect"),
        ("unix = \"mint.sock\", mode = \"0600\", mint = true", "sidecar.toml:2:12 listen[0].unix mints tokens for whoever can connect"),
    ] {
        home.write("sidecar.toml", &listening(&[listener], emulator.address()));
        let refused = home.run(&["run"]).await;
        assert_eq!(refused.code, Some(2), "{listener}: {}", refused.err);
        assert!(refused.err.contains(place) && refused.err.contains("(add "), "{listener}: {}", refused.err);
    }
}
