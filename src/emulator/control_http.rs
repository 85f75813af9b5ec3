//! The control handle over HTTP, for tests in any language.
//!
//! | call | body or answer |
//! |---|---|
//! | `GET /_emulator/state` | accounts, applications, lag |
//! | `PUT /_emulator/accounts/{key}` | `{"secrets": [...], "primary": "...", "balance": 1.5, "without": ["sms"]}` |
//! | `POST /_emulator/accounts/{key}/secrets` | `{"secret": "..."}` -> `{"id": "..."}` |
//! | `DELETE /_emulator/accounts/{key}/secrets/{id}` | |
//! | `PUT /_emulator/applications/{id}` | `{"account": "...", "public_key": "..."}` |
//! | `PUT /_emulator/lag` | `{"host": "...", "new_ms": 0, "revoked_ms": 0}` |
//! | `PUT /_emulator/dialect` | `{"basic": "status-4" or "problem-401", "numbers": "error-code" or "problem"}` |
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

use super::call::Call;
use super::control::{Control, SecretNotCreated};
use super::faults::{self, Rule};
use super::options::{AccountSpec, ApplicationSpec, Lag};
use super::record::Seen;
use super::reply::Reply;
use super::state::{Dialect, LegacyBasic, NumbersRefusal};

/// Where the control paths begin.
pub(super) const PREFIX: &str = "/_emulator/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    secrets: Vec<String>,
    primary: Option<String>,
    balance: Option<f64>,
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretBody {
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationBody {
    account: String,
    public_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LagBody {
    host: Option<String>,
    #[serde(default)]
    new_ms: u64,
    #[serde(default)]
    revoked_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectBody {
    #[serde(default)]
    basic: BasicBody,
    #[serde(default)]
    numbers: NumbersBody,
}

#[derive(Deserialize, Default)]
enum BasicBody {
    #[default]
    #[serde(rename = "status-4")]
    Status4,
    #[serde(rename = "problem-401")]
    Problem401,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum NumbersBody {
    #[default]
    ErrorCode,
    Problem,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdleBody {
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBody {
    faults: String,
    path: Option<String>,
    host: Option<String>,
    method: Option<String>,
    #[serde(default)]
    skip: u64,
    times: Option<u64>,
    share: Option<f64>,
}

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
pub(super) fn answer(control: &Control, call: &Call) -> Reply {
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
        (&Method::PUT, ["accounts", key]) => put_account(control, key, body(call)?),
        (&Method::POST, ["accounts", key, "secrets"]) => return create(control, key, &body(call)?),
        (&Method::DELETE, ["accounts", key, "secrets", id]) => return Ok(found(control.revoke_secret(key, id))),
        (&Method::PUT, ["applications", id]) => {
            let ApplicationBody { account, public_key } = body(call)?;
            control.put_application(&ApplicationSpec { id: (*id).to_owned(), account, public_key });
        }
        (&Method::PUT, ["lag"]) => {
            let LagBody { host, new_ms, revoked_ms } = body(call)?;
            control.set_lag(host.as_deref(), Lag { new: Duration::from_millis(new_ms), revoked: Duration::from_millis(revoked_ms) });
        }
        (&Method::PUT, ["dialect"]) => control.set_dialect(dialect(&body(call)?)),
        (&Method::PUT, ["idle-close"]) => {
            let IdleBody { ms } = body(call)?;
            control.close_idle_after(Some(ms).filter(|ms| *ms > 0).map(Duration::from_millis));
        }
        (&Method::POST, ["faults"]) => control.add_fault(rule(body(call)?)?),
        (&Method::DELETE, ["faults"]) => control.clear_faults(),
        (&Method::POST, ["disconnect"]) => control.disconnect(),
        (&Method::POST, ["reset"]) => control.reset(),
        (_, _) => return Err(wrong(StatusCode::NOT_FOUND, "no such control call")),
    }
    Ok(done())
}

fn put_account(control: &Control, key: &str, body: AccountBody) {
    let secrets: Vec<&str> = body.secrets.iter().map(String::as_str).collect();
    let account = AccountSpec { primary: body.primary, ..AccountSpec::new(key, &secrets) };
    control.put_account(&account);
    if let Some(balance) = body.balance {
        control.set_balance(key, balance);
    }
    for product in &body.without {
        control.disable(key, product);
    }
}

fn create(control: &Control, key: &str, body: &SecretBody) -> Result<Reply, Wrong> {
    match control.create_secret(key, &body.secret) {
        Ok(id) => Ok(Reply::json(StatusCode::CREATED, &json!({ "id": id }))),
        Err(why @ SecretNotCreated::NoSuchAccount) => Err(wrong(StatusCode::NOT_FOUND, &why.to_string())),
        Err(why @ (SecretNotCreated::Policy | SecretNotCreated::SlotsFull)) => Err(wrong(StatusCode::CONFLICT, &why.to_string())),
    }
}

fn dialect(body: &DialectBody) -> Dialect {
    let basic = match body.basic {
        BasicBody::Status4 => LegacyBasic::Status4,
        BasicBody::Problem401 => LegacyBasic::Problem401,
    };
    let numbers = match body.numbers {
        NumbersBody::ErrorCode => NumbersRefusal::ErrorCode,
        NumbersBody::Problem => NumbersRefusal::Problem,
    };
    Dialect { basic, numbers }
}

fn rule(body: RuleBody) -> Result<Rule, Wrong> {
    let bad = |what: String| wrong(StatusCode::BAD_REQUEST, &what);
    let mut rule = Rule::new(faults::list(&body.faults).map_err(|error| bad(error.to_string()))?).after(body.skip);
    if let Some(path) = body.path {
        rule = rule.on_path(&path);
    }
    if let Some(host) = body.host {
        rule = rule.on_host(&host);
    }
    if let Some(method) = body.method {
        rule = rule.on_method(method.parse().map_err(|_| bad("no such method".to_owned()))?);
    }
    if let Some(times) = body.times {
        rule = rule.times(times);
    }
    if let Some(share) = body.share {
        rule = rule.share(share);
    }
    Ok(rule)
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
        "executed": seen.executed,
    })
}
