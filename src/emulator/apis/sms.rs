//! SMS, short codes and USSD: HTTP 200 whatever happens, one element per message part, status as text.
//!
//! POST, GET and HEAD send alike. Facts: SMS 1.0.10 and 1.5.1, the gateway tests; a body declared as JSON that is none
//! gives 420 (an issue of the Python SDK).

use http::StatusCode;
use serde_json::{Value, json};

use super::turn::{Done, Turn};
use crate::emulator::exchange::call::{Call, Fields};
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::{Reply, escaped};

/// Euros for one part.
const PRICE: f64 = 0.05;
/// Characters of a single part, and of each of several (GSM alphabet; the provider counts by alphabet).
const SINGLE: usize = 160;
const OF_SEVERAL: usize = 153;

/// Sends.
pub(in crate::emulator) fn send(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    if matches!(call.fields, Fields::Broken) {
        return Done::only(Reply::empty(StatusCode::from_u16(420).unwrap_or(StatusCode::BAD_REQUEST)));
    }
    let needed: &[&str] = if call.segment(0) == "sms" { &["from", "to", "text"] } else { &["to"] };
    if needed.iter().any(|name| call.parameter(name).is_none()) {
        return Done::only(refused(call, 2));
    }
    let prices = std::iter::repeat_n(PRICE, parts(call));
    if !turn.charge(prices.sum()) {
        return Done::only(refused(call, 9));
    }
    Done::executed(answered(call, &vec![0; parts(call)]))
}

fn parts(call: &Call) -> usize {
    match call.parameter("text").map_or(0, |text| text.chars().count()) {
        0..=SINGLE => 1,
        length => length.div_ceil(OF_SEVERAL),
    }
}

/// Every part with this status.
pub(in crate::emulator) fn refused(call: &Call, status: u16) -> Reply {
    answered(call, &vec![status; parts(call)])
}

/// One element for each status.
pub(in crate::emulator) fn answered(call: &Call, statuses: &[u16]) -> Reply {
    let to = call.parameter("to").unwrap_or_default();
    if call.wants_xml() {
        let messages: String = statuses.iter().map(|status| element(*status, &to)).collect();
        let body = format!("<mt-submission-response><messages count='{}'>{messages}</messages></mt-submission-response>", statuses.len());
        return Reply::xml(StatusCode::OK, &body);
    }
    let messages: Vec<Value> = statuses.iter().map(|status| object(*status, &to)).collect();
    Reply::ok(&json!({ "message-count": statuses.len().to_string(), "messages": messages }))
}

fn id() -> String {
    uuid().replace('-', "").to_uppercase().chars().take(16).collect()
}

fn object(status: u16, to: &str) -> Value {
    match status {
        0 => json!({
            "to": to,
            "message-id": id(),
            "status": "0",
            "remaining-balance": "3.14159265",
            "message-price": "0.05000000",
            "network": "12345",
        }),
        status => json!({ "status": status.to_string(), "error-text": words(status) }),
    }
}

fn element(status: u16, to: &str) -> String {
    match status {
        0 => format!("<message><to>{}</to><messageId>{}</messageId><status>0</status></message>", escaped(to), id()),
        status => format!("<message><status>{status}</status><errorText>{}</errorText></message>", escaped(words(status))),
    }
}

/// The provider's words for a status; those of 8, 11, 15, 29 and 32 are not verified.
fn words(status: u16) -> &'static str {
    match status {
        1 => "Throughput Rate Exceeded - please wait [ 702 ] and retry",
        2 => "Your request is incomplete and missing some mandatory parameters",
        4 => "Bad Credentials",
        8 => "Account barred",
        9 => "Quota Exceeded - rejected",
        11 => "Account not enabled for HTTP",
        14 => "Invalid Signature",
        15 => "Illegal Sender Address - rejected",
        29 => "Non White-listed Destination - rejected",
        32 => "Signature And API Secret Disallowed",
        101 => "Invalid Account for Campaign",
        _ => "Internal Error",
    }
}
