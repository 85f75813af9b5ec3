//! What each step needs to know, and what it does: the way from `check` to `prove`, and what every step looks at.
//!
//! A step reads from top to bottom: each line with a `?` asks for something to be done first when it was not done
//! since the last wait. The rest of the way is in [`super::change`].

use std::time::{Duration, Instant};

use super::Chance;
use super::change;
use super::seen::{Creating, Seen, Verdict};
use super::state::{Change, Creation, Goes, Minted, State, Then, Wish};
use crate::credentials::{Keep, Label};
use crate::rotation::effect::{Effect, Listed};
use crate::rotation::evidence::Watch;
use crate::rotation::halt::{End, Ending, Parked, Stuck};
use crate::rotation::journal::{Fact, Journal};
use crate::rotation::slots::{self, Decision, Picture};
use crate::rotation::{Delivered, File, Item};
use crate::secret::ApiSecret;
use crate::vonage::hosts::Host;
use crate::vonage::probe::PROVING;

/// How often another value is made when the provider does not take one.
const VALUES: u32 = 3;

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
pub(super) type Need<T> = Result<T, Move>;

/// All that a step decides from.
pub(super) struct View<'a> {
    pub(super) journal: &'a Journal,
    pub(super) seen: &'a Seen,
    pub(super) watch: &'a Watch,
    pub(super) now: Instant,
    pub(super) entered: Instant,
}

/// What comes next in the state that the rotation is in.
pub(super) fn step(view: &View<'_>, chance: &mut dyn Chance) -> Move {
    let next = match &view.journal.state {
        State::Check => check(view, chance),
        State::Create(creation) => create(view, creation, chance),
        State::Prove(minted) => prove(view, minted, chance),
        State::Deploy(change) => change::deploy(view, change),
        State::Converge(change) => change::converge(view, change),
        State::Soak(change) => change::soak(view, change),
        State::Revoke(change) => change::revoke(view, change),
        State::Tidy(change) => change::tidy(view, change, chance),
        State::Verify(change) => change::verify(view, change),
        State::Report { ending } => Ok(report(view, *ending)),
        State::Ended { ending } => Ok(Move::Over(End::Ended(*ending))),
    };
    next.unwrap_or_else(|first| first)
}

/// Who takes part? A slot is used, or freed first.
fn check(view: &View<'_>, chance: &mut dyn Chance) -> Need<Move> {
    view.sinks()?;
    let file = view.file()?;
    let held = held(file, view.journal.latest.as_ref());
    let mut live = Vec::new();
    for one in &held {
        if view.anywhere(&one.value)? == Verdict::Accepted {
            live.push(one);
        }
    }
    let with = view.seen.choose(&live).ok_or_else(|| stuck(Stuck::AllRefused))?;
    let listed = view.listed(&with.value)?;
    let checked = Fact::Checked { listed: listed.len(), live: live.len() };
    let picture = Picture { listed, file: file.items.iter().map(|item| item.value.clone()).collect(), live };
    match slots::decide(&view.journal.plan.mode, &picture, chance.revision()).map_err(stuck)? {
        Decision::Mint(base) => {
            let creation = Creation { value: chance.secret(), turned_down: 0, base, wish: Wish::Wanted };
            Ok(go(State::Create(creation), vec![checked, Fact::Staged]))
        }
        Decision::Free(change) => Ok(go(change::begin(change), vec![checked])),
    }
}

/// Everything of the file, and the last value that this tool made in case the file was put back from a copy.
fn held(file: &File, latest: Option<&Item>) -> Vec<Delivered> {
    let missing = latest.filter(|item| file.find(&item.value).is_none());
    let of_journal = missing.map(|item| Delivered {
        value: item.value.clone(),
        label: Label { id: Some(item.id.clone()), created_at: item.created_at, keep: item.keep, note: item.note.clone() },
    });
    file.items.iter().cloned().chain(of_journal).collect()
}

/// The value is in the journal. What the provider made of it is seen from its list, and by trying the value: a lost
/// answer changes nothing.
fn create(view: &View<'_>, creation: &Creation, chance: &mut dyn Chance) -> Need<Move> {
    if let Some(Creating::Made(made)) = &view.seen.created {
        return Ok(made_it(creation, made, Fact::Created { id: made.id.clone() }, chance));
    }
    let with = view.seen.choose(&creation.base.live).ok_or_else(|| stuck(Stuck::AllRefused))?;
    let listed = view.listed(&with.value)?;
    let unknown: Vec<&Listed> = listed.iter().filter(|one| !creation.base.listed.contains(&one.id)).collect();
    match (unknown.as_slice(), &view.seen.created) {
        ([], _) if creation.wish == Wish::Unwanted => Ok(forget(view)),
        ([], Some(Creating::TurnedDown(words))) => another(creation, words, chance),
        ([], Some(Creating::Made(_)) | None) => Ok(Move::Do(Effect::Create { value: creation.value.clone(), with: with.value.clone() })),
        ([one], _) => match view.anywhere(&creation.value)? {
            Verdict::Accepted => Ok(made_it(creation, one, Fact::Adopted { id: one.id.clone() }, chance)),
            Verdict::Refused => view.patient(stuck(Stuck::Foreign(one.id.clone()))),
        },
        ([one, ..], _) => Err(stuck(Stuck::Foreign(one.id.clone()))),
    }
}

fn made_it(creation: &Creation, made: &Listed, how: Fact, chance: &mut dyn Chance) -> Move {
    let new = Item { value: creation.value.clone(), id: made.id.clone(), created_at: made.created_at, keep: Keep::No, note: None };
    let minted = Minted { new, base: creation.base.clone() };
    let state = match creation.wish {
        Wish::Wanted => State::Prove(minted),
        Wish::Unwanted => withdrawal(&minted, chance).map_or(State::Prove(minted), State::Revoke),
    };
    go(state, vec![how])
}

/// Takes a new secret away again that was never in the file. None when nothing would stay.
pub(super) fn withdrawal(minted: &Minted, chance: &mut dyn Chance) -> Option<Change> {
    let (stays, beside) = minted.base.live.split_first()?;
    Some(Change {
        stays: stays.clone(),
        beside: beside.to_vec(),
        goes: Goes::Unused(minted.new.clone()),
        before: minted.base.file.clone(),
        revision: chance.revision(),
        then: Then::Finish(Ending::Aborted),
    })
}

/// Nothing was made, unless a request of ours is still on its way: wait a moment and look again.
fn forget(view: &View<'_>) -> Move {
    let plan = &view.journal.plan;
    if view.waited() < plan.give_up { Move::Rest(plan.poll) } else { go(State::Report { ending: Ending::Aborted }, Vec::new()) }
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

/// Every host accepts it, so often in a row and over so long a time, or we wait: it may take a while to be known
/// everywhere.
fn prove(view: &View<'_>, minted: &Minted, chance: &mut dyn Chance) -> Need<Move> {
    let plan = &view.journal.plan;
    let (times, span) = plan.proof();
    let mut facts = Vec::new();
    let mut soonest: Option<Duration> = None;
    for host in PROVING {
        let Some(row) = view.seen.row(&minted.new.value, host) else { return Ok(ask(&minted.new.value, host)) };
        if row.verdict == Verdict::Accepted && row.times >= times && row.span() >= span {
            facts.push(Fact::proven(host, milliseconds(row.first.saturating_duration_since(view.entered))));
            continue;
        }
        let pace = if row.verdict == Verdict::Accepted { plan.pace() } else { plan.poll };
        let rest = (row.last + pace).saturating_duration_since(view.now);
        if rest.is_zero() {
            return Ok(ask(&minted.new.value, host));
        }
        soonest = Some(soonest.map_or(rest, |other| other.min(rest)));
    }
    match soonest {
        None => Ok(go(change::begin(slots::replace(&plan.mode, &minted.new, &minted.base, chance.revision())), facts)),
        Some(_) if view.waited() >= plan.patience => Err(Move::Over(End::Parked(Parked::NotAccepted))),
        Some(rest) => Ok(Move::Rest(rest)),
    }
}

fn report(view: &View<'_>, ending: Ending) -> Move {
    match view.seen.told {
        None => Move::Do(Effect::Report(End::Ended(ending))),
        Some(_) => go(State::Ended { ending }, vec![Fact::Ended { ending }]),
    }
}

fn ask(value: &ApiSecret, host: Host) -> Move {
    Move::Do(Effect::Prove { value: value.clone(), host })
}

pub(super) fn go(state: State, facts: Vec<Fact>) -> Move {
    Move::Go(Box::new(state), facts)
}

pub(super) fn stuck(why: Stuck) -> Move {
    Move::Over(End::Stuck(why))
}

pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl View<'_> {
    /// How long this run has been in the state.
    pub(super) fn waited(&self) -> Duration {
        self.now.saturating_duration_since(self.entered)
    }

    /// Looks again in a while, up to the plan's patience; then this.
    pub(super) fn patient<T>(&self, otherwise: Move) -> Need<T> {
        let plan = &self.journal.plan;
        Err(if self.waited() < plan.patience { Move::Rest(plan.poll) } else { otherwise })
    }

    fn sinks(&self) -> Need<()> {
        self.seen.sinks.as_ref().map(|_| ()).ok_or(Move::Do(Effect::TrySinks))
    }

    pub(super) fn file(&self) -> Need<&File> {
        self.seen.file.as_ref().ok_or(Move::Do(Effect::ReadFile))
    }

    pub(super) fn listed(&self, with: &ApiSecret) -> Need<&[Listed]> {
        self.seen.listed.as_deref().ok_or_else(|| Move::Do(Effect::List { with: with.clone() }))
    }

    pub(super) fn verdict(&self, value: &ApiSecret, host: Host) -> Need<Verdict> {
        self.seen.verdict(value, host).ok_or_else(|| ask(value, host))
    }

    /// Accepted when one host accepts it: the others may not know it yet.
    pub(super) fn anywhere(&self, value: &ApiSecret) -> Need<Verdict> {
        for host in PROVING {
            if self.verdict(value, host)? == Verdict::Accepted {
                return Ok(Verdict::Accepted);
            }
        }
        Ok(Verdict::Refused)
    }

    /// Accepted when every host accepts it.
    pub(super) fn everywhere(&self, value: &ApiSecret) -> Need<Verdict> {
        for host in PROVING {
            if self.verdict(value, host)? == Verdict::Refused {
                return Ok(Verdict::Refused);
            }
        }
        Ok(Verdict::Accepted)
    }
}
