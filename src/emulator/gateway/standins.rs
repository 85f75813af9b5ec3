//! Answers that look like a refused credential and are not, and other answers instead of the real one.
//!
//! Facts: the gateway tests (quota, plain 403 and 404), Account 1.0.4 and Messages 1.20.0 (unprovisioned, rate limit
//! headers), Account 1.0.3 (top-up), SMS 1.0.10 and Verify 1.1.7 (statuses).

use http::StatusCode;
use serde_json::json;

use super::auth::Refusal;
use super::endpoints::{Family, Row, Scheme};
use super::refusals;
use crate::emulator::apis::errors::{error_code, expired, problem};
use crate::emulator::apis::turn::Done;
use crate::emulator::apis::{insight, sms, verify};
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::faults::StandIn;
use crate::emulator::world::state::World;

/// The gateway's answer to a path that it does not know.
pub(in crate::emulator) fn not_found() -> Reply {
    Reply::text(StatusCode::NOT_FOUND, "404 Not Found")
}

/// The gateway's answer to a method that it does not let through.
pub(super) fn forbidden() -> Reply {
    Reply::text(StatusCode::FORBIDDEN, "403 Forbidden")
}

/// A status without more, from something on the way.
pub(in crate::emulator) fn plain(code: u16) -> Reply {
    Reply::text(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "upstream trouble")
}

/// Answers in place of the endpoint.
pub(super) fn answer(world: &World, call: &Call, row: &Row, stand_in: StandIn) -> Done {
    let reply = match stand_in {
        StandIn::MixedParts => return Done::executed(sms::answered(call, &[0, 4])),
        StandIn::Status(code) => plain(code),
        StandIn::Throttled(seconds) => throttled(seconds),
        StandIn::ProxyPage => Reply::new(
            StatusCode::UNAUTHORIZED,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><html><head><title>401</title></head><body><h1>401 Unauthorized</h1><p>corporate proxy</p></body></html>",
        ),
        StandIn::Quota => problem(StatusCode::UNAUTHORIZED, "quota-exceeded", "Quota Exceeded", "Quota Exceeded - rejected"),
        StandIn::Unprovisioned => unprovisioned(call, row),
        StandIn::TopUp => error_code(call, "401", "not auto-reload enabled"),
        StandIn::BodyStatus(status) => body_status(call, row, status),
        StandIn::GatewayForbidden => forbidden(),
        StandIn::GatewayNotFound => not_found(),
        StandIn::Suspended => problem(StatusCode::UNAUTHORIZED, "account-suspended", "Account suspended", "This account is suspended."),
        StandIn::InvalidAddress => problem(StatusCode::UNAUTHORIZED, "invalid-ip", "Invalid IP", "This address is not allowed."),
        StandIn::ExpiredToken => expired(),
        StandIn::EmptyUnauthorized => Reply::empty(StatusCode::UNAUTHORIZED),
        StandIn::Refused => refused(world, call, row),
    };
    Done::only(reply)
}

/// The refusal that a wrong credential would get in the scheme that the request carries.
pub(in crate::emulator) fn refused(world: &World, call: &Call, row: &Row) -> Reply {
    let refusal = match call.headers.contains_key(http::header::AUTHORIZATION) {
        true if row.accepts(Scheme::Basic) => Refusal::WrongBasic,
        true => Refusal::WrongToken,
        false => Refusal::Wrong,
    };
    refusals::refuse(call, row, world.dialect, refusal)
}

/// The header names are of Account 1.0.4; the sample limits are its own.
fn throttled(seconds: u32) -> Reply {
    problem(StatusCode::TOO_MANY_REQUESTS, "throttled", "Rate Limit Hit", "Please wait, then retry your request")
        .with("retry-after", &seconds.to_string())
        .with("x-ratelimit-limit", "30")
        .with("x-ratelimit-remaining", "0")
}

fn unprovisioned(call: &Call, row: &Row) -> Reply {
    match row.family {
        Family::Sms => sms::refused(call, 11),
        Family::VerifyV1 => verify::failed(call, 8, "The API key you supplied is for an account that has been barred"),
        Family::Insight => insight::failed(call, 19, "Request not allowed"),
        Family::Conversion => Reply::empty(StatusCode::PAYMENT_REQUIRED),
        Family::ErrorCode | Family::Numbers => forbidden(),
        Family::Pricing
        | Family::Problem
        | Family::Unathorized
        | Family::VerifyV2
        | Family::Voice
        | Family::Conversation
        | Family::Audit
        | Family::External
        | Family::Video
        | Family::OAuth => Reply::problem(
            StatusCode::UNAUTHORIZED,
            &json!({
                "type": "https://developer.vonage.com/api-errors#unprovisioned",
                "title": "The crendentials provided do not have access to the requested product",
                "detail": "Check your API key is correct and has been whitelisted",
                "instance": uuid(),
            }),
        ),
    }
}

/// A status in the body of a 200, on the endpoints that have one; elsewhere an empty object.
fn body_status(call: &Call, row: &Row, status: u16) -> Reply {
    match row.family {
        Family::Sms => sms::refused(call, status),
        Family::VerifyV1 => verify::failed(call, status, verify::words(status)),
        Family::Insight => insight::failed(call, status, verify::words(status)),
        Family::ErrorCode
        | Family::Numbers
        | Family::Pricing
        | Family::Problem
        | Family::Unathorized
        | Family::VerifyV2
        | Family::Voice
        | Family::Conversation
        | Family::Audit
        | Family::External
        | Family::Conversion
        | Family::Video
        | Family::OAuth => Reply::ok(&json!({})),
    }
}
