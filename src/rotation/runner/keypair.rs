//! Rotations of key pairs: their entry, and what only they ask for, of one application.

use std::path::Path;
use std::sync::Arc;

use super::event::Event;
use super::perform::{Kept, Own, Performer};
use super::{NotRun, Preview, Ran, Rotator, System, Tell, Want, now};
use crate::clock;
use crate::credentials::Basic;
use crate::credentials::edit::Change;
use crate::credentials::file::{Item as FileItem, Parsed};
use crate::files::FileError;
use crate::jwt::{SigningKey, generate};
use crate::prove::{self, Proof};
use crate::rotation;
use crate::rotation::effect::Deploy;
use crate::rotation::event as somebody;
use crate::rotation::evidence::{Sighting, Whose};
use crate::rotation::journal::disk::{Disk, journals};
use crate::rotation::keypair::fact::Fact;
use crate::rotation::keypair::task::{Task, Window};
use crate::rotation::keypair::{Answer, Call, Chance, End, File, Journal, KeyPairs, Machine, Memory, Outcome, Plan, Start};
use crate::rotation::machine::State as _;
use crate::rotation::report::{Member, Purpose, Report};
use crate::rotation::runner::terms::{Measured, Terms};
use crate::rotation::sinks::Expected;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::management::{self, Denied};

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

impl Rotator {
    /// Rotates the key pair of one application, up to an end of the run.
    pub async fn rotate_keys(&self, order: &KeyOrder, tell: &Tell) -> Result<Ran<KeyPairs>, NotRun> {
        let disk = Arc::new(Disk::of_application(&journals(&self.settings.rotation.state_dir), &order.application)?);
        let begun = disk.load::<KeyPairs>()?.filter(|journal| !journal.is_over());
        let (machine, first) = match (begun, order.want) {
            (Some(journal), _) => {
                let (rotation, step) = (journal.rotation.clone(), journal.state.word());
                let resumed = Event::Resumed { rotation, step, purpose: Purpose::Application };
                (self.resume_keys(journal, order)?, resumed)
            }
            (None, Want::Resume | Want::Abort) => return Ok(Ran::NothingBegun),
            (None, Want::Rotate) => {
                let start = self.key_start(order)?;
                let began = Event::Began { rotation: start.rotation.clone(), purpose: Purpose::Application };
                (Machine::begin(start, now()), began)
            }
        };
        let (account, rotation) = (machine.journal().plan.account.clone(), machine.journal().rotation.clone());
        let performer = self.key_performer(&account, order, Kept::OnDisk(disk), tell);
        performer.tell(first);
        let end = match self.no_evidence_for_keys(machine.journal()).await {
            Some(end) => {
                performer.tell_end(&end);
                end
            }
            None => performer.drive(machine).await,
        };
        let about = somebody::Event::of_keys(&end, &account, &order.application, &rotation, clock::wall());
        self.tell_somebody(&account, about.as_ref(), tell).await;
        Ok(Ran::Over(end))
    }

    /// What a rotation of the key pair would do next. Changes nothing.
    pub async fn preview_keys(&self, order: &KeyOrder, tell: &Tell) -> Result<Preview<KeyPairs>, NotRun> {
        let left = Disk::peek_of_application(&journals(&self.settings.rotation.state_dir), &order.application)?;
        let machine = match left.filter(|journal| !journal.is_over()) {
            Some(journal) => self.resume_keys(journal, order)?,
            None => Machine::begin(self.key_start(order)?, now()),
        };
        if let Some(end) = self.no_evidence_for_keys(machine.journal()).await {
            return Ok(Preview::End(end));
        }
        let performer = self.key_performer(&machine.journal().plan.account, order, Kept::Nowhere, tell);
        Ok(performer.look_ahead(machine).await)
    }

    /// What keeps a rotation of a key pair from beginning.
    async fn no_evidence_for_keys(&self, journal: &Journal) -> Option<End> {
        if !journal.is_at_the_beginning() {
            return None;
        }
        self.nobody_speaks(&Whose::Application(journal.plan.task.application.clone()), &journal.plan.fleet).await
    }

    fn key_performer(&self, account: &ApiKey, order: &KeyOrder, journal: Kept, tell: &Tell) -> Performer<Application> {
        let own = Application { id: order.application.clone(), account: account.clone() };
        Performer::new(self, account.clone(), own, journal, Arc::clone(tell))
    }

    fn key_start(&self, order: &KeyOrder) -> Result<Start, NotRun> {
        Ok(Start { rotation: System::mark(), plan: self.key_plan(order)?, memory: Memory::default() })
    }

    /// The command's word counts most, also for a rotation that another run began.
    fn resume_keys(&self, journal: Journal, order: &KeyOrder) -> Result<Machine, NotRun> {
        let mut machine = Machine::resume(journal, now());
        machine.amend(|plan| {
            order.terms.amend_patience(plan, self.fleet.expect());
            plan.task.window = order.window;
        });
        if order.want == Want::Abort {
            machine.abort(now(), &mut System)?;
        }
        Ok(machine)
    }

    fn key_plan(&self, order: &KeyOrder) -> Result<Plan, NotRun> {
        let parsed = self.sinks.read()?.parsed;
        let entry = parsed.applications.iter().find(|entry| entry.id == order.application);
        let entry = entry.ok_or_else(|| NotRun::NoSuchApplication(order.application.clone()))?;
        let plan = order.terms.plan(&entry.account, &self.settings.rotation, self.fleet.expect(), Measured::default());
        Ok(plan.with(Task { application: order.application.clone(), window: order.window }))
    }
}

/// The application whose key pair is rotated.
struct Application {
    id: ApplicationId,
    account: ApiKey,
}

impl Own for Application {
    type Kind = KeyPairs;

    fn chance(system: &mut System) -> &mut (dyn Chance + 'static) {
        system
    }

    fn whose(&self) -> Whose {
        Whose::Application(self.id.clone())
    }

    fn file(&self, parsed: &Parsed, revision: Option<Revision>) -> File {
        let entries = parsed.applications.iter().filter(|entry| entry.id == self.id);
        let accounts = parsed.accounts.iter().filter(|entry| entry.key == self.account);
        File {
            keys: rotation::File { items: entries.flat_map(|entry| entry.keys.iter().cloned()).collect(), revision },
            secrets: accounts.flat_map(|entry| entry.secrets.iter().map(|item| item.value.clone())).collect(),
        }
    }

    fn delivery(&self, deploy: &Deploy<KeyPairs>) -> (Change, Expected) {
        let items = deploy.items.iter().map(|key| FileItem { value: key.value.clone(), label: key.label() }).collect();
        (Change::Keys { application: self.id.clone(), items }, Expected::Keys(self.id.clone(), deploy.expect.clone()))
    }

    async fn prove(&self, rotator: &Rotator, value: &SigningKey, host: Host) -> Proof {
        prove::ask_about_key(&rotator.upstream, &self.id, value, host).await
    }

    async fn call(&self, rotator: &Rotator, call: &Call) -> Outcome {
        let basic = |with: &ApiSecret| Basic::new(&self.account, with.clone());
        let answered = match call {
            Call::ReadApplication { with } => rotator.provider.application(&basic(with), &self.id).await,
            Call::PutKey { resource, key, with } => {
                rotator.provider.put_public_key(&basic(with), &self.id, resource, &key.public_pem()).await
            }
        };
        match answered {
            Ok(management::Application::Resource(resource)) => Outcome::Answer(Answer::Resource(resource)),
            Ok(management::Application::NoSuchId | management::Application::Denied(Denied::NoSuchKey)) => {
                Outcome::Answer(Answer::NoSuchApplication)
            }
            Ok(management::Application::Invalid(words)) => Outcome::Answer(Answer::Invalid(words)),
            Ok(management::Application::Denied(Denied::Unauthorized)) => Outcome::Denied,
            Ok(management::Application::Denied(denied @ (Denied::Busy | Denied::Forbidden(_)))) => Outcome::Failed(denied.to_string()),
            Err(trouble) => Outcome::Failed(trouble.to_string()),
        }
    }

    fn follow(&mut self, _journal: &Journal, _seen: &[Sighting]) {}

    fn purpose(_task: &Task) -> Purpose {
        Purpose::Application
    }

    fn event(fact: &Fact) -> Event {
        Event::KeyFact(fact.clone())
    }

    fn report(&self, frame: Report, journal: &Journal) -> Report {
        let members = journal.members.iter().map(|name| Member { name: name.clone(), ..Member::default() }).collect();
        Report { members, ..frame }
    }

    fn keep(_state_dir: &Path, _journal: &Journal, _end: &End) -> Result<(), FileError> {
        Ok(())
    }
}

impl Chance for System {
    fn key(&mut self) -> Option<SigningKey> {
        SigningKey::parse(&generate::key_pair().ok()?.private).ok()
    }

    fn revision(&mut self) -> Revision {
        Self::mark()
    }

    fn name(&mut self) -> SecretId {
        loop {
            if let Ok(id) = SecretId::parse(&Self::random()) {
                return id;
            }
        }
    }
}
