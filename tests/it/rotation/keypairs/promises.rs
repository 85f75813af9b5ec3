//! What must hold at every moment of a history, and at its end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use vonage_sidecar::jwt::SigningKey;
use vonage_sidecar::rotation::effect::Deploy;
use vonage_sidecar::rotation::evidence::Listing;
use vonage_sidecar::rotation::keypair::fact::Fact;
use vonage_sidecar::rotation::keypair::halt::Ending;
use vonage_sidecar::rotation::keypair::state::{Change, State};
use vonage_sidecar::rotation::keypair::{Effect, KeyPairs, Outcome};
use vonage_sidecar::rotation::machine::State as _;

use super::world::{KEYS, OVERLAP, STRANGER, Sidecar};
use super::{History, LATE, PROOF, date};

/// What others do so shortly before an effect cannot be known.
const MOMENT: Duration = Duration::from_secs(10);

/// What the machine was shown: it may act on it, and must not forget it.
pub(super) struct Shown {
    /// The sidecars seen. A process that acts has put them down, and the next one knows them.
    known: BTreeSet<String>,
    /// Those of the last look: nothing was done since.
    looked: Vec<String>,
    /// Those known when the public key was replaced.
    vouched: BTreeSet<String>,
    row: Row,
    /// The state in which this process wrote the file, and was told so.
    wrote_in: &'static str,
    /// When it last saw the file.
    read_at: Instant,
}

/// Acceptances in a row of the key in force since it is.
struct Row {
    since: Instant,
    times: u32,
    first: Instant,
    last: Instant,
    proven: bool,
}

impl Shown {
    pub(super) fn new(now: Instant) -> Self {
        let row = Row { since: now, times: 0, first: now, last: now, proven: false };
        Self { known: BTreeSet::new(), looked: Vec::new(), vouched: BTreeSet::new(), row, wrote_in: "", read_at: now }
    }

    /// Another process: what the last one had not put down may be forgotten.
    pub(super) fn begin(&mut self) {
        self.looked.clear();
        self.wrote_in = "";
    }

    pub(super) fn acts(&mut self, effect: &Effect, now: Instant) {
        match effect {
            Effect::Save => return,
            Effect::Look { .. } | Effect::Prove { .. } => {
                assert!(now - self.read_at < MOMENT, "somebody is asked, and the file was not read back");
            }
            _ => {}
        }
        self.known.extend(self.looked.drain(..));
    }
}

impl History {
    pub(super) fn hears(&mut self, step: &'static str, effect: &Effect, outcome: &Outcome) {
        match (effect, outcome) {
            (_, Outcome::Seen(sightings)) => {
                let listed = sightings.iter().filter(|one| one.listing == Listing::Listed);
                self.shown.looked = listed.map(|one| one.name.clone()).collect();
            }
            (Effect::Deploy(_), Outcome::Done) => {
                assert!(self.shown.wrote_in != step, "written twice: somebody else writes, too");
                self.shown.wrote_in = step;
            }
            (_, Outcome::File(_)) => self.shown.read_at = self.world.now,
            (Effect::Prove { value, .. }, Outcome::Accepted) if self.world.in_force().same_as(value) => self.accepted(),
            (Effect::Prove { .. }, Outcome::Refused) => self.shown.row.times = 0,
            _ => {}
        }
    }

    fn accepted(&mut self) {
        let (now, since, row) = (self.world.now, self.world.in_force_since(), &mut self.shown.row);
        if row.since != since || row.times == 0 {
            *row = Row { since, times: 0, first: now, last: now, proven: row.proven && row.since == since };
        }
        row.times += 1;
        row.last = now;
        row.proven |= row.times >= PROOF.0 && now - row.first >= PROOF.1;
    }

    fn is_new(&self, at: Instant) -> bool {
        self.world.now - at < MOMENT
    }

    /// Nobody is cut off. One that is out of bounds counts once it was seen.
    pub(super) fn check(&self) {
        let vouched = &self.shown.vouched;
        let counts = |one: &&Sidecar| one.is_up(self.world.now) && (!one.is_out_of_bounds() || vouched.contains(&one.name));
        if !self.harmed {
            for sidecar in self.world.sidecars.iter().filter(counts) {
                assert!(self.world.holds_the_key_in_force(sidecar), "{} does not hold the key in force", sidecar.name);
            }
        }
    }

    /// The journal says so, the file has the key, and nothing of somebody else's is written over.
    pub(super) fn check_put(&mut self, resource: &Value, key: &SigningKey) {
        let State::Put(change) = &self.disk.state else { panic!("the journal does not say that the public key is replaced") };
        assert!(change.to.value.same_as(key));
        let meddled = self.meddled.is_some_and(|at| self.is_new(at));
        assert!(meddled || resource["other"] == self.world.unknown_member, "the rest is put back as it was");
        assert!(meddled || !self.world.in_force().same_as(&STRANGER), "somebody else's key is replaced");
        if self.world.file().keys.find(key).is_none() {
            assert!(meddled, "the file does not have the key");
        }
        // What somebody else put back in between may still be on its way to a sidecar.
        let deployed = self.world.versions.iter().skip_while(|(_, file)| file.keys.revision.is_none());
        self.harmed |= deployed.into_iter().any(|(_, file)| file.keys.find(key).is_none());
        self.shown.vouched.extend(self.shown.known.iter().cloned());
    }

    /// The journal says so. The one in force is in front, and the other one leaves when all that is promised was seen.
    pub(super) fn check_deploy(&self, deploy: &Deploy<KeyPairs>) {
        let change = self.disk.state.change().unwrap_or_else(|| panic!("a deploy, and the journal says {}", self.disk.state.word()));
        let ours = || [&change.from.value, &change.to.value].into_iter().chain(&change.before);
        assert!(deploy.expect.iter().all(|key| ours().any(|one| one.same_as(key))), "somebody else's key is written over");
        match &self.disk.state {
            State::Deploy(_) | State::Withdraw(_) => {
                let first = &deploy.items[0].value;
                assert!(self.meddled.is_some() || first.same_as(self.world.in_force()), "not in force and in front");
            }
            State::Drop(change) => self.check_drop(change),
            other => panic!("a deploy, and the journal says {}", other.word()),
        }
    }

    fn check_drop(&self, change: &Change) {
        let since = self.world.in_force_since();
        if self.is_new(since) {
            return;
        }
        assert!(!self.world.in_force().same_as(&change.from.value), "the key in force leaves");
        if self.meddled.is_some() {
            return;
        }
        let row = &self.shown.row;
        assert!(row.proven && row.since == since, "not proven");
        assert!(self.is_new(row.last), "not accepted a moment ago");
        for one in self.world.sidecars.iter().filter(|one| one.is_up(self.world.now)) {
            let counts = self.shown.known.contains(&one.name) || self.world.is_seen(one, MOMENT);
            assert!(!counts || one.trusts(&change.to.value, since, self.world.now, MOMENT), "{} has not had the key accepted", one.name);
        }
    }

    /// One key is left in the file, and it is the one in force, also when everything that was late has come.
    pub(super) fn is_settled(&mut self, ending: Ending) -> Ending {
        self.pass(self.world.now + LATE + 3 * OVERLAP);
        let file = self.world.file();
        if self.meddled.is_some() {
            return ending;
        }
        let old = self.world.in_force().same_as(&KEYS[0]);
        assert_eq!(old, ending == Ending::Aborted);
        assert!(file.keys.find(self.world.in_force()).is_some());
        if self.world.versions.len() > 1 {
            assert_eq!(file.keys.items.len(), 1);
        }
        let window = self.disk.plan.task.window;
        let is_open = |at| window.opens_in(date(self.base, at)).is_zero();
        for (at, key) in self.world.public.iter().skip(1).filter(|(_, key)| !key.same_as(&KEYS[0])) {
            let begun = at.checked_sub(LATE).unwrap();
            assert!(is_open(*at) || is_open(begun), "{key:?} outside the window");
        }
        if ending == Ending::Done {
            let told = self.disk.trail.iter().any(|entry| matches!(entry.fact, Fact::Put { client_tokens: Some(2..), .. }));
            assert!(told, "how many tokens of clients ended");
        }
        ending
    }
}
