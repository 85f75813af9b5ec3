//! `POST /jwt` on a listener that mints: may the caller have this token, and what does it claim? Pure.
//!
//! Tokens that apps hand to their own clients (Client SDK, Video) never pass us, so an app asks for them here and holds
//! no private key. The body is a JSON object: the claims that the token shall have, `application_id` where the listener
//! and the credentials leave a choice, and `ttl` in seconds.
//!
//! Invariants: only claims that the settings list; no life beyond what they say; what identifies a token and limits
//! its time is set by us (`jwt::claims`). Facts: Vonage, guide "JWT" (`sub`, `acl`), Video (`session_id`, `role`, …).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::Fault;
use super::whose;
use crate::config::{Listen, Mint};
use crate::credentials::{Application, Snapshot};

/// Where tokens are asked for.
pub const PATH: &str = "/jwt";
/// The longest body: an `acl` names a few paths.
pub const LONGEST: usize = 64 << 10;
/// How long a token lives if the caller does not say: as long as the provider assumes.
const USUAL: Duration = Duration::from_mins(15);

/// A token to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The claims that the caller wants.
    pub claims: Map<String, Value>,
    /// How long it lives.
    pub life: Duration,
    application: Option<String>,
}

/// Reads what a caller wants, and whether the settings allow it.
pub fn order(body: &[u8], mint: &Mint) -> Result<Order, Fault> {
    let document =
        if body.is_empty() { Value::Object(Map::new()) } else { serde_json::from_slice(body).map_err(|_| Fault::MintMalformed)? };
    let Value::Object(mut claims) = document else { return Err(Fault::MintMalformed) };
    let application = match claims.remove("application_id") {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(Fault::MintMalformed),
    };
    let life = match claims.remove("ttl") {
        None => USUAL.min(mint.longest),
        Some(seconds) => Duration::from_secs(seconds.as_u64().ok_or(Fault::MintMalformed)?),
    };
    if life > mint.longest || life < crate::jwt::claims::SHORTEST {
        return Err(Fault::MintLife);
    }
    if claims.keys().any(|name| !mint.claims.contains(name)) {
        return Err(Fault::MintClaim);
    }
    Ok(Order { claims, life, application })
}

/// The application whose key signs. The listener's is a limit, and the only one held needs no name.
pub fn application(order: &Order, listen: &Listen, snapshot: &Snapshot) -> Result<Arc<Application>, Fault> {
    let limit = listen.application.as_ref().map(crate::secret::ApplicationId::as_str);
    let within = |application: &Application| listen.account.as_ref().is_none_or(|account| *account == application.account);
    let id = match (order.application.as_deref(), limit) {
        (Some(named), Some(limit)) if named != limit => return Err(Fault::ApplicationLimited),
        (Some(id), Some(_) | None) | (None, Some(id)) => id,
        (None, None) => return whose::only_one(snapshot, within),
    };
    let application = snapshot.application(id).ok_or(Fault::ApplicationUnknown)?;
    if within(application) { Ok(Arc::clone(application)) } else { Err(Fault::ApplicationLimited) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint() -> Mint {
        Mint { longest: Duration::from_hours(1), claims: vec!["sub".to_owned(), "acl".to_owned()] }
    }

    fn code(body: &str) -> &'static str {
        order(body.as_bytes(), &mint()).map_or_else(|fault| fault.description().code, |_| "")
    }

    #[test]
    fn a_caller_gets_the_claims_and_the_life_that_the_settings_allow_and_no_other() {
        let made = order(br#"{"sub":"alice","acl":{"paths":{}},"ttl":3600,"application_id":"app-1"}"#, &mint()).unwrap();
        assert_eq!((made.life, made.claims.len(), made.application.as_deref()), (Duration::from_hours(1), 2, Some("app-1")));
        assert_eq!(order(b"", &mint()).unwrap().life, USUAL);
        for (body, expected) in [
            (r#"{"ttl":3601}"#, "mint_life"),
            (r#"{"ttl":29}"#, "mint_life"),
            (r#"{"ttl":-1}"#, "mint_malformed"),
            (r#"{"role":"moderator"}"#, "mint_claim"),
            (r#"{"exp":1}"#, "mint_claim"),
            (r#"{"application_id":1}"#, "mint_malformed"),
            ("[]", "mint_malformed"),
            (r#"{"sub":"#, "mint_malformed"),
        ] {
            assert_eq!(code(body), expected, "{body}");
        }
    }
}
