//! The driver of every rotation: says what to do next, and takes in what came of it.
//!
//! [`Machine::next`] and [`Machine::take`] are all that a runner calls, in turn, until the end. What each step needs to
//! know and does is the business of a [`Kind`]: that of secrets is in [`secrets`](super::secrets), that of key pairs in
//! [`keypair`](super::keypair). A step looks through a [`View`], which asks for what was not seen yet, and comes to a
//! [`Move`].
//!
//! Invariants: a state is saved, and the saving acknowledged, before anything of its step is done; what was learnt
//! about the world is forgotten when a state changes, when something fails and after each wait, so that every decision
//! stands on what was seen a moment ago. To resume is to load a journal and go on.
//!
//! Not here: doing things, the time, chance.

use std::time::{Duration, Instant, SystemTime};

use super::effect::{Effect, Outcome};
use super::evidence::{Sighting, Watch};
use super::halt::{End, Parked};
use super::journal::{Entry, Journal, SCHEMA};
use super::plan::Plan;
use super::tries::{Failed, Resting, Tried, Tries};
use crate::secret::Revision;
pub use kind::{Back, Kind, Part, Refused, State, Watching};
pub use seen::{Row, Seen, Verdict};
pub use view::{Need, View, milliseconds};

mod kind;
mod seen;
mod view;

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For waits and ages.
    pub instant: Instant,
    /// For the report.
    pub date: SystemTime,
}

/// What a runner does next.
#[derive(Debug)]
pub enum Next<K: Kind> {
    /// Do this and hand in what came of it.
    Do(Effect<K>),
    /// Nothing until then.
    Wait(Instant),
    /// The run is over.
    End(End<K>),
}

/// What a step comes to.
#[derive(Debug)]
pub enum Move<K: Kind> {
    /// Do this and look again.
    Do(Effect<K>),
    /// Go on to this state; these things happened.
    Go(Box<K::State>, Vec<K::Fact>),
    /// Look again after a while.
    Rest(Rest),
    /// The run is over.
    Over(End<K>),
}

/// A while in which nothing is done.
#[derive(Debug)]
pub struct Rest {
    /// How long.
    pub span: Duration,
    /// Who or what is waited for, in words; nothing when there is nothing to say.
    pub on: Vec<String>,
}

/// What a rotation begins with.
#[derive(Debug, Clone)]
pub struct Start<K: Kind> {
    /// Its name.
    pub rotation: Revision,
    /// What it is asked to do.
    pub plan: Plan<K::Task>,
    /// What is known from before.
    pub memory: K::Memory,
}

/// One rotation under way.
#[derive(Debug)]
pub struct Machine<K: Kind> {
    journal: Journal<K>,
    disk: Disk,
    seen: Seen<K>,
    watch: Watch,
    /// When this run came to the state.
    entered: Instant,
    tries: Tries,
    /// What the last rest is for.
    waits_for: Vec<String>,
    over: Option<Over<K>>,
}

/// Whether the journal on the disk is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Same,
    Behind,
}

/// The end, and whether it was told.
#[derive(Debug)]
enum Over<K: Kind> {
    Untold(End<K>),
    Told(End<K>),
}

impl<K: Kind> Machine<K> {
    /// A new rotation.
    pub fn begin(start: Start<K>, now: Now) -> Self {
        let journal = Journal {
            schema: SCHEMA,
            rotation: start.rotation,
            began_at: now.date,
            plan: start.plan,
            state: K::State::first(),
            memory: start.memory,
            members: Vec::new(),
            trail: Vec::new(),
        };
        Self { disk: Disk::Behind, ..Self::resume(journal, now) }
    }

    /// A rotation that another run began.
    pub fn resume(journal: Journal<K>, now: Now) -> Self {
        Self {
            watch: Watch::begin(&journal.members, now.instant),
            journal,
            disk: Disk::Same,
            seen: Seen::default(),
            entered: now.instant,
            tries: Tries::default(),
            waits_for: Vec::new(),
            over: None,
        }
    }

    /// What is to be on the disk.
    pub fn journal(&self) -> &Journal<K> {
        &self.journal
    }

    /// What is waited for, in words.
    pub fn waits_for(&self) -> &[String] {
        &self.waits_for
    }

    /// A person changes what the rotation is asked to do, or how patient it is.
    pub fn amend(&mut self, change: impl FnOnce(&mut Plan<K::Task>)) {
        let before = self.journal.plan.clone();
        change(&mut self.journal.plan);
        if self.journal.plan != before {
            self.disk = Disk::Behind;
        }
    }

    /// Something is to be known from now on.
    pub(super) fn remember(&mut self, note: impl FnOnce(&mut K::Memory)) {
        note(&mut self.journal.memory);
        self.disk = Disk::Behind;
    }

    /// Calls the rotation off: what follows undoes it.
    pub fn abort(&mut self, now: Now, chance: &mut K::Chance) -> Result<(), Refused> {
        if self.journal.is_between() {
            return Err(Refused::Between);
        }
        match K::back(&self.journal.state, chance)? {
            Back::To(state) => self.enter(*state, vec![K::abort_asked()], now),
            Back::Underway => {}
        }
        Ok(())
    }

    /// What to do next.
    pub fn next(&mut self, now: Now, chance: &mut K::Chance) -> Next<K> {
        match self.tries.resting(now.instant) {
            Resting::Until(until) => return Next::Wait(until),
            Resting::Over => self.seen.grow_old(),
            Resting::No => {}
        }
        self.waits_for.clear();
        match &self.over {
            Some(Over::Untold(end)) => return Next::Do(Effect::Report(end.clone())),
            Some(Over::Told(end)) => return Next::End(end.clone()),
            None => {}
        }
        if self.disk == Disk::Behind {
            return Next::Do(Effect::Save);
        }
        let view = View { journal: &self.journal, seen: &self.seen, watch: &self.watch, now, entered: self.entered };
        match K::step(&view, chance) {
            Move::Do(effect) => Next::Do(effect),
            Move::Go(state, facts) => {
                self.enter(*state, facts, now);
                Next::Do(Effect::Save)
            }
            Move::Rest(rest) => {
                let until = now.instant + rest.span;
                self.tries.rest(until);
                self.waits_for = rest.on;
                Next::Wait(until)
            }
            Move::Over(end) => self.end(end),
        }
    }

    /// What came of an effect.
    pub fn take(&mut self, effect: &Effect<K>, outcome: Outcome<K>, now: Now) {
        let tried = Tried { doing: effect.doing(), host: effect.host() };
        match self.learn(effect, outcome, now) {
            Ok(()) => self.tries.succeeded(tried),
            Err(cause) => self.fail(tried, cause, now.instant),
        }
    }

    /// Takes it into what is known. An outcome that does not belong to the effect tells nothing.
    fn learn(&mut self, effect: &Effect<K>, outcome: Outcome<K>, now: Now) -> Result<(), String> {
        // The next secret that is held may be accepted; one that keeps being refused is a failure like any other.
        if let Outcome::Denied = outcome {
            self.seen.use_another();
        }
        if let Some(cause) = outcome.failure() {
            return Err(cause.to_owned());
        }
        match (effect, outcome) {
            (Effect::Save, Outcome::Done) => self.disk = Disk::Same,
            (Effect::TrySinks, Outcome::Done) => self.seen.tried(),
            (Effect::ReadFile, Outcome::File(file)) => self.seen.read(file),
            (Effect::Deploy(_), Outcome::Done) => self.seen.wrote(),
            (Effect::Prove { value, host }, Outcome::Accepted) => self.seen.prove(value, *host, Verdict::Accepted, now.instant),
            (Effect::Prove { value, host }, Outcome::Refused) => self.seen.prove(value, *host, Verdict::Refused, now.instant),
            (Effect::Look { .. }, Outcome::Seen(sightings)) => self.look(sightings, now),
            (Effect::AskMembers { .. }, Outcome::Done) => self.seen.asked(now.instant),
            (Effect::Report(_), Outcome::Done) => self.told(),
            (Effect::Call(call), Outcome::Answer(answer)) => return K::learn(&mut self.seen, call, answer),
            (_, _foreign) => return Err("an answer to another question".to_owned()),
        }
        Ok(())
    }

    fn look(&mut self, sightings: Vec<Sighting>, now: Now) {
        for member in self.watch.note(sightings, now.instant) {
            self.note(K::dropped(member), now);
        }
        let names = self.watch.names();
        if names != self.journal.members {
            self.journal.members = names;
            self.disk = Disk::Behind;
        }
        self.seen.looked();
    }

    fn told(&mut self) {
        if let Some(Over::Untold(end)) = self.over.take() {
            self.over = Some(Over::Told(end));
        } else {
            self.seen.told();
        }
    }

    /// Goes on in this state, since these things happened.
    pub(super) fn enter(&mut self, state: K::State, facts: Vec<K::Fact>, now: Now) {
        if state.watching() == Watching::Anew {
            self.watch = Watch::begin(&self.watch.names(), now.instant);
        }
        K::remember(&mut self.journal.memory, &state, &facts);
        for fact in facts {
            self.note(fact, now);
        }
        self.journal.state = state;
        self.disk = Disk::Behind;
        self.seen = Seen::default();
        self.entered = now.instant;
        self.tries.begin_anew();
    }

    fn note(&mut self, fact: K::Fact, now: Now) {
        self.journal.trail.push(Entry { at: now.date, fact });
    }

    /// A run that ends early tells so once. The end of the rotation itself was told by its last step.
    fn end(&mut self, end: End<K>) -> Next<K> {
        if let End::Ended(_) = end {
            self.over = Some(Over::Told(end.clone()));
            return Next::End(end);
        }
        self.over = Some(Over::Untold(end.clone()));
        Next::Do(Effect::Report(end))
    }

    /// Tries again with longer and longer waits, up to `give_up`; for ever what the state can do without.
    fn fail(&mut self, tried: Tried, cause: String, now: Instant) {
        if let Some(Over::Untold(end)) = self.over.take() {
            // A report of a halt that cannot be written must not hide the halt.
            self.over = Some(Over::Told(end));
            return;
        }
        let doing = tried.doing;
        let give_up = if K::can_do_without(&self.journal, doing) { Duration::MAX } else { self.journal.plan.give_up };
        match self.tries.failed(tried, give_up, now) {
            Failed::TooLong => self.over = Some(Over::Untold(End::Parked(Parked::Failing { doing, cause }))),
            Failed::Again => {}
        }
    }
}
