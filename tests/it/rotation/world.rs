//! The provider and the credentials file, on a clock of their own.
//!
//! The provider has two slots, takes a while at each host to know what was made or revoked, loses answers, and does some
//! of what it did not answer later. It shares no line with the code under test.

use std::time::{Duration, Instant, SystemTime};

use vonage_sidecar::credentials::{Keep, Label};
use vonage_sidecar::rotation::secrets::{Answer, Delivered, File, Outcome};
use vonage_sidecar::secret::{ApiSecret, SecretId};
use vonage_sidecar::vonage::hosts::Host;
use vonage_sidecar::vonage::management::Listed;

use super::luck::Luck;

/// Who made a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// The tool, this time or before.
    Tool,
    /// The owner, who put it into the file.
    Owner,
    /// Somebody else; the value is in no file.
    Stranger,
}

/// A secret of the account, now or once.
#[derive(Debug, Clone)]
pub struct Secret {
    pub value: ApiSecret,
    pub id: SecretId,
    pub made: Instant,
    pub maker: Maker,
    /// From when each host accepts it.
    pub known: [Instant; 2],
    /// From when each host refuses it, once it is revoked.
    pub refused: Option<[Instant; 2]>,
    pub revoked_at: Option<Instant>,
}

/// Something that was not answered and happens later.
#[derive(Debug, Clone)]
pub enum Late {
    Create(ApiSecret, Maker),
    Revoke(SecretId),
}

/// One writing of the file.
#[derive(Debug, Clone)]
pub struct Version {
    pub at: Instant,
    pub file: File,
    /// Which secret each of its items is; none was never one.
    pub secrets: Vec<Option<usize>>,
}

#[derive(Debug)]
pub struct World {
    pub now: Instant,
    pub secrets: Vec<Secret>,
    pub late: Vec<(Instant, Late)>,
    pub versions: Vec<Version>,
    /// The longest that a host takes to know.
    pub lag: Duration,
    ids: u32,
}

impl World {
    pub fn new(now: Instant, lag: Duration) -> Self {
        Self { now, secrets: Vec::new(), late: Vec::new(), versions: Vec::new(), lag, ids: 0 }
    }

    pub fn date(&self, base: Instant) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.now.duration_since(base)
    }

    /// A secret that was there long before.
    pub fn old(&mut self, value: &str, maker: Maker, age: Duration) -> Secret {
        let now = self.now;
        self.ids += 1;
        let secret = Secret {
            value: ApiSecret::parse(value).unwrap(),
            id: SecretId::parse(&format!("{}", self.ids)).unwrap(),
            made: now.checked_sub(age).unwrap_or(now),
            maker,
            known: [now; 2],
            refused: None,
            revoked_at: None,
        };
        self.secrets.push(secret.clone());
        secret
    }

    pub fn active(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(|secret| secret.refused.is_none())
    }

    pub fn file(&self) -> &File {
        &self.versions.last().unwrap().file
    }

    /// Somebody writes the file. A value is in it after it was made, so that no time goes into comparing values later.
    pub fn write(&mut self, file: File) {
        let secrets = file.items.iter().map(|item| self.which(&item.value)).collect();
        self.versions.push(Version { at: self.now, file, secrets });
    }

    /// The file as somebody has it who is so far behind.
    pub fn version_behind(&self, lag: Duration) -> &Version {
        let seen = self.versions.iter().rev().find(|version| version.at + lag <= self.now);
        seen.unwrap_or(&self.versions[0])
    }

    /// Which secret has this value.
    pub fn which(&self, value: &ApiSecret) -> Option<usize> {
        self.secrets.iter().position(|secret| secret.value.same_as(value))
    }

    /// Whether a host accepts a secret now.
    pub fn accepts(&self, secret: Option<usize>, host: usize) -> bool {
        secret.is_some_and(|which| {
            let secret = &self.secrets[which];
            self.now >= secret.known[host] && secret.refused.is_none_or(|from| self.now < from[host])
        })
    }

    /// Whether every host does.
    pub fn accepts_everywhere(&self, secret: Option<usize>) -> bool {
        self.accepts(secret, 0) && self.accepts(secret, 1)
    }

    pub fn prove(&self, value: &ApiSecret, host: Host) -> Outcome {
        let host = usize::from(host == Host::API);
        if self.accepts(self.which(value), host) { Outcome::Accepted } else { Outcome::Refused }
    }

    /// Whether the management plane takes a value: any that is not revoked.
    fn takes(&self, with: &ApiSecret) -> bool {
        self.active().any(|secret| secret.value.same_as(with))
    }

    pub fn list(&self, with: &ApiSecret, base: Instant) -> Outcome {
        if !self.takes(with) {
            return Outcome::Denied;
        }
        Outcome::Answer(Answer::Listed(self.active().map(|secret| self.listed(secret, base)).collect()))
    }

    /// Dates have whole seconds.
    fn listed(&self, secret: &Secret, base: Instant) -> Listed {
        let age = self.now.saturating_duration_since(secret.made);
        let date = self.date(base).checked_sub(age).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Listed { id: secret.id.clone(), created_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(date.as_secs())) }
    }

    pub fn create(&mut self, value: &ApiSecret, maker: Maker, luck: &mut Luck, base: Instant) -> Answer {
        let used = self.secrets.iter().any(|secret| secret.value.same_as(value));
        match (self.active().count() >= 2, used) {
            // Which of the two the provider says first is not known.
            (true, true) if luck.once_in(2) => return Answer::Full,
            (_, true) => return Answer::Invalid("used before".to_owned()),
            (true, false) => return Answer::Full,
            (false, false) => {}
        }
        self.ids += 1;
        let id = SecretId::parse(&format!("{}", self.ids)).unwrap();
        let known = [self.now + luck.span(self.lag), self.now + luck.span(self.lag)];
        let secret = Secret { value: value.clone(), id, made: self.now, maker, known, refused: None, revoked_at: None };
        let listed = self.listed(&secret, base);
        self.secrets.push(secret);
        Answer::Created(listed)
    }

    pub fn revoke(&mut self, id: &SecretId, luck: &mut Luck) -> Answer {
        if !self.active().any(|secret| secret.id == *id) {
            return Answer::NoSuchId;
        }
        if self.active().count() < 2 {
            return Answer::LastSecret;
        }
        let refused = [self.now + luck.span(self.lag), self.now + luck.span(self.lag)];
        let secret = self.secrets.iter_mut().find(|secret| secret.id == *id).unwrap();
        (secret.refused, secret.revoked_at) = (Some(refused), Some(self.now));
        Answer::Revoked
    }

    /// What was due by now happens. Returns the ids that were revoked by it.
    pub fn catch_up(&mut self, luck: &mut Luck, base: Instant) -> Vec<SecretId> {
        let mut revoked = Vec::new();
        while let Some(at) = self.late.iter().position(|(at, _)| *at <= self.now) {
            match self.late.remove(at).1 {
                Late::Create(value, maker) => {
                    self.create(&value, maker, luck, base);
                }
                Late::Revoke(id) => {
                    if matches!(self.revoke(&id, luck), Answer::Revoked) {
                        revoked.push(id);
                    }
                }
            }
        }
        revoked
    }
}

/// An item as the file has it.
pub fn delivered(value: &ApiSecret, id: Option<&SecretId>, keep: Keep) -> Delivered {
    Delivered { value: value.clone(), label: Label { id: id.cloned(), created_at: None, keep, note: None } }
}
