//! The control handle over HTTP, for tests in any language.
//!
//! | call | body or answer |
//! |---|---|
//! | `GET /_emulator/state` | accounts, applications, lag |
//! | `PUT /_emulator/accounts/{key}` | `{"secrets": [...], "primary": "...", "balance": 1.5, "without": ["sms"]}`; a secret is a text or `{"value": "...", "created_at": "..."}` |
//! | `POST /_emulator/accounts/{key}/secrets` | `{"secret": "..."}` -> `{"id": "..."}` |
//! | `PUT /_emulator/accounts/{key}/secrets/{id}` | `{"created_at": "2026-01-01T00:00:00Z"}` |
//! | `DELETE /_emulator/accounts/{key}/secrets/{id}` | |
//! | `PUT /_emulator/accounts/{key}/signing` | `{"method": "sha256", "secrets": ["..."]}` |
//! | `PUT /_emulator/accounts/{key}/allowance` | `{"calls": 30}` in an hour |
//! | `GET /_emulator/changes` | what was created, revoked and replaced, when and by whom |
//! | `PUT /_emulator/applications/{id}` | `{"account": "...", "public_key": "..."}` |
//! | `PUT /_emulator/lag` | `{"host": "...", "new_ms": 0, "revoked_ms": 0}` |
//! | `PUT /_emulator/dialect` | `{"basic": "status-4" or "problem-401", "numbers": "error-code" or "problem", "slots": "add-excess" or "maximum"}` |
//! | `PUT /_emulator/idle-close` | `{"ms": 100}`, 0 is never |
//! | `POST`, `DELETE /_emulator/faults` | `{"faults": "delay=20,gzip", "path": "/sms", "host": "...", "method": "POST", "skip": 0, "times": 1, "share": 0.5}` |
//! | `GET /_emulator/executions[/{message}]` | totals and duplicates, or one count |
//! | `GET /_emulator/seen` | requests, with the credentials that were on them |
//! | `POST /_emulator/disconnect`, `POST /_emulator/reset` | |
//!
//! A request with an `Origin` is refused: no web page may steer a test.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bodies::{
    AccountBody, AllowanceBody, ApplicationBody, ClockBody, DateBody, DialectBody, IdleBody, LagBody, RuleBody, SecretBody, SigningBody,
};
use super::handle::{Control, SecretNotCreated};
use super::record::Seen;
use crate::emulator::checks::keys::PublicKey;
use crate::emulator::checks::signature::MalformedMethod;
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::date;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::options::ApplicationSpec;
use crate::emulator::world::changes::{Author, Change, Changed};

/// Where the control paths begin.
pub(in crate::emulator) const PREFIX: &str = "/_emulator/";

fn body<'a, T: Deserialize<'a>>(call: &'a Call) -> Result<T, Wrong> {
    serde_json::from_slice(&call.body).map_err(|error| wrong(StatusCode::BAD_REQUEST, &error.to_string()))
}

/// A control call that cannot be done.
struct Wrong(StatusCode, String);

fn wrong(status: StatusCode, what: &str) -> Wrong {
    Wrong(status, what.to_owned())
}

impl From<Wrong> for Reply {
    fn from(Wrong(status, what): Wrong) -> Self {
        Self::json(status, &json!({ "error": what }))
    }
}

fn done() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
}

fn found(there: bool) -> Reply {
    if there { done() } else { wrong(StatusCode::NOT_FOUND, "there is no such thing").into() }
}

/// Answers a call under [`PREFIX`].
pub(in crate::emulator) fn answer(control: &Control, call: &Call) -> Reply {
    if call.headers.contains_key(http::header::ORIGIN) {
        return wrong(StatusCode::FORBIDDEN, "not for web pages").into();
    }
    let segments: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
    route(control, call, &segments).unwrap_or_else(Reply::from)
}

fn route(control: &Control, call: &Call, segments: &[&str]) -> Result<Reply, Wrong> {
    match (&call.method, segments) {
        (&Method::GET, ["state"]) => {
            let mut state = control.state();
            if let Some(members) = state.as_object_mut() {
                members.insert("rules".to_owned(), json!(control.shared().book().len()));
                members.insert("connections".to_owned(), json!(control.connections()));
            }
            return Ok(Reply::ok(&state));
        }
        (&Method::GET, ["seen"]) => return Ok(Reply::ok(&Value::Array(control.seen().iter().map(shown).collect()))),
        (&Method::GET, ["executions"]) => return Ok(executions(control)),
        (&Method::GET, ["executions", message]) => return Ok(Reply::ok(&json!({ "count": control.executed(message) }))),
        (&Method::PUT, ["accounts", key]) => put_account(control, key, &body(call)?),
        (&Method::POST, ["accounts", key, "secrets"]) => return create(control, key, &body(call)?),
        (&Method::PUT, ["accounts", key, "secrets", id]) => {
            let DateBody { created_at } = body(call)?;
            return Ok(found(control.date_secret(key, id, created_at.0)));
        }
        (&Method::DELETE, ["accounts", key, "secrets", id]) => return Ok(found(control.revoke_secret(key, id))),
        (&Method::PUT, ["accounts", key, "signing"]) => return set_signing(control, key, &body(call)?),
        (&Method::PUT, ["accounts", key, "allowance"]) => {
            let AllowanceBody { calls } = body(call)?;
            return Ok(found(control.set_allowance(key, calls)));
        }
        (&Method::GET, ["changes"]) => return Ok(Reply::ok(&Value::Array(control.changes().iter().map(changed).collect()))),
        (&Method::PUT, ["applications", id]) => put_application(control, id, body(call)?)?,
        (&Method::PUT, ["lag"]) => {
            let lag: LagBody = body(call)?;
            control.set_lag(lag.host.as_deref(), lag.lag());
        }
        (&Method::PUT, ["clock"]) => control.set_clock(body::<ClockBody>(call)?.ahead_seconds),
        (&Method::PUT, ["dialect"]) => control.set_dialect(body::<DialectBody>(call)?.dialect()),
        (&Method::PUT, ["idle-close"]) => {
            let IdleBody { ms } = body(call)?;
            control.close_idle_after(Some(ms).filter(|ms| *ms > 0).map(Duration::from_millis));
        }
        (&Method::POST, ["faults"]) => {
            control.add_fault(body::<RuleBody>(call)?.rule().map_err(|what| wrong(StatusCode::BAD_REQUEST, &what))?);
        }
        (&Method::DELETE, ["faults"]) => control.clear_faults(),
        (&Method::POST, ["disconnect"]) => control.disconnect(),
        (&Method::POST, ["reset"]) => control.reset(),
        (_, _) => return Err(wrong(StatusCode::NOT_FOUND, "no such control call")),
    }
    Ok(done())
}

fn put_account(control: &Control, key: &str, body: &AccountBody) {
    control.put_account(&body.spec(key));
    if let Some(balance) = body.balance {
        control.set_balance(key, balance);
    }
    for product in &body.without {
        control.disable(key, product);
    }
}

fn set_signing(control: &Control, key: &str, body: &SigningBody) -> Result<Reply, Wrong> {
    let secrets: Vec<&str> = body.secrets.iter().map(String::as_str).collect();
    let method = body.method.parse().map_err(|error: MalformedMethod| wrong(StatusCode::BAD_REQUEST, &error.to_string()))?;
    Ok(found(control.set_signing(key, method, &secrets)))
}

fn put_application(control: &Control, id: &str, body: ApplicationBody) -> Result<(), Wrong> {
    if body.public_key.as_deref().is_some_and(|key| !PublicKey::new(key).is_usable()) {
        return Err(wrong(StatusCode::BAD_REQUEST, "the public key cannot be read"));
    }
    control.put_application(&ApplicationSpec { id: id.to_owned(), account: body.account, public_key: body.public_key });
    Ok(())
}

fn create(control: &Control, key: &str, body: &SecretBody) -> Result<Reply, Wrong> {
    match control.create_secret(key, &body.secret) {
        Ok(id) => Ok(Reply::json(StatusCode::CREATED, &json!({ "id": id }))),
        Err(why @ SecretNotCreated::NoSuchAccount) => Err(wrong(StatusCode::NOT_FOUND, &why.to_string())),
        Err(why @ (SecretNotCreated::Policy | SecretNotCreated::SlotsFull)) => Err(wrong(StatusCode::CONFLICT, &why.to_string())),
    }
}

fn executions(control: &Control) -> Reply {
    let totals = control.executions();
    let duplicates: serde_json::Map<String, Value> =
        control.duplicates().into_iter().map(|(message, count)| (message, json!(count))).collect();
    Reply::ok(&json!({ "total": totals.total, "messages": totals.messages, "duplicates": duplicates }))
}

fn shown(seen: &Seen) -> Value {
    let headers: Vec<[String; 2]> =
        seen.headers.iter().map(|(name, value)| [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]).collect();
    json!({
        "number": seen.number,
        "connection": seen.connection,
        "version": if seen.version == http::Version::HTTP_2 { "2" } else { "1.1" },
        "method": seen.method.as_str(),
        "target": seen.target,
        "host": seen.host,
        "headers": headers,
        "body": String::from_utf8_lossy(&seen.body),
        "length": seen.length,
        "complete": seen.complete,
        "status": seen.status,
        "account": seen.account,
        "secret": seen.secret,
        "application": seen.application,
        "executed": seen.executed,
    })
}

fn changed(change: &Change) -> Value {
    let (what, id) = match &change.what {
        Changed::SecretCreated(id) => ("secret-created", id),
        Changed::SecretRevoked(id) => ("secret-revoked", id),
        Changed::ApplicationCreated(id) => ("application-created", id),
        Changed::KeyReplaced(id) => ("key-replaced", id),
        Changed::ApplicationDeleted(id) => ("application-deleted", id),
    };
    let by = match &change.by {
        Author::Dashboard => json!("dashboard"),
        Author::Caller { account, secret } => json!({ "account": account, "secret": secret }),
    };
    json!({ "number": change.number, "date": date(change.date), "account": change.account, "what": what, "id": id, "by": by })
}
