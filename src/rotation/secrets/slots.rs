//! Who takes part: decided from what the account has, what we hold of it, and what is accepted.
//!
//! An account has one or two secrets. A rotation needs a free slot. When both are taken, one of ours goes first, after
//! the sidecars have shown that they can do without it: the older of two, or the one on which nobody else depends, whose
//! slot is *lent*. A secret that we do not hold is never touched, except after a leak.
//!
//! Invariants: a secret is named only when both its value and its id are known for certain; what stays was accepted
//! and is listed; nothing marked `keep` goes, unless it is named as leaked.
//!
//! Not here: asking the provider (`steps`).

use super::halt::{Ending, Stuck};
use super::state::{Base, Change, Goes, Then};
use super::task::{Emergency, Mode};
use super::{Delivered, Item};
use crate::credentials::Keep;
use crate::secret::{ApiSecret, Revision, SecretId};
use crate::vonage::management::Listed;

#[cfg(test)]
mod tests;

/// What is known of the account.
#[derive(Debug)]
pub struct Picture<'a> {
    /// What the provider lists.
    pub listed: &'a [Listed],
    /// Every value in the file.
    pub file: Vec<ApiSecret>,
    /// What we hold and the provider accepts: of the file in its order, then the last one that was made.
    pub live: Vec<&'a Delivered>,
}

/// What comes next.
#[derive(Debug)]
pub enum Decision {
    /// A slot is free: make a secret.
    Mint(Base),
    /// A slot is to be freed.
    Free(Change),
}

/// Decides what comes next. `revision` is the mark of a deploy that may follow.
pub fn decide(mode: &Mode, picture: &Picture<'_>, revision: Revision) -> Result<Decision, Stuck> {
    let live = identify(&picture.live, picture.listed)?;
    let listed: Vec<SecretId> = picture.listed.iter().map(|one| one.id.clone()).collect();
    if let Mode::Emergency(Emergency { leaked: Some(id), .. }) = mode
        && !listed.contains(id)
    {
        return Err(Stuck::NoSuchLeak(id.clone()));
    }
    let unknown = listed.iter().find(|id| live.iter().all(|item| item.id != **id)).cloned();
    let base = Base { live, file: picture.file.clone(), listed };
    match (mode, unknown) {
        (Mode::Rotate | Mode::Drill, Some(id)) => Err(Stuck::Foreign(id)),
        (Mode::Emergency(emergency), Some(id)) => Ok(expel(emergency, id, base, revision)),
        (Mode::Rotate, None) => rotate(base, revision),
        (Mode::Drill, None) if base.listed.len() > 1 => Err(Stuck::NoFreeSlot),
        (Mode::Drill, None) => Ok(Decision::Mint(base)),
        (Mode::Emergency(emergency), None) => leaked(emergency, base, revision),
    }
}

/// The normal case: a free slot is used, a taken one freed.
fn rotate(base: Base, revision: Revision) -> Result<Decision, Stuck> {
    let [first, second] = base.live.as_slice() else { return Ok(Decision::Mint(base)) };
    // Of two made in the same second, or of unknown date, the one that the owner prefers stays.
    let second_is_younger = first.created_at.is_some() && second.created_at > first.created_at;
    let second_stays = match (first.keep, second.keep) {
        (Keep::Yes, Keep::Yes) => return Err(Stuck::AllKept),
        (Keep::Yes, Keep::No) => false,
        (Keep::No, Keep::Yes) => true,
        (Keep::No, Keep::No) => second_is_younger,
    };
    let (stays, goes) = if second_stays { (second, first) } else { (first, second) };
    Ok(Decision::Free(change(stays, Goes::Used(goes.clone()), &base, revision, Then::Check)))
}

/// After a leak, a secret that we do not hold counts as the thief's.
fn expel(emergency: &Emergency, id: SecretId, base: Base, revision: Revision) -> Decision {
    let then = if emergency.leaked.as_ref() == Some(&id) { Then::Finish(Ending::Removed) } else { Then::Check };
    match base.live.first() {
        Some(stays) => Decision::Free(change(stays, Goes::Unknown(id), &base, revision, then)),
        None => Decision::Mint(base),
    }
}

fn leaked(emergency: &Emergency, base: Base, revision: Revision) -> Result<Decision, Stuck> {
    let Some(id) = &emergency.leaked else {
        return match base.live.as_slice() {
            [only] if only.keep == Keep::Yes => Err(Stuck::LeakKept(only.id.clone())),
            _ => rotate(base, revision),
        };
    };
    let Some(goes) = base.live.iter().find(|item| item.id == *id) else { return Err(Stuck::NoSuchLeak(id.clone())) };
    let is_in_file = base.file.iter().any(|value| value.same_as(&goes.value));
    let goes = if is_in_file { Goes::Used(goes.clone()) } else { Goes::Unused(goes.clone()) };
    match base.live.iter().find(|item| item.id != *id) {
        Some(stays) => Ok(Decision::Free(change(stays, goes, &base, revision, Then::Finish(Ending::Removed)))),
        None => Ok(Decision::Mint(base)),
    }
}

fn change(stays: &Item, goes: Goes, base: &Base, revision: Revision, then: Then) -> Change {
    let is_beside = |item: &&Item| item.id != stays.id && Some(&item.id) != goes.id();
    let beside = base.live.iter().filter(is_beside).cloned().collect();
    Change { stays: stays.clone(), beside, goes, before: base.file.clone(), revision, then }
}

/// What follows when a new secret was proven: the old one goes, unless others depend on it.
pub fn replace(mode: &Mode, new: &Item, base: &Base, revision: Revision) -> Change {
    let before = base.file.clone();
    if let (Mode::Drill, Some((stays, beside))) = (mode, base.live.split_first()) {
        let (stays, beside) = (stays.clone(), beside.to_vec());
        return Change { stays, beside, goes: Goes::Unused(new.clone()), before, revision, then: Then::Finish(Ending::Drilled) };
    }
    let leaked = match mode {
        Mode::Emergency(emergency) => emergency.leaked.as_ref(),
        Mode::Rotate | Mode::Drill => None,
    };
    let goes = base.live.iter().find(|item| item.keep == Keep::No || Some(&item.id) == leaked);
    let beside = base.live.iter().filter(|item| Some(&item.id) != goes.map(|goes| &goes.id)).cloned().collect();
    let (goes, ending) = match goes {
        Some(item) => (Goes::Used(item.clone()), Ending::Done),
        None => (Goes::Nothing, Ending::Added),
    };
    Change { stays: new.clone(), beside, goes, before, revision, then: Then::Finish(ending) }
}

/// Gives every accepted value its id. A value whose id is known not to be listed was revoked and is on its way out.
fn identify(live: &[&Delivered], listed: &[Listed]) -> Result<Vec<Item>, Stuck> {
    let claimed = |one: &Listed| live.iter().any(|item| item.label.id.as_ref() == Some(&one.id));
    let free: Vec<&Listed> = listed.iter().filter(|one| !claimed(one)).collect();
    let unnamed: Vec<&&Delivered> = live.iter().filter(|item| item.label.id.is_none()).collect();
    let mut items = Vec::new();
    for item in live {
        let known = listed.iter().find(|one| item.label.id.as_ref() == Some(&one.id));
        let found = match (&item.label.id, known) {
            (_, Some(one)) => one,
            (Some(_), None) => continue,
            (None, None) => match (unnamed.as_slice(), free.as_slice()) {
                (_, []) => continue,
                ([_], [one]) => one,
                (_, several) => dated(item, several).ok_or(Stuck::WhichIsWhich)?,
            },
        };
        items.push(Item {
            value: item.value.clone(),
            id: found.id.clone(),
            created_at: found.created_at,
            keep: item.label.keep,
            note: item.label.note.clone(),
        });
    }
    let twice = items.iter().enumerate().any(|(at, item): (usize, &Item)| items.iter().skip(at + 1).any(|other| other.id == item.id));
    match (live.is_empty(), items.is_empty() || twice) {
        (true, _) => Err(Stuck::AllRefused),
        (false, true) => Err(Stuck::WhichIsWhich),
        (false, false) => Ok(items),
    }
}

/// The only one of the day that the file names, when there is exactly one.
fn dated<'a>(item: &Delivered, several: &[&'a Listed]) -> Option<&'a Listed> {
    let date = item.label.created_at?;
    let mut same = several.iter().filter(|one| one.created_at == Some(date));
    let found = same.next()?;
    if same.next().is_none() { Some(found) } else { None }
}
