//! What a look at an account comes to: how old it is, whether that is too old, when it is due, what is not as we left it.

use std::time::{Duration, SystemTime};

use super::audit::{self, Progress, Seen};
use super::drift::Drift;
use super::machine::State as _;
use super::schedule::{Due, Subject, Timeliness, Tried};
use super::secrets::Journal;
use crate::config::rotation::Policy;
use crate::secret::ApiKey;

/// An account as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The account.
    pub account: ApiKey,
    /// What its list says; in words why there is none.
    pub listing: Result<Listing, String>,
    /// Whether something is under way.
    pub progress: Progress,
}

/// What the list of an account says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// When the oldest live secret was made; none when that is not known.
    pub oldest: Option<SystemTime>,
    /// Whether it is close to what is allowed.
    pub timeliness: Timeliness,
    /// When it is rotated.
    pub due: Due,
    /// What changed behind our back.
    pub drift: Vec<Drift>,
}

/// The step that a rotation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// In one word.
    pub step: &'static str,
    /// Since when.
    pub since: SystemTime,
}

impl Observed {
    /// What a look comes to.
    pub fn of(seen: &Seen, policies: &[Policy], tried: Tried, now: SystemTime) -> Self {
        let listing = match (&seen.listed, Subject::of(seen, policies, tried, now)) {
            (Ok(listed), Some(subject)) => Ok(Listing {
                oldest: subject.age(now).and_then(|age| now.checked_sub(age)),
                timeliness: subject.timeliness(now),
                due: subject.due(now),
                drift: audit::changed(seen, listed),
            }),
            (Err(why), _) => Err(why.clone()),
            (Ok(_), None) => Err("it was not seen".to_owned()),
        };
        Self { account: seen.account.clone(), listing, progress: seen.progress }
    }
}

/// Where a journal says that its rotation is; none when that is over.
pub fn stage(journal: &Journal) -> Option<Stage> {
    if journal.is_over() {
        return None;
    }
    let since = journal.trail.last().map_or(journal.began_at, |entry| entry.at);
    Some(Stage { step: journal.state.word(), since })
}

impl Stage {
    /// How long it has been there.
    pub fn for_so_long(&self, now: SystemTime) -> Duration {
        now.duration_since(self.since).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_cannot_be_had_is_told_and_is_not_drift() {
        let seen = Seen {
            account: ApiKey::parse("abcd1234").unwrap(),
            primary: None,
            listed: Err("refused".to_owned()),
            held: Vec::new(),
            progress: Progress::Resting,
        };
        assert_eq!(Observed::of(&seen, &[], Tried::Well, SystemTime::UNIX_EPOCH).listing, Err("refused".to_owned()));
    }
}
