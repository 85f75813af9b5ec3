//! What a Bearer token claims.
//!
//! Form and claims are checked; the signature is not, since no application here has a key that is compared yet.
//!
//! Facts: Vonage, "JWT" guide: RS256; `application_id`, `iat` and `jti`; 15 minutes without `exp`; never longer than
//! 24 hours after `iat`. The tolerance for clocks that differ is not stated; a minute is given here (not verified).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Seconds without `exp`.
const DEFAULT_LIFE: u64 = 15 * 60;
/// Seconds at most, whatever `exp` says.
const LONGEST_LIFE: u64 = 24 * 60 * 60;
/// Seconds that two clocks may differ.
const TOLERANCE: u64 = 60;

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadToken {
    Malformed,
    Expired,
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The application that a token is of, if its form and claims are right.
pub(super) fn application(token: &str, now: SystemTime) -> Result<String, BadToken> {
    let parts: Vec<&str> = token.split('.').collect();
    let &[header, claims, signature] = parts.as_slice() else { return Err(BadToken::Malformed) };
    let (Some(header), Some(claims)) = (part(header), part(claims)) else { return Err(BadToken::Malformed) };
    let signed = header.get("alg").and_then(Value::as_str) == Some("RS256")
        && URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| !bytes.is_empty());
    let id = claims.get("application_id").and_then(Value::as_str);
    let issued = claims.get("iat").and_then(Value::as_u64);
    let (true, Some(id), Some(issued), Some(_)) = (signed, id, issued, claims.get("jti").and_then(Value::as_str)) else {
        return Err(BadToken::Malformed);
    };
    let ends = claims.get("exp").and_then(Value::as_u64).unwrap_or_else(|| issued.saturating_add(DEFAULT_LIFE));
    let ends = ends.min(issued.saturating_add(LONGEST_LIFE));
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if issued > now.saturating_add(TOLERANCE) {
        return Err(BadToken::Malformed);
    }
    if ends.saturating_add(TOLERANCE) < now {
        return Err(BadToken::Expired);
    }
    Ok(id.to_owned())
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

    fn judged(header: &Value, claims: &Value, seconds: u64) -> Result<String, BadToken> {
        application(&token(header, claims), UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_names_its_application_while_it_lives() {
        let (header, claims) = (json!({"alg": "RS256"}), json!({"application_id": "a", "iat": 1000, "jti": "j"}));
        assert_eq!(judged(&header, &claims, 1000), Ok("a".into()));
        assert_eq!(judged(&header, &claims, 1000 + DEFAULT_LIFE + TOLERANCE), Ok("a".into()));
        assert_eq!(judged(&header, &claims, 1001 + DEFAULT_LIFE + TOLERANCE), Err(BadToken::Expired));
        let for_ever = json!({"application_id": "a", "iat": 1000, "jti": "j", "exp": 99_999_999});
        assert_eq!(judged(&header, &for_ever, 1001 + LONGEST_LIFE + TOLERANCE), Err(BadToken::Expired));
    }

    #[test]
    fn a_token_without_its_claims_is_none() {
        let header = json!({"alg": "RS256"});
        for claims in
            [json!({"iat": 1000, "jti": "j"}), json!({"application_id": "a", "jti": "j"}), json!({"application_id": "a", "iat": 1000})]
        {
            assert_eq!(judged(&header, &claims, 1000), Err(BadToken::Malformed), "{claims}");
        }
        let claims = json!({"application_id": "a", "iat": 1000, "jti": "j"});
        assert_eq!(judged(&json!({"alg": "none"}), &claims, 1000), Err(BadToken::Malformed));
        assert_eq!(judged(&header, &claims, 900), Err(BadToken::Malformed));
        assert_eq!(application("a.b", UNIX_EPOCH), Err(BadToken::Malformed));
    }
}
