//! Runs a machine to the end of a run: does each effect, says what came of it, and tells what happens.
//!
//! What only one kind of rotation needs is in [`Own`]: of secrets in [`super::secrets`], of key pairs in [`super::keypair`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::event::{Event, Told};
use super::failures::Failures;
use super::{Preview, Rotator, System, Tell, now};
use crate::clock;
use crate::credentials::edit::Change;
use crate::credentials::file::Parsed;
use crate::files::{self, FileError};
use crate::prove::Proof;
use crate::rotation::effect::{Deploy, Effect, Outcome};
use crate::rotation::evidence::{Answer, Sighting, Whose};
use crate::rotation::halt::End;
use crate::rotation::journal::Journal;
use crate::rotation::journal::disk::Disk;
use crate::rotation::machine::{Kind, Machine, Next, State as _};
use crate::rotation::report::{Purpose, Report, SCHEMA, Step};
use crate::rotation::sinks::{Delivery, Expected, NotDelivered};
use crate::secret::{ApiKey, Revision};
use crate::vonage::hosts::Host;

/// What only one kind of rotation needs.
pub(super) trait Own {
    /// The kind.
    type Kind: Kind;

    /// Where new values come from.
    fn chance(system: &mut System) -> &mut <Self::Kind as Kind>::Chance;

    /// About what sidecars are asked.
    fn whose(&self) -> Whose;

    /// What the credentials file has.
    fn file(&self, parsed: &Parsed, revision: Option<Revision>) -> <Self::Kind as Kind>::File;

    /// What a deploy changes, over what.
    fn delivery(&self, deploy: &Deploy<Self::Kind>) -> (Change, Expected);

    /// Asks a host about a value.
    async fn prove(&self, rotator: &Rotator, value: &<Self::Kind as Kind>::Value, host: Host) -> Proof;

    /// Makes a call to the provider.
    async fn call(&self, rotator: &Rotator, call: &<Self::Kind as Kind>::Call) -> Outcome<Self::Kind>;

    /// Takes in where the rotation is and what was seen of sidecars.
    fn follow(&mut self, journal: &Journal<Self::Kind>, seen: &[Sighting]);

    /// What the rotation is for.
    fn purpose(task: &<Self::Kind as Kind>::Task) -> Purpose;

    /// What is told of something that happened.
    fn event(fact: &<Self::Kind as Kind>::Fact) -> Event;

    /// The report, of which the frame has what it is of every kind.
    fn report(&self, frame: Report, journal: &Journal<Self::Kind>) -> Report;

    /// Keeps what is worth it at the end. Blocks.
    fn keep(state_dir: &Path, journal: &Journal<Self::Kind>, end: &End<Self::Kind>) -> Result<(), FileError>;
}

/// Does what the machine asks for.
pub(super) struct Performer<O: Own> {
    rotator: Rotator,
    account: ApiKey,
    own: O,
    journal: Kept,
    tell: Tell,
    report: Option<PathBuf>,
    told: Shown,
    failures: Failures,
}

/// Where the journal is kept.
pub(super) enum Kept {
    /// On the disk.
    OnDisk(Arc<Disk>),
    /// Nowhere: nothing that it would speak of is done.
    Nowhere,
}

/// What was told so far.
#[derive(Default)]
struct Shown {
    facts: usize,
    step: &'static str,
    waiting: Vec<String>,
}

impl<O: Own> Performer<O> {
    pub(super) fn new(rotator: &Rotator, account: ApiKey, own: O, journal: Kept, tell: Tell) -> Self {
        Self { rotator: rotator.clone(), account, own, journal, tell, report: None, told: Shown::default(), failures: Failures::default() }
    }

    /// Does what the machine asks for, in turn, until the end of the run.
    pub(super) async fn drive(mut self, mut machine: Machine<O::Kind>) -> End<O::Kind> {
        loop {
            match machine.next(now(), O::chance(&mut System)) {
                Next::Do(effect) => {
                    let outcome = self.perform(&effect, machine.journal()).await;
                    machine.take(&effect, outcome, now());
                    self.tell_of(machine.journal());
                }
                Next::Wait(until) => {
                    self.tell_waiting(machine.waits_for());
                    tokio::time::sleep_until(until.into()).await;
                }
                Next::End(end) => {
                    self.tell_end(&end);
                    return end;
                }
            }
        }
    }

    /// Goes on until something would be changed. Nothing is.
    pub(super) async fn look_ahead(mut self, mut machine: Machine<O::Kind>) -> Preview<O::Kind> {
        let before = machine.journal().trail.len();
        loop {
            match machine.next(now(), O::chance(&mut System)) {
                Next::Do(_) if !machine.journal().is_at_the_beginning() => {
                    self.tell_ahead(machine.journal(), before);
                    return Preview::Would;
                }
                Next::Do(effect) => {
                    let outcome = self.perform(&effect, machine.journal()).await;
                    machine.take(&effect, outcome, now());
                }
                Next::Wait(until) => tokio::time::sleep_until(until.into()).await,
                Next::End(end) => return Preview::End(end),
            }
        }
    }

    /// Tells what was found out, and what would come next.
    fn tell_ahead(&self, journal: &Journal<O::Kind>, before: usize) {
        let found = journal.trail.iter().skip(before).map(|entry| O::event(&entry.fact));
        found.filter(|event| !event.is_of_this_machine()).for_each(|event| self.tell(event));
        self.tell(Event::Would { step: journal.state.word() });
    }

    pub(super) fn tell(&self, event: Event) {
        (self.tell)(&Told { at: clock::wall(), account: self.account.clone(), event });
    }

    /// Tells what is new in the journal, and of a rotation that goes on what was before, each with its own time.
    fn tell_of(&mut self, journal: &Journal<O::Kind>) {
        for entry in journal.trail.iter().skip(self.told.facts) {
            (self.tell)(&Told { at: entry.at, account: self.account.clone(), event: O::event(&entry.fact) });
        }
        self.told.facts = journal.trail.len();
        let step = journal.state.word();
        if self.told.step != step {
            self.told.step = step;
            self.told.waiting.clear();
            self.tell(Event::Step { step });
        }
    }

    /// Tells what the rotation waits for, when that is something else than before. Ages that grow are no news.
    fn tell_waiting(&mut self, on: &[String]) {
        let gist: Vec<String> = on.iter().map(|words| words.replace(|letter: char| letter.is_ascii_digit(), "")).collect();
        if !on.is_empty() && gist != self.told.waiting {
            self.tell(Event::Waiting { on: on.to_vec() });
            self.told.waiting = gist;
        }
    }

    pub(super) fn tell_end(&self, end: &End<O::Kind>) {
        self.tell(Event::Ended { outcome: end.outcome(), reason: end.to_string(), report: self.report.clone() });
    }

    pub(super) async fn perform(&mut self, effect: &Effect<O::Kind>, journal: &Journal<O::Kind>) -> Outcome<O::Kind> {
        let doing = effect.doing();
        self.tell(Event::Doing { doing });
        self.own.follow(journal, &[]);
        let outcome = self.outcome(effect, journal).await.unwrap_or_else(Outcome::Failed);
        match outcome.failure() {
            Some(cause) => {
                let failure = self.failures.failed(doing, cause.to_owned(), clock::now());
                self.tell(Event::Failed(failure));
            }
            None => self.failures.went_well(doing),
        }
        outcome
    }

    /// Does it; in words why it failed.
    async fn outcome(&mut self, effect: &Effect<O::Kind>, journal: &Journal<O::Kind>) -> Result<Outcome<O::Kind>, String> {
        match effect {
            Effect::Save => self.save(journal).await.map(|()| Outcome::Done),
            Effect::TrySinks => self.try_sinks().await.map(|()| Outcome::Done),
            Effect::ReadFile => self.read(journal).await.map(Outcome::File),
            Effect::Deploy(deploy) => self.deploy(deploy).await,
            Effect::Prove { value, host } => judged(self.own.prove(&self.rotator, value, *host).await, *host),
            Effect::Call(call) => Ok(self.own.call(&self.rotator, call).await),
            Effect::Look { also } => self.look(also, journal).await.map(Outcome::Seen),
            Effect::AskMembers { members } => {
                let asked = self.rotator.fleet.prove(&self.own.whose(), members).await;
                asked.map(|()| Outcome::Done).map_err(|error| error.to_string())
            }
            Effect::Report(end) => self.write_report(journal, end).await.map(|()| Outcome::Done),
        }
    }

    async fn save(&self, journal: &Journal<O::Kind>) -> Result<(), String> {
        let Kept::OnDisk(disk) = &self.journal else { return Ok(()) };
        let (disk, journal) = (Arc::clone(disk), journal.clone());
        blocking(move || disk.save(&journal).map_err(|error| error.to_string())).await
    }

    async fn try_sinks(&self) -> Result<(), String> {
        // Each error names its sink.
        for (_name, tried) in self.rotator.sinks.try_out().await {
            tried.map_err(|error| undelivered(&error))?;
        }
        Ok(())
    }

    async fn read(&self, journal: &Journal<O::Kind>) -> Result<<O::Kind as Kind>::File, String> {
        let parsed = parsed(&self.rotator).await?;
        let revision = self.as_deployed(journal, parsed.revision.clone())?;
        Ok(self.own.file(&parsed, revision))
    }

    /// A mark that another deploy put on top of ours has everything that ours had.
    fn as_deployed(&self, journal: &Journal<O::Kind>, found: Option<Revision>) -> Result<Option<Revision>, String> {
        let (Some(ours), Some(revision)) = (journal.state.revision(), &found) else { return Ok(found) };
        if revision == ours {
            return Ok(found);
        }
        let lineage = self.rotator.sinks.lineage().map_err(|error| undelivered(&error))?;
        Ok(if lineage.is_on_top_of(revision, ours) { Some(ours.clone()) } else { found })
    }

    async fn deploy(&self, deploy: &Deploy<O::Kind>) -> Result<Outcome<O::Kind>, String> {
        let (change, expected) = self.own.delivery(deploy);
        let delivery = Delivery { changes: vec![change], expect: vec![expected], revision: deploy.revision.clone() };
        match self.rotator.sinks.deliver_and_see(&delivery).await {
            Ok(()) => Ok(Outcome::Done),
            Err(NotDelivered::Moved(..)) => Ok(Outcome::Moved),
            Err(error) => Err(undelivered(&error)),
        }
    }

    async fn look(&mut self, also: &[String], journal: &Journal<O::Kind>) -> Result<Vec<Sighting>, String> {
        let mut seen = self.rotator.fleet.look(&self.own.whose(), also).await.map_err(|error| error.to_string())?;
        for sighting in &mut seen {
            if let Answer::Look(look) = &mut sighting.answer {
                look.revision = self.as_deployed(journal, look.revision.take())?;
            }
        }
        self.own.follow(journal, &seen);
        Ok(seen)
    }

    async fn write_report(&mut self, journal: &Journal<O::Kind>, end: &End<O::Kind>) -> Result<(), String> {
        if let Kept::Nowhere = self.journal {
            return Ok(());
        }
        let report = self.own.report(self.frame(journal, end), journal);
        let (state_dir, journal, end) = (self.rotator.settings.rotation.state_dir.clone(), journal.clone(), end.clone());
        let written = blocking(move || {
            O::keep(&state_dir, &journal, &end).map_err(|error| error.to_string())?;
            keep(&state_dir.join("reports"), &report).map_err(|error| error.to_string())
        });
        self.report = Some(written.await?);
        Ok(())
    }

    /// What a report has of every kind.
    fn frame(&self, journal: &Journal<O::Kind>, end: &End<O::Kind>) -> Report {
        Report {
            schema: SCHEMA,
            rotation: journal.rotation.to_string(),
            account: journal.plan.account.clone(),
            purpose: O::purpose(&journal.plan.task),
            who: self.rotator.who.clone(),
            began_at: journal.began_at,
            ended_at: clock::wall(),
            outcome: end.outcome(),
            reason: end.halt().map(|_| end.to_string()).unwrap_or_default(),
            secrets: Vec::new(),
            proofs: Vec::new(),
            members: Vec::new(),
            sinks: self.rotator.sinks.names(),
            steps: journal.trail.iter().map(|entry| Step { at: entry.at, what: entry.fact.to_string() }).collect(),
        }
    }
}

/// What a proof comes to.
fn judged<K: Kind>(proof: Proof, host: Host) -> Result<Outcome<K>, String> {
    let credential = K::CREDENTIAL;
    match proof {
        Proof::Accepted => Ok(Outcome::Accepted),
        Proof::Refused => Ok(Outcome::Refused),
        Proof::Doubtful => Err(format!("{host} answers 401 in a way that says nothing about the {credential}")),
        Proof::Unclear => Err(format!("{host} answers in a way that says nothing about the {credential}")),
        Proof::Unreachable(code) => Err(format!("{host} cannot be asked ({code})")),
        Proof::NoFreeCall => Err(format!("no free call is known at {host}")),
    }
}

/// What is held by now.
pub(super) async fn parsed(rotator: &Rotator) -> Result<Parsed, String> {
    let sinks = rotator.sinks.clone();
    blocking(move || sinks.read().map(|current| current.parsed).map_err(|error| undelivered(&error))).await
}

/// One report for each rotation: that of a run that ended early is replaced by that of the next run.
fn keep(directory: &Path, report: &Report) -> Result<PathBuf, FileError> {
    files::private_directory(directory)?;
    let name = report.file_name();
    let path = directory.join(format!("{name}.md"));
    files::replace(&directory.join(format!("{name}.json")), report.json().as_bytes(), 0o600)?;
    files::replace(&path, report.markdown().as_bytes(), 0o600)?;
    let same = format!("-{}-{}", report.account, report.rotation);
    for earlier in files::list(directory)? {
        let stem = earlier.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if stem.ends_with(&same) && stem != name {
            files::remove(&earlier)?;
        }
    }
    Ok(path)
}

fn undelivered(error: &NotDelivered) -> String {
    format!("{error} ({})", error.remedy())
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
