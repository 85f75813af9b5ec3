//! Management calls within what an account may make in an hour, and the headers that say so.
//!
//! Facts: account 1.0.4 (names of the headers, `Retry-After`, 429).

use http::StatusCode;

use super::errors::problem;
use super::turn::{Done, Turn};
use crate::clock;
use crate::emulator::exchange::notation::{epoch_millis, uuid};

/// Does what a handler does, within what the caller may.
pub(super) fn within(turn: &mut Turn<'_>, handler: fn(&mut Turn<'_>) -> Done) -> Done {
    let now = turn.call.at;
    let Some((limit, taken, left)) = turn.account().map(|account| {
        let taken = account.allowance.take(now);
        (account.allowance.limit, taken, account.allowance.left(now))
    }) else {
        return handler(turn);
    };
    let mut done = match taken {
        Ok(_) => handler(turn),
        Err(wait) => Done::only(
            problem(StatusCode::TOO_MANY_REQUESTS, "throttled", "Rate Limit Hit", "Please wait, then retry your request")
                .with("retry-after", &wait.as_secs().max(1).to_string()),
        ),
    };
    done.reply = done
        .reply
        .with("x-request-id", &uuid())
        .with("x-ratelimit-limit", &limit.to_string())
        .with("x-ratelimit-remaining", &taken.unwrap_or(0).to_string())
        .with("x-ratelimit-reset", &epoch_millis(clock::wall() + left).to_string());
    done
}
