//! Numbers: search, list, buy, cancel, update; also in the old form with credentials in the path.
//!
//! Facts: numbers 1.0.20 and 1.1.0 (`error-code` 200 on success, 420 `method failed`), the gateway tests (old form).

use http::StatusCode;
use serde_json::{Value, json};

use super::errors::error_code;
use super::turn::{Done, Turn};
use crate::emulator::exchange::reply::Reply;
use crate::emulator::world::state::Number;

/// `GET /account/numbers`.
pub(in crate::emulator) fn list(turn: &mut Turn<'_>) -> Done {
    let owned = turn.account().map(|account| account.numbers.clone()).unwrap_or_default();
    Done::only(collection(&owned))
}

/// `GET /number/search`: three numbers are always for sale.
pub(in crate::emulator) fn search(turn: &mut Turn<'_>) -> Done {
    let Some(country) = parameter(turn, "country", 4) else { return Done::only(failed(turn)) };
    let for_sale: Vec<Number> = (1..=3).map(|last| Number { country: country.clone(), msisdn: format!("44770090000{last}") }).collect();
    Done::only(collection(&for_sale))
}

/// `POST /number/buy`.
pub(in crate::emulator) fn buy(turn: &mut Turn<'_>) -> Done {
    let Some(number) = number(turn) else { return Done::only(failed(turn)) };
    match turn.account() {
        Some(account) if !account.numbers.contains(&number) => account.numbers.push(number),
        Some(_) | None => return Done::only(failed(turn)),
    }
    Done::executed(error_code(turn.call, "200", "success"))
}

/// `POST /number/cancel`.
pub(in crate::emulator) fn cancel(turn: &mut Turn<'_>) -> Done {
    let number = number(turn);
    let owned = turn.account().map(|account| &mut account.numbers);
    let (Some(owned), Some(number)) = (owned, number) else { return Done::only(failed(turn)) };
    let before = owned.len();
    owned.retain(|other| *other != number);
    if owned.len() == before {
        return Done::only(failed(turn));
    }
    Done::executed(error_code(turn.call, "200", "success"))
}

/// `POST /number/update`.
pub(in crate::emulator) fn update(turn: &mut Turn<'_>) -> Done {
    let number = number(turn);
    let owns = turn.account().is_some_and(|account| number.is_some_and(|number| account.numbers.contains(&number)));
    if owns { Done::executed(error_code(turn.call, "200", "success")) } else { Done::only(failed(turn)) }
}

/// A parameter, or the segment at this place in the old form.
fn parameter(turn: &Turn<'_>, name: &str, index: usize) -> Option<String> {
    let named = turn.call.parameter(name).map(std::borrow::Cow::into_owned);
    named.or_else(|| turn.call.segments.get(index).cloned())
}

fn number(turn: &Turn<'_>) -> Option<Number> {
    Some(Number { country: parameter(turn, "country", 4)?, msisdn: parameter(turn, "msisdn", 5)? })
}

fn failed(turn: &Turn<'_>) -> Reply {
    error_code(turn.call, "420", "method failed")
}

fn collection(numbers: &[Number]) -> Reply {
    let entry =
        |number: &Number| json!({ "country": number.country, "msisdn": number.msisdn, "type": "mobile-lvn", "features": ["SMS", "VOICE"] });
    let entries: Vec<Value> = numbers.iter().map(entry).collect();
    // An account without numbers gets an empty object.
    if entries.is_empty() {
        return Reply::ok(&json!({}));
    }
    Reply::json(StatusCode::OK, &json!({ "count": entries.len(), "numbers": entries }))
}
