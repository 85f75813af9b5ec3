//! Verify v1: request, check, control, search; JSON is indented, the status is text; XML has four roots.
//!
//! The code is always 1234. Facts: Verify 1.1.7 and 1.2.4, the gateway tests.

use std::fmt::Write;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::turn::{Done, Turn};
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::{Reply, escaped};
use crate::emulator::world::state::{Verification, VerificationState};

/// The code of every emulated verification.
pub(super) const CODE: &str = "1234";
/// Euros for one verification.
pub(super) const PRICE: f64 = 0.05;

/// Starts a verification, also under `/verify/psd2`.
pub(in crate::emulator) fn request(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let Some(number) = call.parameter("number") else {
        return Done::only(failed(call, 2, "Your request is incomplete and missing the mandatory parameter `number`"));
    };
    if !turn.charge(PRICE) {
        return Done::only(failed(call, 9, words(9)));
    }
    let id = uuid().replace('-', "");
    let verification = Verification { account: turn.who.account.clone(), number: number.into_owned(), state: VerificationState::Running };
    turn.world.verifications.insert(id.clone(), verification);
    Done::executed(answered(call, json!({ "request_id": id, "status": "0" })))
}

/// Checks a code.
pub(in crate::emulator) fn check(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let (Some(id), Some(code)) = (call.parameter("request_id"), call.parameter("code")) else {
        return Done::only(failed(call, 2, "Your request is incomplete and missing some mandatory parameters"));
    };
    let Some(verification) = running(turn, &id) else { return Done::only(failed(call, 6, words(6))) };
    if code != CODE {
        return Done::executed(failed(call, 16, words(16)));
    }
    verification.state = VerificationState::Done;
    Done::executed(answered(call, json!({ "request_id": id, "event_id": uuid(), "status": "0", "price": "0.05000000", "currency": "EUR" })))
}

/// Cancels, or goes to the next event.
pub(in crate::emulator) fn control(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let (Some(id), Some(command)) = (call.parameter("request_id"), call.parameter("cmd")) else {
        return Done::only(failed(call, 2, "Your request is incomplete and missing some mandatory parameters"));
    };
    let Some(verification) = running(turn, &id) else { return Done::only(failed(call, 19, words(19))) };
    match command.as_ref() {
        "cancel" => verification.state = VerificationState::Cancelled,
        "trigger_next_event" => {}
        _ => return Done::only(failed(call, 3, words(3))),
    }
    Done::executed(answered(call, json!({ "status": "0", "command": command })))
}

/// Says how a verification stands: the status is a word when there is one.
pub(in crate::emulator) fn search(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let Some(id) = call.parameter("request_id").or_else(|| call.parameter("request_ids")) else {
        return Done::only(failed(call, 2, "Your request is incomplete and missing some mandatory parameters"));
    };
    let owner = turn.who.account.as_str();
    let Some(found) = turn.world.verifications.get(id.as_ref()).filter(|found| found.account == owner) else {
        return Done::only(failed(call, 101, words(101)));
    };
    let status = match found.state {
        VerificationState::Running => "IN PROGRESS",
        VerificationState::Done => "SUCCESS",
        VerificationState::Cancelled => "CANCELLED",
    };
    Done::only(answered(call, json!({ "request_id": id, "account_id": owner, "number": found.number, "status": status })))
}

fn running<'a>(turn: &'a mut Turn<'_>, id: &str) -> Option<&'a mut Verification> {
    let owner = &turn.who.account;
    let found = turn.world.verifications.get_mut(id)?;
    (found.account == *owner && found.state == VerificationState::Running).then_some(found)
}

/// A status that is not 0, with its text.
pub(in crate::emulator) fn failed(call: &Call, status: u16, text: &str) -> Reply {
    answered(call, json!({ "status": status.to_string(), "error_text": text }))
}

fn answered(call: &Call, body: Value) -> Reply {
    if !call.wants_xml() {
        return Reply::pretty(&body);
    }
    let root = match call.segment(1) {
        "search" => "verify_request",
        "control" => "response",
        _ => "verify_response",
    };
    let members = if let Value::Object(members) = body { members } else { Map::new() };
    let mut inner = String::new();
    for (name, value) in &members {
        // Writing to a text cannot fail.
        let _infallible = write!(inner, "<{name}>{}</{name}>", escaped(value.as_str().unwrap_or_default()));
    }
    Reply::xml(StatusCode::OK, &format!("<{root}>{inner}</{root}>"))
}

/// The provider's words for a status; those of 1, 5, 8 and 9 are not verified.
pub(in crate::emulator) fn words(status: u16) -> &'static str {
    match status {
        1 => "Throttled",
        2 => "Your request is incomplete and missing some mandatory parameters",
        3 => "Invalid value for parameter",
        4 => "Invalid credentials were provided",
        6 => "The request was not found or it has been verified already",
        8 => "The API key you supplied is for an account that has been barred",
        9 => "Partner quota exceeded",
        16 => "The code provided does not match the expected value",
        19 => "No more events are left to execute for the request",
        29 => "Non-Permitted Destination",
        101 => "No response found",
        _ => "Internal Error",
    }
}
