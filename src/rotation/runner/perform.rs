//! Does one effect of the machine for one account, and says what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::event::{Event, Told};
use super::summary::{self, Witnessed};
use super::{Rotator, Tell, drill};
use crate::clock;
use crate::credentials::edit::Change;
use crate::credentials::file::{Item as FileItem, Parsed};
use crate::credentials::{Basic, Label};
use crate::files::{self, FileError};
use crate::prove::{self, Proof};
use crate::rotation::effect::{Deploy, Effect, Outcome};
use crate::rotation::evidence::{Answer, Whose};
use crate::rotation::halt::{End, Ending};
use crate::rotation::journal::Journal;
use crate::rotation::journal::disk::Disk;
use crate::rotation::provider::Trouble;
use crate::rotation::report::Report;
use crate::rotation::sinks::{Delivery, NotDelivered};
use crate::rotation::{Delivered, File, Item};
use crate::secret::{ApiKey, ApiSecret, Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::management::{Created, Denied, Revoked, Secrets};

/// Does what the machine asks for.
pub(super) struct Performer {
    rotator: Rotator,
    account: ApiKey,
    journal: Kept,
    tell: Tell,
    witnessed: Witnessed,
    report: Option<PathBuf>,
    told: Shown,
}

/// Where the journal is kept.
enum Kept {
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

impl Performer {
    pub(super) fn new(rotator: &Rotator, account: ApiKey, disk: Arc<Disk>, tell: Tell) -> Self {
        Self {
            rotator: rotator.clone(),
            account,
            journal: Kept::OnDisk(disk),
            tell,
            witnessed: Witnessed::default(),
            report: None,
            told: Shown::default(),
        }
    }

    /// For looking alone.
    pub(super) fn dry(rotator: &Rotator, account: ApiKey, tell: Tell) -> Self {
        Self {
            rotator: rotator.clone(),
            account,
            journal: Kept::Nowhere,
            tell,
            witnessed: Witnessed::default(),
            report: None,
            told: Shown::default(),
        }
    }

    pub(super) fn tell(&self, event: Event) {
        (self.tell)(&Told { at: clock::wall(), account: self.account.clone(), event });
    }

    /// Tells what is new in the journal, and of a rotation that goes on what was before, each with its own time.
    pub(super) fn tell_of(&mut self, journal: &Journal) {
        for entry in journal.trail.iter().skip(self.told.facts) {
            (self.tell)(&Told { at: entry.at, account: self.account.clone(), event: Event::Fact(entry.fact.clone()) });
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
    pub(super) fn tell_waiting(&mut self, on: Vec<String>) {
        let gist: Vec<String> = on.iter().map(|words| words.replace(|letter: char| letter.is_ascii_digit(), "")).collect();
        if !on.is_empty() && gist != self.told.waiting {
            self.tell(Event::Waiting { on });
            self.told.waiting = gist;
        }
    }

    pub(super) fn tell_end(&self, end: &End) {
        let outcome = summary::outcome(end);
        self.tell(Event::Ended { outcome, reason: end.to_string(), report: self.report.clone() });
    }

    pub(super) async fn perform(&mut self, effect: &Effect, journal: &Journal) -> Outcome {
        let doing = effect.doing();
        self.tell(Event::Doing { doing });
        self.witnessed.dates(journal);
        let outcome = self.outcome(effect, journal).await;
        if let Outcome::Failed(cause) = &outcome {
            self.tell(Event::Failed { doing, cause: cause.clone() });
        }
        outcome
    }

    async fn outcome(&mut self, effect: &Effect, journal: &Journal) -> Outcome {
        match effect {
            Effect::Save => self.save(journal).await,
            Effect::TrySinks => self.try_sinks().await,
            Effect::ReadFile => self.read(journal).await,
            Effect::Deploy(deploy) => self.deploy(deploy).await,
            Effect::Prove { value, host } => self.prove(value, *host).await,
            Effect::List { with } => self.list(with).await,
            Effect::Create { value, with } => self.create(value, with).await,
            Effect::Revoke { id, with } => self.revoke(id, with).await,
            Effect::Look { also } => self.look(also, journal).await,
            Effect::AskMembers { members, id: _ } => match self.rotator.fleet.prove(&Whose::Account(self.account.clone()), members).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed(error.to_string()),
            },
            Effect::Report(end) => self.report(journal, end).await,
        }
    }

    async fn save(&self, journal: &Journal) -> Outcome {
        let Kept::OnDisk(disk) = &self.journal else { return Outcome::Done };
        let (disk, journal) = (Arc::clone(disk), journal.clone());
        done(blocking(move || disk.save(&journal).map_err(|error| error.to_string())).await)
    }

    async fn try_sinks(&self) -> Outcome {
        for (name, tried) in self.rotator.sinks.try_out().await {
            if let Err(error) = tried {
                return Outcome::Failed(format!("{name}: {}", undelivered(&error)));
            }
        }
        Outcome::Done
    }

    async fn parsed(&self) -> Result<Parsed, Outcome> {
        let sinks = self.rotator.sinks.clone();
        let read = blocking(move || sinks.read().map_err(|error| undelivered(&error))).await;
        read.map(|current| current.parsed).map_err(Outcome::Failed)
    }

    async fn read(&self, journal: &Journal) -> Outcome {
        let parsed = match self.parsed().await {
            Ok(parsed) => parsed,
            Err(failed) => return failed,
        };
        let entries = parsed.accounts.iter().filter(|entry| entry.key == self.account).flat_map(|entry| &entry.secrets);
        let items = entries.map(|item| Delivered { value: item.value.clone(), label: item.label.clone() }).collect();
        match self.as_deployed(journal, parsed.revision.clone()) {
            Ok(revision) => Outcome::File(File { items, revision }),
            Err(error) => Outcome::Failed(undelivered(&error)),
        }
    }

    /// A mark that another account's deploy put on top of ours has everything that ours had.
    fn as_deployed(&self, journal: &Journal, found: Option<Revision>) -> Result<Option<Revision>, NotDelivered> {
        let (Some(change), Some(revision)) = (summary::change(&journal.state), &found) else { return Ok(found) };
        let ours = &change.revision;
        if revision != ours && self.rotator.sinks.lineage()?.is_on_top_of(revision, ours) { Ok(Some(ours.clone())) } else { Ok(found) }
    }

    async fn deploy(&self, deploy: &Deploy) -> Outcome {
        let item = |item: &Item| FileItem {
            value: item.value.clone(),
            label: Label { id: Some(item.id.clone()), created_at: item.created_at, keep: item.keep, note: item.note.clone() },
        };
        let items = deploy.items.iter().map(item).collect();
        let delivery = Delivery {
            changes: vec![Change::Secrets { account: self.account.clone(), items, primary: None }],
            expect: vec![(self.account.clone(), deploy.expect.clone())],
            revision: deploy.revision.clone(),
        };
        match self.rotator.sinks.deliver_and_see(&delivery).await {
            Ok(()) => Outcome::Done,
            Err(NotDelivered::Moved(..)) => Outcome::Moved,
            Err(error) => Outcome::Failed(undelivered(&error)),
        }
    }

    async fn prove(&self, value: &ApiSecret, host: Host) -> Outcome {
        let proof = prove::ask_about(&self.rotator.upstream, &Basic::new(&self.account, value.clone()), host).await;
        match proof {
            Proof::Accepted => Outcome::Accepted,
            Proof::Refused => Outcome::Refused,
            Proof::Doubtful => Outcome::Failed(format!("{host} answers 401 in a way that says nothing about the secret")),
            Proof::Unclear => Outcome::Failed(format!("{host} answers in a way that says nothing about the secret")),
            Proof::Unreachable(code) => Outcome::Failed(format!("{host} cannot be asked ({code})")),
            Proof::NoFreeCall => Outcome::Failed(format!("no free call is known at {host}")),
        }
    }

    /// With what the account is managed: the secrets of the account above it when they are held, then its own one.
    async fn access(&self, with: &ApiSecret) -> Result<Vec<Basic>, Outcome> {
        let parsed = self.parsed().await?;
        let primary = parsed.accounts.iter().find(|entry| entry.key == self.account).and_then(|entry| entry.primary.as_ref());
        let above = parsed.accounts.iter().filter(|entry| Some(&entry.key) == primary);
        let mut access: Vec<Basic> =
            above.flat_map(|entry| entry.secrets.iter().map(|item| Basic::new(&entry.key, item.value.clone()))).collect();
        access.push(Basic::new(&self.account, with.clone()));
        Ok(access)
    }

    async fn list(&self, with: &ApiSecret) -> Outcome {
        let access = match self.access(with).await {
            Ok(access) => access,
            Err(failed) => return failed,
        };
        let mut last = Outcome::Denied;
        for basic in &access {
            last = match self.rotator.provider.list(basic, &self.account).await {
                Ok(Secrets::Listed(listed)) => return Outcome::Listed(listed),
                Ok(Secrets::Denied(denied)) => refused(denied),
                Err(trouble) => return failed(trouble),
            };
        }
        last
    }

    async fn create(&self, value: &ApiSecret, with: &ApiSecret) -> Outcome {
        let access = match self.access(with).await {
            Ok(access) => access,
            Err(failed) => return failed,
        };
        let mut last = Outcome::Denied;
        for basic in &access {
            last = match self.rotator.provider.create(basic, &self.account, value).await {
                Ok(Created::Created(made)) => return Outcome::Created(made),
                Ok(Created::Full) => return Outcome::Full,
                Ok(Created::Invalid(words)) => return Outcome::Invalid(words),
                Ok(Created::Denied(denied)) => refused(denied),
                Err(trouble) => return failed(trouble),
            };
        }
        last
    }

    async fn revoke(&self, id: &SecretId, with: &ApiSecret) -> Outcome {
        let access = match self.access(with).await {
            Ok(access) => access,
            Err(failed) => return failed,
        };
        let mut last = Outcome::Denied;
        for basic in &access {
            last = match self.rotator.provider.revoke(basic, &self.account, id).await {
                Ok(Revoked::Revoked) => return Outcome::Revoked,
                Ok(Revoked::NoSuchId) => return Outcome::NoSuchId,
                Ok(Revoked::LastSecret) => return Outcome::LastSecret,
                Ok(Revoked::Denied(denied)) => refused(denied),
                Err(trouble) => return failed(trouble),
            };
        }
        last
    }

    async fn look(&mut self, also: &[String], journal: &Journal) -> Outcome {
        let mut seen = match self.rotator.fleet.look(&Whose::Account(self.account.clone()), also).await {
            Ok(seen) => seen,
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        for sighting in &mut seen {
            if let Answer::Look(look) = &mut sighting.answer {
                match self.as_deployed(journal, look.revision.take()) {
                    Ok(revision) => look.revision = revision,
                    Err(error) => return Outcome::Failed(undelivered(&error)),
                }
            }
        }
        self.witnessed.note(journal, &seen);
        Outcome::Seen(seen)
    }

    async fn report(&mut self, journal: &Journal, end: &End) -> Outcome {
        if let Kept::Nowhere = self.journal {
            return Outcome::Done;
        }
        let sinks = self.rotator.sinks.names();
        let report = summary::report(journal, end, &self.witnessed, sinks, self.rotator.who.clone(), clock::wall());
        let (state_dir, journal, end) = (self.rotator.settings.rotation.state_dir.clone(), journal.clone(), end.clone());
        let written = blocking(move || {
            if let End::Ended(Ending::Drilled) = end {
                drill::keep(&state_dir, &journal).map_err(|error| error.to_string())?;
            }
            keep(&state_dir.join("reports"), &report).map_err(|error| error.to_string())
        });
        match written.await {
            Ok(path) => {
                self.report = Some(path);
                Outcome::Done
            }
            Err(cause) => Outcome::Failed(cause),
        }
    }
}

/// One report for each rotation: that of a run that ended early is replaced by that of the next run.
pub(super) fn keep(directory: &Path, report: &Report) -> Result<PathBuf, FileError> {
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

fn refused(denied: Denied) -> Outcome {
    match denied {
        Denied::Unauthorized => Outcome::Denied,
        Denied::NoSuchKey | Denied::Busy | Denied::Forbidden(_) => Outcome::Failed(denied.to_string()),
    }
}

fn failed(trouble: Trouble) -> Outcome {
    Outcome::Failed(trouble.to_string())
}

pub(super) fn undelivered(error: &NotDelivered) -> String {
    format!("{error} ({})", error.remedy())
}

fn done(result: Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(cause) => Outcome::Failed(cause),
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
