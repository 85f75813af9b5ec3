//! Applications v2: list, create, get, put, delete.
//!
//! Facts: application.v2 2.1.0 and 2.4.1. PUT replaces the whole resource. A private key is returned by create when no
//! public key is sent, once. A PUT without a key keeps the one that is there, and a key that is none is a 400 (neither
//! verified).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::errors::problem;
use super::turn::{Done, Turn};
use crate::emulator::checks::keys::{self, Keyring, PublicKey};
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::world::application::Application;
use crate::emulator::world::changes::{Author, Changed};

/// `/v2/applications`.
pub(in crate::emulator) fn collection(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::POST) { create(turn) } else { Done::only(list(turn)) }
}

/// `/v2/applications/{id}`.
pub(in crate::emulator) fn member(turn: &mut Turn<'_>) -> Done {
    let id = turn.call.segment(2);
    let Some(found) = turn.world.applications.get(id).filter(|found| found.account == turn.who.account) else {
        let detail = format!("ID '{id}' could not be found");
        return Done::only(problem(StatusCode::NOT_FOUND, "invalid-id", "Invalid ID", &detail));
    };
    match turn.call.method {
        Method::DELETE => {
            turn.world.applications.remove(id);
            turn.world.history.add(&turn.who.account, Changed::ApplicationDeleted(id.to_owned()), Author::of(turn.who));
            Done::executed(Reply::empty(StatusCode::NO_CONTENT))
        }
        Method::PUT => put(turn, id),
        _ => Done::only(Reply::ok(&document(id, found))),
    }
}

/// A resource that was sent, and its public key if it has one; nothing if they are not valid.
fn sent(body: &Value) -> Option<(Value, Option<PublicKey>)> {
    let key = public_key(body).map(PublicKey::new);
    let is_valid = body.get("name").is_some() && key.as_ref().is_none_or(PublicKey::is_usable);
    is_valid.then(|| (resource(body), key))
}

fn invalid() -> Done {
    Done::only(problem(StatusCode::BAD_REQUEST, "invalid-params", "Bad Request", "The request failed due to validation errors"))
}

fn put(turn: &mut Turn<'_>, id: &str) -> Done {
    let Some((resource, key)) = sent(turn.call.json()) else { return invalid() };
    let Some(found) = turn.world.applications.get_mut(id) else { return Done::only(Reply::empty(StatusCode::NOT_FOUND)) };
    found.resource = resource;
    if key.is_some_and(|key| found.keys.replace(key, turn.call.at)) {
        turn.world.history.add(&turn.who.account, Changed::KeyReplaced(id.to_owned()), Author::of(turn.who));
    }
    Done::executed(Reply::ok(&document(id, found)))
}

fn create(turn: &mut Turn<'_>) -> Done {
    let Some((resource, key)) = sent(turn.call.json()) else { return invalid() };
    let made = if key.is_none() { keys::make_pair() } else { None };
    let made = made.map(|pair| (PublicKey::new(&pair.public), Some(pair.private)));
    let Some((key, private)) = key.map(|key| (key, None)).or(made) else {
        return Done::only(Reply::empty(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let id = uuid();
    let mut keys = Keyring::default();
    keys.replace(key, turn.call.at);
    let application = Application { account: turn.who.account.clone(), keys, resource };
    let mut answer = document(&id, &application);
    if let (Some(private), Some(keys)) = (private, answer.get_mut("keys").and_then(Value::as_object_mut)) {
        keys.insert("private_key".to_owned(), json!(private));
    }
    turn.world.applications.insert(id.clone(), application);
    turn.world.history.add(&turn.who.account, Changed::ApplicationCreated(id), Author::of(turn.who));
    Done::executed(Reply::json(StatusCode::CREATED, &answer))
}

fn list(turn: &Turn<'_>) -> Reply {
    let owned = turn.world.applications.iter().filter(|(_, application)| application.account == turn.who.account);
    let entries: Vec<Value> = owned.map(|(id, application)| document(id, application)).collect();
    let size: usize = turn.call.in_query("page_size").and_then(|size| size.parse().ok()).unwrap_or(10).max(1);
    let page: usize = turn.call.in_query("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let shown: Vec<&Value> = entries.iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    Reply::ok(&json!({
        "page_size": size,
        "page": page,
        "total_items": entries.len(),
        "total_pages": entries.len().div_ceil(size),
        "_embedded": { "applications": shown },
        "_links": { "self": { "href": format!("/v2/applications?page_size={size}&page={page}") } },
    }))
}

fn public_key(body: &Value) -> Option<&str> {
    body.pointer("/keys/public_key").and_then(Value::as_str)
}

fn resource(body: &Value) -> Value {
    let mut kept = body.clone();
    if let Some(members) = kept.as_object_mut() {
        members.entry("capabilities").or_insert_with(|| json!({}));
        members.retain(|name, _| !matches!(name.as_str(), "id" | "keys" | "_links"));
    }
    kept
}

fn document(id: &str, application: &Application) -> Value {
    let mut shown = application.resource.clone();
    if let Some(members) = shown.as_object_mut() {
        members.insert("id".to_owned(), json!(id));
        members.insert("keys".to_owned(), json!({ "public_key": application.keys.current() }));
        members.insert("_links".to_owned(), json!({ "self": { "href": format!("/v2/applications/{id}") } }));
    }
    shown
}
