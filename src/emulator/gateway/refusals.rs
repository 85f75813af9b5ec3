//! How each API says that a credential is no good.
//!
//! Facts: API specifications, guides and gateway tests, body by body; the typing errors in them are the provider's own.
//! SMS without any credential is known to alternate between status 2 and 4; it always says 2 here.

use http::StatusCode;
use serde_json::{Value, json};

use super::auth::Refusal;
use super::endpoints::{Family, Row};
use crate::emulator::apis::errors::{BASE, NOT_CORRECT, error_code, expired, problem};
use crate::emulator::apis::{insight, sms, verify};
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::notation::uuid;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::setup::dialect::{Dialect, LegacyBasic, NumbersRefusal};

/// The answer to a request that is not let in.
pub(super) fn refuse(call: &Call, row: &Row, dialect: Dialect, refusal: Refusal) -> Reply {
    if refusal == Refusal::Multiple {
        let detail = "More than one authentication method was used in this request.";
        return problem(StatusCode::UNAUTHORIZED, "multiple-auth-methods", "Multiple authentication methods", detail);
    }
    let by_header = matches!(refusal, Refusal::WrongBasic | Refusal::MalformedHeader | Refusal::WrongScheme);
    match row.family {
        Family::Sms | Family::VerifyV1 | Family::Insight if by_header && dialect.basic == LegacyBasic::Problem401 => gateway(),
        Family::Sms => sms::refused(call, sms_status(refusal)),
        Family::VerifyV1 => in_verify(call, refusal),
        Family::Insight => in_insight(call, refusal),
        Family::ErrorCode => error_code(call, "401", "authentication failed"),
        Family::Numbers => match dialect.numbers {
            NumbersRefusal::ErrorCode if row.key_segment().is_none() => error_code(call, "401", "authentication failed"),
            NumbersRefusal::ErrorCode | NumbersRefusal::Problem => numbers(),
        },
        Family::Pricing => unauthorized(&json!({ "currency": "EUR", "code": "401", "error-code-label": "authentication failed" })),
        Family::Problem => in_problem(refusal),
        Family::Unathorized => in_unathorized(refusal),
        Family::VerifyV2 => in_verify_v2(refusal),
        Family::Voice => unauthorized(&json!({ "type": "UNAUTHORIZED", "error_title": "Unauthorized" })),
        Family::Conversation => unauthorized(&json!({
            "title": "Unauthorized.",
            "type": "https://developer.nexmo.com/api/conversation#system:error:invalid-token",
            "code": "system:error:invalid-token",
            "detail": "You did not provide a valid token. Please provide a valid token.",
        })),
        Family::Audit => unauthorized(&json!({
            "status": 401,
            "error": "Unauthorized",
            "message": "Full authentication is required. JWT was not found in \"Authorization\" HTTP header.",
        })),
        Family::External => in_external(refusal),
        Family::Conversion => Reply::empty(StatusCode::UNAUTHORIZED),
        Family::Video => {
            Reply::json(StatusCode::FORBIDDEN, &json!({ "code": 403, "message": "You passed in an invalid Vonage JWT token." }))
        }
        Family::OAuth => unauthorized(&json!({ "error": "invalid_client", "error_description": "Unauthorized" })),
    }
}

fn unauthorized(body: &Value) -> Reply {
    Reply::json(StatusCode::UNAUTHORIZED, body)
}

/// What the gateway itself says, on any path.
fn gateway() -> Reply {
    problem(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", NOT_CORRECT)
}

fn numbers() -> Reply {
    Reply::problem(StatusCode::UNAUTHORIZED, &json!({ "title": "Unauthorized", "detail": NOT_CORRECT, "instance": uuid() }))
}

const fn sms_status(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::Missing | Refusal::MissingSecret => 2,
        Refusal::SignatureAndSecret => 32,
        Refusal::InvalidSignature => 14,
        Refusal::Wrong
        | Refusal::WrongBasic
        | Refusal::MalformedHeader
        | Refusal::WrongToken
        | Refusal::WrongScheme
        | Refusal::ExpiredToken
        | Refusal::Multiple => 4,
    }
}

fn in_verify(call: &Call, refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Missing => verify::failed(call, 2, "Missing api_key"),
        Refusal::MissingSecret => verify::failed(call, 2, "Missing api_secret"),
        Refusal::Wrong
        | Refusal::WrongBasic
        | Refusal::MalformedHeader
        | Refusal::WrongToken
        | Refusal::WrongScheme
        | Refusal::ExpiredToken
        | Refusal::Multiple
        | Refusal::SignatureAndSecret
        | Refusal::InvalidSignature => verify::failed(call, 4, "Invalid credentials were provided"),
    }
}

/// The text for missing credentials is not verified; the status is the provider's for invalid requests.
fn in_insight(call: &Call, refusal: Refusal) -> Reply {
    if matches!(refusal, Refusal::Missing | Refusal::MissingSecret) {
        insight::failed(call, 3, "Missing credentials")
    } else {
        insight::failed(call, 4, "Invalid credentials")
    }
}

fn in_problem(refusal: Refusal) -> Reply {
    let format = "Invalid credentials format. Expected: \"Authorization: (Base64(UTF-8(apiKey:secret)))\"";
    match refusal {
        Refusal::MalformedHeader => problem(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", format),
        Refusal::ExpiredToken => expired(),
        Refusal::Missing
        | Refusal::MissingSecret
        | Refusal::Wrong
        | Refusal::WrongBasic
        | Refusal::WrongToken
        | Refusal::WrongScheme
        | Refusal::Multiple
        | Refusal::SignatureAndSecret
        | Refusal::InvalidSignature => problem(StatusCode::UNAUTHORIZED, "unauthorized", "Invalid credentials supplied", NOT_CORRECT),
    }
}

/// The type is misspelt and has a slash before its fragment (Account 1.0.4, Messages 1.20.0, Reports 3.1.4).
fn in_unathorized(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Missing => in_external(refusal),
        Refusal::ExpiredToken => expired(),
        Refusal::MissingSecret
        | Refusal::Wrong
        | Refusal::WrongBasic
        | Refusal::MalformedHeader
        | Refusal::WrongToken
        | Refusal::WrongScheme
        | Refusal::Multiple
        | Refusal::SignatureAndSecret
        | Refusal::InvalidSignature => Reply::problem(
            StatusCode::UNAUTHORIZED,
            &json!({
                "type": "https://developer.vonage.com/api-errors/#unathorized",
                "title": NOT_CORRECT,
                "detail": "Check that you're using the correct credentials, and that your account has this feature enabled",
                "instance": uuid(),
            }),
        ),
    }
}

fn in_verify_v2(refusal: Refusal) -> Reply {
    if refusal == Refusal::ExpiredToken {
        return expired();
    }
    problem(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", "You did not provide correct credentials")
}

/// British spelling (External accounts 0.1.5; Messages without a header, an issue of the Node SDK).
fn in_external(refusal: Refusal) -> Reply {
    let detail = if refusal == Refusal::Missing { "Request header 'Authorization' missing" } else { "Invalid Token" };
    let kind = format!("{BASE}#unauthorized");
    Reply::problem(StatusCode::UNAUTHORIZED, &json!({ "type": kind, "title": "Unauthorised", "detail": detail, "instance": uuid() }))
}
