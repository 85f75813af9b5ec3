//! One history: a rotation from its beginning to its end, with everything that may come between, and what must hold at
//! every moment of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vonage_sidecar::rotation::effect::Deploy;
use vonage_sidecar::rotation::machine::{self, Now, State as _};
use vonage_sidecar::rotation::secrets::state::State;
use vonage_sidecar::rotation::secrets::{Answer, Call, Effect, End, File, Item, Journal, Machine, Memory, Outcome, Secrets, Start};
use vonage_sidecar::secret::{ApiSecret, Revision, SecretId};

use super::beginnings::{plan, set_up};
use super::luck::{Counter, Luck};
use super::others::Leaked;
use super::promises::Shown;
use super::sidecars::{OLDEST, Sidecar, Temper};
use super::world::{Late, Maker, World};

/// How rough a history is.
pub struct Roughness {
    /// Effects in a hundred that fail or are not answered.
    pub failing: u64,
    /// Moments in a hundred at which the process dies.
    pub crashing: u64,
    pub meddling: bool,
    pub second_rotator: bool,
}

/// A process that rotates, and its disk.
pub(super) struct Rotator {
    pub(super) machine: Machine,
    pub(super) disk: Option<Journal>,
    pub(super) start: Start,
    /// When it does the next thing.
    at: Instant,
    /// The runs that it has left: people and timers start it again.
    runs: u32,
    /// In the midst of looking before it revokes: others come before or after, not between.
    hot: bool,
    listed: usize,
    pub(super) end: Option<End>,
    /// What its machine was shown.
    pub(super) shown: Shown,
    /// A person wants to go back.
    second_thoughts: bool,
    /// Emergencies that persons ordered of it meanwhile.
    pub(super) leaks: Vec<Leaked>,
}

pub struct History {
    pub(super) base: Instant,
    pub(super) world: World,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) rotators: Vec<Rotator>,
    pub(super) luck: Luck,
    pub(super) chance: Counter,
    pub(super) rough: Roughness,
    restless: bool,
    /// Somebody else revoked what was in use, or wrote an old file over ours: who is cut off then is not our doing.
    pub(super) harmed: bool,
    meddle_at: Vec<Instant>,
    /// The sidecars that were known when a secret was revoked: after a leak no others are waited for.
    pub(super) heeded: BTreeSet<String>,
    /// When somebody else last did something.
    pub(super) meddled_at: Option<Instant>,
    /// How long processes were down, together.
    pub(super) stood_still: Duration,
    steps: u32,
    saves: u32,
    crashes: u32,
    telling: Telling,
}

/// Whether every step is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    Silent,
    Aloud,
}

impl Telling {
    pub fn tell(self, at: Duration, what: &dyn std::fmt::Debug) {
        if self == Self::Aloud {
            let line = format!("{:>8.1} s {what:?}", at.as_secs_f64());
            println!("{line}");
        }
    }
}

/// What came of it.
pub struct Outcomes {
    pub end: End,
    pub steps: u32,
    pub crashes: u32,
    pub revoked: usize,
}

const TOO_LONG: u32 = 20_000;

impl History {
    pub fn new(seed: u64, base: Instant, telling: Telling) -> Self {
        let mut luck = Luck::new(seed);
        let lag = luck.of(&[Duration::ZERO, Duration::from_secs(5), Duration::from_secs(60)]);
        let mut world = World::new(base, lag);
        let rough = Roughness {
            failing: luck.of(&[0, 0, 5, 25]),
            crashing: luck.of(&[0, 0, 3, 15]),
            meddling: luck.percent(20),
            second_rotator: luck.percent(4),
        };
        let (made, mode) = set_up(&mut world, &mut luck);
        let restless = luck.percent(50);
        let behind = luck.of(&[Duration::ZERO, Duration::from_secs(20), OLDEST, 3 * OLDEST]);
        let number = luck.of(&[1, 1, 2, 2, 3, 5, 8]);
        let sidecars = (0..number).map(|n| Sidecar::new(n, &Temper { behind, restless }, &mut luck, base)).collect();
        let plan = plan(mode, &mut luck);
        let meddle_at = if rough.meddling { (0..2).map(|_| base + luck.span(Duration::from_secs(300))).collect() } else { Vec::new() };
        let mut history = Self {
            base,
            world,
            sidecars,
            rotators: Vec::new(),
            luck,
            chance: Counter::default(),
            rough,
            restless,
            harmed: false,
            meddle_at,
            heeded: BTreeSet::new(),
            meddled_at: None,
            stood_still: Duration::ZERO,
            steps: 0,
            saves: 0,
            crashes: 0,
            telling,
        };
        let rotators = 1 + u64::from(history.rough.second_rotator);
        for number in 0..rotators {
            let start = Start {
                rotation: Revision::parse(&format!("rotation{number}")).unwrap(),
                plan: plan.clone(),
                memory: Memory { made: made.clone(), ..Memory::default() },
            };
            let at = base + Duration::from_secs(number * history.luck.below(200));
            let machine = Machine::begin(start.clone(), history.now());
            history.rotators.push(Rotator {
                machine,
                disk: None,
                start,
                at,
                runs: 4,
                hot: false,
                listed: 0,
                end: None,
                shown: Shown::default(),
                second_thoughts: false,
                leaks: Vec::new(),
            });
        }
        history
    }

    /// For whoever looks into one history.
    pub(super) fn tell(&self, what: &dyn std::fmt::Debug) {
        self.telling.tell(self.world.now - self.base, what);
    }

    fn now(&self) -> Now {
        Now { instant: self.world.now, date: self.world.date(self.base) }
    }

    /// From the beginning to the end; panics where something does not hold.
    pub fn run(mut self) -> Outcomes {
        while let Some(next) = self.next_rotator() {
            self.steps += 1;
            assert!(self.steps < TOO_LONG, "it goes on for ever in {}", self.rotators[next].machine.journal().state.word());
            let at = self.rotators[next].at;
            self.pass(at);
            self.turn(next);
        }
        // What was cut off late would be missed: look on for a while.
        for _ in 0..10 {
            let later = self.world.now + Duration::from_secs(15);
            self.pass(later);
        }
        self.check_end();
        let end = self.rotators[0].end.clone().unwrap();
        let revoked = self.world.secrets.iter().filter(|secret| secret.refused.is_some()).count();
        Outcomes { end, steps: self.steps, crashes: self.crashes, revoked }
    }

    /// The one that is due first; one in the midst of its last look is not interrupted.
    fn next_rotator(&self) -> Option<usize> {
        let running = (0..self.rotators.len()).filter(|n| self.rotators[*n].end.is_none());
        running.min_by_key(|n| (!self.rotators[*n].hot, self.rotators[*n].at))
    }

    /// Time passes, and what is due happens.
    fn pass(&mut self, to: Instant) {
        self.world.now = self.world.now.max(to);
        let late = self.world.catch_up(&mut self.luck, self.base);
        for id in late {
            self.check_revoked(&id);
        }
        if !self.rotators.iter().any(|rotator| rotator.hot) {
            while let Some(at) = self.meddle_at.iter().position(|at| *at <= self.world.now) {
                self.meddled_at = Some(self.meddle_at.remove(at));
                self.meddle();
            }
        }
        for sidecar in &mut self.sidecars {
            sidecar.live_on(&self.world, &mut self.luck, self.restless);
        }
        self.check_served();
    }

    /// One step of a rotator, or its death.
    fn turn(&mut self, which: usize) {
        let now = self.now();
        if std::mem::take(&mut self.rotators[which].second_thoughts) {
            let _too_late = self.rotators[which].machine.abort(now, &mut self.chance);
        }
        match self.rotators[which].machine.next(now, &mut self.chance) {
            machine::Next::Wait(until) => {
                self.rotators[which].at = until;
                self.rotators[which].hot = false;
            }
            machine::Next::End(end) => self.ended(which, end),
            machine::Next::Do(effect) => {
                if self.dies(which) {
                    return;
                }
                let rotator = &mut self.rotators[which];
                rotator.shown.acts(&effect, now.instant);
                if rotator.shown.enters(rotator.machine.journal().state.word()) {
                    self.check_entered(which);
                }
                self.rotators[which].hot = matches!(self.rotators[which].machine.journal().state, State::Revoke(_));
                let outcome = self.attempt(which, &effect);
                self.tell(&(which, self.rotators[which].machine.journal().state.word(), &effect, &outcome));
                let took = self.luck.span(Duration::from_millis(if self.rotators[which].hot { 300 } else { 2000 }));
                self.rotators[which].at = self.world.now + took;
                if self.dies(which) {
                    return;
                }
                let now = Now { instant: self.rotators[which].at, ..now };
                let rotator = &mut self.rotators[which];
                rotator.shown.hears(rotator.machine.journal().state.word(), &effect, &outcome, self.world.now);
                rotator.machine.take(&effect, outcome, now);
            }
        }
    }

    fn dies(&mut self, which: usize) -> bool {
        if self.crashes >= 8 || !self.luck.percent(self.rough.crashing) {
            return false;
        }
        self.crashes += 1;
        self.tell(&(which, "dies"));
        let down = self.luck.span(Duration::from_secs(90));
        self.start_again(which, down);
        true
    }

    /// Another process takes what is on the disk.
    fn start_again(&mut self, which: usize, down: Duration) {
        self.stood_still += down;
        let at = self.world.now + down;
        let date = self.world.date(self.base) + down;
        let now = Now { instant: at, date };
        let rotator = &mut self.rotators[which];
        rotator.hot = false;
        rotator.at = at;
        rotator.shown.begin();
        rotator.machine = match rotator.disk.clone() {
            Some(journal) => Machine::resume(journal, now),
            None => Machine::begin(rotator.start.clone(), now),
        };
        self.leak_again(which, now);
        match self.luck.below(100) {
            0..6 => {
                let _too_late = self.rotators[which].machine.abort(now, &mut self.chance);
            }
            6..12 => self.leak(which, now),
            _ => {}
        }
    }

    fn ended(&mut self, which: usize, end: End) {
        self.tell(&(which, &end));
        let rotator = &mut self.rotators[which];
        rotator.runs -= 1;
        match end {
            End::Ended(_) => {
                rotator.end = Some(end);
                self.check_ended(which);
            }
            _ if rotator.runs == 0 => rotator.end = Some(end),
            End::Awaiting(unapproved) => {
                self.start_again(which, Duration::from_secs(60));
                let no = self.luck.percent(10);
                let now = Now { instant: self.rotators[which].at, date: self.world.date(self.base) };
                let machine = &mut self.rotators[which].machine;
                if no { machine.abort(now, &mut self.chance).unwrap_or(()) } else { machine.approve(unapproved.id().clone()) }
            }
            End::Parked(_) | End::Stuck(_) => self.start_again(which, Duration::from_secs(120)),
        }
    }

    /// Does it, or fails to, or does it and nobody hears of it.
    fn attempt(&mut self, which: usize, effect: &Effect) -> Outcome {
        if !self.luck.percent(self.rough.failing) {
            return self.perform(which, effect);
        }
        let failed = Outcome::Failed("no answer".to_owned());
        match (self.luck.below(3), effect) {
            (0, _) => {}
            (1, Effect::Call(Call::Create { value, .. })) => {
                self.rotators[which].second_thoughts = self.luck.once_in(8);
                self.later(Late::Create(value.clone(), Maker::Tool));
            }
            (1, Effect::Call(Call::Revoke { id, .. })) => self.later(Late::Revoke(id.clone())),
            _ => {
                self.perform(which, effect);
            }
        }
        failed
    }

    fn later(&mut self, what: Late) {
        let at = self.world.now + self.luck.span(Duration::from_secs(20));
        self.world.late.push((at, what));
    }

    fn perform(&mut self, which: usize, effect: &Effect) -> Outcome {
        match effect {
            Effect::Save => self.save(which),
            Effect::TrySinks | Effect::Report(_) => Outcome::Done,
            Effect::ReadFile => Outcome::File(self.world.file().clone()),
            Effect::Deploy(deploy) => self.deploy(which, deploy),
            Effect::Prove { value, host } => self.world.prove(value, *host),
            Effect::Call(Call::List { with }) => {
                self.rotators[which].listed = self.world.active().count();
                self.world.list(with, self.base)
            }
            Effect::Call(Call::Create { value, with: _ }) => Outcome::Answer(self.create(which, value)),
            Effect::Call(Call::Revoke { id, with: _ }) => Outcome::Answer(self.revoke(which, id)),
            Effect::Look { also } => Outcome::Seen(self.sidecars.iter().filter_map(|one| one.sighting(&self.world, also)).collect()),
            Effect::AskMembers { members } => {
                for sidecar in self.sidecars.iter_mut().filter(|one| members.contains(&one.name)) {
                    sidecar.prove(&self.world, &mut self.luck);
                }
                Outcome::Done
            }
        }
    }

    /// Now and then through its text, as it is on a disk.
    fn save(&mut self, which: usize) -> Outcome {
        self.saves += 1;
        let journal = self.rotators[which].machine.journal();
        let text = self.saves % 64 == 1;
        self.rotators[which].disk = Some(if text { Journal::parse(&journal.to_text()).unwrap() } else { journal.clone() });
        Outcome::Done
    }

    fn deploy(&mut self, which: usize, deploy: &Deploy<Secrets>) -> Outcome {
        self.check_may_deploy(which, deploy);
        if !self.world.file().has_exactly(&deploy.expect) {
            return Outcome::Moved;
        }
        let before = self.world.file().clone();
        let items = deploy.items.iter().map(Item::delivered).collect();
        self.world.write(File { items, revision: Some(deploy.revision.clone()) });
        if self.rough.meddling && self.luck.percent(15) {
            self.put_back(before);
        }
        Outcome::Done
    }

    fn create(&mut self, which: usize, value: &ApiSecret) -> Answer {
        let on_disk = self.rotators[which].disk.as_ref().is_some_and(|journal| match &journal.state {
            State::Create(creation) => creation.value.same_as(value),
            _ => false,
        });
        assert!(on_disk, "a secret is made whose value is not in the journal");
        assert!(self.rotators[which].listed < 2, "a secret is made although both slots were seen to be taken");
        self.world.create(value, Maker::Tool, &mut self.luck, self.base)
    }

    fn revoke(&mut self, which: usize, id: &SecretId) -> Answer {
        let on_disk = self.rotators[which].disk.as_ref().is_some_and(|journal| match &journal.state {
            State::Revoke(change) => change.goes.id() == Some(id),
            _ => false,
        });
        assert!(on_disk, "a secret is revoked and the journal does not say so");
        self.check_may_revoke(which, id);
        self.heeded.extend(self.rotators[which].shown.known.iter().cloned());
        let answer = self.world.revoke(id, &mut self.luck);
        if matches!(answer, Answer::Revoked) {
            self.check_revoked(id);
        }
        answer
    }
}
