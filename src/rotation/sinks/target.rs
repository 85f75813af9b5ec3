//! A file that is kept current.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Delivery, Expected, NotDelivered};
use crate::config::Modes;
use crate::credentials::edit::{self, Change};
use crate::credentials::file::{Item, Parsed};
use crate::files::{self, Facts};
use crate::jwt::SigningKey;
use crate::rotation::Value;
use crate::secret::{ApiKey, ApiSecret, ApplicationId};

/// How long another writer may take.
const LOCKED: Duration = Duration::from_secs(10);
/// How often to begin again when somebody who does not know the lock writes in between.
const TRIES: usize = 3;
/// For everybody.
const WORLD: u32 = 0o004;
/// More than a delivery adds to a file.
const ROOM: usize = 16 << 10;

/// What it means that an account is not in the file.
#[derive(Debug)]
pub(super) enum Absent {
    /// Somebody has taken it out, unless none of its values are expected.
    Unexpected,
    /// It is added as it is here.
    Added(Parsed),
}

/// Whether the file could be replaced, which is tried beside it.
pub(super) fn try_out(path: &Path, modes: Modes) -> Result<(), NotDelivered> {
    let Target { real, facts, length } = looked_at(path, modes)?;
    match &facts {
        Some(facts) => files::try_replace_like(&real, length + ROOM, facts)?,
        None => files::try_replace(&real, length + ROOM)?,
    }
    Ok(())
}

/// The same by looks alone: nothing is written, so that a full disk is not seen.
pub(super) fn look(path: &Path, modes: Modes) -> Result<(), NotDelivered> {
    let Target { real, facts, .. } = looked_at(path, modes)?;
    files::may_replace(&real, facts.as_ref())?;
    Ok(())
}

/// The file that would be replaced.
struct Target {
    real: PathBuf,
    /// None when it is not there yet.
    facts: Option<Facts>,
    length: usize,
}

fn looked_at(path: &Path, modes: Modes) -> Result<Target, NotDelivered> {
    let real = resolved(path)?;
    let facts = facts(&real)?;
    if let Some(facts) = &facts {
        not_for_everybody(path, facts)?;
    }
    let length = super::current(path, modes)?.text.len();
    Ok(Target { real, facts, length })
}

/// Makes the file hold the changes.
pub(super) fn deliver(path: &Path, modes: Modes, delivery: &Delivery, absent: &Absent) -> Result<(), NotDelivered> {
    let real = resolved(path)?;
    let _alone = files::lock(&real, LOCKED)?.ok_or_else(|| NotDelivered::Locked(path.to_path_buf()))?;
    for _ in 0..TRIES {
        let before = facts(&real)?;
        if let Some(facts) = &before {
            not_for_everybody(path, facts)?;
        }
        let current = super::current(path, modes)?;
        if edit::holds(&current.parsed, &delivery.changes, &delivery.revision) {
            return Ok(());
        }
        as_expected(path, &current.parsed, delivery, absent)?;
        let changes = with_primaries(&current.parsed, delivery, absent);
        let new = edit::edit(&current.text, &current.referenced, &changes, &delivery.revision)
            .map_err(|cause| NotDelivered::NotEdited(path.to_path_buf(), cause))?;
        if super::current(path, modes)?.text != current.text {
            continue;
        }
        match &before {
            Some(facts) => files::replace_like(&real, new.as_bytes(), facts)?,
            None => files::replace(&real, new.as_bytes(), 0o600)?,
        }
        let is_there = edit::holds(&super::current(path, modes)?.parsed, &delivery.changes, &delivery.revision);
        return if is_there { Ok(()) } else { Err(NotDelivered::Overwritten(path.to_path_buf())) };
    }
    Err(NotDelivered::Overwritten(path.to_path_buf()))
}

/// The file itself, behind every symlink, so that a symlink stays one.
fn resolved(path: &Path) -> Result<PathBuf, NotDelivered> {
    let real = files::resolve(path)?;
    // The kubelet replaces the directory behind `..data`; what is written there would be gone with the next change.
    let is_projected = real.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"..") && part.as_os_str() != "..");
    if is_projected { Err(NotDelivered::Projected(path.to_path_buf())) } else { Ok(real) }
}

fn facts(real: &Path) -> Result<Option<Facts>, NotDelivered> {
    Ok(files::facts(real)?)
}

fn not_for_everybody(path: &Path, facts: &Facts) -> Result<(), NotDelivered> {
    if facts.mode & WORLD == 0 { Ok(()) } else { Err(NotDelivered::Readable(path.to_path_buf(), facts.mode & 0o777)) }
}

/// Whether the file holds what it should before the change: the expected values, or already those that are to come.
pub(super) fn as_expected(path: &Path, parsed: &Parsed, delivery: &Delivery, absent: &Absent) -> Result<(), NotDelivered> {
    for expected in &delivery.expect {
        let (is_expected, what) = match expected {
            Expected::Secrets(account, expected) => {
                let held = parsed.accounts.iter().find(|entry| entry.key == *account).map(|entry| entry.secrets.as_slice());
                (is_expected(held, expected, wanted(delivery, account), absent), format!("secrets of {account}"))
            }
            Expected::Keys(application, expected) => {
                let held = parsed.applications.iter().find(|entry| entry.id == *application).map(|entry| entry.keys.as_slice());
                (is_expected(held, expected, wanted_keys(delivery, application), absent), format!("keys of {application}"))
            }
        };
        is_expected.then_some(()).ok_or_else(|| NotDelivered::Moved(path.to_path_buf(), what))?;
    }
    Ok(())
}

fn is_expected<V: Value>(held: Option<&[Item<V>]>, expected: &[V], wanted: &[Item<V>], absent: &Absent) -> bool {
    match (held, absent) {
        (Some(held), _) => {
            let held: Vec<&V> = held.iter().map(|item| &item.value).collect();
            same(&held, &expected.iter().collect::<Vec<_>>()) || same(&held, &wanted.iter().map(|item| &item.value).collect::<Vec<_>>())
        }
        (None, Absent::Unexpected) => expected.is_empty(),
        (None, Absent::Added(_)) => true,
    }
}

fn wanted<'d>(delivery: &'d Delivery, account: &ApiKey) -> &'d [Item<ApiSecret>] {
    let of = |change: &'d Change| match change {
        Change::Secrets { account: key, items, .. } if key == account => Some(items.as_slice()),
        Change::Secrets { .. } | Change::Keys { .. } => None,
    };
    delivery.changes.iter().find_map(of).unwrap_or_default()
}

fn wanted_keys<'d>(delivery: &'d Delivery, application: &ApplicationId) -> &'d [Item<SigningKey>] {
    let of = |change: &'d Change| match change {
        Change::Keys { application: id, items } if id == application => Some(items.as_slice()),
        Change::Secrets { .. } | Change::Keys { .. } => None,
    };
    delivery.changes.iter().find_map(of).unwrap_or_default()
}

/// Whether two have the same values, in whatever order.
fn same<V: Value>(one: &[&V], two: &[&V]) -> bool {
    one.len() == two.len() && one.iter().all(|value| two.iter().any(|other| value.same_as(other)))
}

/// The changes, where an account that is added to another file says who manages it as the credentials file does.
fn with_primaries(parsed: &Parsed, delivery: &Delivery, absent: &Absent) -> Vec<Change> {
    let of = |change: &Change| match (change, absent) {
        (Change::Secrets { account, items, primary: None }, Absent::Added(source))
            if parsed.accounts.iter().all(|entry| entry.key != *account) =>
        {
            let primary = source.accounts.iter().find(|entry| entry.key == *account).and_then(|entry| entry.primary.clone());
            Change::Secrets { account: account.clone(), items: items.clone(), primary }
        }
        (Change::Secrets { .. } | Change::Keys { .. }, Absent::Unexpected | Absent::Added(_)) => change.clone(),
    };
    delivery.changes.iter().map(of).collect()
}
