//! What a token claims, as a value. Pure: `now` and random bytes are arguments.
//!
//! Invariants: the claims that identify and limit a token are ours alone; `exp` is at most 24 hours after `iat`, which
//! is what the provider allows whatever `exp` says. `iat` lies a little back, since a clock that is behind ours would
//! take the token for one of the future.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::secret::ApplicationId;

/// How long the tokens live that are put on requests: what the provider assumes without `exp`.
pub const LIFE: Duration = Duration::from_mins(15);
/// The shortest life that the provider takes.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// The longest, counted from `iat`.
pub const LONGEST: Duration = Duration::from_hours(24);
/// How far back `iat` lies.
pub const BACKDATED: Duration = Duration::from_secs(30);

/// The claims that nobody else sets.
const OURS: [&str; 5] = ["application_id", "iat", "exp", "jti", "nbf"];

/// Why claims cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A claim that only we set.
    #[error("the claim {0} is set by the sidecar")]
    Ours(&'static str),
    /// A life that the provider does not take.
    #[error("a token lives at least 30 seconds and at most 24 hours")]
    Life,
}

/// The claims of one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    document: Map<String, Value>,
    /// From when it is good.
    pub issued: SystemTime,
    /// Until when.
    pub expires: SystemTime,
}

impl Claims {
    /// The claims of a token for `application` that lives for `life` from `now` and says `more` beside (`sub`, `acl`,
    /// claims of Video). `random` makes it unique.
    pub fn new(
        application: &ApplicationId,
        more: Map<String, Value>,
        life: Duration,
        now: SystemTime,
        random: [u8; 16],
    ) -> Result<Self, Refused> {
        if let Some(name) = OURS.into_iter().find(|name| more.contains_key(*name)) {
            return Err(Refused::Ours(name));
        }
        if life < SHORTEST || life > LONGEST {
            return Err(Refused::Life);
        }
        let now = seconds(now);
        let issued = now.saturating_sub(BACKDATED.as_secs());
        let expires = (now + life.as_secs()).min(issued + LONGEST.as_secs());
        let mut document = more;
        document.insert("application_id".to_owned(), json!(application.as_str()));
        document.insert("iat".to_owned(), json!(issued));
        document.insert("exp".to_owned(), json!(expires));
        document.insert("jti".to_owned(), json!(unique(random)));
        Ok(Self { document, issued: UNIX_EPOCH + Duration::from_secs(issued), expires: UNIX_EPOCH + Duration::from_secs(expires) })
    }

    /// The claims as JSON.
    pub fn text(&self) -> String {
        Value::Object(self.document.clone()).to_string()
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A random UUID (RFC 9562, version 4).
fn unique(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let digits = random.map(|byte| format!("{byte:02x}")).concat();
    let (parts, mut rest) = ([8, 4, 4, 4], digits.as_str());
    let mut text = String::with_capacity(36);
    for length in parts {
        let (part, after) = rest.split_at(length);
        text.push_str(part);
        text.push('-');
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn made(more: Value, life: Duration) -> Result<Value, Refused> {
        let Value::Object(more) = more else { panic!("an object") };
        let application = ApplicationId::parse("app-1").unwrap();
        let claims = Claims::new(&application, more, life, UNIX_EPOCH + Duration::from_secs(NOW), [0xab; 16])?;
        Ok(serde_json::from_str(&claims.text()).unwrap())
    }

    #[test]
    fn a_token_names_its_application_and_a_quarter_of_an_hour() {
        let claims = made(json!({}), LIFE).unwrap();
        let expected = json!({"application_id": "app-1", "iat": NOW - 30, "exp": NOW + 900, "jti": "abababab-abab-4bab-abab-abababababab"});
        assert_eq!(claims, expected);
    }

    #[test]
    fn no_token_outlives_what_the_provider_allows() {
        let claims = made(json!({"sub": "alice", "acl": {"paths": {"/*/users/**": {}}}}), LONGEST).unwrap();
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 24 * 60 * 60);
        assert_eq!((claims["sub"].as_str(), claims["acl"]["paths"].is_object()), (Some("alice"), true));
        assert_eq!(made(json!({}), LONGEST + Duration::from_secs(1)), Err(Refused::Life));
        assert_eq!(made(json!({}), Duration::from_secs(29)), Err(Refused::Life));
    }

    #[test]
    fn what_identifies_and_limits_a_token_is_ours_to_say() {
        for name in OURS {
            assert_eq!(made(json!({ (name): 1 }), LIFE), Err(Refused::Ours(name)));
        }
    }
}
