//! What others do meanwhile: people who order an emergency, and those who meddle with the account and the file.

use std::time::{Duration, SystemTime};

use vonage_sidecar::credentials::Keep;
use vonage_sidecar::rotation::machine::Now;
use vonage_sidecar::rotation::secrets::task::{Emergency, Mode};
use vonage_sidecar::rotation::secrets::{Answer, File};
use vonage_sidecar::secret::{ApiSecret, SecretId};

use super::history::History;
use super::world::{Late, Maker};

/// An emergency that was ordered of a rotation under way.
pub(super) struct Leaked {
    pub(super) at: SystemTime,
    /// So much had happened by then.
    pub(super) before: usize,
    mode: Mode,
    /// The secret that was named.
    pub(super) id: Option<SecretId>,
    /// Those that the account and the file had by then: any may have leaked with it.
    pub(super) exposed: Vec<SecretId>,
}

impl History {
    /// A person orders an emergency of what was begun. A secret that the account does not have is turned down before.
    pub(super) fn leak(&mut self, which: usize, now: Now) {
        // After the end it would begin a rotation of its own.
        let journal = self.rotators[which].machine.journal();
        let before = journal.plan.task.mode.clone();
        if journal.is_over() {
            return;
        }
        let active: Vec<SecretId> = self.world.active().map(|secret| secret.id.clone()).collect();
        let is_in_file = |id: &&SecretId| self.world.active().any(|one| one.id == **id && self.world.file().find(&one.value).is_some());
        let exposed = active.iter().filter(is_in_file).cloned().collect();
        let id = if self.luck.percent(30) { None } else { Some(self.luck.of(&active)) };
        let deadline = self.luck.of(&[Duration::ZERO, Duration::from_secs(120)]);
        let mode = Mode::Emergency(Emergency { leaked: id.clone(), deadline });
        if matches!(&before, Mode::Emergency(before) if before.leaked == id) {
            return;
        }
        self.tell(&(which, "is told of a leak", &id));
        self.rotators[which].machine.turn_to(&mode, now, &mut self.chance).unwrap();
        let before = self.rotators[which].machine.journal().trail.len();
        self.rotators[which].leaks.push(Leaked { at: now.date, before, mode, id, exposed });
    }

    /// Who ordered it of a process that died before that was put down orders it again.
    pub(super) fn leak_again(&mut self, which: usize, now: Now) {
        let rotator = &mut self.rotators[which];
        let Some(last) = rotator.leaks.last() else { return };
        let is_there = last.id.as_ref().is_none_or(|id| self.world.active().any(|secret| secret.id == *id));
        if is_there && !rotator.machine.journal().is_over() && rotator.machine.journal().plan.task.mode != last.mode {
            rotator.machine.turn_to(&last.mode.clone(), now, &mut self.chance).unwrap();
        }
    }

    /// Somebody else does something.
    pub(super) fn meddle(&mut self) {
        let what = self.luck.below(5);
        self.tell(&("somebody meddles", what));
        match what {
            0 => {
                let value = ApiSecret::parse(&format!("h{}", self.world.secrets.len())).unwrap();
                self.world.create(&value, Maker::Stranger, &mut self.luck, self.base);
            }
            1 => self.revoke_like_a_stranger(Maker::Stranger),
            2 => self.revoke_like_a_stranger(Maker::Tool),
            3 => {
                let index = self.luck.place(self.world.versions.len());
                let file = self.world.versions[index].file.clone();
                self.put_back(file);
            }
            _ => {
                let mut file = self.world.file().clone();
                let item = self.luck.place(file.items.len());
                file.items[item].label.keep = Keep::Yes;
                self.world.write(file);
            }
        }
    }

    /// Somebody writes an older file over ours.
    pub(super) fn put_back(&mut self, file: File) {
        let doomed = |id: &SecretId| self.world.late.iter().any(|(_, late)| matches!(late, Late::Revoke(other) if other == id));
        let good = |value: &ApiSecret| self.world.active().any(|secret| secret.value.same_as(value) && !doomed(&secret.id));
        self.harmed |= !file.items.iter().any(|item| good(&item.value));
        self.world.write(file);
    }

    fn revoke_like_a_stranger(&mut self, maker: Maker) {
        let all: Vec<_> = self.world.active().filter(|secret| secret.maker == maker).cloned().collect();
        if all.is_empty() {
            return;
        }
        let secret = self.luck.of(&all);
        if matches!(self.world.revoke(&secret.id, &mut self.luck), Answer::Revoked) {
            // Only what somebody may be using.
            self.harmed |= self.world.versions.iter().any(|version| version.file.find(&secret.value).is_some());
        }
    }
}
