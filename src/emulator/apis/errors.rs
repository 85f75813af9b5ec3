//! The words of errors that several APIs share.
//!
//! Facts: the error catalogue; API specifications and guides. The XML of the account endpoints is known by its root
//! elements only, its children are taken from the JSON (not verified).

use http::StatusCode;
use serde_json::json;

use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::{Reply, escaped};

/// Where the general catalogue of errors is; a fragment names the entry.
pub(in crate::emulator) const BASE: &str = "https://developer.nexmo.com/api-errors";
/// What a problem document says of a wrong credential.
pub(in crate::emulator) const NOT_CORRECT: &str = "You did not provide correct credentials.";

/// A problem document of the general catalogue.
pub(in crate::emulator) fn problem(status: StatusCode, fragment: &str, title: &str, detail: &str) -> Reply {
    let kind = format!("{BASE}#{fragment}");
    Reply::problem(status, &json!({ "type": kind, "title": title, "detail": detail, "instance": uuid() }))
}

/// Account and numbers in the specification's shape.
pub(in crate::emulator) fn error_code(call: &Call, code: &str, label: &str) -> Reply {
    let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    if !call.wants_xml() {
        return Reply::json(status, &json!({ "error-code": code, "error-code-label": label }));
    }
    let root = match (call.segment(0), call.segment(1)) {
        ("account", "get-balance") => "accountBalance",
        ("account", "numbers") | ("number", "search") => "inbound-numbers",
        (_, _) => "response",
    };
    let body = format!("<{root}><error-code>{code}</error-code><error-code-label>{}</error-code-label></{root}>", escaped(label));
    Reply::xml(status, &body)
}

/// The same title as a wrong credential has elsewhere; only type and detail tell.
pub(in crate::emulator) fn expired() -> Reply {
    problem(StatusCode::UNAUTHORIZED, "jwt-expired", NOT_CORRECT, "The JWT provided has expired.")
}
