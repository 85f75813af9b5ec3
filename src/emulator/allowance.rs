//! How many management calls an account may make in an hour, and the headers that say so.
//!
//! Facts: account 1.0.4 (names of the headers, an hour, `Retry-After`, 429). The figure for Secret Management is not
//! stated; the default here is one that only a runaway loop meets.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::answer::{Done, Turn};
use super::refusals::problem;
use super::state::{epoch_millis, uuid};
use crate::clock;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Calls in an hour.
const DEFAULT: u32 = 10_000;

/// What is left of an account's hour.
pub(super) struct Allowance {
    limit: u32,
    used: u32,
    since: Option<Instant>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of(DEFAULT)
    }
}

impl Allowance {
    pub(super) fn of(limit: u32) -> Self {
        Self { limit, used: 0, since: None }
    }

    /// Takes one call; how many are left after it, or how long until the next hour.
    fn take(&mut self, now: Instant) -> Result<u32, Duration> {
        let begun = *self.since.get_or_insert(now);
        if now.duration_since(begun) >= HOUR {
            (self.used, self.since) = (0, Some(now));
        }
        if self.used >= self.limit {
            return Err(HOUR.saturating_sub(now.duration_since(begun)));
        }
        self.used += 1;
        Ok(self.limit - self.used)
    }

    fn left(&self, now: Instant) -> Duration {
        self.since.map_or(HOUR, |begun| HOUR.saturating_sub(now.duration_since(begun)))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_so_many_calls_and_the_next_hour_again() {
        let mut allowance = Allowance::of(2);
        let begun = clock::now();
        assert_eq!(allowance.take(begun), Ok(1));
        let later = begun + Duration::from_secs(60);
        assert_eq!((allowance.take(later), allowance.take(later)), (Ok(0), Err(Duration::from_secs(59 * 60))));
        assert_eq!(allowance.take(begun + HOUR), Ok(1));
    }
}
