//! What came of an effect, taken into what is known.

use super::seen::{Creating, Deployed, Looked, Revoking, Told, Tried, Verdict};
use super::{Disk, Machine, Now, Over};
use crate::rotation::effect::{Effect, Outcome};
use crate::rotation::evidence::Sighting;
use crate::rotation::journal::Fact;

impl Machine {
    /// An outcome that does not belong to the effect tells nothing, and is asked for again.
    pub(super) fn learn(&mut self, effect: &Effect, outcome: Outcome, now: Now) {
        match (effect, outcome) {
            (Effect::Save, Outcome::Done) => self.disk = Disk::Same,
            (Effect::TrySinks, Outcome::Done) => self.seen.sinks = Some(Tried),
            (Effect::ReadFile, Outcome::File(file)) => self.seen.file = Some(file),
            // The file is read back, whatever was said of the writing.
            (Effect::Deploy(_), Outcome::Done) => {
                self.seen.file = None;
                self.seen.deployed = Some(Deployed);
            }
            (Effect::Prove { value, host }, Outcome::Accepted) => self.seen.prove(value, *host, Verdict::Accepted, now.instant),
            (Effect::Prove { value, host }, Outcome::Refused) => self.seen.prove(value, *host, Verdict::Refused, now.instant),
            (Effect::List { .. }, Outcome::Listed(listed)) => self.seen.listed = Some(listed),
            (Effect::Create { .. }, Outcome::Created(made)) => self.seen.created = Some(Creating::Made(made)),
            // Also what a provider says that has the value already: list once more before another one is made.
            (Effect::Create { .. }, Outcome::Invalid(words)) => {
                self.seen.created = Some(Creating::TurnedDown(words));
                self.seen.listed = None;
            }
            (Effect::Revoke { .. }, Outcome::Revoked | Outcome::NoSuchId) => self.seen.revoked = Some(Revoking::Gone),
            (Effect::Revoke { .. }, Outcome::LastSecret) => self.seen.revoked = Some(Revoking::LastSecret),
            (Effect::Look { .. }, Outcome::Seen(sightings)) => self.look(sightings, now),
            (Effect::AskMembers { .. }, Outcome::Done) => self.seen.asked = Some(now.instant),
            (Effect::Report(_), Outcome::Done) => self.told(),
            (effect, _foreign) => self.fail(effect.doing(), "an answer to another question".to_owned(), now.instant),
        }
    }

    fn look(&mut self, sightings: Vec<Sighting>, now: Now) {
        let dropped = self.watch.note(sightings, now.instant);
        for member in dropped {
            self.note(Fact::Dropped { member }, now);
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
}
