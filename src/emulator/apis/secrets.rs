//! Secret Management: two slots, the policy, HAL documents, and never a value.
//!
//! Any secret of the account manages its slots, and so does any of its primary account. A secret may revoke itself
//! (not stated; none of the documented errors forbids it). Re-using a value of the other slot is a 400 (community code).
//!
//! Facts: account 1.0.3, the specification of 2018, "Secret Management" guide, fixtures of the SDKs.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::errors::problem;
use super::throttle;
use super::turn::{Done, Turn};
use crate::emulator::exchange::notation::{date, uuid};
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::dialect::SlotsRefusal;
use crate::emulator::world::changes::Author;
use crate::emulator::world::state::{SLOTS, Secret, World};

/// Characters of a secret (Vonage, "Secret Management").
const LENGTH: std::ops::RangeInclusive<usize> = 8..=25;

/// Why a secret cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum NotCreated {
    NoSuchAccount,
    Policy,
    SlotsFull,
}

/// Whether a value meets the policy: 8 to 25 characters, a lower case letter, an upper case letter and a digit.
pub(super) fn meets_policy(value: &str) -> bool {
    LENGTH.contains(&value.chars().count())
        && value.chars().any(|c| c.is_ascii_lowercase())
        && value.chars().any(|c| c.is_ascii_uppercase())
        && value.chars().any(|c| c.is_ascii_digit())
}

/// Creates a secret under the provider's rules and returns its id.
pub(in crate::emulator) fn create(world: &mut World, key: &str, value: &str, by: Author) -> Result<String, NotCreated> {
    let account = world.accounts.get(key).ok_or(NotCreated::NoSuchAccount)?;
    if !meets_policy(value) || account.secrets.iter().any(|secret| secret.value == value) {
        return Err(NotCreated::Policy);
    }
    if account.secrets.len() >= SLOTS {
        return Err(NotCreated::SlotsFull);
    }
    world.create_secret(key, value, by).ok_or(NotCreated::NoSuchAccount)
}

/// `/accounts/{key}/secrets`.
pub(in crate::emulator) fn collection(turn: &mut Turn<'_>) -> Done {
    throttle::within(turn, list_or_create)
}

fn list_or_create(turn: &mut Turn<'_>) -> Done {
    let key = turn.call.segment(1);
    if !turn.world.manages(&turn.who.account, key) {
        return Done::only(no_such_key(key));
    }
    if !turn.is(&Method::POST) {
        return Done::only(list(turn.world, key));
    }
    let value = turn.call.in_body("secret").unwrap_or_default();
    match create(turn.world, key, &value, Author::of(turn.who)) {
        Ok(id) => Done::executed(shown(turn.world, key, &id, StatusCode::CREATED)),
        Err(NotCreated::NoSuchAccount) => Done::only(no_such_key(key)),
        Err(NotCreated::Policy) => Done::only(policy()),
        Err(NotCreated::SlotsFull) => Done::only(slots_full(turn.world.dialect.slots)),
    }
}

/// `/accounts/{key}/secrets/{id}`.
pub(in crate::emulator) fn member(turn: &mut Turn<'_>) -> Done {
    throttle::within(turn, show_or_revoke)
}

fn show_or_revoke(turn: &mut Turn<'_>) -> Done {
    let (key, id) = (turn.call.segment(1), turn.call.segment(3));
    if !turn.world.manages(&turn.who.account, key) {
        return Done::only(no_such_key(key));
    }
    let Some(account) = turn.world.accounts.get(key) else { return Done::only(no_such_key(key)) };
    if !account.secrets.iter().any(|secret| secret.id == id) {
        return Done::only(problem(StatusCode::NOT_FOUND, "invalid-id", "Invalid ID", &format!("ID '{id}' could not be found")));
    }
    if turn.call.method != Method::DELETE {
        return Done::only(shown(turn.world, key, id, StatusCode::OK));
    }
    if account.secrets.len() == 1 {
        return Done::only(secrets_problem(
            StatusCode::FORBIDDEN,
            "delete-last-secret",
            "Secret Deletion Forbidden",
            "Can not delete the last secret. The account must always have at least 1 secret active at any time",
        ));
    }
    turn.world.revoke_secret(key, id, Author::of(turn.who));
    Done::executed(Reply::empty(StatusCode::NO_CONTENT))
}

/// The key in the path is unknown, or not the caller's.
pub(super) fn no_such_key(key: &str) -> Reply {
    let detail = format!("API key '{key}' does not exist, or you do not have access");
    problem(StatusCode::NOT_FOUND, "invalid-api-key", "Invalid API Key", &detail)
}

/// The misspelt title is the provider's own.
fn slots_full(words: SlotsRefusal) -> Reply {
    let (fragment, title, detail) = match words {
        SlotsRefusal::AddExcess => {
            ("add-excess-secret", "Secret Addition Forbidden", "Account reached maximum number [2] of allowed secrets")
        }
        SlotsRefusal::Maximum => (
            "maximum-secrets-allowed",
            "Maxmimum number of secrets already met",
            "This account has reached maximum number of '2' allowed secrets",
        ),
    };
    secrets_problem(StatusCode::FORBIDDEN, fragment, title, detail)
}

fn secrets_problem(status: StatusCode, fragment: &str, title: &str, detail: &str) -> Reply {
    let kind = format!("https://developer.nexmo.com/api-errors/account/secret-management#{fragment}");
    Reply::problem(status, &json!({ "type": kind, "title": title, "detail": detail, "instance": uuid() }))
}

fn policy() -> Reply {
    Reply::problem(
        StatusCode::BAD_REQUEST,
        &json!({
            "type": "https://developer.nexmo.com/api-errors/account/secret-management#validation",
            "title": "Bad Request",
            "detail": "The request failed due to secret validation errors",
            "invalid_parameters": [{ "name": "secret", "reason": "Does not meet complexity requirements" }],
            "instance": uuid(),
        }),
    )
}

fn entry(key: &str, secret: &Secret) -> Value {
    let href = format!("/accounts/{key}/secrets/{}", secret.id);
    json!({ "_links": { "self": { "href": href } }, "id": secret.id, "created_at": date(secret.created_at) })
}

fn list(world: &World, key: &str) -> Reply {
    let secrets = world.accounts.get(key).map(|account| account.secrets.as_slice()).unwrap_or_default();
    let entries: Vec<Value> = secrets.iter().map(|secret| entry(key, secret)).collect();
    let href = format!("/accounts/{key}/secrets");
    Reply::ok(&json!({ "_links": { "self": { "href": href } }, "_embedded": { "secrets": entries } }))
}

fn shown(world: &World, key: &str, id: &str, status: StatusCode) -> Reply {
    let secret = world.accounts.get(key).and_then(|account| account.secrets.iter().find(|secret| secret.id == id));
    Reply::json(status, &secret.map_or(Value::Null, |secret| entry(key, secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_length_and_three_classes() {
        for good in ["Abcdefg1", "example-4PI-secret", "aB3aB3aB3aB3aB3aB3aB3aB3a"] {
            assert!(meets_policy(good), "{good}");
        }
        for bad in ["", "Abcdef1", "aB3aB3aB3aB3aB3aB3aB3aB3aB", "abcdefg1", "ABCDEFG1", "Abcdefgh"] {
            assert!(!meets_policy(bad), "{bad}");
        }
    }
}
