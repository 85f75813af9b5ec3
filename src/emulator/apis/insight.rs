//! Number Insight v1: HTTP 200, the status is an integer in JSON.
//!
//! Facts: number-insight 1.1.2 and 1.2.1, the gateway tests. Basic and the old `format` paths answer XML with an
//! `error` element under `format`, the others a `status` under `lookup`.

use http::StatusCode;
use serde_json::json;

use super::turn::{Done, Turn};
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::{Reply, escaped};

/// Euros for a look-up that is not basic; basic is free.
const PRICE: f64 = 0.03;

fn is_basic(call: &Call) -> bool {
    matches!(call.segment(1), "basic" | "format" | "json" | "xml")
}

fn is_async(call: &Call) -> bool {
    call.segment(2) == "async"
}

/// Looks a number up.
pub(in crate::emulator) fn look_up(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let Some(number) = call.parameter("number") else {
        return Done::only(failed(call, 3, "Missing mandatory parameter: number"));
    };
    if is_async(call) && call.parameter("callback").is_none() {
        return Done::only(failed(call, 3, "Missing mandatory parameter: callback"));
    }
    if !is_basic(call) && !turn.charge(PRICE) {
        return Done::only(failed(call, 9, "Partner quota exceeded"));
    }
    Done::executed(found(call, &number))
}

fn found(call: &Call, number: &str) -> Reply {
    let id = uuid();
    if call.wants_xml() {
        let root = root(call);
        let number = escaped(number);
        let body = format!(
            "<{root}><requestId>{id}</requestId><status>0</status><status_message>Success</status_message>\
             <international_format_number>{number}</international_format_number></{root}>"
        );
        return Reply::xml(StatusCode::OK, &body);
    }
    if is_async(call) {
        return Reply::ok(
            &json!({ "request_id": id, "number": number, "remaining_balance": "15.00", "request_price": "0.03", "status": 0 }),
        );
    }
    Reply::ok(&json!({
        "status": 0,
        "status_message": "Success",
        "request_id": id,
        "international_format_number": number,
        "country_code": "GB",
        "country_name": "United Kingdom",
        "country_prefix": "44",
    }))
}

fn root(call: &Call) -> &'static str {
    if is_basic(call) { "format" } else { "lookup" }
}

/// A status that is not 0, with its text.
pub(in crate::emulator) fn failed(call: &Call, status: u16, text: &str) -> Reply {
    let root = root(call);
    match (call.wants_xml(), is_basic(call), is_async(call)) {
        (true, true, _) => Reply::xml(StatusCode::OK, &format!("<{root}><error code=\"{status}\">{}</error></{root}>", escaped(text))),
        (true, false, _) => {
            let body = format!("<{root}><status>{status}</status><status_message>{}</status_message></{root}>", escaped(text));
            Reply::xml(StatusCode::OK, &body)
        }
        (false, _, true) => Reply::ok(&json!({ "error_text": text, "status": status })),
        (false, _, false) => Reply::ok(&json!({ "status": status, "status_message": text })),
    }
}
