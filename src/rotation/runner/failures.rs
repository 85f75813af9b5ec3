//! Which failures are news for people: the same one again and again is not. Pure.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::rotation::effect::Doing;

/// A failure that goes on is told people again after so long.
const AGAIN: Duration = Duration::from_mins(1);

/// A failure as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What failed.
    pub doing: Doing,
    /// Why.
    pub cause: String,
    /// How often it has failed like this, without doing well in between.
    pub times: u32,
    /// Whether people want to read it; machines get every one.
    #[serde(skip)]
    pub novelty: Novelty,
}

/// Whether a failure is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is another one than before, or it goes on for another minute.
    News,
    /// People were told of the same one a moment ago.
    Repetition,
}

/// The failure that goes on.
#[derive(Debug, Default)]
pub struct Failures {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    failure: Failure,
    told: Instant,
}

impl Failures {
    /// Takes in a failure, and says how it is told.
    pub fn failed(&mut self, doing: Doing, cause: String, now: Instant) -> Failure {
        let same = self.last.take().filter(|last| last.failure.doing == doing && last.failure.cause == cause);
        let (times, told) = same.map_or((1, None), |last| (last.failure.times.saturating_add(1), Some(last.told)));
        let lately = told.filter(|told| now.saturating_duration_since(*told) < AGAIN);
        let novelty = if lately.is_some() { Novelty::Repetition } else { Novelty::News };
        let failure = Failure { doing, cause, times, novelty };
        self.last = Some(Last { failure: failure.clone(), told: lately.unwrap_or(now) });
        failure
    }

    /// What is done well is no failure that goes on.
    pub fn went_well(&mut self, doing: Doing) {
        self.last.take_if(|last| last.failure.doing == doing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a person reads: the seconds at which it is told, and how often it had failed by then.
    fn told(failures: &mut Failures, cause: &str, seconds: impl IntoIterator<Item = u64>, begin: Instant) -> Vec<(u64, u32)> {
        let mut told = Vec::new();
        for second in seconds {
            let failure = failures.failed(Doing::TrySinks, cause.to_owned(), begin + Duration::from_secs(second));
            if failure.novelty == Novelty::News {
                told.push((second, failure.times));
            }
        }
        told
    }

    #[test]
    fn the_same_failure_is_news_once_a_minute_with_a_count() {
        let (mut failures, begin) = (Failures::default(), crate::clock::now());
        assert_eq!(told(&mut failures, "mode 0644", (0..130).step_by(10), begin), [(0, 1), (60, 7), (120, 13)]);
    }

    #[test]
    fn another_cause_and_one_that_comes_back_after_it_went_well_are_news() {
        let (mut failures, begin) = (Failures::default(), crate::clock::now());
        assert_eq!(told(&mut failures, "mode 0644", [0, 1], begin), [(0, 1)]);
        assert_eq!(told(&mut failures, "locked", [2, 3], begin), [(2, 1)]);
        failures.went_well(Doing::Save);
        assert_eq!(told(&mut failures, "locked", [4], begin), [], "something else went well");
        failures.went_well(Doing::TrySinks);
        assert_eq!(told(&mut failures, "locked", [5], begin), [(5, 1)]);
    }
}
