//! Which secret goes first, and what comes after a refusal: a newer file, another secret, or a wait for one.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::Pick;
use super::lessons::Lessons;
use super::{Ask, Told};
use crate::clock;
use crate::credentials::restraint::Allowance;
use crate::credentials::standing::{Standing, Trial};
use crate::credentials::{Uid, candidates};
use crate::metrics::{FallbackOutcome, HoldOutcome};
use crate::prove::{self, Proof};
use crate::proxy::Proxy;
use crate::proxy::caller::Caller;
use crate::proxy::course::Course;
use crate::secret::ApiKey;
use crate::vonage::probe;
use crate::vonage::refusal::Verdict;

/// An account that was accepted this lately is worth waiting for.
const WORTH_WAITING: Duration = Duration::from_mins(1);
/// A body that cannot be sent twice is sent only with a secret accepted this lately.
const PROVEN_LATELY: Duration = Duration::from_secs(5);

/// What follows a refusal.
#[derive(Debug)]
pub(super) enum Next {
    Send(Pick),
    Stop(FallbackOutcome),
}

impl Proxy {
    /// The secret of the first attempt. A body that might not be there for a second one goes out with a proven secret.
    pub(super) async fn first(&self, ask: &Ask, key: &ApiKey, course: &mut Course) -> Option<Pick> {
        let pick = self.pick(ask, key, course)?;
        Some(if ask.body.surely_replays() { pick } else { Box::pin(self.proven(ask, key)).await.unwrap_or(pick) })
    }

    /// The best secret that the rules allow now, from the newest snapshot.
    fn pick(&self, ask: &Ask, key: &ApiKey, course: &mut Course) -> Option<Pick> {
        let snapshot = self.store.load();
        let account = Arc::clone(snapshot.account(key.as_str())?);
        let trial = if ask.body.surely_replays() && probe::free_call(ask.host).is_none() { Trial::Allowed } else { Trial::No };
        let candidates = candidates(&account.secrets);
        let mut standings = account.opinion.lock();
        let order = standings.order(&candidates, ask.host, trial, clock::now());
        let uid = course.choose(&order, &candidates, |uid, since| standings.accepted_since(uid, ask.host, since))?;
        let standing = standings.standing(uid, ask.host);
        drop(standings);
        let index = account.secrets.iter().position(|slot| slot.uid == uid)?;
        Some(Pick { account, index, uid, generation: snapshot.generation, standing })
    }

    /// The first secret, in order, that was accepted lately or is when it is asked about now; or about which nothing can
    /// be learnt. None when all are refused.
    async fn proven(&self, ask: &Ask, key: &ApiKey) -> Option<Pick> {
        let mut course = Course::default();
        loop {
            let candidate = self.pick(ask, key, &mut course)?;
            let slot = candidate.slot()?;
            let now = clock::now();
            let since = self.store.load().published.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
            if candidate.account.opinion.lock().accepted_within(slot.uid, ask.host, since.min(PROVEN_LATELY), now) {
                return Some(candidate);
            }
            let proof = || prove::prove(&self.upstream, &candidate.account, slot, ask.host);
            match self.proofs.join(slot.uid, ask.host, proof).await {
                Proof::Accepted | Proof::Unclear | Proof::Unreachable(_) | Proof::NoFreeCall => return Some(candidate),
                Proof::Refused | Proof::Doubtful => {
                    course.answered(slot.uid, Verdict::Refused, now);
                    self.reload.refreshed(clock::now()).await;
                }
            }
        }
    }

    /// After a refusal: a newer file, another secret, or a wait for one.
    pub(super) async fn next(
        &self,
        ask: &Ask,
        key: &ApiKey,
        caller: &Caller,
        course: &mut Course,
        lessons: &Lessons<'_>,
        told: &mut Told,
    ) -> Next {
        caller.may_cancel();
        if !ask.body.can_replay() {
            return Next::Stop(FallbackOutcome::NotReplayable);
        }
        if caller.is_gone() {
            return Next::Stop(FallbackOutcome::CallerGone);
        }
        if self.allowance(ask, key) == Allowance::Single {
            return Next::Stop(FallbackOutcome::BackedOff);
        }
        self.reload.refreshed(clock::now()).await;
        match self.pick(ask, key, course) {
            Some(pick) if may_be_tried(ask, &pick, course) => Next::Send(pick),
            Some(_) => Next::Stop(FallbackOutcome::Budget),
            None => Box::pin(self.hold(ask, key, caller, course, lessons, told)).await,
        }
    }

    fn allowance(&self, ask: &Ask, key: &ApiKey) -> Allowance {
        let snapshot = self.store.load();
        let Some(account) = snapshot.account(key.as_str()) else { return Allowance::Full };
        if !account.opinion.is_restrained() {
            return Allowance::Full;
        }
        let newest = account.secrets.iter().map(|slot| slot.uid).max().unwrap_or(Uid(0));
        account.opinion.restraint(|restraint| restraint.allowance(ask.endpoint.name, ask.host, newest, clock::now()))
    }

    /// Everything held is refused: waits for a newer file, or for a sign that a value of it is live now, if it is worth it.
    async fn hold(&self, ask: &Ask, key: &ApiKey, caller: &Caller, course: &mut Course, lessons: &Lessons<'_>, told: &mut Told) -> Next {
        // All waits of one request together.
        let patience = self.rules.hold.saturating_sub(told.held);
        if patience.is_zero() || !course.may_go_on() || !self.is_worth_waiting(key, course) {
            return Next::Stop(FallbackOutcome::NoOther);
        }
        let Some(_place) = self.hold_place() else {
            self.metrics.hold(HoldOutcome::Full);
            return Next::Stop(FallbackOutcome::NoOther);
        };
        // What is known so far sends the prober to ask about the values of the file while we wait.
        lessons.so_far();
        let since = clock::now();
        let next = self.wait_for_newer(ask, key, course, patience).await;
        told.held += clock::now().saturating_duration_since(since);
        let (outcome, next) = match next {
            Some(_) if caller.is_gone() => (HoldOutcome::CallerGone, Next::Stop(FallbackOutcome::CallerGone)),
            Some(pick) => (HoldOutcome::Served, Next::Send(pick)),
            None => {
                self.remember_vain_hold(key);
                (HoldOutcome::InVain, Next::Stop(FallbackOutcome::NoOther))
            }
        };
        self.metrics.hold(outcome);
        next
    }

    fn is_worth_waiting(&self, key: &ApiKey, course: &Course) -> bool {
        let snapshot = self.store.load();
        snapshot.account(key.as_str()).is_some_and(|account| {
            course.all_refused()
                && account.opinion.lock().any_accepted_within(WORTH_WAITING, clock::now())
                && account.opinion.restraint(|restraint| restraint.may_hold(snapshot.generation))
        })
    }

    /// A secret that came after what was tried or was accepted since, or nothing within `patience`.
    async fn wait_for_newer(&self, ask: &Ask, key: &ApiKey, course: &mut Course, patience: Duration) -> Option<Pick> {
        let mut published = self.store.subscribe();
        let mut accepted = self.store.load().account(key.as_str())?.opinion.subscribe();
        let newer = async {
            loop {
                if let Some(pick) = self.pick(ask, key, course) {
                    return Some(pick);
                }
                tokio::select! {
                    changed = published.changed() => changed.ok()?,
                    changed = accepted.changed() => changed.ok()?,
                }
            }
        };
        tokio::time::timeout(patience, newer).await.ok().flatten()
    }

    /// Whatever was published meanwhile did not help either.
    fn remember_vain_hold(&self, key: &ApiKey) {
        let snapshot = self.store.load();
        if let Some(account) = snapshot.account(key.as_str()) {
            account.opinion.restraint(|restraint| restraint.held_in_vain(snapshot.generation));
        }
    }
}

/// Only an attempt that may well be useless needs the budget.
fn may_be_tried(ask: &Ask, pick: &Pick, course: &Course) -> bool {
    let hopeful = matches!(pick.standing, Standing::Good | Standing::Untested) || course.tries().len() > 1;
    hopeful || pick.account.opinion.restraint(|restraint| restraint.has_budget(ask.endpoint.name, ask.host, clock::now()))
}
