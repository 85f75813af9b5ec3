//! Random histories of the rotation of a key pair: crashes, lost and late answers, lag of the provider and of files,
//! restarts, silence, late joiners, other writers, second thoughts. Each must end, and at every instant every sidecar must
//! hold the private key of the public key in force.
//!
//! A failure prints the seed of its history; `KEYPAIR_SEED` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use vonage_sidecar::jwt::SigningKey;
use vonage_sidecar::rotation::effect::Deploy;
use vonage_sidecar::rotation::halt::Parked;
use vonage_sidecar::rotation::keypair::halt::{Ending, Stuck};
use vonage_sidecar::rotation::keypair::state::State;
use vonage_sidecar::rotation::keypair::task::{Task, Window};
use vonage_sidecar::rotation::keypair::{self, Call, Chance, Effect, End, File, Journal, KeyPairs, Machine, Memory, Outcome, Plan, Start};
use vonage_sidecar::rotation::machine::{Next, Now, State as _};
use vonage_sidecar::rotation::plan::Fleet;
use vonage_sidecar::rotation::{self, Delivered};
use vonage_sidecar::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId};

use super::history::Telling;
use super::luck::Luck;
use promises::Shown;
use world::{KEYS, OVERLAP, STRANGER, Sidecar, World, delivered, made};

mod promises;
mod world;

const HISTORIES: u64 = 4000;
/// The longest that an unanswered request may be on its way.
const LATE: Duration = Duration::from_secs(30);
/// What proves a key: so many acceptances in a row over so long a time.
const PROOF: (u32, Duration) = (3, Duration::from_secs(4));

static SPARE: LazyLock<SigningKey> = LazyLock::new(made);

fn plan(window: Window) -> Plan {
    Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task { application: ApplicationId::parse("app-1").unwrap(), window },
        fleet: Fleet::Watched { expect: 1 },
        prove_times: PROOF.0,
        prove_for: PROOF.1,
        overlap: OVERLAP,
        poll: Duration::from_secs(5),
        give_up: Duration::from_secs(60),
        patience: Duration::from_secs(600),
    }
}

struct Random(Luck);

impl Chance for Random {
    fn key(&mut self) -> Option<SigningKey> {
        Some(KEYS[1 + self.0.place(3)].clone())
    }

    fn revision(&mut self) -> Revision {
        Revision::parse(&format!("r{}", self.0.below(1 << 30))).unwrap()
    }

    fn name(&mut self) -> SecretId {
        SecretId::parse(&format!("k{}", self.0.below(1 << 30))).unwrap()
    }
}

struct History {
    world: World,
    luck: Luck,
    base: Instant,
    disk: Journal,
    troubled: bool,
    crashes: u32,
    shown: Shown,
    /// The step of a process at which a person has second thoughts.
    abort_at: Option<u32>,
    meddle_at: Vec<Instant>,
    /// When somebody else meddled last.
    meddled: Option<Instant>,
    /// Somebody else took the key in force away: who is cut off then is not our doing.
    harmed: bool,
    telling: Telling,
}

impl History {
    fn new(seed: u64, base: Instant, telling: Telling) -> Self {
        let mut luck = Luck::new(seed);
        let now = base;
        let mut items = vec![delivered(&KEYS[0], None)];
        if luck.once_in(4) {
            // A spare that is not in force, in front.
            items.insert(0, delivered(&SPARE, None));
        }
        let file = File {
            keys: rotation::File { items, revision: None },
            secrets: vec![ApiSecret::parse("Secret1Value").unwrap(), ApiSecret::parse("Other1Value").unwrap()],
        };
        let longest = luck.of(&[OVERLAP, OVERLAP, 3 * OVERLAP]);
        let sidecars = (0..=luck.place(4)).map(|number| Sidecar::new(number, longest, &mut luck, now)).collect();
        let world = World {
            now,
            public: vec![(now, KEYS[0].clone())],
            lag: luck.span(Duration::from_secs(60)),
            late: Vec::new(),
            versions: vec![(now, file)],
            sidecars,
            unknown_member: json!({ "kept": [1, 2.5, null] }),
        };
        let window = if luck.once_in(3) { Window::Daily { from: 500, to: 360 } } else { Window::Now };
        let start = Start { rotation: Revision::parse("rotation").unwrap(), plan: plan(window), memory: Memory::default() };
        let disk = Machine::begin(start, Now { instant: now, date: date(base, now) }).journal().clone();
        let troubled = !luck.once_in(4);
        let meddle_at = if luck.once_in(5) { (0..2).map(|_| now + luck.span(Duration::from_secs(500))).collect() } else { Vec::new() };
        Self {
            world,
            luck,
            base,
            disk,
            troubled,
            crashes: 0,
            shown: Shown::new(now),
            abort_at: None,
            meddle_at,
            meddled: None,
            harmed: false,
            telling,
        }
    }

    /// For whoever looks into one history.
    fn tell(&self, what: &dyn std::fmt::Debug) {
        self.telling.tell(self.world.now - self.base, what);
    }

    fn now(&self) -> Now {
        Now { instant: self.world.now, date: date(self.base, self.world.now) }
    }

    fn pass(&mut self, until: Instant) {
        while self.world.now < until {
            let step = Duration::from_millis(700).min(until - self.world.now);
            self.world.now += step;
            self.world.catch_up();
            while let Some(at) = self.meddle_at.iter().position(|at| *at <= self.world.now) {
                self.meddle_at.remove(at);
                self.meddle();
            }
            let which = self.luck.place(self.world.sidecars.len());
            if self.luck.once_in(30) {
                self.world.try_keys(which, &mut self.luck);
            }
            let now = self.world.now;
            if self.luck.once_in(900) && self.world.sidecars[which].is_up(now) {
                self.world.sidecars[which].restart(&mut self.luck, now);
            }
            if self.luck.once_in(600) && self.world.sidecars.len() < 6 {
                let late = Sidecar::new(self.world.sidecars.len(), OVERLAP, &mut self.luck, now);
                self.world.sidecars.push(late);
            }
            self.check();
        }
    }

    /// Somebody else writes the file, or replaces the public key.
    fn meddle(&mut self) {
        let (now, what) = (self.world.now, self.luck.below(4));
        self.meddled = Some(now);
        self.tell(&("somebody meddles", what));
        let mut file = self.world.file().clone();
        match what {
            0 => {
                file.keys.items.push(delivered(&STRANGER, None));
                self.world.versions.push((now, file));
            }
            1 => {
                let earlier = self.luck.place(self.world.versions.len());
                let file = self.world.versions[earlier].1.clone();
                self.harmed |= file.keys.find(self.world.in_force()).is_none();
                self.world.versions.push((now, file));
            }
            // A setting that is none of our business.
            2 => self.world.unknown_member = json!({ "kept": [self.luck.below(1000)] }),
            _ => {
                self.harmed = true;
                self.world.put(&self.luck.of(&[&*STRANGER, &KEYS[0]]).clone());
            }
        }
    }

    /// A person puts the file and the public key back as the rotation left them.
    fn mend(&mut self) {
        let (Some(change), now) = (self.disk.state.change().cloned(), self.world.now) else {
            return self.world.put(&KEYS[0]);
        };
        let both = [&change.from, &change.to].map(|key| delivered(&key.value, Some(key.id.clone())));
        let mut file = self.world.file().clone();
        file.keys = rotation::File { items: both.to_vec(), revision: Some(change.revision.clone()) };
        if let State::Deploy(_) = self.disk.state {
            let items = change.before.iter().map(|key| delivered(key, None)).collect();
            file.keys = rotation::File { items, revision: None };
        }
        self.world.versions.push((now, file));
        let shall_be = matches!(self.disk.state, State::Withdraw(_) | State::Prove(_) | State::Converge(_) | State::Drop(_));
        self.world.put(if shall_be { &change.to.value } else { &change.from.value });
    }

    fn perform(&mut self, machine: &Machine, effect: &Effect) -> Outcome {
        let fails = self.troubled && self.luck.once_in(12);
        match effect {
            Effect::Save => {
                let journal = machine.journal();
                self.disk = if self.luck.once_in(40) { Journal::parse(&journal.to_text()).unwrap() } else { journal.clone() };
                Outcome::Done
            }
            Effect::Call(Call::PutKey { resource, key, .. }) => {
                let fails = self.troubled && self.luck.once_in(4);
                self.put(resource, key, fails)
            }
            Effect::Deploy(deploy) => self.deploy(deploy, fails),
            _ if fails => Outcome::Failed("lost".to_owned()),
            Effect::TrySinks | Effect::Report(_) => Outcome::Done,
            Effect::ReadFile => Outcome::File(self.world.file().clone()),
            Effect::Call(Call::ReadApplication { with }) if with.equals(b"Secret1Value") && self.luck.once_in(5) => Outcome::Denied,
            Effect::Call(Call::ReadApplication { .. }) => self.resource(),
            Effect::Prove { value, .. } if self.world.accepts(value) => Outcome::Accepted,
            Effect::Prove { .. } => Outcome::Refused,
            Effect::Look { also } => Outcome::Seen(self.world.seen(also)),
            Effect::AskMembers { members } => {
                for which in 0..self.world.sidecars.len() {
                    if members.contains(&self.world.sidecars[which].name) {
                        self.world.try_keys(which, &mut self.luck);
                    }
                }
                Outcome::Done
            }
        }
    }

    fn resource(&self) -> Outcome {
        Outcome::Answer(keypair::Answer::Resource(self.world.resource()))
    }

    fn put(&mut self, resource: &Value, key: &SigningKey, fails: bool) -> Outcome {
        self.check_put(resource, key);
        let lost = Outcome::Failed("lost".to_owned());
        match (fails, self.luck.below(3)) {
            (true, 0) => lost,
            (true, 1) => {
                let at = self.world.now + self.luck.span(LATE);
                self.world.late.push((at, key.clone()));
                if self.luck.once_in(3) {
                    self.abort_at = Some(0);
                }
                lost
            }
            (fails, _) => {
                self.world.put(key);
                if fails { lost } else { self.resource() }
            }
        }
    }

    fn deploy(&mut self, deploy: &Deploy<KeyPairs>, fails: bool) -> Outcome {
        if !self.world.file().keys.has_exactly(&deploy.expect) {
            assert!(self.meddled.is_some(), "nobody else writes here");
            return Outcome::Moved;
        }
        self.check_deploy(deploy);
        if !fails || self.luck.once_in(2) {
            let items = deploy.items.iter().map(|key| Delivered { value: key.value.clone(), label: key.label() }).collect();
            let keys = rotation::File { items, revision: Some(deploy.revision.clone()) };
            let file = File { keys, secrets: self.world.file().secrets.clone() };
            self.world.versions.push((self.world.now, file));
            if !self.meddle_at.is_empty() && self.luck.once_in(6) {
                // Somebody who keeps the file as it was before.
                self.meddled = Some(self.world.now);
                let before = self.world.versions[self.world.versions.len() - 2].1.clone();
                self.harmed |= before.keys.find(self.world.in_force()).is_none();
                self.world.versions.push((self.world.now, before));
            }
        }
        if fails && self.luck.once_in(4) {
            self.abort_at = Some(0);
        }
        if fails { Outcome::Failed("lost".to_owned()) } else { Outcome::Done }
    }

    /// One process from its start to its end; none when it was killed.
    fn process(&mut self, chance: &mut Random) -> Option<End> {
        let mut machine = Machine::resume(self.disk.clone(), self.now());
        self.shown.begin();
        for steps in 0.. {
            assert!(steps < 20_000, "it never ends: {}", machine.journal().state.word());
            if self.abort_at.is_some_and(|at| at <= steps) {
                self.abort_at = None;
                // Refused when it is too late, and then it goes on.
                let _refused = machine.abort(self.now(), chance);
            }
            match machine.next(self.now(), chance) {
                Next::End(end) => return Some(end),
                Next::Wait(until) => self.pass(until),
                Next::Do(effect) => {
                    if self.troubled && self.luck.once_in(150) {
                        self.crashes += 1;
                        return None;
                    }
                    self.shown.acts(&effect, self.world.now);
                    let outcome = self.perform(&machine, &effect);
                    self.tell(&(machine.journal().state.word(), effect.doing(), &outcome));
                    let took = self.luck.span(Duration::from_secs(1));
                    self.pass(self.world.now + took);
                    if self.troubled && self.luck.once_in(150) {
                        self.crashes += 1;
                        return None;
                    }
                    self.hears(machine.journal().state.word(), &effect, &outcome);
                    machine.take(&effect, outcome, self.now());
                }
            }
        }
        None
    }

    fn run(mut self) -> (Ending, u32) {
        let mut chance = Random(Luck::new(self.luck.number()));
        let latest = self.luck.of(&[40, 120, 300]);
        self.abort_at = self.luck.once_in(3).then(|| u32::try_from(self.luck.below(latest)).unwrap());
        for _ in 0..400 {
            let end = self.process(&mut chance);
            self.tell(&end);
            match end {
                Some(End::Ended(ending)) => return (self.is_settled(ending), self.crashes),
                Some(End::Stuck(Stuck::Overwritten | Stuck::Contested | Stuck::NotHeld)) if self.meddled.is_some() => self.mend(),
                Some(
                    End::Parked(Parked::Failing { .. } | Parked::NotAccepted(_) | Parked::NotConverged { .. })
                    | End::Stuck(Stuck::NoEvidence),
                )
                | None => {}
                Some(End::Stuck(Stuck::NoIds(name))) => self.world.mend_sink(&name),
                Some(end) => panic!("{end}"),
            }
            let later = self.world.now + self.luck.span(Duration::from_secs(30));
            self.pass(later);
        }
        panic!("it is never done")
    }
}

fn date(base: Instant, now: Instant) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + (now - base)
}

#[test]
fn no_history_of_a_key_pair_leaves_a_sidecar_without_the_key_in_force() {
    #[expect(clippy::disallowed_methods, reason = "the beginning of the histories; no other time is asked for")]
    let base = Instant::now() + Duration::from_secs(1 << 20);
    let seed = std::env::var_os("KEYPAIR_SEED").and_then(|text| text.to_str()?.parse().ok());
    let (seeds, telling) = seed.map_or((0..HISTORIES, Telling::Silent), |seed: u64| (seed..seed + 1, Telling::Aloud));
    let (mut done, mut aborted, mut crashes) = (0, 0, 0);
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| History::new(seed, base, telling).run()));
        let Ok((ending, of_it)) = ended else { panic!("KEYPAIR_SEED={seed} repeats it") };
        crashes += of_it;
        match ending {
            Ending::Done => done += 1,
            Ending::Aborted => aborted += 1,
        }
    }
    println!("{done} done, {aborted} aborted, {crashes} crashes");
}
