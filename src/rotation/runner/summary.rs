//! What the report of the rotation of a secret has of its own: made from its journal and from what the sidecars said last.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::rotation::evidence::{Answer, Sighting, Trust};
use crate::rotation::plan;
use crate::rotation::report::{Fate, Member, Proof, Purpose, Report, Secret};
use crate::rotation::secrets::Journal;
use crate::rotation::secrets::fact::Fact;
use crate::rotation::secrets::state::Goes;
use crate::rotation::secrets::task::Mode;
use crate::secret::SecretId;

/// What the sidecars said last about the two secrets of the change that was under way.
#[derive(Debug, Clone, Default)]
pub struct Witnessed {
    members: BTreeMap<String, Member>,
    times: BTreeMap<SecretId, Option<SystemTime>>,
}

impl Witnessed {
    /// Takes in when secrets were made, and a look.
    pub fn note(&mut self, journal: &Journal, seen: &[Sighting]) {
        self.dates(journal);
        let Some(change) = journal.state.change() else { return };
        for sighting in seen {
            let member = self.members.entry(sighting.name.clone()).or_default();
            member.name.clone_from(&sighting.name);
            let Answer::Look(look) = &sighting.answer else { continue };
            let held = |id: &SecretId| look.secrets.iter().find(|held| held.id.as_ref() == Some(id));
            let stays = held(&change.stays.id);
            member.converged = look.revision.as_ref() == Some(&change.revision)
                && stays.is_some_and(|held| held.trust == Trust::Trusted && held.accepted_ago.is_some());
            member.served = stays.map_or(0, |held| held.served);
            let unused = change.goes.id().and_then(held).map(|held| held.unused_for.unwrap_or(look.uptime).min(look.uptime));
            member.quiet_seconds = unused.unwrap_or(Duration::ZERO).as_secs();
        }
    }

    fn dates(&mut self, journal: &Journal) {
        let Some(change) = journal.state.change() else { return };
        let goes = match &change.goes {
            Goes::Used(item) | Goes::Unused(item) => Some(item),
            Goes::Nothing | Goes::Unknown(_) => None,
        };
        for item in std::iter::once(&change.stays).chain(&change.beside).chain(goes) {
            self.times.insert(item.id.clone(), item.created_at);
        }
    }

    fn date(&self, id: &SecretId) -> Option<SystemTime> {
        self.times.get(id).copied().flatten()
    }
}

/// What a rotation is for.
pub fn purpose(mode: &Mode) -> Purpose {
    match mode {
        Mode::Rotate => Purpose::Rotate,
        Mode::Drill => Purpose::Drill,
        Mode::Emergency(_) => Purpose::Emergency,
    }
}

/// The report with what is told of secrets alone.
pub fn of_secrets(frame: Report, journal: &Journal, witnessed: &Witnessed) -> Report {
    Report {
        purpose: purpose(&journal.plan.task.mode),
        secrets: secrets(journal, witnessed),
        proofs: proofs(journal),
        members: members(journal, witnessed),
        ..frame
    }
}

/// What was made and then revoked is revoked.
fn secrets(journal: &Journal, witnessed: &Witnessed) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    let mut set = |id: &SecretId, fate: Fate| match found.iter_mut().find(|secret| secret.id == *id) {
        Some(secret) => secret.fate = fate,
        None => found.push(Secret { id: id.clone(), created_at: witnessed.date(id), fate }),
    };
    for entry in &journal.trail {
        match &entry.fact {
            Fact::Created { id } | Fact::Adopted { id } => set(id, Fate::Created),
            Fact::Revoked { id } => set(id, Fate::Revoked),
            _tells_of_no_secret => {}
        }
    }
    if let Some(change) = journal.state.change() {
        change.beside.iter().for_each(|item| set(&item.id, Fate::Kept));
    }
    found
}

/// Proofs are about the secret that was made last, refusals about the one that was revoked last.
fn proofs(journal: &Journal) -> Vec<Proof> {
    let plan::Proof { times, span } = journal.plan.proof();
    let (mut made, mut gone) = (None, None);
    let mut found = Vec::new();
    for entry in &journal.trail {
        let proof = |secret: &SecretId, host: &str, result: &str, times, over_seconds| Proof {
            at: entry.at,
            secret: secret.clone(),
            host: host.to_owned(),
            result: result.to_owned(),
            times,
            over_seconds,
        };
        match (&entry.fact, &made, &gone) {
            (Fact::Created { id } | Fact::Adopted { id }, _, _) => made = Some(id.clone()),
            (Fact::Revoked { id }, _, _) => gone = Some(id.clone()),
            (Fact::Proven { host, .. }, Some(made), _) => found.push(proof(made, host, "accepted", times, span.as_secs())),
            (Fact::Refused { host, .. }, _, Some(gone)) => found.push(proof(gone, host, "refused", 1, 0)),
            _tells_of_no_proof => {}
        }
    }
    found
}

fn members(journal: &Journal, witnessed: &Witnessed) -> Vec<Member> {
    let mut members = witnessed.members.clone();
    for name in &journal.members {
        members.entry(name.clone()).or_insert_with(|| Member { name: name.clone(), ..Member::default() });
    }
    for entry in &journal.trail {
        match &entry.fact {
            Fact::LeftBehind { members: behind } => {
                for name in behind {
                    let member = members.entry(name.clone()).or_insert_with(|| Member { name: name.clone(), ..Member::default() });
                    "left behind".clone_into(&mut member.note);
                }
            }
            Fact::Dropped { member } => {
                let dropped = members.entry(member.clone()).or_insert_with(|| Member { name: member.clone(), ..Member::default() });
                "left the list and was gone for five minutes".clone_into(&mut dropped.note);
            }
            _tells_of_no_member => {}
        }
    }
    members.into_values().collect()
}
