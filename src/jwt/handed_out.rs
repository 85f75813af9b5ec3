//! How many tokens that were handed out to clients of apps are still within their life. Pure.
//!
//! They are signed outside of any request that passes us, so nothing here can renew them: all of them die when the
//! public key of their application is replaced. Whoever replaces it wants to know how many. Counted by minute, so a day's
//! worth of them takes little room.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MINUTE: u64 = 60;

/// The tokens of one application, by the minute in which they end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandedOut(BTreeMap<u64, u64>);

impl HandedOut {
    /// Notes one that ends then.
    pub fn note(&mut self, expires: SystemTime, now: SystemTime) {
        self.0 = self.0.split_off(&minute(now));
        *self.0.entry(minute(expires)).or_default() += 1;
    }

    /// How many have not ended, those of the running minute included.
    pub fn alive(&self, now: SystemTime) -> u64 {
        self.0.range(minute(now)..).map(|(_, count)| count).sum()
    }
}

fn minute(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs() / MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_until_its_end() {
        let at = |minutes: u64| UNIX_EPOCH + Duration::from_mins(30_000_000 + minutes);
        let mut handed_out = HandedOut::default();
        handed_out.note(at(15), at(0));
        handed_out.note(at(15), at(1));
        handed_out.note(at(1440), at(1));
        assert_eq!([handed_out.alive(at(1)), handed_out.alive(at(15)), handed_out.alive(at(16)), handed_out.alive(at(1441))], [3, 3, 1, 0]);
        handed_out.note(at(30), at(20));
        assert_eq!(handed_out.0.len(), 2, "what has ended is forgotten");
    }
}
