//! Which account is rotated when.
//!
//! A rotation is due when the oldest secret that may be replaced reaches `every` of its policy, by the date of the
//! provider; a little earlier, by a share of `jitter` that is the same for an account at each look, so that accounts of
//! one age do not rotate together and `max_age` keeps its room. It begins in the window. One that is under way goes on at
//! once, in the window or not, in a pause or not, whether a policy is about it or not, and whether its list can be had or
//! not: half of a rotation is worse than a late one.
//!
//! Invariants: one account at a time, the most urgent first, with a pause in between, so that a downtime ends in no
//! storm; one that did not end well is tried again later and later; nothing is due whose age is not known. A secret that
//! others depend on is never replaced, but its age counts for the warning.
//!
//! Not here: looking at the provider (`survey`), rotating, what a rotation of an account does.

use std::time::{Duration, SystemTime};

use super::audit::{self, Progress, Seen};
use crate::config::rotation::{Policy, Window};
use crate::credentials::Keep;
use crate::secret::ApiKey;

/// The share of `max_age` from which on somebody is warned.
const WARN_AT: f64 = 0.9;
/// The longest pause from the end of one rotation to the begin of the next.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The longest first wait after a rotation that did not end well. Doubles up to [`MOST_DOUBLINGS`] times.
const LONGEST_FIRST_RETRY: Duration = Duration::from_mins(5);
const MOST_DOUBLINGS: u32 = 5;
/// Pauses and waits are this part of `every` where that is shorter: a policy of hours must not wait for minutes.
const PART: u32 = 20;
const DAY: u64 = 24 * 60 * 60;

/// An account, as far as the schedule needs to know it.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The account.
    pub account: &'a ApiKey,
    policy: Option<&'a Policy>,
    oldest: Option<SystemTime>,
    replaceable: Option<SystemTime>,
    progress: Progress,
    held: Held,
    tried: Tried,
}

/// Whether the credentials file has the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// How rotations of an account went since the last one that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tried {
    /// None went wrong.
    #[default]
    Well,
    /// So many did.
    InVain {
        /// At least one.
        times: u32,
        /// When the last one ended.
        ended_at: SystemTime,
    },
}

/// When a rotation of an account may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// Then.
    At(SystemTime),
    /// Not by the schedule.
    Never(Never),
}

/// Why the schedule leaves an account alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {
    /// No policy is about it.
    NoPolicy,
    /// The credentials file does not have it.
    NotHeld,
    /// It has no secret that may be replaced and whose date is known.
    NoDate,
}

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPolicy => "no policy is about it",
            Self::NotHeld => "the credentials file does not have it",
            Self::NoDate => "no date of a secret that may be replaced is known",
        })
    }
}

/// Whether the oldest secret is far from the age that it may not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeliness {
    /// It is, or no policy is about it.
    InTime,
    /// It has 90 % of that age or more.
    Overdue,
}

/// Whether rotations may begin. Those that were begun go on in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginnings {
    /// They may.
    Allowed,
    /// Somebody has told the schedule to pause.
    Paused,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Begin a rotation of this account.
    Begin(ApiKey),
    /// Go on with the one of this account that was begun, and begin none if that is over by now.
    GoOn(ApiKey),
    /// Look again then at the latest.
    Wait(SystemTime),
    /// Nothing will be due by itself.
    Nothing,
}

impl<'a> Subject<'a> {
    /// What the schedule needs of an account that was seen; none when its list could not be had and nothing is under way.
    pub fn of(seen: &'a Seen, policies: &'a [Policy], tried: Tried, now: SystemTime) -> Option<Self> {
        if seen.listed.is_err() && matches!(seen.progress, Progress::Resting | Progress::Staged) {
            return None;
        }
        let rows = audit::rows(seen, now);
        Some(Self {
            account: &seen.account,
            policy: policies.iter().find(|policy| policy.is_for(&seen.account)),
            oldest: rows.iter().filter_map(|row| row.created_at).min(),
            replaceable: rows.iter().filter(|row| row.keep == Keep::No).filter_map(|row| row.created_at).min(),
            progress: seen.progress,
            held: if seen.held.is_empty() { Held::No } else { Held::Yes },
            tried,
        })
    }

    /// How old the oldest live secret is, whoever depends on it; none when that is not known.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        self.oldest.map(|made| now.duration_since(made).unwrap_or_default())
    }

    /// Whether somebody is to be warned.
    pub fn timeliness(&self, now: SystemTime) -> Timeliness {
        match (self.policy, self.age(now)) {
            (Some(policy), Some(age)) if age >= policy.max_age.mul_f64(WARN_AT) => Timeliness::Overdue,
            (Some(_) | None, Some(_) | None) => Timeliness::InTime,
        }
    }

    /// When a rotation of it may begin.
    pub fn due(&self, now: SystemTime) -> Due {
        let (earliest, window) = match self.progress {
            Progress::Rotating | Progress::Beginning => (SystemTime::UNIX_EPOCH, Window::Always),
            Progress::Resting | Progress::Staged => match self.begins() {
                Ok(begins) => begins,
                Err(never) => return Due::Never(never),
            },
        };
        let begin = opens(window, earliest.max(self.rested(now)).max(now));
        if begin <= now { Due::Now } else { Due::At(begin) }
    }

    /// From when on the next one may begin, and at which times of the day.
    fn begins(&self) -> Result<(SystemTime, Window), Never> {
        match (self.held, self.policy, self.replaceable) {
            (Held::No, _, _) => Err(Never::NotHeld),
            (Held::Yes, None, _) => Err(Never::NoPolicy),
            (Held::Yes, Some(_), None) => Err(Never::NoDate),
            (Held::Yes, Some(policy), Some(made)) => Ok((made + policy.every.saturating_sub(early(self.account, policy)), policy.window)),
        }
    }

    /// Until when one that did not end well is left alone.
    fn rested(&self, now: SystemTime) -> SystemTime {
        match self.tried {
            Tried::Well => SystemTime::UNIX_EPOCH,
            // By a clock that was ahead and is set right now: it says nothing about how long ago that was.
            Tried::InVain { ended_at, .. } if ended_at > now => SystemTime::UNIX_EPOCH,
            Tried::InVain { times, ended_at } => ended_at + retry_after(self.policy, times),
        }
    }

    /// The first is the one with which things are worst: one under way, else the one that reaches `max_age` first.
    fn urgency(&self) -> (u8, SystemTime) {
        let latest = self.replaceable.zip(self.policy).map_or(SystemTime::UNIX_EPOCH, |(made, policy)| made + policy.max_age);
        match self.progress {
            Progress::Rotating | Progress::Beginning => (0, latest),
            Progress::Resting | Progress::Staged => (1, latest),
        }
    }

    /// Whether it has a turn when these are the beginnings.
    fn may_run(&self, beginnings: Beginnings) -> bool {
        match (beginnings, self.progress) {
            (Beginnings::Allowed, _) | (Beginnings::Paused, Progress::Rotating | Progress::Beginning) => true,
            (Beginnings::Paused, Progress::Resting | Progress::Staged) => false,
        }
    }

    fn turn(&self) -> Turn {
        match self.progress {
            Progress::Rotating | Progress::Beginning => Turn::GoOn(self.account.clone()),
            Progress::Resting | Progress::Staged => Turn::Begin(self.account.clone()),
        }
    }

    fn pause(&self) -> Duration {
        self.policy.map_or(LONGEST_PAUSE, |policy| (policy.every / PART).min(LONGEST_PAUSE))
    }
}

/// What comes next, when the last rotation, if there was one, ended at `last`.
pub fn turn(subjects: &[Subject<'_>], beginnings: Beginnings, last: Option<SystemTime>, now: SystemTime) -> Turn {
    let subjects = || subjects.iter().filter(|subject| subject.may_run(beginnings));
    let due = subjects().filter(|subject| subject.due(now) == Due::Now).min_by_key(|subject| subject.urgency());
    if let Some(subject) = due {
        let from = last.map_or(now, |last| last + subject.pause());
        // A clock that was set back would otherwise hold everything up for as long.
        return if from <= now || from > now + LONGEST_PAUSE { subject.turn() } else { Turn::Wait(from) };
    }
    let next = subjects().filter_map(|subject| match subject.due(now) {
        Due::At(at) => Some(at),
        Due::Now | Due::Never(_) => None,
    });
    next.min().map_or(Turn::Nothing, Turn::Wait)
}

/// Every account of which a rotation is to begin, the most urgent first.
pub fn all_due(subjects: &[Subject<'_>], now: SystemTime) -> Vec<ApiKey> {
    let begins = |subject: &&Subject<'_>| subject.progress != Progress::Rotating && subject.due(now) == Due::Now;
    let mut due: Vec<&Subject<'_>> = subjects.iter().filter(begins).collect();
    due.sort_by_key(|subject| subject.urgency());
    due.into_iter().map(|subject| subject.account.clone()).collect()
}

fn retry_after(policy: Option<&Policy>, times: u32) -> Duration {
    policy.map_or(LONGEST_FIRST_RETRY, |policy| (policy.every / PART).min(LONGEST_FIRST_RETRY))
        * (1 << times.saturating_sub(1).min(MOST_DOUBLINGS))
}

/// How much earlier than at `every` an account is due: a share of `jitter` that its key decides.
fn early(account: &ApiKey, policy: &Policy) -> Duration {
    // FNV-1a: any function that spreads keys of a few letters does.
    let hash = account.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    policy.jitter.mul_f64(f64::from(hash) / (f64::from(u32::MAX) + 1.0))
}

/// The first moment of a window that is not before `at`.
fn opens(window: Window, at: SystemTime) -> SystemTime {
    let of_day = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() % DAY;
    let minute = u32::try_from(of_day / 60).unwrap_or_default();
    match window {
        Window::Always => at,
        Window::Between { .. } if window.is_open(minute) => at,
        Window::Between { from, .. } => {
            let wait = (u64::from(from) * 60 + DAY - of_day) % DAY;
            at + Duration::from_secs(wait)
        }
    }
}

#[cfg(test)]
mod tests;
