//! Applications v2: list, create, get, put, delete.
//!
//! Facts: application.v2 2.1.0 and 2.4.1. One public key per application; PUT replaces the whole resource. A private
//! key is returned by create when no public key is sent; here it is a placeholder, since nothing verifies with it.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Done, Turn};
use super::refusals::problem;
use super::reply::Reply;
use super::state::{Application, uuid};

/// `/v2/applications`.
pub(super) fn collection(turn: &mut Turn<'_>) -> Done {
    if turn.is(&Method::POST) { create(turn) } else { Done::only(list(turn)) }
}

/// `/v2/applications/{id}`.
pub(super) fn member(turn: &mut Turn<'_>) -> Done {
    let id = turn.call.segment(2);
    let Some(found) = turn.world.applications.get_mut(id).filter(|found| found.account == turn.who.account) else {
        let detail = format!("ID '{id}' could not be found");
        return Done::only(problem(StatusCode::NOT_FOUND, "invalid-id", "Invalid ID", &detail));
    };
    if turn.call.method == Method::DELETE {
        turn.world.applications.remove(id);
        return Done::executed(Reply::empty(StatusCode::NO_CONTENT));
    }
    if turn.call.method == Method::PUT {
        if turn.call.json().get("name").is_none() {
            return Done::only(invalid());
        }
        found.resource = resource(turn.call.json());
        if let Some(key) = public_key(turn.call.json()) {
            found.public_key = Some(key);
        }
        return Done::executed(Reply::ok(&document(id, found)));
    }
    Done::only(Reply::ok(&document(id, found)))
}

fn create(turn: &mut Turn<'_>) -> Done {
    let body = turn.call.json();
    if body.get("name").is_none() {
        return Done::only(invalid());
    }
    let id = uuid();
    let sent = public_key(body);
    let made = sent.is_none();
    let placeholder = "-----BEGIN PUBLIC KEY-----\nemulated\n-----END PUBLIC KEY-----\n".to_owned();
    let application = Application { account: turn.who.account.clone(), public_key: sent.or(Some(placeholder)), resource: resource(body) };
    let mut answer = document(&id, &application);
    if let (true, Some(keys)) = (made, answer.get_mut("keys").and_then(Value::as_object_mut)) {
        keys.insert("private_key".to_owned(), json!("-----BEGIN PRIVATE KEY-----\nemulated\n-----END PRIVATE KEY-----\n"));
    }
    turn.world.applications.insert(id, application);
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

fn public_key(body: &Value) -> Option<String> {
    body.pointer("/keys/public_key").and_then(Value::as_str).map(str::to_owned)
}

fn resource(body: &Value) -> Value {
    let mut kept = body.clone();
    if let Some(members) = kept.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "id" | "keys" | "_links"));
    }
    kept
}

fn document(id: &str, application: &Application) -> Value {
    let mut shown = application.resource.clone();
    if let Some(members) = shown.as_object_mut() {
        members.insert("id".to_owned(), json!(id));
        members.insert("keys".to_owned(), json!({ "public_key": application.public_key }));
        members.insert("_links".to_owned(), json!({ "self": { "href": format!("/v2/applications/{id}") } }));
    }
    shown
}

fn invalid() -> Reply {
    problem(StatusCode::BAD_REQUEST, "invalid-params", "Bad Request", "The request failed due to validation errors")
}
