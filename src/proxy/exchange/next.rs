//! Which secret goes first, and what comes after a refusal: a newer file, another secret, or a wait for one.

use std::time::Duration;

use super::lessons::Lessons;
use super::pick::Pick;
use super::{Ask, Told};
use crate::clock;
use crate::credentials::Uid;
use crate::credentials::restraint::{Allowance, Restraint};
use crate::credentials::standing::{Candidate, Standing, Standings, Trial};
use crate::metrics::{FallbackOutcome, HoldOutcome};
use crate::prove::{self, Proof};
use crate::proxy::Proxy;
use crate::proxy::caller::Caller;
use crate::proxy::course::Course;
use crate::proxy::whose::Wanted;
use crate::vonage::refusal::Verdict;

/// An account that was accepted this lately is worth waiting for.
const WORTH_WAITING: Duration = Duration::from_mins(1);
/// Where no free call tells whether a value is live by now, a request that waits finds out by itself after this long.
const FINDS_OUT: Duration = Duration::from_secs(1);
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
    pub(super) async fn first(&self, ask: &Ask, wanted: &Wanted, course: &mut Course) -> Option<Pick> {
        let pick = self.pick(ask, wanted, course)?;
        Some(if ask.body.surely_replays() { pick } else { Box::pin(self.proven(ask, wanted)).await.unwrap_or(pick) })
    }

    /// The best secret that the rules allow now, from the newest snapshot.
    fn pick(&self, ask: &Ask, wanted: &Wanted, course: &mut Course) -> Option<Pick> {
        self.pick_by(ask, wanted, |order, held, standings| {
            course.choose(order, held, |uid, since| standings.accepted_since(uid, ask.host, since))
        })
    }

    /// One that was refused here already, for a request that has waited: once, and out of the budget of useless attempts.
    fn pick_again(&self, ask: &Ask, wanted: &Wanted, course: &Course) -> Option<Pick> {
        let pick = self.pick_by(ask, wanted, |order, _, _| course.once_more(order))?;
        let has_budget = |restraint: &mut Restraint| restraint.has_budget(ask.endpoint.name, ask.host, clock::now());
        pick.keyring.opinion().restraint(has_budget).then_some(pick)
    }

    fn pick_by(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        choose: impl FnOnce(&[Uid], &[Candidate], &mut Standings) -> Option<Uid>,
    ) -> Option<Pick> {
        let snapshot = self.store.load();
        let keyring = snapshot.keyring(&wanted.keyring())?;
        let trial = if ask.body.surely_replays() && prove::free_call(&keyring, ask.host).is_none() { Trial::Allowed } else { Trial::No };
        let candidates = keyring.candidates();
        let mut standings = keyring.opinion().lock();
        let order = standings.order(&candidates, ask.host, trial, clock::now());
        let uid = choose(&order, &candidates, &mut standings)?;
        let standing = standings.standing(uid, ask.host);
        drop(standings);
        Some(Pick { keyring, uid, generation: snapshot.generation, standing })
    }

    /// The first secret, in order, that was accepted lately or is when it is asked about now; or about which nothing can
    /// be learnt. None when all are refused.
    async fn proven(&self, ask: &Ask, wanted: &Wanted) -> Option<Pick> {
        let mut course = Course::default();
        loop {
            let candidate = self.pick(ask, wanted, &mut course)?;
            let uid = candidate.uid;
            let now = clock::now();
            let since = self.store.load().published.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
            if candidate.keyring.opinion().lock().accepted_within(uid, ask.host, since.min(PROVEN_LATELY), now) {
                return Some(candidate);
            }
            let proof = || prove::prove(&self.upstream, &candidate.keyring, uid, ask.host);
            match self.proofs.join(uid, ask.host, proof).await {
                Proof::Accepted | Proof::Unclear | Proof::Unreachable(_) | Proof::NoFreeCall => return Some(candidate),
                Proof::Refused | Proof::Doubtful => {
                    course.answered(uid, Verdict::Refused, now);
                    self.reload.refreshed(clock::now()).await;
                }
            }
        }
    }

    /// After a refusal: a newer file, another secret, or a wait for one.
    pub(super) async fn next(
        &self,
        ask: &Ask,
        wanted: &Wanted,
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
        if self.allowance(ask, wanted) == Allowance::Single {
            return Next::Stop(FallbackOutcome::BackedOff);
        }
        self.reload.refreshed(clock::now()).await;
        match self.pick(ask, wanted, course) {
            Some(pick) if may_be_tried(ask, &pick, course) => Next::Send(pick),
            Some(_) => Next::Stop(FallbackOutcome::Budget),
            None => Box::pin(self.hold(ask, wanted, caller, course, lessons, told)).await,
        }
    }

    fn allowance(&self, ask: &Ask, wanted: &Wanted) -> Allowance {
        let snapshot = self.store.load();
        let Some(keyring) = snapshot.keyring(&wanted.keyring()) else { return Allowance::Full };
        if !keyring.opinion().is_restrained() {
            return Allowance::Full;
        }
        let newest = keyring.items().map(|item| item.uid).max().unwrap_or(Uid(0));
        keyring.opinion().restraint(|restraint| restraint.allowance(ask.endpoint.name, ask.host, newest, clock::now()))
    }

    /// Everything held is refused: waits for a newer file, or for a sign that a value of it is live now, if it is worth it.
    async fn hold(&self, ask: &Ask, wanted: &Wanted, caller: &Caller, course: &mut Course, lessons: &Lessons<'_>, told: &mut Told) -> Next {
        // All waits of one request together.
        let patience = self.rules.hold.saturating_sub(told.held);
        if patience.is_zero() || !course.may_go_on() || !self.is_worth_waiting(wanted, course) {
            return Next::Stop(FallbackOutcome::NoOther);
        }
        let Some(_place) = self.hold_place() else {
            self.metrics.hold(HoldOutcome::Full);
            return Next::Stop(FallbackOutcome::NoOther);
        };
        // What is known so far sends the prober to ask about the values of the file while we wait.
        lessons.so_far();
        let since = clock::now();
        let next = self.wait_for_newer(ask, wanted, course, patience).await;
        told.held += clock::now().saturating_duration_since(since);
        let (outcome, next) = match next {
            Some(_) if caller.is_gone() => (HoldOutcome::CallerGone, Next::Stop(FallbackOutcome::CallerGone)),
            Some(pick) => (HoldOutcome::Served, Next::Send(pick)),
            None => {
                self.remember_vain_hold(wanted);
                (HoldOutcome::InVain, Next::Stop(FallbackOutcome::NoOther))
            }
        };
        self.metrics.hold(outcome);
        next
    }

    fn is_worth_waiting(&self, wanted: &Wanted, course: &Course) -> bool {
        let snapshot = self.store.load();
        snapshot.keyring(&wanted.keyring()).is_some_and(|keyring| {
            course.all_refused()
                && keyring.opinion().lock().any_accepted_within(WORTH_WAITING, clock::now())
                && keyring.opinion().restraint(|restraint| restraint.may_hold(snapshot.generation))
        })
    }

    /// A secret that came after what was tried or was accepted since, or nothing within `patience`. Where nobody can ask
    /// about the values meanwhile, one that was refused is tried once more: a provider that changes a public key may refuse
    /// the old one before it takes the new one everywhere.
    async fn wait_for_newer(&self, ask: &Ask, wanted: &Wanted, course: &mut Course, patience: Duration) -> Option<Pick> {
        let mut published = self.store.subscribe();
        let keyring = self.store.load().keyring(&wanted.keyring())?;
        let mut accepted = keyring.opinion().subscribe();
        let nobody_asks = prove::free_call(&keyring, ask.host).is_none();
        let newer = async {
            let mut finds_out = std::pin::pin!(tokio::time::sleep(FINDS_OUT));
            loop {
                if let Some(pick) = self.pick(ask, wanted, course) {
                    return Some(pick);
                }
                tokio::select! {
                    changed = published.changed() => changed.ok()?,
                    changed = accepted.changed() => changed.ok()?,
                    () = &mut finds_out, if nobody_asks && !finds_out.is_elapsed() => {
                        if let Some(pick) = self.pick_again(ask, wanted, course) {
                            return Some(pick);
                        }
                    }
                }
            }
        };
        tokio::time::timeout(patience, newer).await.ok().flatten()
    }

    /// Whatever was published meanwhile did not help either.
    fn remember_vain_hold(&self, wanted: &Wanted) {
        let snapshot = self.store.load();
        if let Some(keyring) = snapshot.keyring(&wanted.keyring()) {
            keyring.opinion().restraint(|restraint| restraint.held_in_vain(snapshot.generation));
        }
    }
}

/// Whether the request may be sent once more with a fresh token of the same key.
pub(super) fn may_mint_afresh(ask: &Ask, caller: &Caller) -> bool {
    caller.may_cancel();
    ask.body.can_replay() && !caller.is_gone()
}

/// Only an attempt that may well be useless needs the budget.
fn may_be_tried(ask: &Ask, pick: &Pick, course: &Course) -> bool {
    let hopeful = matches!(pick.standing, Standing::Good | Standing::Untested) || course.tries().len() > 1;
    hopeful || pick.keyring.opinion().restraint(|restraint| restraint.has_budget(ask.endpoint.name, ask.host, clock::now()))
}
