//! What must hold at every moment of a history, and at its end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vonage_sidecar::credentials::Keep;
use vonage_sidecar::rotation::effect::Deploy;
use vonage_sidecar::rotation::evidence::Listing;
use vonage_sidecar::rotation::machine::State as _;
use vonage_sidecar::rotation::plan::Fleet;
use vonage_sidecar::rotation::secrets::fact::Fact;
use vonage_sidecar::rotation::secrets::halt::{Ending, Stuck};
use vonage_sidecar::rotation::secrets::state::{Goes, State};
use vonage_sidecar::rotation::secrets::task::{Approve, Mode};
use vonage_sidecar::rotation::secrets::{Answer, Effect, End, Outcome, Secrets};
use vonage_sidecar::secret::{ApiSecret, SecretId};
use vonage_sidecar::vonage::hosts::Host;

use super::beginnings::PROOF;
use super::history::History;
use super::world::{Maker, Secret};

/// What happens so shortly before a revoke cannot be known.
const MOMENT: Duration = Duration::from_secs(5);
/// A deadline is noticed no later than so long after it: the longest rest, and what is done before and after it.
const LATE: Duration = Duration::from_secs(30);

/// What a machine was shown: it may act on it, and must not forget it.
#[derive(Default)]
pub struct Shown {
    /// The sidecars seen. A process that acts has put them down, and the next one knows them.
    pub(super) known: BTreeSet<String>,
    /// Those of the last look: nothing was done since.
    looked: Vec<String>,
    rows: Vec<Row>,
    /// When it last saw the file, the list of the account, and the sidecars.
    read_at: Option<Instant>,
    listed_at: Option<Instant>,
    looked_at: Option<Instant>,
    /// The state in which this process wrote the file, and was told so.
    wrote_in: &'static str,
    step: &'static str,
}

/// Acceptances in a row of a value at a host.
struct Row {
    value: ApiSecret,
    host: Host,
    times: u32,
    first: Instant,
    last: Instant,
    proven: bool,
}

impl Shown {
    /// Whether it is in another step than before.
    pub fn enters(&mut self, step: &'static str) -> bool {
        std::mem::replace(&mut self.step, step) != step
    }

    pub fn acts(&mut self, effect: &Effect, now: Instant) {
        match effect {
            Effect::Save => return,
            Effect::Look { .. } => {
                let is_fresh = self.read_at.is_some_and(|at| now.duration_since(at) < MOMENT);
                assert!(is_fresh, "sidecars are looked at, and the file was not read back");
            }
            _ => {}
        }
        self.known.extend(self.looked.drain(..));
    }

    /// Another process: what the last one had not put down may be forgotten.
    pub fn begin(&mut self) {
        self.looked.clear();
        self.wrote_in = "";
    }

    pub fn hears(&mut self, step: &'static str, effect: &Effect, outcome: &Outcome, now: Instant) {
        if self.wrote_in != step {
            self.wrote_in = "";
        }
        match (effect, outcome) {
            (Effect::Deploy(_), Outcome::Done) => {
                assert!(self.wrote_in.is_empty(), "written twice: somebody else writes, too");
                self.wrote_in = step;
            }
            (_, Outcome::Seen(sightings)) => {
                let listed = sightings.iter().filter(|one| one.listing == Listing::Listed);
                self.looked = listed.map(|one| one.name.clone()).collect();
                self.looked_at = Some(now);
            }
            (Effect::Prove { value, host }, Outcome::Accepted) => {
                let row = self.row(value, *host, now);
                row.first = if row.times == 0 { now } else { row.first };
                row.times += 1;
                row.last = now;
                row.proven |= row.times >= PROOF.0 && now - row.first >= PROOF.1;
            }
            (Effect::Prove { value, host }, Outcome::Refused) => self.row(value, *host, now).times = 0,
            (_, Outcome::File(_)) => self.read_at = Some(now),
            (_, Outcome::Answer(Answer::Listed(_))) => self.listed_at = Some(now),
            _ => {}
        }
    }

    fn row(&mut self, value: &ApiSecret, host: Host, now: Instant) -> &mut Row {
        let at = self.rows.iter().position(|row| row.host == host && row.value.same_as(value)).unwrap_or_else(|| {
            self.rows.push(Row { value: value.clone(), host, times: 0, first: now, last: now, proven: false });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Whether all that a revoke rests on was seen a moment ago.
    fn is_fresh(&self, stays: &ApiSecret, now: Instant) -> bool {
        let lately = |at: Instant| now.duration_since(at) < MOMENT;
        let accepted = self.rows.iter().filter(|row| row.times > 0 && lately(row.last) && row.value.same_as(stays)).count();
        accepted == 2 && [self.read_at, self.listed_at, self.looked_at].into_iter().all(|at| at.is_some_and(lately))
    }

    fn is_proven(&self, value: &ApiSecret) -> bool {
        self.rows.iter().filter(|row| row.proven && row.value.same_as(value)).count() == 2
    }
}

impl History {
    /// Never the last one, never a kept one, never a stranger's or an owner's without leave.
    pub(super) fn check_may_revoke(&self, which: usize, id: &SecretId) {
        let journal = self.rotators[which].machine.journal();
        let Some(secret) = self.world.active().find(|secret| secret.id == *id) else { return };
        if let State::Revoke(change) = &journal.state {
            let stays = self.world.which(&change.stays.value).map(|which| &self.world.secrets[which]);
            let is_there = |one: &Secret| one.revoked_at.is_none_or(|at| self.world.now.duration_since(at) < MOMENT);
            assert!(stays.is_some_and(is_there), "what should stay is revoked already");
        }
        assert!(self.world.active().count() > 1, "the last secret is revoked");
        let emergency = match &journal.plan.task.mode {
            Mode::Emergency(emergency) => Some(emergency),
            Mode::Rotate | Mode::Drill => None,
        };
        let named = emergency.is_some_and(|emergency| emergency.leaked.as_ref() == Some(id));
        let kept = self.world.file().find(&secret.value).is_some_and(|item| item.label.keep == Keep::Yes);
        assert!(!kept || named, "a kept secret is revoked");
        assert!(secret.maker != Maker::Stranger || emergency.is_some(), "a stranger's secret is revoked");
        let unapproved =
            journal.plan.task.approve == Approve::First && secret.maker == Maker::Owner && !journal.memory.approved.contains(id);
        assert!(!unapproved || emergency.is_some(), "an owner's secret is revoked without leave");
        if let Some(emergency) = emergency {
            self.check_in_time(which, emergency.deadline);
        } else if self.is_watched() {
            assert!(self.is_quiet(which, &secret.value), "a secret in use is revoked");
            self.check_converged(which);
        }
    }

    /// The deadline runs from the deploy, whatever stops the process meanwhile.
    fn check_in_time(&self, which: usize, deadline: Duration) {
        let trail = &self.rotators[which].machine.journal().trail;
        let Some(deployed) = trail.iter().rev().find(|entry| matches!(entry.fact, Fact::Deployed { .. })) else { return };
        let left_behind = trail.iter().rev().find(|entry| matches!(entry.fact, Fact::LeftBehind { .. }));
        let told = self.rotators[which].leaks.last().map_or(deployed.at, |leak| leak.at.max(deployed.at));
        if let Some(passed) = left_behind.filter(|entry| entry.at >= told) {
            let had = passed.at.duration_since(deployed.at).unwrap();
            assert!(had >= deadline, "sidecars had {had:?} instead of {deadline:?}");
            let took = passed.at.duration_since(told).unwrap();
            assert!(took <= deadline + self.stood_still + LATE, "the deadline of {deadline:?} passed after {took:?}");
        }
    }

    /// From here there is no way back, so nobody uses what goes.
    pub(super) fn check_entered(&self, which: usize) {
        let State::Revoke(change) = &self.rotators[which].machine.journal().state else { return };
        let just_meddled = self.meddled_at.is_some_and(|at| self.world.now.duration_since(at) < MOMENT);
        if let (Goes::Used(item), true) = (&change.goes, self.is_watched() && !self.hasty() && !self.harmed && !just_meddled) {
            assert!(self.is_quiet(which, &item.value), "a revoke begins while the secret is in use");
        }
    }

    /// No sidecar that was seen has used it for the soak. What happens between the last look and this is no fault.
    fn is_quiet(&self, which: usize, value: &ApiSecret) -> bool {
        let rotator = &self.rotators[which];
        let within = rotator.machine.journal().plan.task.soak.saturating_sub(Duration::from_secs(3));
        let (secret, known) = (self.world.which(value), &rotator.shown.known);
        !self.sidecars.iter().any(|one| known.contains(&one.name) && one.has_used(secret, within, self.world.now))
    }

    /// What stays is good: another value of the file is neither revoked nor unknown to any host.
    pub(super) fn check_revoked(&self, id: &SecretId) {
        if self.harmed || self.hasty() {
            return;
        }
        let good = |value: &ApiSecret| self.world.active().any(|secret| secret.id != *id && secret.value.same_as(value));
        let left =
            self.world.file().items.iter().any(|item| good(&item.value) && self.world.accepts_everywhere(self.world.which(&item.value)));
        assert!(left, "after the revoke of {id} nothing in the file is good");
    }

    /// After a leak the deadline goes before the sidecars.
    fn hasty(&self) -> bool {
        self.rotators.iter().any(|one| matches!(one.machine.journal().plan.task.mode, Mode::Emergency(_)) || !one.leaks.is_empty())
    }

    /// Whether sidecars are asked at all.
    fn is_watched(&self) -> bool {
        self.rotators[0].start.plan.fleet != Fleet::Unwatched
    }

    /// No sidecar that serves and is listed is without a secret that every host accepts.
    pub(super) fn check_served(&self) {
        // Of two that rotate, each knows its own sidecars, and the one in a hurry waits for those alone.
        if self.harmed || (self.hasty() && self.rough.second_rotator) {
            return;
        }
        let known = |name: &String| {
            let seen = || self.rotators.iter().any(|one| one.shown.known.contains(name));
            if self.hasty() { self.heeded.contains(name) } else { seen() }
        };
        for sidecar in &self.sidecars {
            // What is further behind than a starting one may be counts once it was seen.
            let counts = known(&sidecar.name) || !(self.hasty() || sidecar.is_too_far_behind());
            if counts && !(self.hasty() && self.is_left_behind(&sidecar.name)) {
                assert!(!sidecar.is_cut_off(&self.world), "{} has no valid secret", sidecar.name);
            }
        }
    }

    /// Whether the journal names it as one that had not followed when the deadline of an emergency passed.
    fn is_left_behind(&self, name: &String) -> bool {
        let mut trails = self.rotators.iter().flat_map(|one| &one.machine.journal().trail);
        trails.any(|entry| matches!(&entry.fact, Fact::LeftBehind { members } if members.contains(name)))
    }

    /// After a good end nobody's secret is left behind, and the file has what the account has.
    pub(super) fn check_end(&self) {
        let end = self.rotators[0].end.clone().unwrap();
        assert!(!matches!(end, End::Stuck(Stuck::NoIds(_))), "a sidecar with an older file is taken for one without ids");
        if self.is_disturbed() {
            return;
        }
        let unasked =
            matches!(&end, End::Stuck(Stuck::Kept(_) | Stuck::Overwritten | Stuck::Vanished(_) | Stuck::LastSecret | Stuck::Invalid(_)));
        // A kept one that was named, on its way out when another one was named instead, waits for a word about its mark.
        let named_before = matches!(end, End::Stuck(Stuck::Kept(_))) && !self.rotators[0].leaks.is_empty();
        assert!(!unasked || named_before, "nobody else does anything, and it ends like this: {end}");
        if let End::Stuck(Stuck::Foreign(id)) = &end {
            let ours = self.world.active().any(|secret| secret.id == *id && secret.maker == Maker::Tool);
            assert!(!ours, "it made {id} and does not know it again");
        }
        let End::Ended(ending) = end else { return };
        self.check_met();
        let file = self.world.file();
        let active: Vec<_> = self.world.active().filter(|secret| secret.maker != Maker::Stranger).collect();
        for secret in &active {
            assert!(file.find(&secret.value).is_some(), "{ending:?}, and {} is left behind", secret.id);
        }
        if matches!(ending, Ending::Done | Ending::Removed) && self.has_deployed(0) {
            assert_eq!(file.items.len(), active.len(), "{ending:?}, and the file has something else than the account");
        }
    }

    /// After a good end the secret that leaked is revoked, or every one that may have, unless others depend on it.
    fn check_met(&self) {
        let Some(last) = self.rotators[0].leaks.last() else { return };
        let mut since = self.rotators[0].machine.journal().trail.iter().skip(last.before);
        if since.any(|entry| entry.fact == Fact::AbortAsked) {
            return;
        }
        let file = self.world.file();
        for secret in self.world.active() {
            let kept = file.find(&secret.value).is_some_and(|item| item.label.keep == Keep::Yes);
            let may_have = || !kept && last.exposed.contains(&secret.id);
            let leaked = last.id.as_ref().map_or_else(may_have, |id| *id == secret.id);
            assert!(!leaked, "{} leaked, or may have, and is still there", secret.id);
        }
    }

    /// The journal says so, and a value that is new to the file was proven at every host.
    pub(super) fn check_may_deploy(&self, which: usize, deploy: &Deploy<Secrets>) {
        let journal = self.rotators[which].disk.as_ref().expect("a deploy without a journal");
        let change = journal.state.change().unwrap_or_else(|| panic!("a deploy, and the journal says {}", journal.state.word()));
        let items = change.items_between();
        let between: Vec<&ApiSecret> = items.iter().map(|item| &item.value).collect();
        let is_known = |known: &[&ApiSecret]| {
            known.len() == deploy.expect.len() && deploy.expect.iter().all(|value| known.iter().any(|one| one.same_as(value)))
        };
        assert!(is_known(&change.before.iter().collect::<Vec<_>>()) || is_known(&between), "what somebody else wrote is written over");
        if self.hasty() {
            return;
        }
        for item in &deploy.items {
            let is_new = !change.before.iter().any(|before| before.same_as(&item.value));
            assert!(!is_new || self.rotators[which].shown.is_proven(&item.value), "{} is deployed and was not proven", item.id);
        }
    }

    /// Every sidecar that was seen had the one that stays accepted since it was deployed.
    fn check_converged(&self, which: usize) {
        let journal = self.rotators[which].machine.journal();
        let State::Revoke(change) = &journal.state else { return };
        let Goes::Used(_) = change.goes else { return };
        assert!(self.rotators[which].shown.is_fresh(&change.stays.value, self.world.now), "a revoke rests on what was seen long ago");
        let deployed = self.world.versions.iter().find(|version| version.file.revision.as_ref() == Some(&change.revision));
        let since = deployed.expect("a secret is revoked that sidecars use, and nothing was deployed").at;
        let stays = self.world.which(&change.stays.value);
        for one in self.sidecars.iter().filter(|one| self.rotators[which].shown.known.contains(&one.name) && one.is_up(self.world.now)) {
            assert!(one.trusts(stays, since, self.world.now, MOMENT), "{} has not had the secret accepted", one.name);
        }
    }

    /// At a good end, what was revoked is refused at every host, and what stays is accepted.
    pub(super) fn check_ended(&self, which: usize) {
        if self.is_disturbed() {
            return;
        }
        let revoked = self.rotators[which].machine.journal().trail.iter().filter_map(|entry| match &entry.fact {
            Fact::Revoked { id } => Some(id),
            _ => None,
        });
        for id in revoked {
            let secret = self.world.secrets.iter().find(|secret| secret.id == *id).unwrap();
            // A host that had not heard of it when it was taken back refuses it, too, and may accept it for a while later.
            let was_known = secret.known.iter().all(|known| *known <= self.base) || self.rotators[which].shown.is_proven(&secret.value);
            let is_refused = (0..2).all(|host| !self.world.accepts(self.world.which(&secret.value), host));
            assert!(is_refused || !was_known || secret.maker == Maker::Stranger, "{id} is revoked and still accepted");
        }
        let Some(End::Ended(Ending::Done | Ending::Removed)) = self.rotators[which].end else { return };
        if !self.has_deployed(which) {
            return;
        }
        assert!(
            self.world.accepts_everywhere(self.world.which(&self.world.file().items[0].value)),
            "what stays is not accepted everywhere"
        );
    }

    /// Whether it wrote the file: what leaked before it was in any file is only revoked.
    fn has_deployed(&self, which: usize) -> bool {
        self.rotators[which].machine.journal().trail.iter().any(|entry| matches!(entry.fact, Fact::Deployed { .. }))
    }

    /// Somebody else changes the same things.
    fn is_disturbed(&self) -> bool {
        self.rough.meddling || self.rough.second_rotator
    }
}
