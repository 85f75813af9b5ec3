//! Messages v1 and v0.1, Dispatch, and the sandbox.
//!
//! Facts: messages 1.20.0 (202 with `message_uuid`, 402 `#low-balance`, 422), the error catalogue.

use http::StatusCode;
use serde_json::json;

use super::errors::problem;
use super::turn::{Done, Turn};
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;

/// Euros for one message.
const PRICE: f64 = 0.01;

/// Sends.
pub(in crate::emulator) fn send(turn: &mut Turn<'_>) -> Done {
    let body = turn.call.json();
    let is_dispatch = turn.call.segment(1) == "dispatch";
    let needed: &[&str] = if is_dispatch { &["template", "workflow"] } else { &["to", "from"] };
    if needed.iter().any(|name| body.get(name).is_none()) {
        let detail = "The value of one or more parameters is invalid";
        return Done::only(problem(StatusCode::UNPROCESSABLE_ENTITY, "1150", "Invalid params", detail));
    }
    if !turn.charge(PRICE) {
        let detail = "This request could not be performed due to your account balance being low.";
        return Done::only(problem(StatusCode::PAYMENT_REQUIRED, "low-balance", "Low balance", detail));
    }
    let name = if is_dispatch { "dispatch_uuid" } else { "message_uuid" };
    Done::executed(Reply::json(StatusCode::ACCEPTED, &json!({ name: uuid() })))
}
