//! Who may call, and what: tokens in every place, rotated; methods and paths.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use vonage_sidecar::config::{Calls, Destination, Names, PathPattern, Token, Tunnel};
use vonage_sidecar::secret::AccessToken;

use super::rig::{Ca, Client, SECRET, connected, head, said, secured, trusting, write};
use crate::support::caller::PLACEHOLDER;
use crate::support::sidecar::{PATIENCE, Setup, Sidecar};

const NEW: &str = "the-new-token-1234";
const OLD: &str = "the-old-token-1234";

fn tokens() -> Vec<Token> {
    [NEW, OLD].map(|token| Token::Value(AccessToken::parse(token).unwrap())).to_vec()
}

async fn guarded() -> Sidecar {
    Setup::new(&[SECRET], &[SECRET]).with(|settings| settings.listen[0].tokens = tokens()).start().await
}

fn basic(pair: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

fn get(path: &str, headers: &[(&str, String)]) -> Request<Full<Bytes>> {
    let builder = Request::get(path).header("host", "localhost");
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value)).body(Full::default()).unwrap()
}

fn post(path: &str, kind: &str, body: String) -> Request<Full<Bytes>> {
    Request::post(path).header("host", "localhost").header("content-type", kind).body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn a_token_is_taken_in_every_place_and_reaches_vonage_from_none() {
    let sidecar = guarded().await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    let form = "application/x-www-form-urlencoded";
    let mut sent = 0;
    for token in [NEW, OLD] {
        for request in [
            get("/account/get-balance", &[("x-sidecar-token", token.to_owned())]),
            get("/account/get-balance", &[("x-sidecar-token", token.to_owned()), ("authorization", PLACEHOLDER.to_owned())]),
            get("/account/get-balance", &[("proxy-authorization", format!("Bearer {token}"))]),
            get("/account/get-balance", &[("authorization", basic(&format!("abcd1234:{token}")))]),
            get(&format!("/account/get-balance?api_key=abcd1234&api_secret={token}"), &[]),
            post("/sms/json", form, format!("api_key=abcd1234&api_secret={token}&from=A&to=447700900000&text=t")),
            post(
                "/verify/json",
                "application/json",
                format!("{{\"api_key\":\"abcd1234\",\"api_secret\":\"{token}\",\"number\":\"447700900000\",\"brand\":\"b\"}}"),
            ),
        ] {
            let shown = format!("{request:?}");
            let answer = client.send(request).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.code()), (200, ""), "{shown}: {}", answer.text());
            sent += 1;
        }
    }
    let seen = format!("{:?}", sidecar.vonage().seen());
    assert_eq!(sidecar.vonage().seen().len(), sent);
    for token in [NEW, OLD] {
        assert!(!seen.contains(token), "{seen}");
    }
}

/// Where a caller's own credential passes, its parameters do, too, but no token of the listener.
#[tokio::test]
async fn a_token_goes_upstream_nowhere_where_the_callers_own_credential_does() {
    let sidecar = guarded().await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    for (target, left) in [("?api_secret=", ""), ("?a=1&api_secret=", "?a=1"), ("?token=", "")] {
        let own = [("x-sidecar-token", NEW.to_owned()), ("authorization", "Bearer of-the-caller".to_owned())];
        let answer = client.send(get(&format!("/camara/anything{target}{OLD}"), &own)).await.unwrap();
        assert_eq!(answer.code(), "", "{target}");
        let seen = sidecar.vonage().seen().pop().unwrap();
        assert_eq!(
            (seen.target, seen.headers["authorization"].as_bytes()),
            (format!("/camara/anything{left}"), &b"Bearer of-the-caller"[..])
        );
    }
}

#[tokio::test]
async fn a_call_without_a_good_token_is_a_marked_401_and_nothing_is_sent() {
    let sidecar = guarded().await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    let form = "application/x-www-form-urlencoded";
    for (request, code) in [
        (get("/account/get-balance", &[]), "caller_token_missing"),
        (get("/account/get-balance", &[("authorization", PLACEHOLDER.to_owned())]), "caller_token_missing"),
        (get("/account/get-balance", &[("authorization", basic(&format!("abcd1234:{SECRET}")))]), "caller_token_missing"),
        (get("/account/get-balance", &[("x-sidecar-token", "another-token-1234".to_owned())]), "caller_token_wrong"),
        (get("/account/get-balance?api_key=abcd1234&api_secret=placeholder", &[]), "caller_token_missing"),
        (
            post("/sms/json", form, "api_key=abcd1234&api_secret=placeholder&from=A&to=447700900000&text=t".to_owned()),
            "caller_token_missing",
        ),
        (get("/camara/anything", &[("authorization", "Bearer of-the-caller".to_owned())]), "caller_token_missing"),
        (get("/unknown/path", &[]), "caller_token_missing"),
    ] {
        let shown = format!("{request:?}");
        let answer = client.send(request).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (401, code), "{shown}");
        assert!(answer.text().contains("nothing was sent"));
    }
    assert!(sidecar.vonage().seen().is_empty());
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing() {
    let files = Ca::new();
    let file = files.path("token");
    write(&file, &format!("{OLD}\n"));
    let token = Token::File(file.clone());
    let sidecar = Setup::new(&[SECRET], &[SECRET]).with(move |settings| settings.listen[0].tokens = vec![token]).start().await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    let mut status = async |token: &str| {
        client.send(get("/account/get-balance", &[("x-sidecar-token", token.to_owned())])).await.unwrap().status.as_u16()
    };
    assert_eq!((status(OLD).await, status(NEW).await), (200, 401));
    write(&file, "two words");
    assert_eq!(status(OLD).await, 200);
    write(&file, NEW);
    let changed = async {
        while status(NEW).await != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("the new token was never taken");
    assert_eq!(status(OLD).await, 401);
}

#[tokio::test]
async fn a_proxy_takes_its_token_with_the_connect_or_inside_it() {
    let ca = Ca::new();
    let serves = ca.proxy(Tunnel::Listed(vec![Destination { names: Names::Exactly("127.0.0.1".to_owned()), port: 9 }]));
    let sidecar = Setup::new(&[SECRET], &[SECRET])
        .with(move |settings| {
            settings.listen[0].serves = serves;
            settings.listen[0].tokens = tokens();
        })
        .start()
        .await;
    let trust = trusting(&ca.pem(), &["http/1.1"]);
    for (header, secret, expected) in [
        (format!("Proxy-Authorization: {}\r\n", basic(&format!("token:{NEW}"))), "placeholder", 200),
        (String::new(), NEW, 200),
        (String::new(), "placeholder", 401),
    ] {
        let mut stream = connected(sidecar.data).await;
        stream.write_all(format!("CONNECT rest.nexmo.com:443 HTTP/1.1\r\n{header}\r\n").as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
        let mut client = Client::http1(secured(stream, "rest.nexmo.com", &trust).await.unwrap()).await;
        let request = client.request(Method::GET, "rest.nexmo.com", "/account/get-balance");
        let request = request.header("authorization", basic(&format!("abcd1234:{secret}"))).body(Full::default()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status, expected);
    }
    for (target, header) in [("127.0.0.1:9", ""), ("rest.nexmo.com:443", "Proxy-Authorization: Bearer another-token-1234\r\n")] {
        let answer = said(&mut connected(sidecar.data).await, format!("CONNECT {target} HTTP/1.1\r\n{header}\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 407 ") && answer.contains("proxy-authenticate: Basic"), "{answer}");
    }
}

#[tokio::test]
async fn only_the_methods_and_paths_of_the_listener_are_served_whatever_the_spelling() {
    let calls = Calls {
        methods: vec![Method::GET, Method::POST],
        allow: vec![PathPattern::Below("/account".to_owned()), PathPattern::Exactly("/sms/json".to_owned())],
        deny: vec![PathPattern::Exactly("/account/get-pricing".to_owned())],
    };
    let sidecar = Setup::new(&[SECRET], &[SECRET]).with(move |settings| settings.listen[0].calls = calls).start().await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    for (method, path, code) in [
        (Method::GET, "/account/get-balance", ""),
        (Method::DELETE, "/account/get-balance", "method_not_served"),
        (Method::GET, "/account/get-pricing", "path_not_served"),
        (Method::GET, "/account/x/../get-pricing", "path_ambiguous"),
        (Method::GET, "/account/get-pricing;/../x", "path_ambiguous"),
        (Method::GET, "/ACCOUNT/get-%70ricing", "path_not_served"),
        (Method::GET, "/search/messages", "path_not_served"),
        (Method::GET, "/accountx", "path_not_served"),
    ] {
        let request = client.request(method.clone(), "localhost", path).header("authorization", PLACEHOLDER);
        let answer = client.send(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.code(), code, "{method} {path}: {}", answer.text());
    }
    assert_eq!(sidecar.vonage().seen().len(), 1);
}
