//! The machine: says what to do next, and takes in what came of it.
//!
//! [`Machine::next`] and [`Machine::take`] are all that a runner calls, in turn, until the end. What each step needs
//! to know and does is in [`steps`], from the first to the last; going back is in [`abort`].
//!
//! Invariants: a state is saved, and the saving acknowledged, before anything of its step is done; what was learnt
//! about the world is forgotten when a state changes, when something fails and after each wait, so that every decision
//! stands on what was seen a moment ago. To resume is to load a journal and go on.
//!
//! Not here: doing things, the time, chance.

use std::time::{Instant, SystemTime};

use super::Item;
use super::effect::{Doing, Effect, Outcome};
use super::evidence::Watch;
use super::halt::{End, Parked};
use super::journal::{Entry, Fact, Journal, SCHEMA};
use super::plan::Plan;
use super::tries::{Failed, Resting, Tries};
use crate::secret::{ApiSecret, Revision, SecretId};
use seen::Seen;
use state::State;
use steps::{Move, View};

pub mod abort;
mod change;
mod learn;
mod seen;
pub mod state;
mod steps;

#[cfg(test)]
mod tests;

/// What time it is.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For waits and ages.
    pub instant: Instant,
    /// For the report.
    pub date: SystemTime,
}

/// Where new values and marks come from: random, each another one.
pub trait Chance {
    /// A new secret that meets the provider's policy.
    fn secret(&mut self) -> ApiSecret;
    /// A new mark.
    fn revision(&mut self) -> Revision;
}

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

/// What a rotation begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its name.
    pub rotation: Revision,
    /// What it is asked to do.
    pub plan: Plan,
    /// The secrets that this tool made before.
    pub made: Vec<SecretId>,
    /// The last of them.
    pub latest: Option<Item>,
}

/// One rotation under way.
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
    /// A new rotation.
    pub fn begin(start: Start, now: Now) -> Self {
        let journal = Journal {
            schema: SCHEMA,
            rotation: start.rotation,
            began_at: now.date,
            plan: start.plan,
            state: State::Check,
            made: start.made,
            latest: start.latest,
            approved: Vec::new(),
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

    /// A person says that this secret may be revoked.
    pub fn approve(&mut self, id: SecretId) {
        self.journal.approved.push(id);
        self.disk = Disk::Behind;
    }

    /// A person changes what the rotation is asked to do, or how patient it is.
    pub fn amend(&mut self, change: impl FnOnce(&mut Plan)) {
        let before = self.journal.plan.clone();
        change(&mut self.journal.plan);
        if self.journal.plan != before {
            self.disk = Disk::Behind;
        }
    }

    /// What keeps it waiting, in words, as it was seen last.
    pub fn waits_for(&self, now: Instant) -> Vec<String> {
        change::waits_for(&View { journal: &self.journal, seen: &self.seen, watch: &self.watch, now, entered: self.entered })
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
        let view = View { journal: &self.journal, seen: &self.seen, watch: &self.watch, now: now.instant, entered: self.entered };
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
            Outcome::Full => self.fail(effect.doing(), "the provider says that both slots are taken".to_owned(), now.instant),
            Outcome::Moved => self.fail(effect.doing(), "the file changed at the same moment".to_owned(), now.instant),
            outcome => {
                self.tries.succeeded(effect.doing());
                self.learn(effect, outcome, now);
            }
        }
    }

    fn enter(&mut self, state: State, facts: Vec<Fact>, now: Now) {
        if let State::Converge(_) = state {
            self.watch = Watch::begin(&self.watch.names(), now.instant);
        }
        if let State::Prove(minted) = &state {
            self.journal.latest = Some(minted.new.clone());
        }
        for fact in facts {
            self.note(fact, now);
        }
        self.journal.state = state;
        self.disk = Disk::Behind;
        self.seen = Seen::default();
        self.entered = now.instant;
        self.tries.begin_anew();
    }

    fn note(&mut self, fact: Fact, now: Now) {
        match &fact {
            Fact::Created { id } | Fact::Adopted { id } => self.journal.made.push(id.clone()),
            _other => {}
        }
        self.journal.trail.push(Entry { at: now.date, fact });
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

    /// Tries again with longer and longer waits, up to `give_up`.
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
