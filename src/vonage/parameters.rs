//! The names under which a credential may travel as a parameter.
//!
//! Facts: Vonage SMS API (`api_key`, `api_secret`, `sig`); the gateway's own tests (`username` and `password` as
//! aliases on SMS).

use super::endpoints::{Endpoint, Scheme};

/// The key of the account.
pub const KEY: &str = "api_key";
/// Its alias on SMS.
pub const KEY_ALIAS: &str = "username";
/// The secret.
pub const SECRET: &str = "api_secret";
/// Its alias on SMS.
pub const SECRET_ALIAS: &str = "password";
/// A signature, which stands for a secret.
pub const SIGNATURE: &str = "sig";

/// The credential parameters of an endpoint, lower case. Everything else with such a name is the caller's business.
pub fn of(endpoint: &Endpoint) -> &'static [&'static str] {
    if endpoint.path.starts_with("/sms/") {
        &[KEY, SECRET, KEY_ALIAS, SECRET_ALIAS, SIGNATURE]
    } else if endpoint.schemes.contains(&Scheme::Signature) {
        &[KEY, SECRET, SIGNATURE]
    } else {
        &[KEY, SECRET]
    }
}

/// Whether the endpoint may carry a credential in its body, so that the body must be looked at.
pub fn in_body(endpoint: &Endpoint) -> bool {
    endpoint.schemes.iter().any(|scheme| matches!(scheme, Scheme::Form | Scheme::Json))
}
