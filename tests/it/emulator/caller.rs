//! A plain HTTP client, and a raw one.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vonage_sidecar::emulator::{ApplicationSpec, Control, Emulator, Options, Running};

pub const KEY: &str = "abcd1234";
pub const FIRST: &str = "FirstSecret1";
pub const SECOND: &str = "SecondSecret2";
pub const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
pub const REST: &str = "rest.nexmo.com";
pub const API: &str = "api.nexmo.com";
/// More than any step of a test may take.
pub const BOUND: Duration = Duration::from_secs(10);

pub const SMS: &str = "from=Acme&to=447700900000&text=Hello";

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The part of the problem type after `#`.
    pub fn fragment(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned()
    }
}

pub async fn start() -> Running {
    start_with(Options::with_account(KEY, &[FIRST])).await
}

pub async fn start_with(options: Options) -> Running {
    let application = ApplicationSpec { id: APPLICATION.into(), account: KEY.into(), public_key: None };
    Emulator::bind(Options { applications: vec![application], ..options }).await.unwrap()
}

pub fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{KEY}:{secret}")))
}

/// A token that nobody signed.
pub fn bearer(application: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "application_id": application, "iat": seconds(), "jti": "1" });
    format!("Bearer {}.{}.c2ln", encode(&json!({ "alg": "RS256", "typ": "JWT" })), encode(&claims))
}

/// A request with these headers and this body: JSON if it starts like it, else a form.
pub fn request(method: &str, host: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    let mut builder = Request::builder().method(method).uri(target).header("host", host);
    if !body.is_empty() {
        builder = builder.header("content-type", kind);
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

/// Sends on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let response = tokio::time::timeout(BOUND, sender.send_request(request)).await.expect("no answer in time")?;
    let (parts, body) = response.into_parts();
    let body = tokio::time::timeout(BOUND, body.collect()).await.expect("no body in time")?.to_bytes();
    driver.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// Sends and expects an answer.
pub async fn ask(emulator: &Running, method: &str, host: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(emulator.address(), request(method, host, target, headers, body)).await.unwrap()
}

/// Sends an SMS with this `Authorization` and this fault.
pub async fn sms(emulator: &Running, fault: &str) -> Result<Answer, hyper::Error> {
    let headers = [("authorization", basic(FIRST)), ("x-emulator-fault", fault.to_owned()), ("x-message-id", "m-1".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(emulator.address(), request("POST", REST, "/sms/json", &headers, SMS)).await
}

/// Writes bytes and reads until the end; the error is how the connection ended, if not by a FIN.
pub async fn raw(address: SocketAddr, bytes: &str) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let end = tokio::time::timeout(BOUND, stream.read_to_end(&mut got)).await.expect("not closed in time");
    (got, end.err().map(|error| error.kind()))
}

pub async fn until(control: &Control, holds: impl FnMut(&Control) -> bool) {
    assert!(control.wait_for(holds, BOUND).await, "did not happen in time");
}

/// Of all tests that need one pair: making it takes a moment.
pub fn pair() -> &'static RsaKeyPair {
    static PAIR: LazyLock<RsaKeyPair> = LazyLock::new(make_pair);
    &PAIR
}

pub fn make_pair() -> RsaKeyPair {
    RsaKeyPair::generate(KeySize::Rsa2048).unwrap()
}

/// The public half as the provider takes it.
pub fn public_pem(pair: &RsaKeyPair) -> String {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
}

/// A token with these claims, really signed.
pub fn signed(pair: &RsaKeyPair, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(&json!({ "alg": "RS256", "typ": "JWT" })), encode(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("Bearer {text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// What a token of the application must claim.
pub fn claims() -> Value {
    json!({ "application_id": APPLICATION, "iat": seconds(), "jti": "1" })
}

/// Now, in seconds since 1970.
pub fn seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// An emulator whose application has the public key of [`pair`].
pub async fn start_keyed() -> Running {
    let application = ApplicationSpec { id: APPLICATION.into(), account: KEY.into(), public_key: Some(public_pem(pair())) };
    let options = Options::with_account(KEY, &[FIRST]);
    Emulator::bind(Options { applications: vec![application], ..options }).await.unwrap()
}
