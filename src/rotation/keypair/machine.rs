//! The machine: says what to do next, and takes in what came of it.
//!
//! [`Machine::next`] and [`Machine::take`] are all that a runner calls, in turn, until the end. What each step needs to
//! know and does is in `steps`; going back is in [`abort`].
//!
//! Invariants: a state is saved, and the saving acknowledged, before anything of its step is done; what was learnt is
//! forgotten when a state changes, when something fails and after each wait. The public key is replaced only while every
//! known sidecar holds both private keys, and none leaves the file before every one had the other accepted.

use std::time::Instant;

use super::Chance;
use super::effect::{Effect, Outcome};
use super::halt::{End, Parked};
use super::journal::{Entry, Fact, Journal, Kind};
use super::plan::Plan;
use super::state::State;
use crate::rotation::effect::Doing;
use crate::rotation::evidence::{Sighting, Watch};
use crate::rotation::journal::SCHEMA;
use crate::rotation::machine::Now;
use crate::rotation::tries::{Failed, Resting, Tries};
use crate::secret::Revision;
use seen::{Deployed, Looked, Seen, Told, Tried, Verdict};
use steps::{Move, View};

pub mod abort;
mod seen;
mod steps;

/// What a runner does next.
#[derive(Debug)]
pub enum Next {
    /// Do this and hand in what came of it.
    Do(Effect),
    /// Nothing until then.
    Wait(Instant),
    /// The run is over.
    End(End),
}

/// One rotation of a key pair under way.
#[derive(Debug)]
pub struct Machine {
    journal: Journal,
    disk: Disk,
    seen: Seen,
    watch: Watch,
    /// When this run came to the state.
    entered: Instant,
    tries: Tries,
    over: Option<Over>,
}

/// Whether the journal on the disk is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Same,
    Behind,
}

/// The end, and whether it was told.
#[derive(Debug)]
enum Over {
    Untold(End),
    Told(End),
}

impl Machine {
    /// A new rotation with this name.
    pub fn begin(rotation: Revision, plan: Plan, now: Now) -> Self {
        let journal = Journal {
            schema: SCHEMA,
            kind: Kind::Keypair,
            rotation,
            began_at: now.date,
            plan,
            state: State::Check,
            members: Vec::new(),
            trail: Vec::new(),
        };
        Self { disk: Disk::Behind, ..Self::resume(journal, now) }
    }

    /// A rotation that another run began.
    pub fn resume(journal: Journal, now: Now) -> Self {
        Self {
            watch: Watch::begin(&journal.members, now.instant),
            journal,
            disk: Disk::Same,
            seen: Seen::default(),
            entered: now.instant,
            tries: Tries::default(),
            over: None,
        }
    }

    /// What is to be on the disk.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What to do next.
    pub fn next(&mut self, now: Now, chance: &mut dyn Chance) -> Next {
        match self.tries.resting(now.instant) {
            Resting::Until(until) => return Next::Wait(until),
            Resting::Over => self.seen.grow_old(),
            Resting::No => {}
        }
        match &self.over {
            Some(Over::Untold(end)) => return Next::Do(Effect::Report(end.clone())),
            Some(Over::Told(end)) => return Next::End(end.clone()),
            None => {}
        }
        if self.disk == Disk::Behind {
            return Next::Do(Effect::Save);
        }
        let view = View { journal: &self.journal, seen: &self.seen, watch: &self.watch, now, entered: self.entered };
        match steps::step(&view, chance) {
            Move::Do(effect) => Next::Do(effect),
            Move::Go(state, facts) => {
                self.enter(*state, facts, now);
                Next::Do(Effect::Save)
            }
            Move::Rest(span) => {
                let until = now.instant + span;
                self.tries.rest(until);
                Next::Wait(until)
            }
            Move::Over(end) => self.end(end),
        }
    }

    /// What came of an effect.
    pub fn take(&mut self, effect: &Effect, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Failed(cause) => self.fail(effect.doing(), cause, now.instant),
            // The next secret that is held may be accepted; one that keeps being refused is a failure like any other.
            Outcome::Denied => {
                self.seen.use_another();
                self.fail(effect.doing(), "the provider refuses the secret that the call was made with".to_owned(), now.instant);
            }
            Outcome::Moved => self.fail(effect.doing(), "the file changed at the same moment".to_owned(), now.instant),
            outcome => {
                self.tries.succeeded(effect.doing());
                self.learn(effect, outcome, now);
            }
        }
    }

    /// An outcome that does not belong to the effect tells nothing, and is asked for again.
    fn learn(&mut self, effect: &Effect, outcome: Outcome, now: Now) {
        match (effect, outcome) {
            (Effect::Save, Outcome::Done) => self.disk = Disk::Same,
            (Effect::TrySinks, Outcome::Done) => self.seen.sinks = Some(Tried),
            (Effect::ReadFile, Outcome::File(file)) => self.seen.file = Some(file),
            // The file is read back, whatever was said of the writing.
            (Effect::Deploy(_), Outcome::Done) => {
                self.seen.file = None;
                self.seen.deployed = Some(Deployed);
            }
            (Effect::ReadApplication { .. }, Outcome::Resource(resource)) => self.seen.read(resource),
            (Effect::ReadApplication { .. } | Effect::PutKey { .. }, Outcome::NoSuchApplication) => self.seen.no_application(),
            // The application is read back, whatever was said of the writing.
            (Effect::PutKey { .. }, Outcome::Resource(_)) => self.seen.put(),
            (Effect::PutKey { .. }, Outcome::Invalid(words)) => self.seen.turned_down(words),
            (Effect::Prove { host, .. }, Outcome::Accepted) => self.seen.prove(*host, Verdict::Accepted, now.instant),
            (Effect::Prove { host, .. }, Outcome::Refused) => self.seen.prove(*host, Verdict::Refused, now.instant),
            (Effect::Look { .. }, Outcome::Seen(sightings)) => self.look(sightings, now),
            (Effect::AskMembers { .. }, Outcome::Done) => self.seen.asked = Some(now.instant),
            (Effect::Report(_), Outcome::Done) => self.told(),
            (effect, _foreign) => self.fail(effect.doing(), "an answer to another question".to_owned(), now.instant),
        }
    }

    fn look(&mut self, sightings: Vec<Sighting>, now: Now) {
        for member in self.watch.note(sightings, now.instant) {
            self.journal.trail.push(Entry { at: now.date, fact: Fact::Dropped { member } });
        }
        let names = self.watch.names();
        if names != self.journal.members {
            self.journal.members = names;
            self.disk = Disk::Behind;
        }
        self.seen.sidecars = Some(Looked);
    }

    fn told(&mut self) {
        if let Some(Over::Untold(end)) = self.over.take() {
            self.over = Some(Over::Told(end));
        } else {
            self.seen.told = Some(Told);
        }
    }

    fn enter(&mut self, state: State, facts: Vec<Fact>, now: Now) {
        if let State::Converge(_) = state {
            self.watch = Watch::begin(&self.watch.names(), now.instant);
        }
        self.journal.trail.extend(facts.into_iter().map(|fact| Entry { at: now.date, fact }));
        self.journal.state = state;
        self.disk = Disk::Behind;
        self.seen = Seen::default();
        self.entered = now.instant;
        self.tries.begin_anew();
    }

    /// A run that ends early tells so once. The end of the rotation itself was told by its last step.
    fn end(&mut self, end: End) -> Next {
        if let End::Ended(_) = end {
            self.over = Some(Over::Told(end.clone()));
            return Next::End(end);
        }
        self.over = Some(Over::Untold(end.clone()));
        Next::Do(Effect::Report(end))
    }

    fn fail(&mut self, doing: Doing, cause: String, now: Instant) {
        if let Some(Over::Untold(end)) = self.over.take() {
            // A report of a halt that cannot be written must not hide the halt.
            self.over = Some(Over::Told(end));
            return;
        }
        match self.tries.failed(doing, self.journal.plan.give_up, now) {
            Failed::TooLong => self.over = Some(Over::Untold(End::Parked(Parked::Failing { doing, cause }))),
            Failed::Again => {}
        }
    }
}
