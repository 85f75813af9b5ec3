//! Verify v2: problem documents and proper statuses.
//!
//! Facts: verify-v2 1.0.1; the gateway tests, where an account without credit gets 401 `#quota-exceeded`.

use http::{Method, StatusCode};
use serde_json::json;

use super::errors::problem;
use super::turn::{Done, Turn};
use super::verify::{CODE, PRICE};
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::world::state::{Verification, VerificationState};

/// Starts a verification.
pub(in crate::emulator) fn start(turn: &mut Turn<'_>) -> Done {
    let body = turn.call.json();
    let to = body.pointer("/workflow/0/to").and_then(serde_json::Value::as_str);
    let (Some(to), Some(_)) = (to, body.get("brand")) else {
        let detail = "The value of one or more parameters is invalid.";
        return Done::only(problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid-params", "Invalid params", detail));
    };
    if !turn.charge(PRICE) {
        return Done::only(problem(StatusCode::UNAUTHORIZED, "quota-exceeded", "Quota Exceeded", "Quota Exceeded - rejected"));
    }
    let id = uuid();
    let verification = Verification { account: turn.who.account.clone(), number: to.to_owned(), state: VerificationState::Running };
    turn.world.verifications.insert(id.clone(), verification);
    Done::executed(Reply::json(StatusCode::ACCEPTED, &json!({ "request_id": id })))
}

/// Checks a code (POST) or cancels (DELETE).
pub(in crate::emulator) fn member(turn: &mut Turn<'_>) -> Done {
    let code = turn.call.in_body("code");
    let wrong = turn.is(&Method::POST) && code.as_deref() != Some(CODE);
    let cancels = turn.is(&Method::DELETE);
    let Some(found) = running(turn) else { return Done::only(not_found(turn)) };
    if wrong {
        let detail = "The code you provided does not match the expected value.";
        return Done::executed(problem(StatusCode::BAD_REQUEST, "invalid-code", "Invalid Code", detail));
    }
    if cancels {
        found.state = VerificationState::Cancelled;
        return Done::executed(Reply::empty(StatusCode::NO_CONTENT));
    }
    found.state = VerificationState::Done;
    Done::executed(Reply::ok(&json!({ "request_id": turn.call.segment(2), "status": "completed" })))
}

/// Goes to the next channel.
pub(in crate::emulator) fn next_workflow(turn: &mut Turn<'_>) -> Done {
    match running(turn) {
        Some(_) => Done::executed(Reply::empty(StatusCode::OK)),
        None => Done::only(not_found(turn)),
    }
}

fn running<'a>(turn: &'a mut Turn<'_>) -> Option<&'a mut Verification> {
    let owner = &turn.who.account;
    let found = turn.world.verifications.get_mut(turn.call.segment(2))?;
    (found.account == *owner && found.state == VerificationState::Running).then_some(found)
}

fn not_found(turn: &Turn<'_>) -> Reply {
    let detail = format!("Request '{}' was not found or it has been verified already.", turn.call.segment(2));
    problem(StatusCode::NOT_FOUND, "not-found", "Not Found", &detail)
}
