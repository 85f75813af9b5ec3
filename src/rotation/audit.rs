//! Which accounts breach the policy: what a security team asks for.
//!
//! The age of an account is that of its oldest live secret at the provider, whoever made it, until it is revoked.

use std::time::{Duration, SystemTime};

use super::drift::{self, Drift, Whose};
use crate::config::rotation::Policy;
use crate::credentials::{Keep, Label};
use crate::secret::{ApiKey, SecretId};
use crate::vonage::management::Listed;

/// How long two secrets may be live outside a rotation.
pub const OVERLAP: Duration = Duration::from_hours(24);

/// An account as the provider and the file show it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its key.
    pub account: ApiKey,
    /// The one that manages it.
    pub primary: Option<ApiKey>,
    /// What its list says; in words why there is none.
    pub listed: Result<Vec<Listed>, String>,
    /// What the file says about the values that it holds; none when it does not hold the account.
    pub held: Vec<Label>,
    /// Whether a rotation of it is under way.
    pub progress: Progress,
}

/// Whether something is under way, so that two secrets are to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is.
    Resting,
    /// A single command has staged a value that the file does not hold yet.
    Staged,
    /// A rotation was asked for, and has done nothing yet.
    Beginning,
    /// A rotation is.
    Rotating,
}

/// One secret of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: SecretId,
    /// When it was made.
    pub created_at: Option<SystemTime>,
    /// How old it is; none when that is not known.
    pub age: Option<Duration>,
    /// Whose it is.
    pub whose: Whose,
    /// Whether others depend on it.
    pub keep: Keep,
}

/// What is not as the policy wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// A secret is older than it may be.
    TooOld(SecretId),
    /// A secret that others depend on is.
    KeptTooOld(SecretId),
    /// Two are live for longer than a rotation takes.
    TwoLive,
    /// Something changed behind our back.
    Drift(Drift),
    /// The list cannot be had.
    Unseen(String),
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooOld(id) => write!(f, "too old: {id}"),
            Self::KeptTooOld(id) => write!(f, "kept over age: {id}"),
            Self::TwoLive => write!(f, "two live for more than {} h", OVERLAP.as_secs() / 3600),
            Self::Drift(drift) => drift.fmt(f),
            Self::Unseen(why) => write!(f, "not seen: {why}"),
        }
    }
}

/// The secrets of an account.
pub fn rows(seen: &Seen, now: SystemTime) -> Vec<Row> {
    let listed = seen.listed.as_deref().unwrap_or_default();
    let row = |(secret, whose): (&Listed, Whose)| {
        let keep = if let Whose::Held(position) = whose { seen.held.get(position).map_or(Keep::No, |label| label.keep) } else { Keep::No };
        let age = secret.created_at.map(|at| now.duration_since(at).unwrap_or_default());
        Row { id: secret.id.clone(), created_at: secret.created_at, age, whose, keep }
    };
    listed.iter().zip(drift::whose(listed, &seen.held)).map(row).collect()
}

/// Everything that is not as it should be.
pub fn breaches(seen: &Seen, policies: &[Policy], now: SystemTime) -> Vec<Breach> {
    let listed = match &seen.listed {
        Ok(listed) => listed,
        Err(why) => return vec![Breach::Unseen(why.clone())],
    };
    let rows = rows(seen, now);
    let mut found = Vec::new();
    if let Some(policy) = policies.iter().find(|policy| policy.is_for(&seen.account)) {
        let old = rows.iter().filter(|row| row.age.is_some_and(|age| age > policy.max_age));
        found.extend(old.map(|row| match row.keep {
            Keep::No => Breach::TooOld(row.id.clone()),
            Keep::Yes => Breach::KeptTooOld(row.id.clone()),
        }));
    }
    // Beside one that others depend on, a second one is what there should be.
    let is_pair = rows.len() > 1 && rows.iter().all(|row| row.keep == Keep::No);
    let is_at_rest = matches!(seen.progress, Progress::Resting | Progress::Beginning);
    if is_pair && is_at_rest && rows.iter().all(|row| row.age.is_some_and(|age| age > OVERLAP)) {
        found.push(Breach::TwoLive);
    }
    found.extend(changed(seen, listed).into_iter().map(Breach::Drift));
    found
}

/// What changed behind our back in an account with this list. Of an account that we do not hold, every secret is somebody
/// else's by design; one that the file does not hold yet is ours while something of ours is under way.
pub fn changed(seen: &Seen, listed: &[Listed]) -> Vec<Drift> {
    if seen.held.is_empty() {
        return Vec::new();
    }
    let counts = |drift: &Drift| match (seen.progress, drift) {
        (Progress::Rotating | Progress::Staged, Drift::Foreign(_)) => false,
        (Progress::Resting | Progress::Beginning, Drift::Foreign(_)) | (_, Drift::Gone(_) | Drift::Dead(_)) => true,
    };
    drift::drift(listed, &seen.held).into_iter().filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rotation::Window;

    const DAY: Duration = Duration::from_hours(24);

    fn id(text: &str) -> SecretId {
        SecretId::parse(text).unwrap()
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn seen(listed: &[(&str, u32)], held: &[(&str, Keep)]) -> Seen {
        let listed = listed.iter().map(|(text, days)| Listed { id: id(text), created_at: now().checked_sub(*days * DAY) });
        Seen {
            account: ApiKey::parse("abcd1234").unwrap(),
            primary: None,
            listed: Ok(listed.collect()),
            held: held.iter().map(|(text, keep)| Label { id: Some(id(text)), keep: *keep, ..Label::default() }).collect(),
            progress: Progress::Resting,
        }
    }

    fn found(seen: &Seen) -> Vec<Breach> {
        let policy =
            Policy { accounts: "*".to_owned(), max_age: 30 * DAY, every: 24 * DAY, window: Window::Always, jitter: Duration::ZERO };
        breaches(seen, &[policy], now())
    }

    #[test]
    fn age_is_measured_at_the_provider_and_kept_ones_count() {
        assert_eq!(found(&seen(&[("a", 30)], &[("a", Keep::No)])), []);
        assert_eq!(found(&seen(&[("a", 31)], &[("a", Keep::No)])), [Breach::TooOld(id("a"))]);
        assert_eq!(found(&seen(&[("a", 31), ("b", 1)], &[("a", Keep::Yes), ("b", Keep::No)])), [Breach::KeptTooOld(id("a"))]);
        let mut other = seen(&[("a", 400)], &[("a", Keep::No)]);
        assert_eq!(breaches(&other, &[], now()), []);
        other.listed = Err("refused".to_owned());
        assert_eq!(found(&other), [Breach::Unseen("refused".to_owned())]);
    }

    #[test]
    fn two_may_be_live_for_a_day_or_while_a_rotation_is_under_way() {
        let both = [("a", Keep::No), ("b", Keep::No)];
        assert_eq!(found(&seen(&[("a", 9), ("b", 2)], &both)), [Breach::TwoLive]);
        assert_eq!(found(&seen(&[("a", 9), ("b", 1)], &both)), []);
        let rotating = Seen { progress: Progress::Rotating, ..seen(&[("a", 9), ("b", 2)], &both) };
        assert_eq!(found(&rotating), []);
    }

    #[test]
    fn what_changed_behind_our_back_is_a_breach() {
        let changed = seen(&[("c", 0)], &[("a", Keep::No)]);
        assert_eq!(found(&changed), [Breach::Drift(Drift::Gone(id("a"))), Breach::Drift(Drift::Foreign(id("c")))]);
        let rotating = Seen { progress: Progress::Rotating, ..changed };
        assert_eq!(found(&rotating), [Breach::Drift(Drift::Gone(id("a")))], "the new one is being made");
        assert_eq!(found(&seen(&[("c", 0)], &[])), []);
    }
}
