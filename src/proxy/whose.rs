//! Whose request it is: from what the caller claims, what the listener allows and what we hold. Pure.

use std::sync::Arc;

use super::fault::Fault;
use crate::config::Listen;
use crate::credentials::{Account, Snapshot};
use crate::inject::strip::{Bearer, Claims};
use crate::metrics::CallerSecret;

/// The account that a request is made for. A listener's account is a limit: another key there is refused.
pub fn account(claims: &Claims, listen: &Listen, snapshot: &Snapshot) -> Result<Arc<Account>, Fault> {
    if snapshot.accounts.is_empty() {
        return Err(Fault::NoCredentials);
    }
    let mut keys = claims.keys.iter().filter(|key| !key.is_empty());
    let first = keys.next();
    if keys.any(|other| Some(other) != first) {
        return Err(Fault::KeysDiffer);
    }
    let limit = listen.account.as_ref().map(crate::secret::ApiKey::as_str);
    let key = match (first.map(String::as_str), limit) {
        (Some(named), Some(limit)) if named != limit => return Err(Fault::KeyLimited),
        (Some(key), Some(_) | None) | (None, Some(key)) => key,
        (None, None) => return snapshot.default_account().cloned().ok_or(Fault::NoCredentials),
    };
    snapshot.account(key).cloned().ok_or(Fault::KeyUnknown)
}

/// What kind of secret the caller carries. An app that still carries a held one would break without us.
pub fn caller_secret(claims: &Claims, account: &Account) -> CallerSecret {
    let held = |secret: &str| account.secrets.iter().any(|slot| slot.value.secret.equals(secret.as_bytes()));
    if claims.secrets.iter().any(|secret| held(secret)) {
        CallerSecret::Held
    } else if claims.bearer == Bearer::Present {
        CallerSecret::Token
    } else if claims.secrets.is_empty() {
        CallerSecret::None
    } else {
        CallerSecret::Placeholder
    }
}
