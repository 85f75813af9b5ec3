//! Balance, top-up, settings and prices.
//!
//! Facts: account 1.0.3 and 1.0.4 (top-up answers 401 `not auto-reload enabled` to a good credential), pricing 0.0.3.

use http::StatusCode;
use serde_json::json;

use super::errors::error_code;
use super::turn::{Done, Turn};
use crate::emulator::exchange::reply::Reply;

/// `GET /account/get-balance`.
pub(in crate::emulator) fn balance(turn: &mut Turn<'_>) -> Done {
    let value = turn.account().map_or(0.0, |account| account.balance);
    if turn.call.wants_xml() {
        return Done::only(Reply::xml(
            StatusCode::OK,
            &format!("<accountBalance><value>{value}</value><autoReload>false</autoReload></accountBalance>"),
        ));
    }
    Done::only(Reply::ok(&json!({ "value": value, "autoReload": false })))
}

/// `POST /account/top-up`: no emulated account has auto-reload, which is the trap.
pub(in crate::emulator) fn top_up(turn: &mut Turn<'_>) -> Done {
    Done::only(error_code(turn.call, "401", "not auto-reload enabled"))
}

/// `POST /account/settings`.
pub(in crate::emulator) fn settings(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    Done::executed(Reply::ok(&json!({
        "mo-callback-url": call.parameter("moCallBackUrl").unwrap_or_default(),
        "dr-callback-url": call.parameter("drCallBackUrl").unwrap_or_default(),
        "max-outbound-request": 30,
        "max-inbound-request": 30,
        "max-calls-per-second": 30,
    })))
}

/// Every pricing path; one per country is asked for with `country` or `prefix`.
pub(in crate::emulator) fn pricing(turn: &mut Turn<'_>) -> Done {
    let call = turn.call;
    let needs_country = call.segment(1) == "get-pricing";
    if needs_country && call.parameter("country").is_none() {
        let body = json!({ "error-code": "400", "error-code-label": "missing parameter country" });
        return Done::only(Reply::json(StatusCode::BAD_REQUEST, &body));
    }
    let country = call.parameter("country").unwrap_or_default();
    let price = json!({ "dialingPrefix": "44", "countryCode": country, "currency": "EUR", "defaultPrice": "0.05000000", "networks": [] });
    Done::only(Reply::ok(&price))
}
