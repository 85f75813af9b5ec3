//! The way from `deploy` to `verify`: one secret stays, another goes, and nobody notices.
//!
//! The same way serves every change: the old secret after a new one was proven, one of two that were held, one whose
//! slot is lent, and the new one when a rotation is called off.

use std::time::Duration;

use super::halt::{Ending, Stuck, Unapproved};
use super::state::{Change, Goes, State, Then};
use super::task::{Approve, Mode};
use super::view::{Move, Need, View, go, listed, stuck};
use super::{Call, Chance, Effect, End, Fact, File, Item, Kind as _, Revoking, Secrets};
use crate::credentials::Keep;
use crate::rotation::evidence::{Gate, Must, Question};
use crate::rotation::halt::Amiss;
use crate::rotation::machine::{Rest, Verdict, milliseconds};
use crate::secret::{ApiSecret, Revision, SecretId};

/// How long a run that comes after the deadline looks at the sidecars.
const LATE_LOOK: Duration = Duration::from_secs(5);

/// Where a change begins: what no sidecar has needs no leave of theirs.
pub(super) fn begin(change: Change) -> State {
    match change.goes {
        Goes::Nothing | Goes::Used(_) => State::Deploy(change),
        Goes::Unused(_) | Goes::Unknown(_) => State::Revoke(change),
    }
}

/// The file gets both, the one that stays first, and is read back.
pub(super) fn deploy(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = view.file()?;
    not_kept(view, change, file)?;
    if is_deployed(file, change) {
        return Ok(go(State::Converge(change.clone()), vec![Fact::Deployed { revision: change.revision.clone() }]));
    }
    write(view, file, change, change.items_between(), change.revision.clone())
}

/// What the owner wrote beside a value since is the owner's.
fn write(view: &View<'_>, file: &File, change: &Change, items: Vec<Item>, revision: Revision) -> Need<Move> {
    let with_label = |item: Item| match file.find(&item.value) {
        Some(found) => Item { keep: found.label.keep, note: found.label.note.clone(), ..item },
        None => item,
    };
    let before: Vec<&ApiSecret> = change.before.iter().collect();
    let between: Vec<&ApiSecret> = change.values_between().collect();
    view.write(file, [&before, &between], items.into_iter().map(with_label).collect(), revision)
}

/// Every sidecar has the file and had the secret that stays accepted.
pub(super) fn converge(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    let next = |facts| match (&change.goes, &view.journal.plan.task.mode) {
        (Goes::Nothing, _) => go(finish(change), facts),
        (_, Mode::Emergency(_)) => go(State::Revoke(change.clone()), facts),
        (_, Mode::Rotate | Mode::Drill) => go(State::Soak(change.clone()), facts),
    };
    match (gate(view, change, Soak::No), deadline(view, change)) {
        (Ok(members), _) => Ok(next(vec![Fact::Converged { members }])),
        (Err(_), Some(left)) if left.is_zero() => Ok(next(vec![Fact::LeftBehind { members: behind(view, change) }])),
        // After a leak nothing but the deadline ends the waiting.
        (Err(Move::Over(end)), Some(left)) => Ok(Move::Rest(Rest { span: view.journal.plan.poll.min(left), on: end.waits_for() })),
        (Err(first), _) => Err(first),
    }
}

/// No sidecar has used the one that goes for the soak. A sidecar that starts now may have an older file: by the time
/// of the revoke, none that old has only the one that goes.
pub(super) fn soak(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    let members = gate(view, change, Soak::Yes)?;
    let left = shortest_soak(view).saturating_sub(view.waited());
    if !left.is_zero() {
        return Ok(Move::rest(left.min(view.journal.plan.poll)));
    }
    approved(view, change)?;
    Ok(go(State::Revoke(change.clone()), vec![Fact::Quiet { members }]))
}

/// Everything is looked at once more, then the one that goes is revoked by its id, with the one that stays.
pub(super) fn revoke(view: &View<'_>, change: &Change) -> Need<Move> {
    let Some(id) = change.goes.id() else { return Ok(go(finish(change), Vec::new())) };
    as_deployed(view, change)?;
    if view.everywhere(&change.stays.value)? == Verdict::Refused {
        return view.patient(stuck(Stuck::SurvivorRefused));
    }
    let listed = listed(view, &change.stays.value)?;
    let is_listed = |id: &SecretId| listed.iter().any(|one| one.id == *id);
    if !is_listed(&change.stays.id) {
        return Err(stuck(Stuck::Vanished(change.stays.id.clone())));
    }
    let gone = || Ok(go(State::Tidy(change.clone()), vec![Fact::Revoked { id: id.clone() }]));
    match view.seen.learnt.revoked {
        Some(Revoking::LastSecret) => return Err(stuck(Stuck::LastSecret)),
        Some(Revoking::Gone) => return gone(),
        None if !is_listed(id) => return gone(),
        None => {}
    }
    if deadline(view, change).is_none() {
        gate(view, change, Soak::Yes)?;
    }
    Ok(Move::Do(Effect::Call(Call::Revoke { id: id.clone(), with: change.stays.value.clone() })))
}

/// The file gets what stays, alone.
pub(super) fn tidy(view: &View<'_>, change: &Change, chance: &mut dyn Chance) -> Need<Move> {
    let file = view.file()?;
    let never_there = matches!(change.goes, Goes::Unused(_) | Goes::Unknown(_)) && file.find(&change.stays.value).is_some();
    if never_there || file.has_exactly(change.values_after()) {
        return Ok(go(State::Verify(change.clone()), vec![Fact::Tidied]));
    }
    write(view, file, change, change.items_after(), chance.revision())
}

/// The one is accepted and the other refused, at every host; a revoke takes a while to be known everywhere.
pub(super) fn verify(view: &View<'_>, change: &Change) -> Need<Move> {
    if view.everywhere(&change.stays.value)? == Verdict::Refused {
        return view.patient(stuck(Stuck::SurvivorRefused));
    }
    let mut facts = Vec::new();
    if let (Some(value), Some(id)) = (change.goes.value(), change.goes.id()) {
        if view.anywhere(value)? == Verdict::Accepted {
            let plan = &view.journal.plan;
            let still = view.waited() >= plan.task.revoke_lag;
            return Err(if still { stuck(Stuck::StillAccepted(id.clone())) } else { Move::rest(plan.poll) });
        }
        for (host, row) in Secrets::PROVING.iter().filter_map(|host| Some((host, view.seen.row(value, *host)?))) {
            let after_ms = milliseconds(row.first.saturating_duration_since(view.entered));
            facts.push(Fact::Refused { host: host.to_string(), after_ms });
        }
    }
    Ok(go(finish(change), facts))
}

/// What comes after a change.
fn finish(change: &Change) -> State {
    match change.then {
        Then::Check => State::Check,
        Then::Finish(ending) => State::Report { ending },
    }
}

fn is_deployed(file: &File, change: &Change) -> bool {
    file.is_deployed(&change.revision, change.values_between())
}

/// The file is read back at every look. What no sidecar has is not in it and has no say.
fn as_deployed(view: &View<'_>, change: &Change) -> Need<()> {
    if let Goes::Unused(_) | Goes::Unknown(_) = change.goes {
        return Ok(());
    }
    let file = view.file()?;
    not_kept(view, change, file)?;
    match is_deployed(file, change) {
        true => Ok(()),
        false if file.has_exactly(change.values_after()) => Err(revoked_by_hand(view, change)?),
        false => Err(Move::stuck(Amiss::Overwritten)),
    }
}

/// The file has what it is to have at the end. When the provider does not list the one that goes any more, a person
/// revoked it and took it out of the file: what is left is to see that.
fn revoked_by_hand(view: &View<'_>, change: &Change) -> Need<Move> {
    let Some(id) = change.goes.id() else { return Err(Move::stuck(Amiss::Overwritten)) };
    let listed = listed(view, &change.stays.value)?;
    if listed.iter().any(|one| one.id == *id) {
        return Err(Move::stuck(Amiss::Overwritten));
    }
    Ok(go(State::Verify(change.clone()), vec![Fact::Revoked { id: id.clone() }, Fact::Tidied]))
}

/// The owner may have marked the one that goes since; a leak that is named overrides it.
fn not_kept(view: &View<'_>, change: &Change, file: &File) -> Need<()> {
    let Goes::Used(item) = &change.goes else { return Ok(()) };
    let named = match &view.journal.plan.task.mode {
        Mode::Emergency(emergency) => emergency.leaked.as_ref() == Some(&item.id),
        Mode::Rotate | Mode::Drill => false,
    };
    let kept = file.find(&item.value).is_some_and(|found| found.label.keep == Keep::Yes);
    if kept && !named { Err(stuck(Stuck::Kept(item.id.clone()))) } else { Ok(()) }
}

/// Whether the one that goes must have been unused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Soak {
    No,
    Yes,
}

fn shortest_soak(view: &View<'_>) -> Duration {
    view.journal.plan.task.soak.max(view.journal.plan.overlap)
}

/// The leave of every sidecar, and how many they are; none without a fleet, or when no sidecar has what goes.
fn gate(view: &View<'_>, change: &Change, soak: Soak) -> Need<Option<usize>> {
    let plan = &view.journal.plan;
    let limit = plan.patience + if soak == Soak::Yes { shortest_soak(view) } else { Duration::ZERO };
    match change.goes {
        Goes::Used(_) | Goes::Nothing => view.gate(&question(change, soak, plan.task.soak), limit),
        Goes::Unused(_) | Goes::Unknown(_) => Ok(None),
    }
}

fn question(change: &Change, soak: Soak, span: Duration) -> Question<'_> {
    let goes = match soak {
        Soak::Yes => change.goes.id().map(|id| (id, span)),
        Soak::No => None,
    };
    Question { revision: &change.revision, stays: &change.stays.id, must: Must::Accept, goes }
}

/// After a leak: what is left of the time that sidecars have to follow. It runs from the deploy, whoever deployed; a run that
/// comes late has a moment to see who followed. Whoever calls an emergency off waits for every sidecar, unless the one that
/// goes is the leaked one.
fn deadline(view: &View<'_>, change: &Change) -> Option<Duration> {
    let Mode::Emergency(emergency) = &view.journal.plan.task.mode else { return None };
    let is_leaked = emergency.leaked.is_some() && emergency.leaked.as_ref() == change.goes.id();
    if change.then == Then::Finish(Ending::Aborted) && !is_leaked {
        return None;
    }
    let deployed = view.journal.trail.iter().rev().find(|entry| matches!(entry.fact, Fact::Deployed { .. }));
    let by_date = deployed.and_then(|entry| view.now.date.duration_since(entry.at).ok()).unwrap_or_default();
    let left = emergency.deadline.saturating_sub(view.waited().max(by_date));
    Some(left.max(LATE_LOOK.min(emergency.deadline).saturating_sub(view.waited())))
}

fn behind(view: &View<'_>, change: &Change) -> Vec<String> {
    match view.watch.gate(&question(change, Soak::No, Duration::ZERO), 0, view.now.instant) {
        Gate::Shut { on, ask: _ } => on.into_iter().map(|one| one.name).collect(),
        Gate::WithoutIds(name) => vec![name],
        Gate::Open(_) | Gate::Nobody | Gate::TooFew(_) => Vec::new(),
    }
}

/// A secret that this tool did not make may have users that no sidecar serves: a person decides.
fn approved(view: &View<'_>, change: &Change) -> Need<()> {
    let (Some(id), false) = (change.goes.id(), change.then == Then::Finish(Ending::Aborted)) else { return Ok(()) };
    let is_ours = view.journal.memory.made.contains(id);
    let asked = match (view.journal.plan.task.approve, is_ours) {
        (Approve::Never, _) | (Approve::First, true) => return Ok(()),
        (Approve::First | Approve::Always, false) => Unapproved::NotOurs(id.clone()),
        (Approve::Always, true) => Unapproved::Always(id.clone()),
    };
    if view.journal.memory.approved.contains(id) { Ok(()) } else { Err(Move::Over(End::Awaiting(asked))) }
}
