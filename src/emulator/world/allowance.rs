//! How many management calls an account may make in an hour.
//!
//! Facts: account 1.0.4 (an hour). The figure for Secret Management is not stated; the default here is one that only a
//! runaway loop meets.

use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Calls in an hour.
const DEFAULT: u32 = 10_000;

/// What is left of an account's hour.
pub(in crate::emulator) struct Allowance {
    pub(in crate::emulator) limit: u32,
    used: u32,
    since: Option<Instant>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::of(DEFAULT)
    }
}

impl Allowance {
    pub(in crate::emulator) fn of(limit: u32) -> Self {
        Self { limit, used: 0, since: None }
    }

    /// Takes one call; how many are left after it, or how long until the next hour.
    pub(in crate::emulator) fn take(&mut self, now: Instant) -> Result<u32, Duration> {
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

    /// How long until the next hour.
    pub(in crate::emulator) fn left(&self, now: Instant) -> Duration {
        self.since.map_or(HOUR, |begun| HOUR.saturating_sub(now.duration_since(begun)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

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
