//! Where a new credentials file goes: the one writer, and those it hands the file to.
//!
//! Invariants: a file is locked, read again, changed in our items only, compared once more, replaced by rename with its
//! mode, owner, ACL and extended attributes kept, and read back; nothing is written when it holds other values of an account than expected;
//! a program gets the file on its standard input and nothing of it in its arguments; what a program says is told
//! without a value in it; doing the same again writes nothing.
//!
//! Not here: how a text is changed (`credentials::edit`), what a sink is to hold (`config::rotation`).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::config::rotation::{self as settings, Projection};
use crate::config::{Modes, Settings};
use crate::credentials::edit::{self, Change, NotEdited};
use crate::credentials::file::{self, Parsed, Referenced};
use crate::credentials::read::{self, Unreadable};
use crate::files::FileError;
use crate::jwt::SigningKey;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision};

mod command;
mod target;
mod turn;

/// What is to be delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The changes.
    pub changes: Vec<Change>,
    /// The values that are expected where it is written. Others are somebody else's doing.
    pub expect: Vec<Expected>,
    /// The mark of this deploy.
    pub revision: Revision,
}

/// The values that are expected where a change is written.
#[derive(Debug, Clone)]
pub enum Expected {
    /// The secrets of an account.
    Secrets(ApiKey, Vec<ApiSecret>),
    /// The private keys of an application.
    Keys(ApplicationId, Vec<SigningKey>),
}

/// Where a new credentials file goes.
#[derive(Debug, Clone)]
pub enum Sink {
    /// Into a file.
    File {
        /// The file.
        path: PathBuf,
        /// What of the changes it gets.
        scope: Scope,
    },
    /// To a program.
    Command(settings::Command),
}

/// What of the credentials a file gets.
#[derive(Debug, Clone)]
pub enum Scope {
    /// It is the credentials file itself: all.
    Own,
    /// It is another one.
    Projected(Projection),
}

/// Why a new file did not arrive. Nothing is lost: the old file is there, and what is new is staged.
#[derive(Debug, thiserror::Error)]
pub enum NotDelivered {
    /// The system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file cannot be read.
    #[error("{path} {cause}", path = .0.display(), cause = .1)]
    Unreadable(PathBuf, Unreadable),
    /// The file cannot be changed.
    #[error("{path} is not changed: {cause}", path = .0.display(), cause = .1)]
    NotEdited(PathBuf, NotEdited),
    /// It is a volume that Kubernetes writes.
    #[error("{path} is a file of a volume that Kubernetes keeps", path = .0.display())]
    Projected(PathBuf),
    /// Everybody on this machine may read it.
    #[error("{path} has mode {mode:04o}: everybody on this machine could read a new secret in it", path = .0.display(), mode = .1)]
    Readable(PathBuf, u32),
    /// Somebody else writes, and does not end.
    #[error("{path} is locked by another writer", path = .0.display())]
    Locked(PathBuf),
    /// It holds other values than it should.
    #[error("{path} holds other {what} than expected: somebody else has changed it", path = .0.display(), what = .1)]
    Moved(PathBuf, String),
    /// What was written is not there any more, or it changes all the time.
    #[error("{path} was overwritten by somebody else", path = .0.display())]
    Overwritten(PathBuf),
    /// It went everywhere, and the credentials file does not show it.
    #[error("{path} does not show what was delivered", path = .0.display())]
    NotArrived(PathBuf),
    /// The program could not be started.
    #[error("{0} cannot be started: {1}")]
    NotStarted(String, std::io::Error),
    /// The program did not end.
    #[error("{0} did not end within {seconds} seconds{1}", seconds = .2.as_secs())]
    Hung(String, Said, Duration),
    /// The program failed.
    #[error("{0} ended with {1}{2}")]
    Failed(String, std::process::ExitStatus, Said),
}

/// What a program said on standard error, without values.
#[derive(Debug, Default)]
pub struct Said(pub(crate) String);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { f.write_str(" and said nothing") } else { write!(f, " and said: {}", self.0) }
    }
}

impl NotDelivered {
    /// What to do.
    pub fn remedy(&self) -> &'static str {
        use std::io::ErrorKind;
        match self {
            Self::File(error) => match error.kind() {
                Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => "make room on the disk, then run it again",
                Some(ErrorKind::ReadOnlyFilesystem) => {
                    "it is mounted read-only: deliver with [[rotation.sinks.command]], or run this where the file is written"
                }
                Some(ErrorKind::PermissionDenied) => "run this as the owner of the file and of its directory",
                Some(ErrorKind::Unsupported) => {
                    "take its ACL and extended attributes off (setfacl -b, setfattr -x), or deliver with [[rotation.sinks.command]]"
                }
                Some(ErrorKind::ResourceBusy) => "it is a mount of a single file: mount its directory",
                Some(_) | None => "see to it that the file can be replaced, then run it again",
            },
            Self::Unreadable(..) => "vonage-sidecar check says more",
            Self::NotEdited(..) => "mend the file, then run it again",
            Self::Projected(_) => "nobody can write it from inside a pod: deliver to the Secret with [[rotation.sinks.command]]",
            Self::Readable(..) => "chmod 0640 or less",
            Self::Locked(_) => "wait until the other rotation has ended, then run it again",
            Self::Moved(..) => "let one tool at a time write the file; look at it, then run it again",
            Self::Overwritten(_) => "find out who else writes the file, then run it again",
            Self::NotArrived(_) => {
                "when nothing else writes it, name it in [[rotation.sinks.file]]; when something does, find out why it has not, then run it again"
            }
            Self::NotStarted(..) => "name the program with its path in [[rotation.sinks.command]]",
            Self::Hung(..) => "raise its timeout, or find out what it waits for",
            Self::Failed(..) => "mend what it says, then run it again",
        }
    }
}

/// A credentials file as it is.
#[derive(Debug)]
pub struct Current {
    /// What it says; none when it is not there.
    pub parsed: Parsed,
    text: Zeroizing<String>,
    referenced: Referenced,
}

/// The credentials file and everywhere it goes.
#[derive(Debug, Clone)]
pub struct Sinks {
    credentials: PathBuf,
    modes: Modes,
    state_dir: PathBuf,
    /// The credentials file itself comes last: what it shows has arrived everywhere else.
    all: Vec<Sink>,
}

impl Sinks {
    /// As the settings say: the credentials file itself unless there are others.
    pub fn of(settings: &Settings) -> Self {
        let credentials = settings.credentials.file.clone();
        let of = |sink: &settings::Sink| match sink {
            settings::Sink::File { path, .. } if *path == credentials => Sink::File { path: path.clone(), scope: Scope::Own },
            settings::Sink::File { path, projection } => Sink::File { path: path.clone(), scope: Scope::Projected(projection.clone()) },
            settings::Sink::Command(command) => Sink::Command(command.clone()),
        };
        let mut sinks: Vec<Sink> = settings.rotation.sinks.iter().map(of).collect();
        if sinks.is_empty() {
            sinks.push(Sink::File { path: credentials.clone(), scope: Scope::Own });
        }
        sinks.sort_by_key(Sink::is_own);
        Self { credentials, modes: settings.credentials.modes, state_dir: settings.rotation.state_dir.clone(), all: sinks }
    }

    /// The same credentials, but a new file goes to this one alone.
    #[must_use]
    pub fn into_file(self, path: &Path) -> Self {
        Self { all: vec![Sink::File { path: path.to_path_buf(), scope: Scope::Own }], ..self }
    }

    /// Where a new file goes, in words.
    pub fn names(&self) -> Vec<String> {
        self.all.iter().map(Sink::name).collect()
    }

    /// Reads the credentials file. Blocks.
    pub fn read(&self) -> Result<Current, NotDelivered> {
        current(&self.credentials, self.modes)
    }

    /// Tries every sink without changing anything: what came of each.
    pub async fn try_out(&self) -> Vec<(String, Result<(), NotDelivered>)> {
        let mut tried = Vec::new();
        for sink in &self.all {
            let outcome = match sink {
                Sink::File { path, .. } => {
                    let (path, modes) = (path.clone(), self.modes);
                    blocking(move || target::try_out(&path, modes)).await
                }
                Sink::Command(command) => self.try_command(command).await,
            };
            tried.push((sink.name(), outcome));
        }
        tried
    }

    /// Looks at every sink, writing and running nothing: what can be told of each. Programs are looked for in `path`.
    /// Blocks.
    pub fn look(&self, path: &OsStr) -> Vec<(String, Result<(), NotDelivered>)> {
        let of = |sink: &Sink| match sink {
            Sink::File { path, .. } => target::look(path, self.modes),
            Sink::Command(command) => command::look(&command.run, path).and_then(|()| command::look(&command.check, path)),
        };
        self.all.iter().map(|sink| (sink.name(), of(sink))).collect()
    }

    async fn deliver_now(&self, delivery: &Delivery) -> Result<(), NotDelivered> {
        let delivery = Arc::new(delivery.clone());
        let (reader, source) = (self.clone(), Arc::clone(&delivery));
        let after = blocking(move || reader.after(&source)).await?;
        for sink in &self.all {
            match sink {
                Sink::File { path, scope } => {
                    let (path, modes) = (path.clone(), self.modes);
                    let part = scope.part(&delivery, &primaries(&after));
                    if !part.changes.is_empty() {
                        let absent = match scope {
                            Scope::Own => target::Absent::Unexpected,
                            Scope::Projected(_) => target::Absent::Added(after.clone()),
                        };
                        blocking(move || target::deliver(&path, modes, &part, &absent)).await?;
                    }
                }
                Sink::Command(command) => {
                    let part = Scope::Projected(command.projection.clone()).part(&delivery, &primaries(&after));
                    if !part.changes.is_empty() {
                        let text = projected(&after, &command.projection, &delivery.revision)
                            .map_err(|cause| NotDelivered::NotEdited(self.credentials.clone(), cause))?;
                        command::run(&command.run, command.timeout, &text, &after).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What the credentials file holds, or would hold, after a delivery. Blocks.
    fn after(&self, delivery: &Delivery) -> Result<Parsed, NotDelivered> {
        let current = self.read()?;
        let wrong = |cause| NotDelivered::NotEdited(self.credentials.clone(), cause);
        let text = edit::edit(&current.text, &current.referenced, &delivery.changes, &delivery.revision).map_err(wrong)?;
        file::parse(&self.credentials, &text, &current.referenced).0.ok_or_else(|| wrong(NotEdited::Unfaithful))
    }

    async fn try_command(&self, command: &settings::Command) -> Result<(), NotDelivered> {
        let reader = self.clone();
        let current = blocking(move || reader.read()).await?;
        let revision = current.parsed.revision.clone().or_else(|| Revision::parse("check").ok());
        let Some(revision) = revision else { return Ok(()) };
        let text = projected(&current.parsed, &command.projection, &revision)
            .map_err(|cause| NotDelivered::NotEdited(self.credentials.clone(), cause))?;
        command::run(&command.check, command.timeout, &text, &current.parsed).await
    }
}

impl Sink {
    fn is_own(&self) -> bool {
        matches!(self, Self::File { scope: Scope::Own, .. })
    }

    /// In words.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Command(command) => command.run.first().cloned().unwrap_or_default(),
        }
    }
}

impl Scope {
    /// The part of a delivery that is for a file of this scope. An account that manages others is for no other file
    /// unless it is named.
    fn part(&self, delivery: &Delivery, primaries: &[ApiKey]) -> Delivery {
        let takes = |change: &Change| match (self, change) {
            (Self::Own, Change::Secrets { .. } | Change::Keys { .. }) | (Self::Projected(Projection::Everything), Change::Keys { .. }) => {
                true
            }
            (Self::Projected(Projection::Everything), Change::Secrets { account, .. }) => !primaries.contains(account),
            (Self::Projected(Projection::Named { accounts, .. }), Change::Secrets { account, .. }) => accounts.contains(account),
            (Self::Projected(Projection::Named { applications, .. }), Change::Keys { application, .. }) => {
                applications.contains(application)
            }
        };
        Delivery { changes: delivery.changes.iter().filter(|change| takes(change)).cloned().collect(), ..delivery.clone() }
    }
}

/// Hands a text that holds no value to a program, on its standard input.
pub(super) async fn hand_over(words: &[String], timeout: Duration, text: &str) -> Result<(), NotDelivered> {
    command::run(words, timeout, text, &Parsed { revision: None, accounts: Vec::new(), applications: Vec::new() }).await
}

/// The accounts of a file that manage others of it.
pub fn primaries(parsed: &Parsed) -> Vec<ApiKey> {
    parsed
        .accounts
        .iter()
        .filter_map(|entry| entry.primary.clone())
        .filter(|key| parsed.accounts.iter().any(|entry| entry.key == *key))
        .collect()
}

fn projected(parsed: &Parsed, projection: &Projection, revision: &Revision) -> Result<Zeroizing<String>, NotEdited> {
    let (accounts, applications): (Vec<ApiKey>, Vec<ApplicationId>) = match projection {
        Projection::Everything => {
            let primaries = primaries(parsed);
            let keys: Vec<ApiKey> = parsed.accounts.iter().map(|entry| entry.key.clone()).filter(|key| !primaries.contains(key)).collect();
            let ids = parsed.applications.iter().filter(|entry| keys.contains(&entry.account)).map(|entry| entry.id.clone()).collect();
            (keys, ids)
        }
        Projection::Named { accounts, applications } => (accounts.clone(), applications.clone()),
    };
    edit::projected(parsed, &accounts, &applications, revision)
}

/// A file as it is; one that is not there is empty.
fn current(path: &Path, modes: Modes) -> Result<Current, NotDelivered> {
    let nothing = Parsed { revision: None, accounts: Vec::new(), applications: Vec::new() };
    let picture = match read::picture(path, modes) {
        Ok(picture) => picture,
        Err(cause) if cause.is_missing() => {
            return Ok(Current { parsed: nothing, text: Zeroizing::default(), referenced: Referenced::new() });
        }
        Err(cause) => return Err(NotDelivered::Unreadable(path.to_path_buf(), cause)),
    };
    let parsed = file::parse(path, picture.text(), &picture.referenced).0;
    let parsed = parsed.ok_or_else(|| NotDelivered::NotEdited(path.to_path_buf(), NotEdited::Unusable))?;
    Ok(Current { parsed, text: Zeroizing::new(picture.text().to_owned()), referenced: picture.referenced })
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, NotDelivered> + Send + 'static) -> Result<T, NotDelivered> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests;
