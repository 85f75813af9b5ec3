//! What each step needs to know, and what it does.
//!
//! A step reads from top to bottom: each line with a `?` asks for something to be done first when it was not done since
//! the last wait.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::seen::{Seen, Verdict};
use crate::jwt::SigningKey;
use crate::rotation::evidence::{Gate, Must, Question, Watch};
use crate::rotation::keypair::effect::{Deploy, Effect};
use crate::rotation::keypair::halt::{End, Ending, Parked, Stuck};
use crate::rotation::keypair::journal::{Fact, Journal};
use crate::rotation::keypair::state::{Change, State};
use crate::rotation::keypair::{Chance, File, Key};
use crate::rotation::machine::Now;
use crate::rotation::plan::Fleet;
use crate::secret::{Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::probe::PROVING_KEYS;

/// Sidecars are asked to try their keys no more often than this.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What a step comes to.
pub(super) enum Move {
    /// Do this and look again.
    Do(Effect),
    /// Go on to this state; these things happened.
    Go(Box<State>, Vec<Fact>),
    /// Look again after a while.
    Rest(Duration),
    /// The run is over.
    Over(End),
}

/// A value, or what must be done to have it.
type Need<T> = Result<T, Move>;

/// All that a step decides from.
pub(super) struct View<'a> {
    pub(super) journal: &'a Journal,
    pub(super) seen: &'a Seen,
    pub(super) watch: &'a Watch,
    pub(super) now: Now,
    pub(super) entered: Instant,
}

/// What comes next in the state that the rotation is in.
pub(super) fn step(view: &View<'_>, chance: &mut dyn Chance) -> Move {
    let next = match &view.journal.state {
        State::Check => check(view, chance),
        State::Deploy(change) => deploy(view, change),
        State::Spread(change) => spread(view, change),
        State::Put(change) => put(view, change),
        State::Prove(change) => prove(view, change),
        State::Converge(change) => converge(view, change),
        State::Drop(change) => drop_old(view, change),
        State::Withdraw(change) => withdraw(view, change),
        State::Report { ending } => Ok(report(view, *ending)),
        State::Ended { ending } => Ok(Move::Over(End::Ended(*ending))),
    };
    next.unwrap_or_else(|first| first)
}

/// Which key of the file is in force? Another one is made.
fn check(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    view.sinks()?;
    let file = view.file()?;
    let resource = view.resource()?;
    let public = public_key(resource).ok_or_else(|| stuck(Stuck::NotHeld))?;
    let old = file.keys.iter().find(|held| held.value.is_half_of(public)).ok_or_else(|| stuck(Stuck::NotHeld))?;
    let value = chance.key().ok_or_else(|| stuck(Stuck::NoRandomness))?;
    let change = Change {
        to: Key { value, id: chance.name(), note: None },
        from: Key { value: old.value.clone(), id: old.label.id.clone().unwrap_or_else(|| chance.name()), note: old.label.note.clone() },
        before: file.keys.iter().map(|held| held.value.clone()).collect(),
        revision: chance.revision(),
        last: chance.revision(),
        ending: Ending::Done,
    };
    let staged = Fact::Staged { id: change.to.id.clone() };
    Ok(go(State::Deploy(change), vec![staged]))
}

/// The file gets both, the one in force first, and is read back.
fn deploy(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = view.file()?;
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
        return Ok(Move::Rest(left.min(view.journal.plan.poll)));
    }
    Ok(go(State::Put(change.clone()), vec![Fact::Spread { members }]))
}

/// The whole application is put back with the other public key, and read again: a lost answer changes nothing.
fn put(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    let members = hold_both(view, change)?;
    let resource = view.resource()?;
    match in_force(resource, change) {
        InForce::To => {
            let client_tokens = members.map(|_| view.watch.client_tokens());
            Ok(go(State::Prove(change.clone()), vec![Fact::Put { id: change.to.id.clone(), client_tokens }]))
        }
        InForce::From if view.seen.put.is_some() => view.patient(Move::Over(End::Parked(Parked::NotAccepted))),
        // Putting the old key back does not wait: the new one may be the reason to call it off.
        InForce::From if change.ending == Ending::Done && !view.journal.plan.window.is_open(view.now.date) => {
            Ok(Move::Rest(view.journal.plan.poll))
        }
        InForce::From => {
            let with = view.secret()?;
            Ok(Move::Do(Effect::PutKey { resource: resource.clone(), key: change.to.value.clone(), with }))
        }
        InForce::Another => Err(stuck(Stuck::Contested)),
    }
}

/// Every host accepts it, so often in a row and over so long a time: it may take a while to be known everywhere.
fn prove(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    let plan = &view.journal.plan;
    let mut facts = Vec::new();
    let mut soonest: Option<Duration> = None;
    for host in PROVING_KEYS {
        let Some(row) = view.seen.row(host) else { return Ok(ask(change, host)) };
        if row.verdict == Verdict::Accepted && row.times >= plan.prove_times.max(1) && row.span() >= plan.prove_for {
            let after = row.first.saturating_duration_since(view.entered).as_millis();
            facts.push(Fact::Proven { host: host.to_string(), after_ms: u64::try_from(after).unwrap_or(u64::MAX) });
            continue;
        }
        let pace = if row.verdict == Verdict::Accepted { plan.pace() } else { plan.poll };
        let rest = (row.last + pace).saturating_duration_since(view.now.instant);
        if rest.is_zero() {
            return Ok(ask(change, host));
        }
        soonest = Some(soonest.map_or(rest, |other| other.min(rest)));
    }
    match soonest {
        None => Ok(go(State::Converge(change.clone()), facts)),
        Some(_) if view.waited() >= plan.patience => Err(Move::Over(End::Parked(Parked::NotAccepted))),
        Some(rest) => Ok(Move::Rest(rest)),
    }
}

/// Every sidecar had it accepted. Going back, a request of ours that was not answered may still be on its way.
fn converge(view: &View<'_>, change: &Change) -> Need<Move> {
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    let members = gate(view, change, Must::Accept, &change.to.id)?;
    let plan = &view.journal.plan;
    match change.ending {
        Ending::Aborted if view.waited() < plan.give_up => Ok(Move::Rest(plan.poll)),
        Ending::Aborted | Ending::Done => Ok(go(State::Drop(change.clone()), vec![Fact::Converged { members }])),
    }
}

/// Everything is looked at once more, then the file gets the one in force alone.
fn drop_old(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = view.file()?;
    if is_alone(file, change) {
        return Ok(go(State::Report { ending: change.ending }, vec![Fact::Tidied]));
    }
    as_deployed(view, change)?;
    still_in_force(view, change)?;
    for host in PROVING_KEYS {
        match view.seen.verdict(host) {
            None => return Ok(ask(change, host)),
            Some(Verdict::Refused) => return view.patient(Move::Over(End::Parked(Parked::NotAccepted))),
            Some(Verdict::Accepted) => {}
        }
    }
    gate(view, change, Must::Accept, &change.to.id)?;
    write(view, file, change, vec![change.to.clone()], &change.last)
}

/// The provider never knew the key that goes.
fn withdraw(view: &View<'_>, change: &Change) -> Need<Move> {
    let file = view.file()?;
    if is_alone(file, change) {
        return Ok(go(State::Report { ending: change.ending }, vec![Fact::Tidied]));
    }
    write(view, file, change, vec![change.to.clone()], &change.last)
}

fn report(view: &View<'_>, ending: Ending) -> Move {
    match view.seen.told {
        None => Move::Do(Effect::Report(End::Ended(ending))),
        Some(_) => go(State::Ended { ending }, vec![Fact::Ended { ending }]),
    }
}

/// Writes what is not there yet, over what is known. Once written, what is there is as written or somebody else's.
fn write(view: &View<'_>, file: &File, change: &Change, keys: Vec<Key>, revision: &Revision) -> Need<Move> {
    let before: Vec<&SigningKey> = change.before.iter().collect();
    let known = file.has_exactly(&before) || file.has_exactly(&both(change));
    if !known || view.seen.deployed.is_some() {
        return Err(stuck(Stuck::Overwritten));
    }
    let expect = file.keys.iter().map(|held| held.value.clone()).collect();
    Ok(Move::Do(Effect::Deploy(Deploy { expect, keys, revision: revision.clone() })))
}

fn both(change: &Change) -> [&SigningKey; 2] {
    [&change.from.value, &change.to.value]
}

fn is_deployed(file: &File, change: &Change) -> bool {
    file.revision.as_ref() == Some(&change.revision) && file.has_exactly(&both(change))
}

/// Whether the key that goes is gone from the file, and the other one there.
fn is_alone(file: &File, change: &Change) -> bool {
    let has = |key: &Key| file.keys.iter().any(|held| held.value.same_as(&key.value));
    has(&change.to) && !has(&change.from)
}

/// The file is read back at every look.
fn as_deployed(view: &View<'_>, change: &Change) -> Need<()> {
    if is_deployed(view.file()?, change) { Ok(()) } else { Err(stuck(Stuck::Overwritten)) }
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
    match (in_force(view.resource()?, change), change.ending) {
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
    let Fleet::Watched { expect } = plan.fleet else { return Ok(None) };
    if view.seen.sidecars.is_none() {
        return Err(Move::Do(Effect::Look { also: view.watch.names() }));
    }
    let question = Question { revision: &change.revision, stays: id, must, goes: None, expect };
    let otherwise = match view.watch.gate(&question, view.now.instant) {
        Gate::Open(members) => return Ok(Some(members)),
        Gate::WithoutIds(name) => return Err(stuck(Stuck::NoIds(name))),
        Gate::Nobody if view.waited() >= plan.give_up => return Err(stuck(Stuck::NoEvidence)),
        Gate::Nobody => return Err(Move::Rest(plan.poll)),
        Gate::TooFew(seen) => Parked::TooFew { seen, expect },
        Gate::Shut { on, ask } => {
            let lately = view.seen.asked.is_some_and(|at| view.now.instant.saturating_duration_since(at) < ASK_AGAIN);
            if !ask.is_empty() && !lately {
                return Err(Move::Do(Effect::AskMembers { members: ask }));
            }
            Parked::NotFollowed(on)
        }
    };
    Err(if view.waited() < plan.patience + plan.overlap { Move::Rest(plan.poll) } else { Move::Over(End::Parked(otherwise)) })
}

fn ask(change: &Change, host: Host) -> Move {
    Move::Do(Effect::Prove { key: change.to.value.clone(), host })
}

fn go(state: State, facts: Vec<Fact>) -> Move {
    Move::Go(Box::new(state), facts)
}

fn stuck(why: Stuck) -> Move {
    Move::Over(End::Stuck(why))
}

impl View<'_> {
    /// How long this run has been in the state.
    fn waited(&self) -> Duration {
        self.now.instant.saturating_duration_since(self.entered)
    }

    /// Looks again in a while, up to the plan's patience; then this.
    fn patient<T>(&self, otherwise: Move) -> Need<T> {
        let plan = &self.journal.plan;
        Err(if self.waited() < plan.patience { Move::Rest(plan.poll) } else { otherwise })
    }

    fn sinks(&self) -> Need<()> {
        self.seen.sinks.as_ref().map(|_| ()).ok_or(Move::Do(Effect::TrySinks))
    }

    fn file(&self) -> Need<&File> {
        self.seen.file.as_ref().ok_or(Move::Do(Effect::ReadFile))
    }

    fn secret(&self) -> Need<crate::secret::ApiSecret> {
        self.seen.choose(&self.file()?.secrets).cloned().ok_or_else(|| stuck(Stuck::NoSecret))
    }

    fn resource(&self) -> Need<&Value> {
        match &self.seen.application {
            None => Err(Move::Do(Effect::ReadApplication { with: self.secret()? })),
            Some(Ok(resource)) => Ok(resource),
            Some(Err(why)) => Err(stuck(why.clone())),
        }
    }
}
