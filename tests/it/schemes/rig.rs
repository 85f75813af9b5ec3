//! What the tests of the schemes share: an application with two keys, placeholder tokens, and tokens taken apart.

use std::sync::LazyLock;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use vonage_sidecar::config::Settings;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::{ApplicationSpec, Seen};
use vonage_sidecar::jwt::generate::{self, Generated};
use vonage_sidecar::vonage::hosts::Host;

use crate::support::caller::{Answer, Caller};
use crate::support::sidecar::{KEY, Setup, Sidecar, one_account};

pub const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
pub const OTHER_APPLICATION: &str = "bbbbbbbb-bbbb-cccc-dddd-0123456789ab";
pub const LIVE: &str = "Live1Secret";

/// Two key pairs; making one takes a while.
pub static PAIRS: LazyLock<[Generated; 2]> = LazyLock::new(|| [(); 2].map(|()| generate::key_pair().unwrap()));

/// An `[[application]]` of the account with these keys.
pub fn application(id: &str, pairs: &[&Generated]) -> String {
    let keys: Vec<String> = pairs.iter().map(|pair| format!("'''\n{}'''", pair.private.as_pem())).collect();
    format!("[[application]]\nid = \"{id}\"\naccount = \"{KEY}\"\nprivate_keys = [{}]\n", keys.join(", "))
}

/// A sidecar whose account has these applications, in front of an emulator that knows both: the first one by the public
/// key of `live`, the other one by that of the second pair.
pub async fn with(applications: &str, live: &Generated, adjust: impl FnOnce(&mut Settings) + Send + 'static) -> Sidecar {
    let mut setup = Setup::new(&[LIVE], &[LIVE]).with(adjust);
    let spec =
        |id: &str, pair: &Generated| ApplicationSpec { id: id.to_owned(), account: KEY.to_owned(), public_key: Some(pair.public.clone()) };
    if let Some(options) = &mut setup.options {
        options.applications = vec![spec(APPLICATION, live), spec(OTHER_APPLICATION, &PAIRS[1])];
    }
    let sidecar = setup.start().await;
    if !applications.is_empty() {
        sidecar.write_text(&(one_account(&[LIVE]) + applications));
        sidecar.holds(|snapshot| !snapshot.applications.is_empty()).await;
    }
    sidecar
}

/// One application with these keys, of which the last one is the right one.
pub async fn one(pairs: &[&Generated]) -> Sidecar {
    with(&application(APPLICATION, pairs), pairs.last().copied().unwrap_or(&PAIRS[0]), |_| {}).await
}

/// What a sidecar believes of the key at this place.
pub fn standing(sidecar: &Sidecar, position: usize, host: Host) -> Standing {
    let snapshot = sidecar.store.load();
    let application = snapshot.application(APPLICATION).unwrap();
    let standings = application.opinion.lock();
    standings.standing(application.keys[position].uid, host)
}

/// A token as an SDK makes it, signed by nobody we know.
pub fn placeholder(claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    format!("Bearer {header}.{}.bm90IGEgc2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

pub fn placeholder_of(application: &str) -> String {
    placeholder(&json!({ "application_id": application, "iat": 1, "jti": "x" }))
}

/// A request with this `Authorization`, or none.
pub fn request(method: Method, path: &str, authorization: Option<&str>, kind: &str, body: &str) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("host", "localhost");
    if let Some(authorization) = authorization {
        builder = builder.header("authorization", authorization);
    }
    if !kind.is_empty() {
        builder = builder.header("content-type", kind);
    }
    builder.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

pub async fn send(sidecar: &Sidecar, request: Request<Full<Bytes>>) -> Answer {
    Caller::new(sidecar.data).send(request).await.unwrap()
}

pub async fn call(sidecar: &Sidecar, method: Method, path: &str, authorization: Option<&str>) -> Answer {
    let body = if method == Method::GET { "" } else { "{}" };
    send(sidecar, request(method, path, authorization, "application/json", body)).await
}

/// Which of the pairs signed the token of a request, and what it claims.
pub fn token(seen: &Seen) -> (usize, Value) {
    let token = seen.header("authorization").strip_prefix("Bearer ").expect("a bearer token");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let by = |pair: &Generated| {
        let public = SubjectPublicKeyInfoDer::from_pem_slice(pair.public.as_bytes()).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref()).verify(signed.as_bytes(), &signature).is_ok()
    };
    let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
    (PAIRS.iter().position(by).expect("signed by one of the pairs"), serde_json::from_slice(&claims).unwrap())
}
