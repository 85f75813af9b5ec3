//! Random histories of the rotation of a key pair: crashes, lost and late answers, lag of the provider and of files,
//! restarts, late joiners, second thoughts. Each must end, and at every instant every sidecar must hold the private key of
//! the public key in force.
//!
//! A failure prints the seed of its history; `KEYPAIR_SEED` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use vonage_sidecar::credentials::{Keep, Label};
use vonage_sidecar::jwt::{SigningKey, generate};
use vonage_sidecar::rotation::effect::Deploy;
use vonage_sidecar::rotation::evidence::{Answer, Held, Listing, Look, Sighting, Trust};
use vonage_sidecar::rotation::halt::Parked;
use vonage_sidecar::rotation::keypair::fact::Fact;
use vonage_sidecar::rotation::keypair::halt::Ending;
use vonage_sidecar::rotation::keypair::task::{Task, Window};
use vonage_sidecar::rotation::keypair::{self, Call, Chance, Effect, End, File, Journal, KeyPairs, Machine, Memory, Outcome, Plan, Start};
use vonage_sidecar::rotation::machine::{Next, Now, State as _};
use vonage_sidecar::rotation::plan::Fleet;
use vonage_sidecar::rotation::{self, Delivered};
use vonage_sidecar::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId};

use super::luck::Luck;

const HISTORIES: u64 = 4000;
/// The longest that an unanswered request may be on its way.
const LATE: Duration = Duration::from_secs(30);
/// The longest that a file may take to a sidecar, and the oldest file of one that starts.
const OVERLAP: Duration = Duration::from_secs(90);

/// Making keys takes long, and nothing here depends on which they are.
static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (0..4).map(|_| SigningKey::parse(&generate::key_pair().unwrap().private).unwrap()).collect());

fn plan(window: Window) -> Plan {
    Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task { application: ApplicationId::parse("app-1").unwrap(), window },
        fleet: Fleet::Watched { expect: 1 },
        prove_times: 3,
        prove_for: Duration::from_secs(4),
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

/// A sidecar and the file that has reached it.
struct Sidecar {
    name: String,
    lag: Duration,
    booted: Instant,
    /// The last try of each key: when, and whether it was accepted.
    tried: Vec<(SigningKey, Instant, bool)>,
}

struct World {
    now: Instant,
    /// The public keys so far, with the instant from which the resource shows each.
    public: Vec<(Instant, SigningKey)>,
    lag: Duration,
    late: Vec<(Instant, SigningKey)>,
    versions: Vec<(Instant, File)>,
    sidecars: Vec<Sidecar>,
    unknown_member: Value,
}

impl World {
    fn in_force(&self) -> &SigningKey {
        &self.public.last().unwrap().1
    }

    fn file(&self) -> &File {
        &self.versions.last().unwrap().1
    }

    /// The newest is accepted after the lag, the one before it until then.
    fn accepts(&self, key: &SigningKey) -> bool {
        let settled = self.public.iter().rposition(|(at, _)| *at + self.lag <= self.now).unwrap_or(0);
        self.public[settled].1.same_as(key)
    }

    fn put(&mut self, key: &SigningKey) {
        if !self.in_force().same_as(key) {
            self.public.push((self.now, key.clone()));
        }
    }

    fn file_of(&self, sidecar: &Sidecar) -> &File {
        let seen = self.versions.iter().rev().find(|(at, _)| *at + sidecar.lag <= self.now);
        &seen.unwrap_or(&self.versions[0]).1
    }

    fn resource(&self) -> Value {
        // Another layout of the same key, and members that nobody knows.
        let public = self.in_force().public_pem().replace('\n', "\r\n");
        json!({ "id": "app-1", "name": "app", "keys": { "public_key": public }, "other": self.unknown_member })
    }

    fn try_keys(&mut self, which: usize) {
        let keys: Vec<SigningKey> = self.file_of(&self.sidecars[which]).keys.items.iter().map(|held| held.value.clone()).collect();
        for key in keys {
            let accepted = self.accepts(&key);
            let now = self.now;
            self.sidecars[which].tried.retain(|(other, ..)| !other.same_as(&key));
            self.sidecars[which].tried.push((key, now, accepted));
        }
    }

    fn look(&self, sidecar: &Sidecar) -> Look {
        let file = self.file_of(sidecar);
        let held = |key: &Delivered<SigningKey>| {
            let last = sidecar.tried.iter().find(|(other, ..)| other.same_as(&key.value));
            Held {
                id: key.label.id.clone(),
                unused_for: None,
                accepted_ago: last.filter(|(.., accepted)| *accepted).map(|(_, at, _)| self.now - *at),
                trust: if last.is_some_and(|(.., accepted)| !accepted) { Trust::Doubted } else { Trust::Trusted },
                served: 0,
            }
        };
        Look {
            boot_id: String::new(),
            uptime: self.now - sidecar.booted,
            revision: file.keys.revision.clone(),
            secrets: file.keys.items.iter().map(held).collect(),
            client_tokens: 2,
        }
    }

    /// Nobody is cut off.
    fn check(&self) {
        for sidecar in &self.sidecars {
            let holds = self.file_of(sidecar).keys.items.iter().any(|held| held.value.same_as(self.in_force()));
            assert!(holds, "{} does not hold the key in force", sidecar.name);
        }
    }
}

fn delivered(key: &SigningKey, id: Option<SecretId>) -> Delivered<SigningKey> {
    Delivered { value: key.clone(), label: Label { id, created_at: None, keep: Keep::No, note: None } }
}

struct History {
    world: World,
    luck: Luck,
    base: Instant,
    disk: Journal,
    troubled: bool,
    crashes: u32,
}

impl History {
    fn new(seed: u64, base: Instant) -> Self {
        let mut luck = Luck::new(seed);
        let now = base;
        let mut keys = vec![delivered(&KEYS[0], None)];
        if luck.once_in(4) {
            // A spare that is not in force, in front.
            keys.insert(0, delivered(&SPARE, None));
        }
        let file = File {
            keys: rotation::File { items: keys, revision: None },
            secrets: vec![ApiSecret::parse("Secret1Value").unwrap(), ApiSecret::parse("Other1Value").unwrap()],
        };
        let fleet = 1 + luck.place(4);
        let sidecar = |number: usize, luck: &mut Luck| Sidecar {
            name: format!("s{number}"),
            lag: luck.span(OVERLAP),
            booted: now,
            tried: Vec::new(),
        };
        let sidecars = (0..fleet).map(|number| sidecar(number, &mut luck)).collect();
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
        Self { world, luck, base, disk, troubled, crashes: 0 }
    }

    fn now(&self) -> Now {
        Now { instant: self.world.now, date: date(self.base, self.world.now) }
    }

    fn pass(&mut self, until: Instant) {
        while self.world.now < until {
            let step = Duration::from_millis(700).min(until - self.world.now);
            self.world.now += step;
            while let Some(at) = self.world.late.iter().position(|(at, _)| *at <= self.world.now) {
                let (_, key) = self.world.late.remove(at);
                self.world.put(&key);
            }
            let which = self.luck.place(self.world.sidecars.len());
            if self.luck.once_in(30) {
                self.world.try_keys(which);
            }
            if self.luck.once_in(900) {
                // A restart: what it knew is forgotten, and its file may be an older one.
                let (lag, now) = (self.luck.span(OVERLAP), self.world.now);
                let sidecar = &mut self.world.sidecars[which];
                (sidecar.booted, sidecar.lag) = (now, lag);
                sidecar.tried.clear();
            }
            if self.luck.once_in(900) && self.world.sidecars.len() < 6 {
                let (name, lag) = (format!("s{}", self.world.sidecars.len()), self.luck.span(OVERLAP));
                self.world.sidecars.push(Sidecar { name, lag, booted: self.world.now, tried: Vec::new() });
            }
            self.world.check();
        }
    }

    fn perform(&mut self, machine: &Machine, effect: &Effect) -> Outcome {
        let fails = self.troubled && self.luck.once_in(12);
        let failed = || Outcome::Failed("lost".to_owned());
        match effect {
            Effect::Save => {
                let journal = machine.journal();
                self.disk = if self.luck.once_in(40) { Journal::parse(&journal.to_text()).unwrap() } else { journal.clone() };
                Outcome::Done
            }
            Effect::Call(Call::PutKey { resource, key, .. }) => self.put(resource, key, fails),
            Effect::Deploy(deploy) => self.deploy(deploy, fails),
            _ if fails => failed(),
            Effect::TrySinks | Effect::Report(_) => Outcome::Done,
            Effect::ReadFile => Outcome::File(self.world.file().clone()),
            Effect::Call(Call::ReadApplication { with }) if with.equals(b"Secret1Value") && self.luck.once_in(5) => Outcome::Denied,
            Effect::Call(Call::ReadApplication { .. }) => self.resource(),
            Effect::Prove { value, .. } => {
                if self.world.accepts(value) {
                    Outcome::Accepted
                } else {
                    Outcome::Refused
                }
            }
            Effect::Look { .. } => {
                let sighting = |one: &Sidecar| Sighting {
                    name: one.name.clone(),
                    listing: Listing::Listed,
                    answer: Answer::Look(self.world.look(one)),
                };
                Outcome::Seen(self.world.sidecars.iter().map(sighting).collect())
            }
            Effect::AskMembers { members } => {
                for which in 0..self.world.sidecars.len() {
                    if members.contains(&self.world.sidecars[which].name) {
                        self.world.try_keys(which);
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
        assert_eq!(resource["other"], self.world.unknown_member, "the rest is put back as it was");
        let lost = Outcome::Failed("lost".to_owned());
        match (fails, self.luck.below(3)) {
            (true, 0) => lost,
            (true, 1) => {
                let at = self.world.now + self.luck.span(LATE);
                self.world.late.push((at, key.clone()));
                lost
            }
            (fails, _) => {
                self.world.put(key);
                if fails { lost } else { self.resource() }
            }
        }
    }

    fn deploy(&mut self, deploy: &Deploy<KeyPairs>, fails: bool) -> Outcome {
        assert!(self.world.file().keys.has_exactly(&deploy.expect), "nobody else writes here");
        if !fails || self.luck.once_in(2) {
            let items = deploy.items.iter().map(|key| Delivered { value: key.value.clone(), label: key.label() }).collect();
            let keys = rotation::File { items, revision: Some(deploy.revision.clone()) };
            let file = File { keys, secrets: self.world.file().secrets.clone() };
            self.world.versions.push((self.world.now, file));
        }
        if fails { Outcome::Failed("lost".to_owned()) } else { Outcome::Done }
    }

    /// One process from its start to its end; none when it was killed.
    fn process(&mut self, chance: &mut Random, abort_at: &mut Option<u32>) -> Option<End> {
        let mut machine = Machine::resume(self.disk.clone(), self.now());
        for steps in 0.. {
            assert!(steps < 20_000, "it never ends: {}", machine.journal().state.word());
            if abort_at.is_some_and(|at| at <= steps) {
                *abort_at = None;
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
                    let outcome = self.perform(&machine, &effect);
                    let took = self.luck.span(Duration::from_secs(1));
                    self.pass(self.world.now + took);
                    if self.troubled && self.luck.once_in(150) {
                        self.crashes += 1;
                        return None;
                    }
                    machine.take(&effect, outcome, self.now());
                }
            }
        }
        None
    }

    fn run(mut self) -> (Ending, u32) {
        let mut chance = Random(Luck::new(self.luck.number()));
        let mut abort_at = self.luck.once_in(3).then(|| u32::try_from(self.luck.below(120)).unwrap());
        for _ in 0..400 {
            match self.process(&mut chance, &mut abort_at) {
                Some(End::Ended(ending)) => return (self.is_settled(ending), self.crashes),
                Some(End::Parked(Parked::Failing { .. } | Parked::NotAccepted(_) | Parked::NotConverged { .. })) | None => {
                    let later = self.world.now + self.luck.span(Duration::from_secs(30));
                    self.pass(later);
                }
                Some(end) => panic!("{end}"),
            }
        }
        panic!("it is never done")
    }

    /// One key is left in the file, and it is the one in force, also when everything that was late has come.
    fn is_settled(&mut self, ending: Ending) -> Ending {
        self.pass(self.world.now + LATE + OVERLAP);
        let file = self.world.file();
        let old = self.world.in_force().same_as(&KEYS[0]);
        assert_eq!(old, ending == Ending::Aborted);
        assert!(file.keys.items.iter().any(|held| held.value.same_as(self.world.in_force())));
        if self.world.versions.len() > 1 {
            assert_eq!(file.keys.items.len(), 1);
        }
        let window = self.disk.plan.task.window;
        for (at, key) in self.world.public.iter().skip(1).filter(|(_, key)| !key.same_as(&KEYS[0])) {
            let begun = at.checked_sub(LATE).unwrap();
            assert!(window.is_open(date(self.base, *at)) || window.is_open(date(self.base, begun)), "{key:?} outside the window");
        }
        if ending == Ending::Done {
            let told = self.disk.trail.iter().any(|entry| matches!(entry.fact, Fact::Put { client_tokens: Some(2..), .. }));
            assert!(told, "how many tokens of clients ended");
        }
        ending
    }
}

static SPARE: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::parse(&generate::key_pair().unwrap().private).unwrap());

fn date(base: Instant, now: Instant) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + (now - base)
}

#[test]
fn no_history_of_a_key_pair_leaves_a_sidecar_without_the_key_in_force() {
    #[expect(clippy::disallowed_methods, reason = "the beginning of the histories; no other time is asked for")]
    let base = Instant::now() + Duration::from_secs(1 << 20);
    let seed = std::env::var_os("KEYPAIR_SEED").and_then(|text| text.to_str()?.parse().ok());
    let seeds = seed.map_or(0..HISTORIES, |seed: u64| seed..seed + 1);
    let (mut done, mut aborted, mut crashes) = (0, 0, 0);
    for seed in seeds {
        let ended = catch_unwind(AssertUnwindSafe(|| History::new(seed, base).run()));
        let Ok((ending, of_it)) = ended else { panic!("KEYPAIR_SEED={seed} repeats it") };
        crashes += of_it;
        match ending {
            Ending::Done => done += 1,
            Ending::Aborted => aborted += 1,
        }
    }
    println!("{done} done, {aborted} aborted, {crashes} crashes");
}
