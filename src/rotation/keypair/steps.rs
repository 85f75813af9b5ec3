//! What each step needs to know, and what it does.
//!
//! A step reads from top to bottom: each line with a `?` asks for something to be done first when it was not done since
//! the last wait.

use std::time::Duration;

use serde_json::Value;

use super::halt::{Ending, Stuck};
use super::state::{Change, State};
use super::{Call, Chance, Effect, End, Fact, Key, KeyPairs};
use crate::jwt::SigningKey;
use crate::rotation::File;
use crate::rotation::evidence::{Must, Question};
use crate::rotation::halt::Amiss;
use crate::rotation::machine::{self, Rest, Verdict};
use crate::secret::{ApiSecret, Revision, SecretId};

/// While the window is closed, the sidecars and the file are looked at no more often than this.
const WINDOW_LOOK: Duration = Duration::from_secs(30);

type Move = machine::Move<KeyPairs>;
type View<'a> = machine::View<'a, KeyPairs>;
type Need<T> = machine::Need<KeyPairs, T>;

/// What comes next in the state that the rotation is in.
pub(super) fn step(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    match &view.journal.state {
        State::Check => check(view, chance),
        State::Deploy(change) => deploy(view, change),
        State::Spread(change) => spread(view, change),
        State::Put(change) => put(view, change),
        State::Prove(change) => prove(view, change),
        State::Converge(change) => converge(view, change),
        State::Drop(change) => drop_old(view, change),
        State::Withdraw(change) => withdraw(view, change),
        State::Report { ending } => {
            view.told(*ending)?;
            Ok(go(State::Ended { ending: *ending }, vec![Fact::Ended { ending: *ending }]))
        }
        State::Ended { ending } => Ok(Move::Over(End::Ended(*ending))),
    }
}

/// Which key of the file is in force? Another one is made.
fn check(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    view.sinks()?;
    let file = &view.file()?.keys;
    let resource = resource(view)?;
    let public = public_key(resource).ok_or_else(|| stuck(Stuck::NotHeld))?;
    let old = file.items.iter().find(|held| held.value.is_half_of(public)).ok_or_else(|| stuck(Stuck::NotHeld))?;
    let value = chance.key().ok_or_else(|| stuck(Stuck::NoRandomness))?;
    let change = Change {
        to: Key { value, id: chance.name(), note: None },
        from: Key { value: old.value.clone(), id: old.label.id.clone().unwrap_or_else(|| chance.name()), note: old.label.note.clone() },
        before: file.items.iter().map(|held| held.value.clone()).collect(),
        revision: chance.revision(),
        last: chance.revision(),
        ending: Ending::Done,
    };
    let staged = Fact::Staged { id: change.to.id.clone() };
    Ok(go(State::Deploy(change), vec![staged]))
}

/// The file gets both, the one in force first, and is read back.
fn deploy(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = &view.file()?.keys;
    if is_deployed(file, change) {
        return Ok(go(State::Spread(change.clone()), vec![Fact::Deployed { revision: change.revision.clone() }]));
    }
    write(view, file, change, vec![change.from.clone(), change.to.clone()], &change.revision)
}

/// Every sidecar holds both; one that starts now with an older file does so by the time the public key is replaced.
fn spread(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    let members = hold_both(view, change)?;
    let left = view.journal.plan.overlap.saturating_sub(view.waited());
    if !left.is_zero() {
        return Ok(Move::rest(left.min(view.journal.plan.poll)));
    }
    in_window(view)?;
    Ok(go(State::Put(change.clone()), vec![Fact::Spread { members }]))
}

/// The whole application is put back with the other public key, and read again: a lost answer changes nothing.
fn put(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    let members = hold_both(view, change)?;
    let resource = resource(view)?;
    match in_force(resource, change) {
        InForce::To => {
            let client_tokens = members.map(|_| view.watch.client_tokens());
            Ok(go(State::Prove(change.clone()), vec![Fact::Put { id: change.to.id.clone(), client_tokens }]))
        }
        InForce::From if view.seen.learnt.put.is_some() => view.patient(Move::not_accepted()),
        InForce::From => {
            // Putting the old key back does not wait: the new one may be the reason to call it off.
            if change.ending == Ending::Done {
                in_window(view)?;
            }
            let call = Call::PutKey { resource: resource.clone(), key: change.to.value.clone(), with: secret(view)? };
            Ok(Move::Do(Effect::Call(call)))
        }
        InForce::Another => Err(stuck(Stuck::Contested)),
    }
}

/// The window is open, or it is waited for.
fn in_window(view: &View<'_>) -> Need<()> {
    let window = view.journal.plan.task.window;
    let left = window.opens_in(view.now.date);
    if left.is_zero() { Ok(()) } else { Err(Move::Rest(Rest { span: left.min(WINDOW_LOOK), on: vec![window.to_string()] })) }
}

/// Every host accepts it steadily.
fn prove(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    let proven = view.proven(&change.to.value, view.journal.plan.steady())?;
    let facts = proven.into_iter().map(|(host, after_ms)| Fact::Proven { host: host.to_string(), after_ms }).collect();
    Ok(go(State::Converge(change.clone()), facts))
}

/// Every sidecar had it accepted. Going back, a request of ours that was not answered may still be on its way.
fn converge(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    let members = gate(view, change, Must::Accept, &change.to.id)?;
    let plan = &view.journal.plan;
    match change.ending {
        Ending::Aborted if view.waited() < plan.give_up => Ok(Move::rest(plan.poll)),
        Ending::Aborted | Ending::Done => Ok(go(State::Drop(change.clone()), vec![Fact::Converged { members }])),
    }
}

/// Everything is looked at once more, then the file gets the one in force alone.
fn drop_old(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = &view.file()?.keys;
    if is_alone(file, change) {
        return Ok(go(State::Report { ending: change.ending }, vec![Fact::Tidied]));
    }
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    if view.everywhere(&change.to.value)? == Verdict::Refused {
        return view.patient(Move::not_accepted());
    }
    gate(view, change, Must::Accept, &change.to.id)?;
    write(view, file, change, vec![change.to.clone()], &change.last)
}

/// The provider never knew the key that goes.
fn withdraw(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = &view.file()?.keys;
    if is_alone(file, change) {
        return Ok(go(State::Report { ending: change.ending }, vec![Fact::Tidied]));
    }
    write(view, file, change, vec![change.to.clone()], &change.last)
}

/// What the owner wrote beside a key since is the owner's.
fn write(view: &View<'_>, file: &File<SigningKey>, change: &Change, keys: Vec<Key>, revision: &Revision) -> Need<Move> {
    let with_note = |key: Key| match file.find(&key.value) {
        Some(found) => Key { note: found.label.note.clone(), ..key },
        None => key,
    };
    let before: Vec<&SigningKey> = change.before.iter().collect();
    view.write(file, [&before, &both(change)], keys.into_iter().map(with_note).collect(), revision.clone())
}

fn both(change: &Change) -> [&SigningKey; 2] {
    [&change.from.value, &change.to.value]
}

fn is_deployed(file: &File<SigningKey>, change: &Change) -> bool {
    file.is_deployed(&change.revision, both(change))
}

/// Whether the key that goes is gone from the file, and the other one there.
fn is_alone(file: &File<SigningKey>, change: &Change) -> bool {
    file.find(&change.to.value).is_some() && file.find(&change.from.value).is_none()
}

/// The file is read back at every look.
fn as_deployed(view: &View<'_>, change: &Change) -> Need<()> {
    if is_deployed(&view.file()?.keys, change) { Ok(()) } else { Err(Move::stuck(Amiss::Overwritten)) }
}

/// Whose public key the provider has.
enum InForce {
    To,
    From,
    Another,
}

fn in_force(resource: &Value, change: &Change) -> InForce {
    match public_key(resource) {
        Some(public) if change.to.value.is_half_of(public) => InForce::To,
        Some(public) if change.from.value.is_half_of(public) => InForce::From,
        Some(_) | None => InForce::Another,
    }
}

fn public_key(resource: &Value) -> Option<&str> {
    resource.pointer("/keys/public_key").and_then(Value::as_str)
}

/// Going back, a request of ours that was late may have put the new key again: it is put back once more.
fn still_in_force(view: &View<'_>, change: &Change) -> Need<()> {
    match (in_force(resource(view)?, change), change.ending) {
        (InForce::To, _) => Ok(()),
        (InForce::From, Ending::Aborted) => Err(go(State::Put(change.clone()), Vec::new())),
        (InForce::From, Ending::Done) | (InForce::Another, _) => Err(stuck(Stuck::Contested)),
    }
}

fn hold_both(view: &View<'_>, change: &Change) -> Need<Option<usize>> {
    gate(view, change, Must::Hold, &change.from.id)?;
    gate(view, change, Must::Hold, &change.to.id)
}

/// The leave of every sidecar, and how many they are; none without a fleet.
fn gate(view: &View<'_>, change: &Change, must: Must, id: &SecretId) -> Need<Option<usize>> {
    let plan = &view.journal.plan;
    view.gate(&Question { revision: &change.revision, stays: id, must, goes: None }, plan.patience + plan.overlap)
}

fn go(state: State, facts: Vec<Fact>) -> Move {
    Move::go(state, facts)
}

fn stuck(why: Stuck) -> Move {
    Move::stuck(why)
}

/// What authenticates calls.
fn secret(view: &View<'_>) -> Need<ApiSecret> {
    view.seen.choose(&view.file()?.secrets).cloned().ok_or_else(|| stuck(Stuck::NoSecret))
}

/// The application as the provider has it.
fn resource<'v>(view: &View<'v>) -> Need<&'v Value> {
    match &view.seen.learnt.application {
        None => Err(Move::Do(Effect::Call(Call::ReadApplication { with: secret(view)? }))),
        Some(Ok(resource)) => Ok(resource),
        Some(Err(why)) => Err(stuck(why.clone())),
    }
}
