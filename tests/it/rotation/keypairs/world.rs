//! The provider, the credentials file and the sidecars of an application, on a clock of their own.
//!
//! The provider takes a while to accept tokens of another key, loses answers, and does some of what it did not answer
//! later. A sidecar has a file that is so far behind; it restarts with an older one, is silent, missing from the list, or
//! starts late.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vonage_sidecar::credentials::{Keep, Label};
use vonage_sidecar::jwt::{SigningKey, generate};
use vonage_sidecar::rotation::Delivered;
use vonage_sidecar::rotation::evidence::{Answer, Held, Listing, Look, Sighting, Trust};
use vonage_sidecar::rotation::keypair::File;
use vonage_sidecar::secret::{Revision, SecretId};

use crate::rotation::luck::Luck;

/// The longest that a file may take to a sidecar that nobody has seen yet, and the oldest file of one that starts.
pub const OVERLAP: Duration = Duration::from_secs(90);

/// Making keys takes long, and nothing here depends on which they are. The first is in force at the beginning.
pub static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| (0..4).map(|_| made()).collect());
/// A key that nobody of us made.
pub static STRANGER: LazyLock<SigningKey> = LazyLock::new(made);

pub fn made() -> SigningKey {
    SigningKey::parse(&generate::key_pair().unwrap().private).unwrap()
}

/// From then to then.
type Span = Option<(Instant, Instant)>;

fn is_in(span: Span, now: Instant) -> bool {
    span.is_some_and(|(from, until)| from <= now && now < until)
}

/// A sidecar and the file that has reached it.
pub struct Sidecar {
    pub name: String,
    lag: Duration,
    booted: Instant,
    /// Does not serve, and refuses connections.
    down: Span,
    /// Serves, and says nothing about itself.
    silent: Span,
    /// Is in no list.
    unlisted: Span,
    /// Its sink takes the second key out.
    maimed: bool,
    /// The last try of each key: when, and whether it was accepted. A restart forgets it.
    tried: Vec<(SigningKey, Instant, bool)>,
    /// When each key was last accepted, whatever it remembers of it.
    accepted: Vec<(SigningKey, Instant)>,
}

impl Sidecar {
    pub fn new(number: usize, longest: Duration, luck: &mut Luck, now: Instant) -> Self {
        let mut span = |chance| {
            let from = now + luck.span(Duration::from_secs(400));
            luck.percent(chance).then(|| (from, from + luck.span(Duration::from_secs(200))))
        };
        let (silent, unlisted) = (span(20), span(30));
        Self {
            name: format!("s{number}"),
            lag: luck.span(longest),
            booted: now,
            down: None,
            silent,
            unlisted,
            maimed: luck.percent(3),
            tried: Vec::new(),
            accepted: Vec::new(),
        }
    }

    /// What it knew is forgotten, and its file may be an older one.
    pub fn restart(&mut self, luck: &mut Luck, now: Instant) {
        let back = now + luck.span(Duration::from_secs(100));
        (self.down, self.booted, self.lag) = (Some((now, back)), back, luck.span(OVERLAP));
        self.tried.clear();
    }

    pub fn is_up(&self, now: Instant) -> bool {
        !is_in(self.down, now)
    }

    /// Its file is older than that of one that starts now, or not whole: nobody can know before it was seen.
    pub fn is_out_of_bounds(&self) -> bool {
        self.lag > OVERLAP || self.maimed
    }

    /// Whether a key was accepted from where it is since then, and not refused after that for longer than a moment.
    pub fn trusts(&self, key: &SigningKey, since: Instant, now: Instant, moment: Duration) -> bool {
        let accepted = self.accepted.iter().any(|(other, at)| other.same_as(key) && *at >= since);
        accepted && self.tried.iter().all(|(other, at, accepted)| *accepted || now - *at < moment || !other.same_as(key))
    }
}

pub struct World {
    pub now: Instant,
    /// The public keys so far, with the instant from which the resource shows each.
    pub public: Vec<(Instant, SigningKey)>,
    /// The longest that the provider goes on accepting the key before.
    pub lag: Duration,
    pub late: Vec<(Instant, SigningKey)>,
    pub versions: Vec<(Instant, File)>,
    pub sidecars: Vec<Sidecar>,
    pub unknown_member: Value,
}

impl World {
    pub fn in_force(&self) -> &SigningKey {
        &self.public.last().unwrap().1
    }

    /// Since when.
    pub fn in_force_since(&self) -> Instant {
        self.public.last().unwrap().0
    }

    pub fn file(&self) -> &File {
        &self.versions.last().unwrap().1
    }

    /// The newest is accepted after the lag, the one before it until then.
    pub fn accepts(&self, key: &SigningKey) -> bool {
        let settled = self.public.iter().rposition(|(at, _)| *at + self.lag <= self.now).unwrap_or(0);
        self.public[settled].1.same_as(key)
    }

    pub fn put(&mut self, key: &SigningKey) {
        if !self.in_force().same_as(key) {
            self.public.push((self.now, key.clone()));
        }
    }

    /// What was due by now happens.
    pub fn catch_up(&mut self) {
        while let Some(at) = self.late.iter().position(|(at, _)| *at <= self.now) {
            let (_, key) = self.late.remove(at);
            self.put(&key);
        }
    }

    /// The keys that have reached it, with the mark of their deploy.
    fn keys_of(&self, sidecar: &Sidecar) -> (&[Delivered<SigningKey>], Option<&Revision>) {
        let seen = self.versions.iter().rev().find(|(at, _)| *at + sidecar.lag <= self.now);
        let keys = &seen.unwrap_or(&self.versions[0]).1.keys;
        let shown = if sidecar.maimed && keys.revision.is_some() { 1 } else { keys.items.len() };
        (&keys.items[..shown], keys.revision.as_ref())
    }

    /// A person mends the way of the file to it.
    pub fn mend_sink(&mut self, name: &str) {
        let one = self.sidecars.iter_mut().find(|one| one.name == name && one.maimed);
        one.expect("its file is whole, and is taken for one that is not").maimed = false;
    }

    /// Whether it is listed and answers, and was so for a while.
    pub fn is_seen(&self, one: &Sidecar, span: Duration) -> bool {
        let free = |of: Span| of.is_none_or(|(from, until)| self.now < from || until + span <= self.now);
        one.booted + span <= self.now && free(one.unlisted) && free(one.silent)
    }

    pub fn resource(&self) -> Value {
        // Another layout of the same key, and members that nobody knows.
        let public = self.in_force().public_pem().replace('\n', "\r\n");
        json!({ "id": "app-1", "name": "app", "keys": { "public_key": public }, "other": self.unknown_member })
    }

    /// Now and then a good one is refused from where the sidecar is.
    pub fn try_keys(&mut self, which: usize, luck: &mut Luck) {
        if !self.sidecars[which].is_up(self.now) {
            return;
        }
        let keys: Vec<SigningKey> = self.keys_of(&self.sidecars[which]).0.iter().map(|held| held.value.clone()).collect();
        for key in keys {
            let (accepted, now) = (self.accepts(&key) && !luck.once_in(25), self.now);
            let sidecar = &mut self.sidecars[which];
            sidecar.tried.retain(|(other, ..)| !other.same_as(&key));
            sidecar.tried.push((key.clone(), now, accepted));
            if accepted {
                sidecar.accepted.retain(|(other, _)| !other.same_as(&key));
                sidecar.accepted.push((key, now));
            }
        }
    }

    /// What a look shows: every listed one, and those that were seen before.
    pub fn seen(&self, also: &[String]) -> Vec<Sighting> {
        let sighting = |one: &Sidecar| {
            let listing = if is_in(one.unlisted, self.now) { Listing::Left } else { Listing::Listed };
            let answer = match (one.is_up(self.now), is_in(one.silent, self.now)) {
                (false, _) => Answer::Refuses,
                (true, true) => Answer::Silent("no answer in time".to_owned()),
                (true, false) => Answer::Look(self.look(one)),
            };
            let shown = listing == Listing::Listed || also.contains(&one.name);
            shown.then(|| Sighting { name: one.name.clone(), listing, answer })
        };
        self.sidecars.iter().filter_map(sighting).collect()
    }

    fn look(&self, sidecar: &Sidecar) -> Look {
        let (keys, revision) = self.keys_of(sidecar);
        let ago = |(_, at): &(SigningKey, Instant)| self.now - *at;
        let held = |key: &Delivered<SigningKey>| {
            let last = sidecar.tried.iter().find(|(other, ..)| other.same_as(&key.value));
            Held {
                id: key.label.id.clone(),
                unused_for: None,
                accepted_ago: sidecar.accepted.iter().find(|(other, at)| *at >= sidecar.booted && other.same_as(&key.value)).map(ago),
                trust: if last.is_some_and(|(.., accepted)| !accepted) { Trust::Doubted } else { Trust::Trusted },
                served: 0,
            }
        };
        Look {
            boot_id: String::new(),
            uptime: self.now.saturating_duration_since(sidecar.booted),
            revision: revision.cloned(),
            secrets: keys.iter().map(held).collect(),
            client_tokens: 2,
        }
    }

    /// Whether it can sign what the provider shall accept.
    pub fn holds_the_key_in_force(&self, sidecar: &Sidecar) -> bool {
        self.keys_of(sidecar).0.iter().any(|held| held.value.same_as(self.in_force()))
    }
}

pub fn delivered(key: &SigningKey, id: Option<SecretId>) -> Delivered<SigningKey> {
    Delivered { value: key.clone(), label: Label { id, created_at: None, keep: Keep::No, note: None } }
}
