//! Signs a request: which parameters it has, and the signature over them. Pure.
//!
//! Facts: `vonage::signature`. A parameter that occurs twice has no defined place in the text that is signed (the
//! provider then takes the signature at times and refuses it at others), and a nested JSON value has no text at all.

use std::collections::HashSet;
use std::fmt::Write as _;

use aws_lc_rs::hmac;
use bytes::Bytes;
use hmac_md5::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::{Carried, Parameter, form, json};
use crate::secret::{ApiKey, SignatureSecret};
use crate::vonage::parameters;
use crate::vonage::signature::{self, SignatureMethod};

/// A request that has no defined signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a parameter occurs twice, or is no plain value")]
pub struct Unsignable;

/// The caller's parameters of a request that was stripped, but for those that we set.
pub fn signed_parameters(query: Option<&str>, body: &Bytes, carried: Carried) -> Result<Vec<(String, String)>, Unsignable> {
    let mut found = query.map(|query| form::pairs(query.as_bytes())).unwrap_or_default();
    match carried {
        Carried::Form => found.extend(form::pairs(body)),
        Carried::Object => found.extend(json::pairs(body).map_err(|json::NotPlain| Unsignable)?),
        Carried::Nothing | Carried::Other | Carried::Lying => {}
    }
    found.retain(|(name, _)| !signature::OURS.contains(&name.as_str()));
    let mut names = HashSet::new();
    if found.iter().all(|(name, _)| names.insert(name.clone())) { Ok(found) } else { Err(Unsignable) }
}

/// What a signed request carries beside the caller's parameters; `timestamp` in seconds since 1970.
pub fn sign(
    key: &ApiKey,
    secret: &SignatureSecret,
    method: SignatureMethod,
    mut parameters: Vec<(String, String)>,
    timestamp: u64,
) -> Vec<Parameter> {
    let timestamp = timestamp.to_string();
    parameters.push((parameters::KEY.to_owned(), key.to_string()));
    parameters.push((signature::TIMESTAMP.to_owned(), timestamp.clone()));
    let signature = digest(method, &signature::text(&parameters), secret.as_signing_key());
    vec![
        (parameters::KEY, Zeroizing::new(key.to_string())),
        (signature::TIMESTAMP, Zeroizing::new(timestamp)),
        (parameters::SIGNATURE, Zeroizing::new(signature)),
    ]
}

fn digest(method: SignatureMethod, text: &str, secret: &str) -> String {
    let with = |algorithm| hex(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text.as_bytes()).as_ref());
    match method {
        SignatureMethod::Md5Hash => hex(&Md5::new().chain_update(text).chain_update(secret).finalize()),
        SignatureMethod::Md5 => {
            // An HMAC takes a key of any length; none is what cannot be.
            let Ok(mac) = Hmac::<Md5>::new_from_slice(secret.as_bytes()) else { return String::new() };
            hex(&mac.chain_update(text).finalize().into_bytes())
        }
        SignatureMethod::Sha1 => with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        SignatureMethod::Sha256 => with(hmac::HMAC_SHA256),
        SignatureMethod::Sha512 => with(hmac::HMAC_SHA512),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the provider's guide, computed by other programs.
    const VECTORS: [(SignatureMethod, &str); 5] = [
        (SignatureMethod::Md5Hash, "0c417d34004f305b7425f0357255a006"),
        (SignatureMethod::Md5, "c6648ec3a8b5ba35a94ae1cd4f4814ef"),
        (SignatureMethod::Sha1, "5ed2ce6f1e949bc8e46a169434172f529949d9c7"),
        (SignatureMethod::Sha256, "a868e4e832038f76976cf42d2e3cb088423fe86679081c1530e51849c1c53868"),
        (
            SignatureMethod::Sha512,
            "7a20027af39c2ec78aad27a4b1272c304b67017be4caffb7f3d22369b22fa138d0e7c259ab3f9a952eec30e92a8ac32d49b23aef21feaa5b72181319844f3323",
        ),
    ];

    #[test]
    fn every_method_signs_as_the_provider_does() {
        let key = ApiKey::parse("abcd1234").unwrap();
        let secret = SignatureSecret::parse("my_signature_secret").unwrap();
        let body = Bytes::from_static(b"text=Hello+%26+a%3Db&to=447700900000&from=AcmeInc&timestamp=1&sig=stale");
        for (method, expected) in VECTORS {
            let parameters = signed_parameters(None, &body, Carried::Form).unwrap();
            let signed = sign(&key, &secret, method, parameters, 1_617_187_200);
            let signed: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(signed, [("api_key", "abcd1234"), ("timestamp", "1617187200"), ("sig", expected)], "{method:?}");
        }
    }

    #[test]
    fn parameters_are_read_alike_from_query_form_and_json() {
        let expected = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let read = |query, body: &'static str, carried| signed_parameters(query, &Bytes::from_static(body.as_bytes()), carried);
        assert_eq!(read(Some("text=a%26b+c&api_key=k"), "", Carried::Nothing).unwrap(), expected("text", "a&b c"));
        assert_eq!(read(None, "text=a%26b+c", Carried::Form).unwrap(), expected("text", "a&b c"));
        assert_eq!(read(None, r#"{"text":"a&b c","sig":"x"}"#, Carried::Object).unwrap(), expected("text", "a&b c"));
        let plain = read(None, r#"{"to":447700900000,"flag":true}"#, Carried::Object).unwrap();
        assert_eq!(plain, [("to".to_owned(), "447700900000".to_owned()), ("flag".to_owned(), "true".to_owned())]);
    }

    #[test]
    fn what_has_no_defined_text_is_not_signed() {
        let refused = |query, body: &'static str, carried| {
            assert_eq!(signed_parameters(query, &Bytes::from_static(body.as_bytes()), carried), Err(Unsignable), "{query:?} {body}");
        };
        refused(Some("to=1&to=2"), "", Carried::Nothing);
        refused(Some("to=1"), "to=2", Carried::Form);
        for body in [r#"{"to":[1]}"#, r#"{"to":{}}"#, r#"{"to":null}"#, r#"{"to":1,"to":1}"#] {
            refused(None, body, Carried::Object);
        }
    }
}
