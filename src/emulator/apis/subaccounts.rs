//! Subaccounts: list, create, get, patch. Create returns the first secret, once.
//!
//! Facts: subaccounts 1.0.8.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::errors::problem;
use super::secrets::{meets_policy, no_such_key};
use super::throttle;
use super::turn::{Done, Turn};
use crate::emulator::exchange::notation::{date, uuid};
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::options::AccountSpec;
use crate::emulator::world::changes::{Author, Changed};
use crate::emulator::world::state::Account;

/// `/accounts/{key}/subaccounts`.
pub(in crate::emulator) fn collection(turn: &mut Turn<'_>) -> Done {
    throttle::within(turn, list_or_create)
}

fn list_or_create(turn: &mut Turn<'_>) -> Done {
    let key = turn.call.segment(1);
    if turn.who.account != key {
        return Done::only(no_such_key(key));
    }
    if turn.is(&Method::POST) { create(turn, key) } else { Done::only(list(&turn.world.accounts, key)) }
}

/// `/accounts/{key}/subaccounts/{sub}`.
pub(in crate::emulator) fn member(turn: &mut Turn<'_>) -> Done {
    throttle::within(turn, show_or_change)
}

fn show_or_change(turn: &mut Turn<'_>) -> Done {
    let (key, sub) = (turn.call.segment(1), turn.call.segment(3));
    let body = turn.call.json();
    let owned = turn.who.account == key;
    let found = turn.world.accounts.get_mut(sub).filter(|account| owned && account.primary.as_deref() == Some(key));
    let Some(found) = found else { return Done::only(no_such_key(sub)) };
    if turn.call.method != Method::PATCH {
        return Done::only(Reply::ok(&document(sub, found)));
    }
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        name.clone_into(&mut found.name);
    }
    Done::executed(Reply::ok(&document(sub, found)))
}

/// Credit and balance transfers, and transfers of numbers: accepted, without effect on balances.
pub(in crate::emulator) fn transfers(turn: &mut Turn<'_>) -> Done {
    let key = turn.call.segment(1);
    if turn.who.account != key {
        return Done::only(no_such_key(key));
    }
    if turn.is(&Method::POST) {
        return Done::executed(Reply::json(StatusCode::CREATED, &json!({ "id": uuid(), "created_at": date(crate::clock::wall()) })));
    }
    Done::only(Reply::ok(&json!({ "_embedded": {} })))
}

fn create(turn: &mut Turn<'_>, primary: &str) -> Done {
    let name = turn.call.in_body("name");
    let wanted = turn.call.in_body("secret");
    if name.is_none() || wanted.as_deref().is_some_and(|value| !meets_policy(value)) {
        let detail = "The request failed due to validation errors";
        return Done::only(problem(StatusCode::UNPROCESSABLE_ENTITY, "validation", "Bad Request", detail));
    }
    let id = uuid();
    let key: String = id.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    // The suffix makes a random value meet the policy.
    let value = wanted.map_or_else(|| format!("{}aB3", id.replace('-', "").split_at(20).0), std::borrow::Cow::into_owned);
    turn.world.put_account(&AccountSpec::new(&key, &[&value]).under(primary));
    let Some(account) = turn.world.accounts.get_mut(&key) else { return Done::only(no_such_key(&key)) };
    account.name = name.unwrap_or_default().into_owned();
    let first = account.secrets.first().map(|secret| secret.id.clone()).unwrap_or_default();
    let mut answer = document(&key, account);
    if let Some(members) = answer.as_object_mut() {
        members.insert("secret".to_owned(), json!(value));
    }
    turn.world.history.add(&key, Changed::SecretCreated(first), Author::of(turn.who));
    Done::executed(Reply::json(StatusCode::CREATED, &answer))
}

fn list(accounts: &BTreeMap<String, Account>, key: &str) -> Reply {
    let owned = accounts.iter().filter(|(_, account)| account.primary.as_deref() == Some(key));
    let entries: Vec<Value> = owned.map(|(sub, account)| document(sub, account)).collect();
    let primary = accounts.get(key).map(|account| document(key, account));
    let total: f64 = accounts.values().filter(|account| account.primary.as_deref() == Some(key)).map(|account| account.balance).sum();
    Reply::ok(&json!({
        "total_balance": total,
        "total_credit_limit": 0,
        "_embedded": { "primary_account": primary, "subaccounts": entries },
    }))
}

fn document(key: &str, account: &Account) -> Value {
    let created = account.secrets.first().map(|secret| date(secret.created_at));
    json!({
        "api_key": key,
        "name": account.name,
        "primary_account_api_key": account.primary,
        "use_primary_account_balance": false,
        "created_at": created,
        "suspended": false,
        "balance": account.balance,
        "credit_limit": 0,
    })
}
