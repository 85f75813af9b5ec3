//! Runs rotations: drives the machine, does what it asks for, tells what happens.
//!
//! [`Rotator::rotate`] is the one entry, for the command and for whoever else decides that a rotation is due. It begins
//! one, or goes on with the one whose journal is there.
//!
//! Invariants: the journal of an account is held by one process at a time, for as long as it runs; nothing is decided
//! here that the machine decides; whatever fails is told to the machine as a failure, never as an answer.
//!
//! Not here: how an effect is done ([`perform`]; of secrets alone [`secrets`], of key pairs [`keypair`]), what is told
//! ([`event`]), what is asked for ([`terms`]), what is written down at the end ([`summary`]), several accounts ([`all`]).

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::config::Settings;
use crate::credentials::file::Parsed;
use crate::rotation::effect::Doing;
use crate::rotation::event as somebody;
use crate::rotation::evidence::{Whose, all_silent};
use crate::rotation::fleet::Fleet;
use crate::rotation::halt::{self, Amiss, Parked};
use crate::rotation::journal::disk::{Disk, DiskError, journals};
use crate::rotation::machine::{Kind, Now, Refused, State as _};
use crate::rotation::notify::Notifier;
use crate::rotation::plan;
use crate::rotation::provider::Provider;
use crate::rotation::report::Who;
use crate::rotation::secrets::task::Mode;
use crate::rotation::secrets::turn::Underway;
use crate::rotation::secrets::{Chance, End, Journal, Machine, Memory, Plan, Secrets, Start};
use crate::rotation::sinks::{NotDelivered, Sinks};
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId};
use crate::upstream::{SetupError, Upstream, client_tls};
use crate::vonage::policy;
use event::{Event, Told};
pub use keypair::KeyOrder;
use perform::{Kept, Performer};
use secrets::Account;
use summary::Witnessed;
use terms::{Purpose, Terms};

pub mod all;
pub mod drill;
pub mod event;
pub mod failures;
mod keypair;
mod leak;
mod perform;
mod secrets;
pub mod summary;
pub mod terms;
pub mod wrong_secret;

/// Who hears what happens.
pub type Tell = Arc<dyn Fn(&Told) + Send + Sync>;

/// The journal keeps the value of the last secret for so long after the end, unless the file does not hold it.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Everything that rotations of one credentials file share.
#[derive(Debug, Clone)]
pub struct Rotator {
    settings: Arc<Settings>,
    upstream: Arc<Upstream>,
    provider: Provider,
    sinks: Sinks,
    fleet: Fleet,
    notifier: Notifier,
    who: Who,
}

/// What is asked for one account.
#[derive(Debug, Clone)]
pub struct Order {
    /// The account.
    pub account: ApiKey,
    /// What to do.
    pub want: Want,
    /// What the command says on top of the settings.
    pub terms: Terms,
    /// A secret that may be revoked, on the word of a person.
    pub approve: Option<SecretId>,
}

/// What to do with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Begin, or go on with what was begun.
    Rotate,
    /// Only go on with what was begun.
    Resume,
    /// Go back.
    Abort,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran<K: Kind = Secrets> {
    /// A run of a rotation ended like this.
    Over(halt::End<K>),
    /// There was none to go on with, or to go back from.
    NothingBegun,
}

/// Why there was no run. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// The journal.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The credentials file.
    #[error(transparent)]
    Credentials(#[from] NotDelivered),
    /// The file does not hold the account.
    #[error("the credentials file has no account {0}")]
    NoSuchAccount(ApiKey),
    /// The file does not hold the application.
    #[error("the credentials file has no application {0}")]
    NoSuchApplication(ApplicationId),
    /// It cannot be called off.
    #[error(transparent)]
    NoWayBack(#[from] Refused),
    /// Something else is under way.
    #[error(transparent)]
    Underway(#[from] Underway),
    /// The way to the provider, or to members, cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// What a rotation would come to.
#[derive(Debug)]
pub enum Preview<K: Kind> {
    /// The next step that changes something; it was told.
    Would,
    /// It would end here.
    End(halt::End<K>),
}

impl Rotator {
    /// For one credentials file. `who` runs it.
    pub fn new(settings: Settings, upstream: Arc<Upstream>, notifier: Notifier, who: Who) -> Result<Self, SetupError> {
        let provider = Provider::new(Arc::clone(&upstream), settings.rotation.host);
        let fleet = Fleet::of(&settings, client_tls(&settings.upstream)?);
        let sinks = Sinks::of(&settings);
        Ok(Self { settings: Arc::new(settings), upstream, provider, sinks, fleet, notifier, who })
    }

    /// Rotates the secret of one account, up to an end of the run, and tells whom `[rotation.notify]` names how it ended.
    pub async fn rotate(&self, order: &Order, tell: &Tell) -> Result<Ran, NotRun> {
        let ran = self.run(order, tell).await?;
        if let Ran::Over(end) = &ran {
            let journal = Disk::peek(&journals(&self.settings.rotation.state_dir), &order.account)?;
            let about = somebody::Event::of(end, &order.account, journal.as_ref().map(|journal| &journal.rotation), clock::wall());
            self.tell_somebody(&order.account, about.as_ref(), tell).await;
        }
        Ok(ran)
    }

    async fn tell_somebody(&self, account: &ApiKey, about: Option<&somebody::Event>, tell: &Tell) {
        for error in self.notifier.tell_if(about).await {
            tell(&Told { at: clock::wall(), account: account.clone(), event: Event::NotTold { cause: error.to_string() } });
        }
    }

    async fn run(&self, order: &Order, tell: &Tell) -> Result<Ran, NotRun> {
        let disk = Arc::new(Disk::open(&journals(&self.settings.rotation.state_dir), &order.account)?);
        let left = disk.load::<Secrets>()?;
        let (begun, before) = match left {
            Some(journal) if !journal.is_over() => (Some(journal), None),
            before => (None, before),
        };
        let performer = self.performer(&order.account, Kept::OnDisk(disk), tell);
        let (mut machine, first) = match (begun, order.want) {
            (Some(journal), _) => {
                if let Some(end) = self.no_such_leak(order, Some(&journal)).await? {
                    performer.tell_end(&end);
                    return Ok(Ran::Over(end));
                }
                let machine = self.resume(journal, order)?;
                let journal = machine.journal();
                let (rotation, step) = (journal.rotation.clone(), journal.state.word());
                let resumed = Event::Resumed { rotation, step, purpose: summary::purpose(&journal.plan.task.mode) };
                (machine, resumed)
            }
            (None, Want::Resume | Want::Abort) => return Ok(Ran::NothingBegun),
            (None, Want::Rotate) => {
                let start = self.start(order, before)?;
                if let Some(end) = self.no_such_leak(order, None).await? {
                    performer.tell_end(&end);
                    return Ok(Ran::Over(end));
                }
                let purpose = summary::purpose(&start.plan.task.mode);
                (Machine::begin(start.clone(), now()), Event::Began { rotation: start.rotation, purpose })
            }
        };
        performer.tell(first);
        if machine.journal().is_at_the_beginning()
            && let Some(end) = self.no_evidence(&machine.journal().plan).await
        {
            performer.tell_end(&end);
            return Ok(Ran::Over(end));
        }
        if let Some(id) = &order.approve {
            machine.approve(id.clone());
        }
        Ok(Ran::Over(performer.drive(machine).await))
    }

    /// What a rotation would do next. Changes nothing.
    pub async fn preview(&self, order: &Order, tell: &Tell) -> Result<Preview<Secrets>, NotRun> {
        let left = Disk::peek(&journals(&self.settings.rotation.state_dir), &order.account)?;
        let performer = self.performer(&order.account, Kept::Nowhere, tell);
        let machine = match left {
            Some(journal) if !journal.is_over() => {
                if let Some(end) = self.no_such_leak(order, Some(&journal)).await? {
                    return Ok(Preview::End(end));
                }
                self.resume(journal, order)?
            }
            before => Machine::begin(self.start(order, before)?, now()),
        };
        if machine.journal().is_at_the_beginning()
            && let Some(end) = self.no_evidence(&machine.journal().plan).await
        {
            return Ok(Preview::End(end));
        }
        Ok(performer.look_ahead(machine).await)
    }

    /// The accounts of the credentials file with the one that manages each, if any.
    pub fn accounts(&self) -> Result<Vec<(ApiKey, Option<ApiKey>)>, NotRun> {
        Ok(self.sinks.read()?.parsed.accounts.into_iter().map(|entry| (entry.key, entry.primary)).collect())
    }

    fn performer(&self, account: &ApiKey, journal: Kept, tell: &Tell) -> Performer<Account> {
        let own = Account { key: account.clone(), witnessed: Witnessed::default() };
        Performer::new(self, account.clone(), own, journal, Arc::clone(tell))
    }

    fn resume(&self, journal: Journal, order: &Order) -> Result<Machine, NotRun> {
        // Nothing was done yet, so it is for what this command says, whatever the one was for that was refused.
        let anew = journal.is_at_the_beginning() && order.want == Want::Rotate;
        let mut machine = Machine::resume(journal, now());
        machine.amend(|plan| {
            if anew {
                *plan = self.plan(order);
            } else {
                order.terms.amend(plan, self.fleet.expect());
            }
        });
        match (order.want, &order.terms.purpose) {
            (Want::Abort, _) => machine.abort(now(), &mut System)?,
            (Want::Resume, Purpose::Rotate | Purpose::Drill) => {}
            (Want::Rotate, _) | (Want::Resume, Purpose::Emergency(_)) => {
                machine.turn_to(&order.terms.mode(self.settings.rotation.deadline), now(), &mut System)?;
            }
        }
        Ok(machine)
    }

    fn start(&self, order: &Order, before: Option<Journal>) -> Result<Start, NotRun> {
        let parsed = self.sinks.read()?.parsed;
        let entry = parsed.accounts.iter().find(|entry| entry.key == order.account);
        if entry.is_none() {
            return Err(NotRun::NoSuchAccount(order.account.clone()));
        }
        let (made, latest) = before.map_or_else(Default::default, |journal| {
            let latest = if is_settled(&journal, &parsed) { None } else { journal.memory.latest };
            (journal.memory.made, latest)
        });
        let memory = Memory { made, latest, approved: Vec::new() };
        Ok(Start { rotation: System::mark(), plan: self.plan(order), memory })
    }

    fn plan(&self, order: &Order) -> Plan {
        let measured = drill::measured(&self.settings.rotation.state_dir, &order.account);
        order.terms.plan(&order.account, &self.settings.rotation, self.fleet.expect(), measured)
    }

    /// What keeps a rotation of a secret from beginning. A drill and a leak need no evidence to begin.
    async fn no_evidence(&self, plan: &Plan) -> Option<End> {
        match &plan.task.mode {
            Mode::Drill | Mode::Emergency(_) => None,
            Mode::Rotate => self.nobody_speaks(&Whose::Account(plan.account.clone()), &plan.fleet).await,
        }
    }

    /// Before anything is made: a rotation does not begin when nobody could give it leave to end.
    async fn nobody_speaks<K: Kind>(&self, whose: &Whose, fleet: &plan::Fleet) -> Option<halt::End<K>> {
        match fleet {
            plan::Fleet::Unwatched => return None,
            plan::Fleet::Watched { .. } => {}
        }
        match self.fleet.look(whose, &[]).await {
            Ok(seen) if seen.is_empty() => Some(halt::End::Stuck(Amiss::Nobody.into())),
            Ok(seen) => all_silent(&seen).map(|on| halt::End::Parked(Parked::NotConverged { credential: K::CREDENTIAL, on })),
            Err(error) => Some(halt::End::Parked(Parked::Failing { doing: Doing::Look, cause: error.to_string() })),
        }
    }
}

/// Whether the last secret needs not be remembered: the file has held it long enough.
fn is_settled(journal: &Journal, parsed: &Parsed) -> bool {
    let ended = journal.trail.last().map(|entry| entry.at);
    let is_old = ended.is_some_and(|at| clock::wall().duration_since(at).is_ok_and(|age| age >= REMEMBERED));
    let holds = |value: &ApiSecret| {
        let accounts = parsed.accounts.iter().filter(|entry| entry.key == journal.plan.account);
        accounts.flat_map(|entry| &entry.secrets).any(|item| item.value.same_as(value))
    };
    is_old && journal.memory.latest.as_ref().is_some_and(|item| holds(&item.value))
}

fn now() -> Now {
    Now { instant: clock::now(), date: clock::wall() }
}

/// Random values and marks from the operating system.
#[derive(Debug)]
struct System;

impl System {
    fn random() -> String {
        format!("{:032x}", u128::from_le_bytes(clock::random()))
    }

    fn mark() -> Revision {
        loop {
            if let Ok(revision) = Revision::parse(&Self::random()) {
                return revision;
            }
        }
    }
}

impl Chance for System {
    fn secret(&mut self) -> ApiSecret {
        loop {
            if let Some(value) = policy::make(&zeroize::Zeroizing::new(clock::random())) {
                return value;
            }
        }
    }

    fn revision(&mut self) -> Revision {
        Self::mark()
    }
}
