//! One to eight sidecars: each with a file that is so far behind, busy or idle, restarting, missing from the list, gone
//! for good, or starting late with an older file.

use std::time::{Duration, Instant};

use vonage_sidecar::rotation::evidence::{Answer, Held, Listing, Look, Sighting, Trust};

use super::luck::Luck;
use super::world::World;

/// The oldest file that a sidecar may have, also one that starts now.
pub const OLDEST: Duration = Duration::from_secs(90);

#[derive(Debug)]
pub struct Sidecar {
    pub name: String,
    behind: Duration,
    busy: bool,
    /// Runs from then to then.
    from: Instant,
    until: Option<Instant>,
    boot: u32,
    booted: Instant,
    down_until: Instant,
    /// Is in no list between these.
    unlisted: Option<(Instant, Instant)>,
    used: Vec<Use>,
    /// When each secret was last accepted, whatever a restart forgets of it.
    accepted: Vec<(Option<usize>, Instant)>,
}

#[derive(Debug)]
struct Use {
    /// None: the value was never a secret.
    secret: Option<usize>,
    used: Option<Instant>,
    accepted: Option<Instant>,
    /// Since when it believes that it is refused.
    doubted: Option<Instant>,
}

pub struct Temper {
    /// No file is further behind.
    pub behind: Duration,
    /// Some start late, restart, leave, or are missing from the list.
    pub restless: bool,
}

impl Sidecar {
    pub fn new(number: usize, temper: &Temper, luck: &mut Luck, now: Instant) -> Self {
        let restless = |luck: &mut Luck, share| temper.restless && luck.percent(share);
        let from = if restless(luck, 30) { now + luck.span(Duration::from_secs(400)) } else { now };
        let until = restless(luck, 10).then(|| from + luck.span(Duration::from_secs(300)));
        let hidden = now + luck.span(Duration::from_secs(200));
        let missing = luck.of(&[Duration::from_secs(200), Duration::from_secs(800)]);
        let unlisted = restless(luck, 25).then(|| (hidden, hidden + luck.span(missing)));
        Self {
            name: format!("m{number}"),
            behind: luck.span(if from == now { temper.behind } else { temper.behind.min(OLDEST) }),
            busy: luck.percent(70),
            from,
            until,
            boot: 0,
            booted: from.checked_sub(if from == now { Duration::from_secs(3600) } else { Duration::ZERO }).unwrap_or(from),
            down_until: from,
            unlisted,
            used: Vec::new(),
            accepted: Vec::new(),
        }
    }

    pub fn is_up(&self, now: Instant) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until) && self.down_until <= now
    }

    fn listing(&self, now: Instant) -> Listing {
        let hidden = self.unlisted.is_some_and(|(from, until)| from <= now && now < until);
        let there = self.from <= now && self.until.is_none_or(|until| now < until);
        if there && !hidden { Listing::Listed } else { Listing::Left }
    }

    fn entry(&mut self, secret: Option<usize>) -> &mut Use {
        let at = self.used.iter().position(|one| one.secret == secret).unwrap_or_else(|| {
            self.used.push(Use { secret, used: None, accepted: None, doubted: None });
            self.used.len() - 1
        });
        &mut self.used[at]
    }

    /// Time has passed: it may have restarted, and has served requests if it is busy.
    pub fn live_on(&mut self, world: &World, luck: &mut Luck, restless: bool) {
        let now = world.now;
        if restless && self.is_up(now) && luck.once_in(60) {
            self.boot += 1;
            self.down_until = now + luck.span(Duration::from_secs(100));
            self.booted = self.down_until;
            self.used.clear();
        }
        if self.is_up(now) && luck.once_in(150) {
            // A look of its own, of which the answer was no.
            let first = world.version_behind(self.behind).secrets[0];
            self.entry(first).doubted = Some(now);
        }
        if self.busy && self.is_up(now) {
            self.serve(world);
        }
    }

    /// In the order of the file, until one is accepted.
    fn serve(&mut self, world: &World) {
        for secret in &world.version_behind(self.behind).secrets {
            self.entry(*secret).used = Some(world.now);
            if self.tries(world, *secret) {
                return;
            }
        }
    }

    /// `POST /prove`: every value is tried. Now and then a good one is refused from where the sidecar is.
    pub fn prove(&mut self, world: &World, luck: &mut Luck) {
        for secret in &world.version_behind(self.behind).secrets {
            if luck.once_in(12) {
                self.entry(*secret).doubted = Some(world.now);
            } else {
                self.tries(world, *secret);
            }
        }
    }

    fn tries(&mut self, world: &World, secret: Option<usize>) -> bool {
        let (accepted, now) = (world.accepts_everywhere(secret), world.now);
        let entry = self.entry(secret);
        entry.doubted = if accepted { None } else { Some(now) };
        if accepted {
            entry.accepted = Some(now);
            match self.accepted.iter_mut().find(|(other, _)| *other == secret) {
                Some((_, at)) => *at = now,
                None => self.accepted.push((secret, now)),
            }
        }
        accepted
    }

    /// Whether a secret was accepted from where it is since then, and not refused after that for longer than a moment.
    pub fn trusts(&self, secret: Option<usize>, since: Instant, now: Instant, moment: Duration) -> bool {
        let doubted = self.used.iter().find(|one| one.secret == secret).and_then(|one| one.doubted);
        let accepted = self.accepted.iter().any(|(other, at)| *at >= since && *other == secret);
        accepted && doubted.is_none_or(|at| now.duration_since(at) < moment)
    }

    /// What a look shows of it; nothing when it is in no list and was never seen.
    pub fn sighting(&self, world: &World, also: &[String]) -> Option<Sighting> {
        let now = world.now;
        let listing = self.listing(now);
        if listing == Listing::Left && !also.contains(&self.name) {
            return None;
        }
        let answer = if self.is_up(now) { Answer::Look(self.look(world)) } else { Answer::Refuses };
        Some(Sighting { name: self.name.clone(), listing, answer })
    }

    fn look(&self, world: &World) -> Look {
        let version = world.version_behind(self.behind);
        let secrets = version.file.items.iter().zip(&version.secrets).map(|(item, secret)| {
            let known = self.used.iter().find(|one| one.secret == *secret);
            let ago = |at: Instant| world.now.duration_since(at);
            Held {
                id: item.label.id.clone(),
                unused_for: known.and_then(|one| one.used).map(ago),
                accepted_ago: known.and_then(|one| one.accepted).map(ago),
                trust: if known.is_some_and(|one| one.doubted.is_some()) { Trust::Doubted } else { Trust::Trusted },
                served: 0,
            }
        });
        let secrets = secrets.collect();
        let uptime = world.now.saturating_duration_since(self.booted);
        Look { boot_id: String::new(), uptime, revision: version.file.revision.clone(), secrets, client_tokens: 0 }
    }

    /// Whether it is known to have used a value so lately.
    pub fn has_used(&self, secret: Option<usize>, within: Duration, now: Instant) -> bool {
        let lately = |at: Instant| now.saturating_duration_since(at) < within;
        self.used.iter().any(|one| one.secret == secret && one.used.is_some_and(lately))
    }

    /// Further than the file of one that starts now.
    pub fn is_too_far_behind(&self) -> bool {
        self.behind > OLDEST
    }

    /// Whether it serves, is known to the list, and has no secret that every host accepts: what must never be.
    pub fn is_cut_off(&self, world: &World) -> bool {
        if !self.is_up(world.now) || self.listing(world.now) == Listing::Left {
            return false;
        }
        let secrets = &world.version_behind(self.behind).secrets;
        let served = |host| secrets.iter().any(|secret| world.accepts(*secret, host));
        !(served(0) && served(1))
    }
}
