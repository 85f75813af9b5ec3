//! How far the provider's clock is from ours, told from the `Date` of an answer that refused a token. Pure.
//!
//! A token is good for a time, so one that is made by a clock that is wrong is refused however good its key is. What is
//! found out is used for the tokens made afterwards, within a bound: a clock that is further off is for its owner to set,
//! since much else (certificates, dates of secrets) is wrong by then.
//!
//! Facts: RFC 9110, 6.6.1 (`Date`, whole seconds). How much the provider tolerates is not stated.

use std::time::{Duration, SystemTime};

/// Less than this is what networks and whole seconds do, and what backdated tokens cover.
const NOTICED: Duration = Duration::from_secs(20);
/// The most that is made up for.
const FURTHEST: Duration = Duration::from_mins(10);

/// Seconds that the provider's clock is ahead of ours; behind when negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew(pub i64);

/// What an answer says about the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// They agree as well as tokens need.
    Agree,
    /// Tokens are to be made for a clock that is so far from ours.
    Shift(Skew),
    /// Ours is further off than we make up for.
    Beyond(Skew),
}

impl Skew {
    /// Our time as the provider tells it.
    pub fn applied(self, ours: SystemTime) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        let shifted = if self.0 < 0 { ours.checked_sub(by) } else { ours.checked_add(by) };
        shifted.unwrap_or(ours)
    }

    /// Whether two are further apart than measuring them explains.
    pub fn differs_from(self, other: Self) -> bool {
        self.0.abs_diff(other.0) >= NOTICED.as_secs()
    }

    /// What follows from a date of the provider, when tokens are made with this skew so far.
    pub fn compare(self, ours: SystemTime, theirs: SystemTime) -> Finding {
        let found = Self(seconds_ahead(ours, theirs));
        if !found.differs_from(self) {
            Finding::Agree
        } else if found.0.unsigned_abs() > FURTHEST.as_secs() {
            Finding::Beyond(found)
        } else {
            Finding::Shift(found)
        }
    }
}

fn seconds_ahead(ours: SystemTime, theirs: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match theirs.duration_since(ours) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn compared(so_far: i64, theirs_ahead: i64) -> Finding {
        let ours = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Skew(so_far).compare(ours, Skew(theirs_ahead).applied(ours))
    }

    #[test]
    fn a_clock_that_is_off_is_made_up_for_within_a_bound_both_ways() {
        assert_eq!([compared(0, 0), compared(0, 19), compared(0, -19)], [Finding::Agree; 3]);
        for off in [20, -20, 600, -600] {
            assert_eq!(compared(0, off), Finding::Shift(Skew(off)));
        }
        for off in [601, -601, 1_000_000] {
            assert_eq!(compared(0, off), Finding::Beyond(Skew(off)));
        }
    }

    #[test]
    fn what_was_made_up_for_is_not_found_again_and_ends_when_the_clock_is_set_right() {
        assert_eq!([compared(300, 300), compared(300, 315)], [Finding::Agree; 2]);
        assert_eq!(compared(300, 0), Finding::Shift(Skew(0)));
    }
}
