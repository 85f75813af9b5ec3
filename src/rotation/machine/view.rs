//! All that a step decides from, and what the steps of every kind look at.
//!
//! Each look is a [`Need`]: what was seen since the last wait, or what must be done first to see it. So a step reads from
//! top to bottom, and each of its lines with a `?` asks for something to be done when it was not done yet.

use std::time::{Duration, Instant};

use super::{Kind, Move, Now, Rest, Seen, Verdict};
use crate::rotation::File;
use crate::rotation::effect::{Deploy, Effect};
use crate::rotation::evidence::{Gate, Question, Watch};
use crate::rotation::halt::{Amiss, End, Parked};
use crate::rotation::journal::Journal;
use crate::rotation::plan::{Fleet, Proof};
use crate::secret::Revision;
use crate::vonage::hosts::Host;

/// Sidecars are asked to try their values no more often than this.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A value, or what must be done to have it.
pub type Need<K, T> = Result<T, Move<K>>;

/// All that a step decides from.
#[derive(Debug)]
pub struct View<'a, K: Kind> {
    /// Where the rotation is.
    pub journal: &'a Journal<K>,
    /// What was seen.
    pub seen: &'a Seen<K>,
    /// What the sidecars said.
    pub watch: &'a Watch,
    /// What time it is.
    pub now: Now,
    /// When this run came to the state.
    pub entered: Instant,
}

impl<K: Kind> Move<K> {
    /// Go on to this state; these things happened.
    pub fn go(state: K::State, facts: Vec<K::Fact>) -> Self {
        Self::Go(Box::new(state), facts)
    }

    /// A person must look.
    pub fn stuck(why: impl Into<K::Stuck>) -> Self {
        Self::Over(End::Stuck(why.into()))
    }

    /// The provider does not accept the value steadily.
    pub fn not_accepted() -> Self {
        Self::Over(End::Parked(Parked::NotAccepted(K::CREDENTIAL)))
    }

    /// Look again after so long.
    pub fn rest(span: Duration) -> Self {
        Self::Rest(Rest { span, on: Vec::new() })
    }

    /// Ask a host about a value.
    pub fn ask(value: &K::Value, host: Host) -> Self {
        Self::Do(Effect::Prove { value: value.clone(), host })
    }
}

impl<K: Kind> View<'_, K> {
    /// How long this run has been in the state.
    pub fn waited(&self) -> Duration {
        self.now.instant.saturating_duration_since(self.entered)
    }

    /// Looks again in a while, up to the plan's patience; then this.
    pub fn patient<T>(&self, otherwise: Move<K>) -> Need<K, T> {
        let plan = &self.journal.plan;
        Err(if self.waited() < plan.patience { Move::rest(plan.poll) } else { otherwise })
    }

    /// Every sink can be written.
    pub fn sinks(&self) -> Need<K, ()> {
        self.seen.sinks.as_ref().map(|_| ()).ok_or(Move::Do(Effect::TrySinks))
    }

    /// What the credentials file has.
    pub fn file(&self) -> Need<K, &K::File> {
        self.seen.file.as_ref().ok_or(Move::Do(Effect::ReadFile))
    }

    /// Writes what is not there yet, over what is known to have been there: one of these. Once written, what is there is as
    /// written or somebody else's.
    pub fn write(&self, file: &File<K::Value>, over: [&[&K::Value]; 2], items: Vec<K::Item>, revision: Revision) -> Need<K, Move<K>> {
        let known = over.into_iter().any(|values| file.has_exactly(values.iter().copied()));
        if !known || self.seen.deployed.is_some() {
            return Err(Move::stuck(Amiss::Overwritten));
        }
        let expect = file.items.iter().map(|item| item.value.clone()).collect();
        Ok(Move::Do(Effect::Deploy(Deploy { expect, items, revision })))
    }

    /// The report of the end was written.
    pub fn told(&self, ending: K::Ending) -> Need<K, ()> {
        self.seen.told.as_ref().map(|_| ()).ok_or(Move::Do(Effect::Report(End::Ended(ending))))
    }

    fn verdict(&self, value: &K::Value, host: Host) -> Need<K, Verdict> {
        self.seen.verdict(value, host).ok_or_else(|| Move::ask(value, host))
    }

    /// Accepted when one host accepts it: the others may not know it yet.
    pub fn anywhere(&self, value: &K::Value) -> Need<K, Verdict> {
        for host in K::PROVING {
            if self.verdict(value, *host)? == Verdict::Accepted {
                return Ok(Verdict::Accepted);
            }
        }
        Ok(Verdict::Refused)
    }

    /// Accepted when every host accepts it.
    pub fn everywhere(&self, value: &K::Value) -> Need<K, Verdict> {
        for host in K::PROVING {
            if self.verdict(value, *host)? == Verdict::Refused {
                return Ok(Verdict::Refused);
            }
        }
        Ok(Verdict::Accepted)
    }

    /// Every host accepts it, so often in a row and over so long a time, or we wait: it may take a while to be known
    /// everywhere. Each host with the milliseconds until the first of its row.
    pub fn proven(&self, value: &K::Value, proof: Proof) -> Need<K, Vec<(Host, u64)>> {
        let plan = &self.journal.plan;
        let mut proven = Vec::new();
        let mut soonest: Option<Duration> = None;
        for host in K::PROVING {
            let row = self.seen.row(value, *host).ok_or_else(|| Move::ask(value, *host))?;
            if row.verdict == Verdict::Accepted && row.times >= proof.times && row.span() >= proof.span {
                proven.push((*host, milliseconds(row.first.saturating_duration_since(self.entered))));
                continue;
            }
            let pace = if row.verdict == Verdict::Accepted { proof.pace() } else { plan.poll };
            let rest = (row.last + pace).saturating_duration_since(self.now.instant);
            if rest.is_zero() {
                return Err(Move::ask(value, *host));
            }
            soonest = Some(soonest.map_or(rest, |other| other.min(rest)));
        }
        match soonest {
            None => Ok(proven),
            Some(_) if self.waited() >= plan.patience => Err(Move::not_accepted()),
            Some(rest) => Err(Move::rest(rest)),
        }
    }

    /// The leave of every sidecar, waited for up to this limit, and how many they are; none without a fleet.
    pub fn gate(&self, question: &Question<'_>, limit: Duration) -> Need<K, Option<usize>> {
        let plan = &self.journal.plan;
        let Fleet::Watched { expect } = plan.fleet else { return Ok(None) };
        if self.seen.sidecars.is_none() {
            return Err(Move::Do(Effect::Look { also: self.watch.names() }));
        }
        let (limit, otherwise) = match self.watch.gate(question, expect, self.now.instant) {
            Gate::Open(members) => return Ok(Some(members)),
            Gate::WithoutIds(name) => return Err(Move::stuck(Amiss::WithoutIds(name))),
            Gate::Nobody => (plan.give_up, End::Stuck(Amiss::Nobody.into())),
            Gate::TooFew(seen) => (limit, End::Parked(Parked::TooFew { seen, expect })),
            Gate::Shut { on, ask } => {
                let lately = self.seen.asked.is_some_and(|at| self.now.instant.saturating_duration_since(at) < ASK_AGAIN);
                if !ask.is_empty() && !lately {
                    return Err(Move::Do(Effect::AskMembers { members: ask }));
                }
                (limit, End::Parked(Parked::NotConverged { credential: K::CREDENTIAL, on }))
            }
        };
        Err(if self.waited() < limit { Move::Rest(Rest { span: plan.poll, on: otherwise.waits_for() }) } else { Move::Over(otherwise) })
    }
}

/// As a report has it.
pub fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
