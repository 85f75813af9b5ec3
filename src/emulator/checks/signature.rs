//! The parameter `sig`: a digest over all other parameters, made with the account's signature secret.
//!
//! Facts: Vonage, "Signing messages" guide and SMS 1.0.10. How old a `timestamp` may be is not stated; the five minutes
//! are those that an SDK allows for inbound messages (not verified). A real account has one signature secret; more than
//! one here stands for whatever overlap a test wants to try.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{self, Algorithm};
use serde_json::Value;

use super::md5;
use crate::emulator::exchange::call::{Call, Fields};

/// Between a timestamp and now, either way.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Parameters that are not signed: the signature itself, and secrets, which must not stand beside it.
const UNSIGNED: [&str; 3] = ["sig", "api_secret", "password"];

/// How an account signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureMethod {
    /// MD5 over the text with the secret behind it; the provider's default.
    #[default]
    Md5Hash,
    /// HMAC with MD5.
    Md5,
    /// HMAC with SHA-1.
    Sha1,
    /// HMAC with SHA-256.
    Sha256,
    /// HMAC with SHA-512.
    Sha512,
}

/// Why a text is no signature method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected md5hash, md5, sha1, sha256 or sha512")]
pub struct MalformedMethod;

impl FromStr for SignatureMethod {
    type Err = MalformedMethod;

    fn from_str(text: &str) -> Result<Self, MalformedMethod> {
        match text {
            "md5hash" => Ok(Self::Md5Hash),
            "md5" => Ok(Self::Md5),
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(MalformedMethod),
        }
    }
}

/// How an account signs, and with what. Without a secret no signature is right.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::emulator) struct Signing {
    pub(in crate::emulator) method: SignatureMethod,
    pub(in crate::emulator) secrets: Vec<String>,
}

impl Signing {
    /// Whether a signature of this call is right and its timestamp near `now`.
    pub(in crate::emulator) fn verifies(&self, call: &Call, signature: &str, now: SystemTime) -> bool {
        let timestamp = call.parameter("timestamp").and_then(|text| moment(&text));
        let text = text(parameters(call));
        let is_right = |secret: &String| self.method.sign(secret, &text).eq_ignore_ascii_case(signature);
        timestamp.is_some_and(|said| is_near(said, now)) && self.secrets.iter().any(is_right)
    }
}

/// Seconds since 1970, or a date in UTC: conversions have a `timestamp` of their own, which the SDKs write as a date.
fn moment(text: &str) -> Option<SystemTime> {
    match text.parse() {
        Ok(seconds) => UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_rfc3339_weak(text).ok(),
    }
}

fn is_near(said: SystemTime, now: SystemTime) -> bool {
    now.duration_since(said).unwrap_or_else(|ahead| ahead.duration()) <= WINDOW
}

/// Every parameter of the query and of the top level of the body.
fn parameters(call: &Call) -> Vec<(String, String)> {
    let mut all = call.query.clone();
    match &call.fields {
        Fields::Form(pairs) => all.extend(pairs.iter().cloned()),
        Fields::Json(Value::Object(members)) => all.extend(members.iter().map(|(name, value)| (name.clone(), plain(value)))),
        Fields::Json(_) | Fields::Broken | Fields::Opaque => {}
    }
    all
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `&name=value` for each in the order of names, with `&` and `=` in values written as `_`.
fn text(mut parameters: Vec<(String, String)>) -> String {
    parameters.retain(|(name, _)| !UNSIGNED.contains(&name.as_str()));
    parameters.sort_by(|one, other| one.0.cmp(&other.0));
    let lines: Vec<String> = parameters.iter().map(|(name, value)| format!("&{name}={}", value.replace(['&', '='], "_"))).collect();
    lines.concat()
}

impl SignatureMethod {
    fn sign(self, secret: &str, text: &str) -> String {
        let sha = |algorithm: &'static Algorithm| move |data: &[u8]| digest::digest(algorithm, data).as_ref().to_vec();
        let md5 = |data: &[u8]| md5::digest(data).to_vec();
        let bytes = match self {
            Self::Md5Hash => md5(format!("{text}{secret}").as_bytes()),
            Self::Md5 => hmac(md5, 64, secret, text),
            Self::Sha1 => hmac(sha(&digest::SHA1_FOR_LEGACY_USE_ONLY), 64, secret, text),
            Self::Sha256 => hmac(sha(&digest::SHA256), 64, secret, text),
            Self::Sha512 => hmac(sha(&digest::SHA512), 128, secret, text),
        };
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
    }
}

/// RFC 2104, with a digest that reads blocks of so many bytes.
fn hmac(digest: impl Fn(&[u8]) -> Vec<u8>, block: usize, secret: &str, text: &str) -> Vec<u8> {
    let mut key = if secret.len() > block { digest(secret.as_bytes()) } else { secret.as_bytes().to_vec() };
    key.resize(block, 0);
    let padded = |pad: u8, rest: &[u8]| key.iter().map(|byte| byte ^ pad).chain(rest.iter().copied()).collect::<Vec<u8>>();
    digest(&padded(0x5c, &digest(&padded(0x36, text.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> String {
        let pairs = [
            ("text", "Hello & a=b"),
            ("to", "447700900000"),
            ("sig", "is not signed"),
            ("api_key", "abcd1234"),
            ("timestamp", "1617187200"),
            ("from", "AcmeInc"),
        ];
        text(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    #[test]
    fn the_five_methods_agree_with_the_known_example() {
        assert_eq!(example(), "&api_key=abcd1234&from=AcmeInc&text=Hello _ a_b&timestamp=1617187200&to=447700900000");
        for (method, expected) in [
            ("md5hash", "0c417d34004f305b7425f0357255a006"),
            ("md5", "c6648ec3a8b5ba35a94ae1cd4f4814ef"),
            ("sha1", "5ed2ce6f1e949bc8e46a169434172f529949d9c7"),
            ("sha256", "a868e4e832038f76976cf42d2e3cb088423fe86679081c1530e51849c1c53868"),
            (
                "sha512",
                "7a20027af39c2ec78aad27a4b1272c304b67017be4caffb7f3d22369b22fa138d0e7c259ab3f9a952eec30e92a8ac32d49b23aef21feaa5b72181319844f3323",
            ),
        ] {
            assert_eq!(method.parse::<SignatureMethod>().unwrap().sign("my_signature_secret", &example()), expected, "{method}");
        }
        assert_eq!("hmac".parse::<SignatureMethod>(), Err(MalformedMethod));
    }

    #[test]
    fn a_long_secret_is_digested_first() {
        let text = "Test Using Larger Than Block-Size Key - Hash Key First";
        let secret = "k".repeat(200);
        // Computed with another implementation.
        assert_eq!(SignatureMethod::Md5.sign(&secret, text), "3e7624a9a199277713dcfbed3449f679");
        assert_eq!(
            SignatureMethod::Sha512.sign(&secret, text),
            "c087939889fc034d1c7fd784bfe9cff8666d906fad89653d34d6c711597ecb32e0f96ca57e6660a3fcaaa6fab99f98e418b7b314eab6ebf8e9d7c9b57235993a"
        );
    }

    #[test]
    fn a_timestamp_is_good_for_a_few_minutes_either_way() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        for (text, good) in [
            ("10000", true),
            ("9700", true),
            ("9699", false),
            ("10300", true),
            ("10301", false),
            ("1970-01-01 02:46:40", true),
            ("1970-01-01 02:00:00", false),
            ("18446744073709551615", false),
            ("soon", false),
        ] {
            assert_eq!(moment(text).is_some_and(|said| is_near(said, now)), good, "{text}");
        }
    }
}
