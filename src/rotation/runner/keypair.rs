//! Runs rotations of key pairs: drives their machine, does what it asks for, tells what happens.

use std::path::PathBuf;
use std::sync::Arc;

use super::event::{Event, Told};
use super::perform::{blocking, keep, undelivered};
use super::{NotRun, Rotator, System, Tell, Want, now};
use crate::clock;
use crate::credentials::Basic;
use crate::credentials::edit::Change;
use crate::credentials::file::{Item as FileItem, Parsed};
use crate::jwt::{SigningKey, generate};
use crate::prove::{self, Proof};
use crate::rotation::evidence::{Answer, Whose};
use crate::rotation::journal::disk::{Disk, journals};
use crate::rotation::keypair::effect::{Deploy, Effect, Outcome};
use crate::rotation::keypair::halt::{End, Ending};
use crate::rotation::keypair::journal::Journal;
use crate::rotation::keypair::machine::{Machine, Next};
use crate::rotation::keypair::plan::{Plan, Window};
use crate::rotation::keypair::state::State;
use crate::rotation::keypair::{self, Delivered, File};
use crate::rotation::machine::Chance as _;
use crate::rotation::provider::Trouble;
use crate::rotation::report::{self, Purpose, Report, Step};
use crate::rotation::runner::terms::{Measured, Terms};
use crate::rotation::sinks::{Delivery, NotDelivered};
use crate::secret::{ApiSecret, ApplicationId, Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::management::{Application, Denied};

/// What is asked for one application.
#[derive(Debug, Clone)]
pub struct KeyOrder {
    /// The application.
    pub application: ApplicationId,
    /// What to do.
    pub want: Want,
    /// When the public key may be replaced.
    pub window: Window,
    /// What the command says on top of the settings.
    pub terms: Terms,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRan {
    /// A run of a rotation ended like this.
    Over(End),
    /// There was none to go on with, or to go back from.
    NothingBegun,
}

impl Rotator {
    /// Rotates the key pair of one application, up to an end of the run.
    pub async fn rotate_keys(&self, order: &KeyOrder, tell: &Tell) -> Result<KeyRan, NotRun> {
        let disk = Arc::new(Disk::of_application(&journals(&self.settings.rotation.state_dir), &order.application)?);
        let begun = disk.load_kind::<Journal>()?.filter(|journal| !matches!(journal.state, State::Ended { .. }));
        let (machine, first) = match (begun, order.want) {
            (Some(journal), want) => {
                let resumed = Event::Resumed { rotation: journal.rotation.clone(), step: journal.state.word() };
                let mut machine = Machine::resume(Journal { plan: self.amended(order, journal.plan), ..journal }, now());
                if want == Want::Abort {
                    machine.abort(now())?;
                }
                (machine, resumed)
            }
            (None, Want::Resume | Want::Abort) => return Ok(KeyRan::NothingBegun),
            (None, Want::Rotate) => {
                let (rotation, plan) = (System.revision(), self.key_plan(order)?);
                (Machine::begin(rotation.clone(), plan, now()), Event::Began { rotation, purpose: Purpose::Application })
            }
        };
        let plan = machine.journal().plan.clone();
        let mut performer = Performer { rotator: self, plan, disk, tell: Arc::clone(tell), report: None, told: 0, step: "" };
        performer.tell(first);
        Ok(KeyRan::Over(performer.drive(machine).await))
    }

    fn key_plan(&self, order: &KeyOrder) -> Result<Plan, NotRun> {
        let parsed = self.sinks.read()?.parsed;
        let entry = parsed.applications.iter().find(|entry| entry.id == order.application);
        let entry = entry.ok_or_else(|| NotRun::NoSuchApplication(order.application.clone()))?;
        let patience = order.terms.plan(&entry.account, &self.settings.rotation, self.fleet.expect(), Measured::default());
        Ok(Plan {
            application: order.application.clone(),
            account: entry.account.clone(),
            window: order.window,
            fleet: patience.fleet,
            prove_times: patience.prove_times,
            prove_for: patience.prove_for,
            overlap: patience.overlap,
            poll: patience.poll,
            give_up: patience.give_up,
            patience: patience.patience,
        })
    }

    /// The command's word counts most, also for a rotation that another run began.
    fn amended(&self, order: &KeyOrder, plan: Plan) -> Plan {
        let said = order.terms.plan(&plan.account, &self.settings.rotation, self.fleet.expect(), Measured::default());
        Plan { window: order.window, fleet: said.fleet, give_up: said.give_up, overlap: said.overlap, ..plan }
    }
}

/// Does what the machine asks for.
struct Performer<'r> {
    rotator: &'r Rotator,
    plan: Plan,
    disk: Arc<Disk>,
    tell: Tell,
    report: Option<PathBuf>,
    told: usize,
    step: &'static str,
}

impl Performer<'_> {
    async fn drive(&mut self, mut machine: Machine) -> End {
        loop {
            match machine.next(now(), &mut System) {
                Next::Do(effect) => {
                    let doing = effect.doing();
                    self.tell(Event::Doing { doing });
                    let outcome = self.outcome(&effect, machine.journal()).await;
                    if let Outcome::Failed(cause) = &outcome {
                        self.tell(Event::Failed { doing, cause: cause.clone() });
                    }
                    machine.take(&effect, outcome, now());
                    self.tell_of(machine.journal());
                }
                Next::Wait(until) => tokio::time::sleep_until(until.into()).await,
                Next::End(end) => {
                    self.tell(Event::Ended { outcome: ended(&end), reason: end.to_string(), report: self.report.clone() });
                    return end;
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        (self.tell)(&Told { at: clock::wall(), account: self.plan.account.clone(), event });
    }

    /// Tells what is new in the journal, and of a rotation that goes on what was before, each with its own time.
    fn tell_of(&mut self, journal: &Journal) {
        for entry in journal.trail.iter().skip(self.told) {
            (self.tell)(&Told { at: entry.at, account: self.plan.account.clone(), event: Event::KeyFact(entry.fact.clone()) });
        }
        self.told = journal.trail.len();
        if self.step != journal.state.word() {
            self.step = journal.state.word();
            self.tell(Event::Step { step: self.step });
        }
    }

    async fn outcome(&mut self, effect: &Effect, journal: &Journal) -> Outcome {
        let whose = Whose::Application(self.plan.application.clone());
        match effect {
            Effect::Save => {
                let (disk, journal) = (Arc::clone(&self.disk), journal.clone());
                or_failed(blocking(move || disk.save_kind(&journal).map_err(|error| error.to_string())).await, |()| Outcome::Done)
            }
            Effect::TrySinks => self.try_sinks().await,
            Effect::ReadFile => self.read(journal).await.unwrap_or_else(Outcome::Failed),
            Effect::Deploy(deploy) => self.deploy(deploy).await,
            Effect::ReadApplication { with } => {
                answered(self.rotator.provider.application(&self.basic(with), &self.plan.application).await)
            }
            Effect::PutKey { resource, key, with } => {
                let (with, public) = (self.basic(with), key.public_pem());
                answered(self.rotator.provider.put_public_key(&with, &self.plan.application, resource, &public).await)
            }
            Effect::Prove { key, host } => self.prove(key, *host).await,
            Effect::Look { also } => self.look(&whose, also, journal).await,
            Effect::AskMembers { members } => {
                let asked = self.rotator.fleet.prove(&whose, members).await;
                or_failed(asked.map_err(|error| error.to_string()), |()| Outcome::Done)
            }
            Effect::Report(end) => self.write_report(journal, end).await,
        }
    }

    async fn try_sinks(&self) -> Outcome {
        for (name, tried) in self.rotator.sinks.try_out().await {
            if let Err(error) = tried {
                return Outcome::Failed(format!("{name}: {}", undelivered(&error)));
            }
        }
        Outcome::Done
    }

    async fn parsed(&self) -> Result<Parsed, String> {
        let sinks = self.rotator.sinks.clone();
        blocking(move || sinks.read().map(|current| current.parsed).map_err(|error| undelivered(&error))).await
    }

    async fn read(&self, journal: &Journal) -> Result<Outcome, String> {
        let parsed = self.parsed().await?;
        let revision = self.as_deployed(journal, parsed.revision.clone())?;
        let keys = keys(&parsed, &self.plan.application).map(|item| Delivered { value: item.value.clone(), label: item.label.clone() });
        let accounts = parsed.accounts.iter().filter(|entry| entry.key == self.plan.account);
        let secrets = accounts.flat_map(|entry| entry.secrets.iter().map(|item| item.value.clone())).collect();
        Ok(Outcome::File(File { keys: keys.collect(), secrets, revision }))
    }

    /// A mark that another deploy put on top of ours has everything that ours had.
    fn as_deployed(&self, journal: &Journal, found: Option<Revision>) -> Result<Option<Revision>, String> {
        let (Some(ours), Some(revision)) = (journal.state.revision(), &found) else { return Ok(found) };
        let lineage = self.rotator.sinks.lineage().map_err(|error| undelivered(&error))?;
        Ok(if revision != ours && lineage.is_on_top_of(revision, ours) { Some(ours.clone()) } else { found })
    }

    async fn deploy(&self, deploy: &Deploy) -> Outcome {
        match self.parsed().await {
            Ok(parsed) if is_as_expected(&parsed, &self.plan.application, &deploy.expect) => {}
            Ok(_) => return Outcome::Moved,
            Err(cause) => return Outcome::Failed(cause),
        }
        let items = deploy.keys.iter().map(|key| FileItem { value: key.value.clone(), label: key.label() }).collect();
        let delivery = Delivery {
            changes: vec![Change::Keys { application: self.plan.application.clone(), items }],
            expect: Vec::new(),
            revision: deploy.revision.clone(),
        };
        match self.rotator.sinks.deliver_and_see(&delivery).await {
            Ok(()) => Outcome::Done,
            Err(NotDelivered::Moved(..)) => Outcome::Moved,
            Err(error) => Outcome::Failed(undelivered(&error)),
        }
    }

    fn basic(&self, with: &ApiSecret) -> Basic {
        Basic::new(&self.plan.account, with.clone())
    }

    async fn prove(&self, key: &SigningKey, host: Host) -> Outcome {
        match prove::ask_about_key(&self.rotator.upstream, &self.plan.application, key, host).await {
            Proof::Accepted => Outcome::Accepted,
            Proof::Refused => Outcome::Refused,
            Proof::Doubtful | Proof::Unclear => Outcome::Failed(format!("{host} answers in a way that says nothing about the key")),
            Proof::Unreachable(code) => Outcome::Failed(format!("{host} cannot be asked ({code})")),
            Proof::NoFreeCall => Outcome::Failed(format!("no free call is known at {host}")),
        }
    }

    async fn look(&self, whose: &Whose, also: &[String], journal: &Journal) -> Outcome {
        let mut seen = match self.rotator.fleet.look(whose, also).await {
            Ok(seen) => seen,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        for sighting in &mut seen {
            if let Answer::Look(look) = &mut sighting.answer {
                match self.as_deployed(journal, look.revision.take()) {
                    Ok(revision) => look.revision = revision,
                    Err(cause) => return Outcome::Failed(cause),
                }
            }
        }
        Outcome::Seen(seen)
    }

    async fn write_report(&mut self, journal: &Journal, end: &End) -> Outcome {
        let report = Report {
            schema: report::SCHEMA,
            rotation: journal.rotation.to_string(),
            account: self.plan.account.clone(),
            purpose: Purpose::Application,
            who: self.rotator.who.clone(),
            began_at: journal.began_at,
            ended_at: clock::wall(),
            outcome: ended(end),
            reason: match end {
                End::Ended(_) => String::new(),
                End::Parked(_) | End::Stuck(_) => end.to_string(),
            },
            secrets: Vec::new(),
            proofs: Vec::new(),
            members: journal.members.iter().map(|name| report::Member { name: name.clone(), ..report::Member::default() }).collect(),
            sinks: self.rotator.sinks.names(),
            steps: journal.trail.iter().map(|entry| Step { at: entry.at, what: entry.fact.to_string() }).collect(),
        };
        let directory = self.rotator.settings.rotation.state_dir.join("reports");
        let written = blocking(move || keep(&directory, &report).map_err(|error| error.to_string())).await;
        or_failed(written, |path| {
            self.report = Some(path);
            Outcome::Done
        })
    }
}

fn keys<'p>(parsed: &'p Parsed, application: &ApplicationId) -> impl Iterator<Item = &'p FileItem<SigningKey>> {
    parsed.applications.iter().filter(move |entry| entry.id == *application).flat_map(|entry| &entry.keys)
}

fn is_as_expected(parsed: &Parsed, application: &ApplicationId, expect: &[SigningKey]) -> bool {
    let held: Vec<&SigningKey> = keys(parsed, application).map(|item| &item.value).collect();
    held.len() == expect.len() && expect.iter().all(|key| held.iter().any(|held| held.same_as(key)))
}

fn answered(answer: Result<Application, Trouble>) -> Outcome {
    match answer {
        Ok(Application::Resource(resource)) => Outcome::Resource(resource),
        Ok(Application::NoSuchId | Application::Denied(Denied::NoSuchKey)) => Outcome::NoSuchApplication,
        Ok(Application::Invalid(words)) => Outcome::Invalid(words),
        Ok(Application::Denied(Denied::Unauthorized)) => Outcome::Denied,
        Ok(Application::Denied(denied @ (Denied::Busy | Denied::Forbidden(_)))) => Outcome::Failed(denied.to_string()),
        Err(trouble) => Outcome::Failed(trouble.to_string()),
    }
}

fn or_failed<T>(result: Result<T, String>, done: impl FnOnce(T) -> Outcome) -> Outcome {
    match result {
        Ok(value) => done(value),
        Err(cause) => Outcome::Failed(cause),
    }
}

fn ended(end: &End) -> report::Outcome {
    match end {
        End::Ended(Ending::Done) => report::Outcome::Done,
        End::Ended(Ending::Aborted) => report::Outcome::Aborted,
        End::Parked(_) => report::Outcome::Parked,
        End::Stuck(_) => report::Outcome::Stuck,
    }
}

impl keypair::Chance for System {
    fn key(&mut self) -> Option<SigningKey> {
        SigningKey::parse(&generate::key_pair().ok()?.private).ok()
    }

    fn revision(&mut self) -> Revision {
        <Self as crate::rotation::machine::Chance>::revision(self)
    }

    fn name(&mut self) -> SecretId {
        loop {
            if let Ok(id) = SecretId::parse(&Self::random()) {
                return id;
            }
        }
    }
}
