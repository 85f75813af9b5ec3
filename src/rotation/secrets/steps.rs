//! What each step needs to know, and what it does: the way from `check` to `prove`.
//!
//! A step reads from top to bottom: each line with a `?` asks for something to be done first when it was not done
//! since the last wait. The rest of the way is in [`super::change`].

use super::halt::{Ending, Stuck};
use super::slots::{self, Decision, Picture};
use super::state::{Creation, Minted, State, Wish};
use super::task::{Emergency, Mode};
use super::view::{Move, Need, View, go, listed, stuck};
use super::{Call, Chance, Creating, Delivered, Effect, End, Fact, File, Item, abort, change};
use crate::credentials::Keep;
use crate::rotation::machine::Verdict;
use crate::secret::SecretId;
use crate::vonage::management::Listed;

/// How often another value is made when the provider does not take one.
const VALUES: u32 = 3;

/// What comes next in the state that the rotation is in.
pub(super) fn step(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    match &view.journal.state {
        State::Check => check(view, chance),
        State::Create(creation) => create(view, creation, chance),
        State::Prove(minted) => prove(view, minted, chance),
        State::Deploy(change) => change::deploy(view, change),
        State::Converge(change) => change::converge(view, change),
        State::Soak(change) => change::soak(view, change),
        State::Revoke(change) => change::revoke(view, change),
        State::Tidy(change) => change::tidy(view, change, chance),
        State::Verify(change) => change::verify(view, change),
        State::Report { ending } => {
            view.told(*ending)?;
            Ok(go(State::Ended { ending: *ending }, vec![Fact::Ended { ending: *ending }]))
        }
        State::Ended { ending } => Ok(Move::Over(End::Ended(*ending))),
    }
}

/// Who takes part? A slot is used, or freed first.
fn check(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    view.sinks()?;
    let file = view.file()?;
    let mut live = Vec::new();
    for one in &file.items {
        if view.anywhere(&one.value)? == Verdict::Accepted {
            live.push(one);
        }
    }
    let made = missing(view, file, &live);
    if let Some(made) = &made
        && view.anywhere(&made.value)? == Verdict::Accepted
    {
        live.push(made);
    }
    let with = view.seen.choose(&live).ok_or_else(|| stuck(Stuck::AllRefused))?;
    let listed = listed(view, &with.value)?;
    let checked = Fact::Checked { listed: listed.len(), live: live.len() };
    let picture = Picture { listed, file: file.items.iter().map(|item| item.value.clone()).collect(), live };
    let mode = &view.journal.plan.task.mode;
    let decision = match slots::decide(mode, &picture, chance.revision()) {
        Err(Stuck::NoSuchLeak(_)) if view.journal.is_between() => {
            if is_left(&picture) {
                return Ok(go(State::Report { ending: Ending::Removed }, vec![checked]));
            }
            slots::decide(&Mode::Rotate, &picture, chance.revision())
        }
        decided => decided,
    };
    match decision.map_err(stuck)? {
        Decision::Mint(base) => {
            let creation = Creation { value: chance.secret(), turned_down: 0, base, wish: Wish::Wanted };
            Ok(go(State::Create(creation), vec![checked, Fact::Staged]))
        }
        Decision::Free(change) => Ok(go(change::begin(change), vec![checked])),
    }
}

/// The leaked secret is gone already, by hand: whether all that is accepted is in the file.
fn is_left(picture: &Picture<'_>) -> bool {
    picture.live.iter().all(|one| picture.file.iter().any(|value| value.same_as(&one.value)))
}

/// The last value that this tool made, when the file lacks it: this rotation has not written it yet, or the file was put
/// back from a copy, in which nothing is accepted. Otherwise the owner took it out, and somebody else may use it.
fn missing(view: &View<'_>, file: &File, live: &[&Delivered]) -> Option<Delivered> {
    let latest = view.journal.memory.latest.as_ref().filter(|item| file.find(&item.value).is_none())?;
    let is_of_this_one = view.journal.is_between();
    if is_of_this_one || live.is_empty() { Some(latest.delivered()) } else { None }
}

/// The value is in the journal. What the provider made of it is seen from its list, and by trying the value: a lost
/// answer changes nothing.
fn create(view: &View<'_>, creation: &Creation, chance: &mut dyn Chance) -> Need<Move> {
    if let Some(Creating::Made(made)) = &view.seen.learnt.created {
        return Ok(made_it(creation, made, Fact::Created { id: made.id.clone() }, chance));
    }
    let with = view.seen.choose(&creation.base.live).ok_or_else(|| stuck(Stuck::AllRefused))?;
    let listed = listed(view, &with.value)?;
    let unknown: Vec<&Listed> = listed.iter().filter(|one| !creation.base.listed.contains(&one.id)).collect();
    match (unknown.as_slice(), &view.seen.learnt.created) {
        ([], _) if creation.wish == Wish::Unwanted => Ok(forget(view)),
        ([], Some(Creating::TurnedDown(words))) => another(creation, words, chance),
        ([], Some(Creating::Made(_)) | None) => {
            Ok(Move::Do(Effect::Call(Call::Create { value: creation.value.clone(), with: with.value.clone() })))
        }
        ([one], _) => match view.anywhere(&creation.value)? {
            Verdict::Accepted => Ok(made_it(creation, one, Fact::Adopted { id: one.id.clone() }, chance)),
            Verdict::Refused => foreign(view, &one.id),
        },
        ([one, ..], _) => Err(stuck(Stuck::Foreign(one.id.clone()))),
    }
}

/// Somebody else has the slot, or what we made is not known everywhere yet. After a leak it is decided anew what goes.
fn foreign(view: &View<'_>, id: &SecretId) -> Need<Move> {
    let anew = || go(State::Check, Vec::new());
    match &view.journal.plan.task.mode {
        Mode::Emergency(emergency) if emergency.leaked.as_ref() == Some(id) => Ok(anew()),
        Mode::Emergency(_) => view.patient(anew()),
        Mode::Rotate | Mode::Drill => view.patient(stuck(Stuck::Foreign(id.clone()))),
    }
}

fn made_it(creation: &Creation, made: &Listed, how: Fact, chance: &mut dyn Chance) -> Move {
    let new = Item { value: creation.value.clone(), id: made.id.clone(), created_at: made.created_at, keep: Keep::No, note: None };
    let minted = Minted { new, base: creation.base.clone() };
    let state = match creation.wish {
        Wish::Wanted => State::Prove(minted),
        Wish::Unwanted => abort::withdrawal(&minted, chance).map_or(State::Prove(minted), State::Revoke),
    };
    go(state, vec![how])
}

/// Nothing was made, unless a request of ours is still on its way: wait a moment and look again.
fn forget(view: &View<'_>) -> Move {
    let plan = &view.journal.plan;
    if view.waited() < plan.give_up { Move::rest(plan.poll) } else { go(State::Report { ending: Ending::Aborted }, Vec::new()) }
}

/// A value that the provider does not take is thrown away.
fn another(creation: &Creation, words: &str, chance: &mut dyn Chance) -> Need<Move> {
    let turned_down = creation.turned_down.saturating_add(1);
    if turned_down >= VALUES {
        return Err(stuck(Stuck::Invalid(words.to_owned())));
    }
    let creation = Creation { value: chance.secret(), turned_down, base: creation.base.clone(), wish: creation.wish };
    Ok(go(State::Create(creation), vec![Fact::Staged]))
}

/// Every host accepts it steadily.
fn prove(view: &View<'_>, minted: &Minted, chance: &mut dyn Chance) -> Need<Move> {
    let plan = &view.journal.plan;
    let proven = view.proven(&minted.new.value, plan.proof())?;
    let facts = proven.into_iter().map(|(host, after_ms)| Fact::Proven { host: host.to_string(), after_ms }).collect();
    let goes = |id: &SecretId| minted.base.live.iter().any(|item| item.id == *id);
    let next = match &plan.task.mode {
        // It leaked since the rotation began, and is none of those that were there.
        Mode::Emergency(Emergency { leaked: Some(id), .. }) if !goes(id) => State::Check,
        mode @ (Mode::Rotate | Mode::Drill | Mode::Emergency(_)) => {
            change::begin(slots::replace(mode, &minted.new, &minted.base, chance.revision()))
        }
    };
    Ok(go(next, facts))
}
