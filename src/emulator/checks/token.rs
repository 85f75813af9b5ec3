//! What a Bearer token says, and whether its time is right. Whether its signature is good, its application's keys say.
//!
//! Facts: Vonage, "JWT" guide: RS256; `application_id`, `iat` and `jti`; 15 minutes without `exp`, which must be at least
//! 30 seconds after `iat`; never longer than 24 hours after `iat`. The tolerance for clocks that differ is not stated; a
//! minute is given here (not verified).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Seconds without `exp`.
const DEFAULT_LIFE: u64 = 15 * 60;
/// Seconds at least, where there is an `exp`.
const SHORTEST_LIFE: u64 = 30;
/// Seconds at most, whatever `exp` says.
const LONGEST_LIFE: u64 = 24 * 60 * 60;
/// Seconds that two clocks may differ.
const TOLERANCE: u64 = 60;

/// What is wrong with the time of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum Untimely {
    /// From the future, or made for less than is allowed.
    Implausible,
    Expired,
}

/// A token with all that it must have.
#[derive(Debug)]
pub(in crate::emulator) struct Token<'a> {
    pub(in crate::emulator) application: String,
    /// Whether it is limited to paths.
    pub(in crate::emulator) has_acl: bool,
    /// The text that is signed.
    pub(in crate::emulator) signed: &'a str,
    pub(in crate::emulator) signature: Vec<u8>,
    issued: u64,
    starts: Option<u64>,
    ends: Option<u64>,
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Whether a claim is a time in whole seconds, if it is there.
fn is_time(claims: &Value, name: &str) -> bool {
    claims.get(name).is_none_or(Value::is_u64)
}

impl<'a> Token<'a> {
    /// Reads a token; nothing if its form is wrong or a claim is missing.
    pub(in crate::emulator) fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let (header, claims) = (part(header)?, part(claims)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok().filter(|bytes| !bytes.is_empty())?;
        if header.get("alg").and_then(Value::as_str) != Some("RS256") || !["nbf", "exp"].iter().all(|name| is_time(&claims, name)) {
            return None;
        }
        let seconds = |name: &str| claims.get(name).and_then(Value::as_u64);
        claims.get("jti").and_then(Value::as_str)?;
        Some(Self {
            application: claims.get("application_id").and_then(Value::as_str)?.to_owned(),
            has_acl: claims.get("acl").is_some(),
            signed,
            signature,
            issued: seconds("iat")?,
            starts: seconds("nbf"),
            ends: seconds("exp"),
        })
    }

    /// Judges its time.
    pub(in crate::emulator) fn check_time(&self, now: SystemTime) -> Result<(), Untimely> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let from = self.starts.map_or(self.issued, |starts| starts.max(self.issued));
        let too_short = self.ends.is_some_and(|ends| ends < self.issued.saturating_add(SHORTEST_LIFE));
        if from > now.saturating_add(TOLERANCE) || too_short {
            return Err(Untimely::Implausible);
        }
        let ends = self.ends.unwrap_or_else(|| self.issued.saturating_add(DEFAULT_LIFE));
        let ends = ends.min(self.issued.saturating_add(LONGEST_LIFE));
        if ends.saturating_add(TOLERANCE) < now { Err(Untimely::Expired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn token(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    fn judged(claims: &Value, seconds: u64) -> Result<(), Untimely> {
        let text = token(&json!({"alg": "RS256"}), claims);
        Token::read(&text).unwrap().check_time(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_and_never_longer_than_a_day() {
        let claims = json!({"application_id": "a", "iat": 1000, "jti": "j"});
        assert_eq!(judged(&claims, 1000), Ok(()));
        assert_eq!(judged(&claims, 1000 + DEFAULT_LIFE + TOLERANCE), Ok(()));
        assert_eq!(judged(&claims, 1001 + DEFAULT_LIFE + TOLERANCE), Err(Untimely::Expired));
        let for_ever = json!({"application_id": "a", "iat": 1000, "jti": "j", "exp": 99_999_999});
        assert_eq!(judged(&for_ever, 1000 + LONGEST_LIFE + TOLERANCE), Ok(()));
        assert_eq!(judged(&for_ever, 1001 + LONGEST_LIFE + TOLERANCE), Err(Untimely::Expired));
    }

    #[test]
    fn a_token_from_the_future_or_for_a_moment_is_implausible() {
        let claims = json!({"application_id": "a", "iat": 1000, "jti": "j"});
        assert_eq!(judged(&claims, 1000 - TOLERANCE), Ok(()));
        assert_eq!(judged(&claims, 999 - TOLERANCE), Err(Untimely::Implausible));
        let later = json!({"application_id": "a", "iat": 1000, "jti": "j", "nbf": 2000});
        assert_eq!(judged(&later, 1000), Err(Untimely::Implausible));
        let short = |ends: u64| judged(&json!({"application_id": "a", "iat": 1000, "jti": "j", "exp": ends}), 1000);
        assert_eq!((short(1000 + SHORTEST_LIFE), short(999 + SHORTEST_LIFE)), (Ok(()), Err(Untimely::Implausible)));
    }

    #[test]
    fn a_token_without_its_claims_is_none() {
        let header = json!({"alg": "RS256"});
        for claims in [
            json!({"iat": 1000, "jti": "j"}),
            json!({"application_id": "a", "jti": "j"}),
            json!({"application_id": "a", "iat": 1000}),
            json!({"application_id": "a", "iat": "1000", "jti": "j"}),
            json!({"application_id": "a", "iat": 1000, "jti": "j", "exp": -1}),
        ] {
            assert!(Token::read(&token(&header, &claims)).is_none(), "{claims}");
        }
        let claims = json!({"application_id": "a", "iat": 1000, "jti": "j"});
        assert!(Token::read(&token(&json!({"alg": "none"}), &claims)).is_none());
        let whole = token(&header, &claims);
        assert!(Token::read(&whole).is_some_and(|token| token.application == "a" && whole.starts_with(token.signed)));
        for text in ["a.b", "", "..", whole.trim_end_matches("c2ln"), &format!("x.{whole}")] {
            assert!(Token::read(text).is_none(), "{text}");
        }
    }
}
