//! What every command that manages secrets works with: settings, the credentials file, the way to the provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::line::Line;
use super::locate::Given;
use super::report::Failure;
use super::{run, surroundings};
use crate::clock;
use crate::config::{Settings, units};
use crate::credentials::Basic;
use crate::credentials::file::{AccountEntry, Parsed};
use crate::prove::Proof;
use crate::rotation::provider::{Provider, Trouble};
use crate::rotation::sinks::{NotDelivered, Sinks};
use crate::rotation::survey::{self, Survey};
use crate::secret::{ApiKey, Malformed};
use crate::upstream::Upstream;
use crate::vonage::hosts::Host;
use crate::vonage::management::{Denied, Listed, Secrets};

/// Between two proofs.
const PAUSE: Duration = Duration::from_millis(250);

/// Where the files are. A command that has commands of its own takes them before and after the name of one.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Files {
    #[command(flatten)]
    given: Given,
    /// Where staged values and reports are, in place of the directory that the settings name
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
}

impl Files {
    /// A line with the same arguments.
    pub(super) fn on(&self, line: Line) -> Line {
        self.given.on(line).value_if("--state-dir", self.state_dir.as_deref().map(Path::display))
    }
}

/// An API key, as an argument.
pub(super) fn key(text: &str) -> Result<ApiKey, Malformed> {
    ApiKey::parse(text)
}

/// A duration, as an argument.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|problem| format!("{problem}: {}", problem.hint()))
}

/// A span of the past, as an argument: longer than any wait may be.
pub(super) fn past(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// Everything that is needed.
pub(super) struct Operator {
    pub(super) settings: Settings,
    pub(super) upstream: Arc<Upstream>,
    pub(super) provider: Provider,
    pub(super) sinks: Sinks,
}

/// Runs a command with all of this.
pub(super) fn operate<T>(files: &Files, command: impl AsyncFnOnce(Operator) -> Result<T, Failure>) -> Result<T, Failure> {
    let settings = settings(files)?;
    let runtime = run::runtime(1)?;
    let operator = {
        // The way to the provider belongs to the runtime that it is made in.
        let _inside = runtime.enter();
        Operator::new(settings)?
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = command(operator) => done,
            told = told_to_end() => Err(told),
        }
    });
    // A thread that blocks, on a file system that hangs, does not keep the process.
    runtime.shutdown_background();
    done
}

/// SIGINT or SIGTERM. What is under way is dropped, so that a program that was started does not outlive the command.
async fn told_to_end() -> Failure {
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => return Failure::could_not_run("signals cannot be handled").caused_by(&error),
    };
    let name = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    };
    Failure::could_not_run(format!("ended by {name} before it was done")).hint("run it again: what was begun goes on from there")
}

fn settings(files: &Files) -> Result<Settings, Failure> {
    let mut settings = files.given.settings()?.settings;
    if let Some(directory) = &files.state_dir {
        settings.rotation.state_dir.clone_from(directory);
    }
    Ok(settings)
}

/// A failure to read or to deliver, with its remedy.
pub(super) fn undelivered(what: &str, error: &NotDelivered) -> Failure {
    Failure::no(what).caused_by(error).hint(error.remedy())
}

/// A call whose outcome is not known.
pub(super) fn troubled(what: &str, trouble: Trouble) -> Failure {
    let hint =
        if trouble.may_have_happened() { "run it again: it finds out first what was done" } else { "check the network, then run it again" };
    Failure::no(what).caused_by(&trouble).hint(hint)
}

/// What is denied, with what to do.
pub(super) fn denied(what: &str, denied: Denied) -> Failure {
    let hint = match denied {
        Denied::Unauthorized => {
            "the secrets in the file are dead: use --with the account that manages this one, or make a secret in the dashboard and `vonage-sidecar secrets import` it"
        }
        Denied::NoSuchKey => "check the key, and for a subaccount name its primary account by --with",
        Denied::Busy => "wait a minute, then run it again",
        Denied::Forbidden(_) => "check what this account may do in the dashboard",
    };
    Failure::no(what).caused_by(&denied).hint(hint)
}

impl Operator {
    fn new(settings: Settings) -> Result<Self, Failure> {
        let upstream: Arc<Upstream> = Upstream::new(&settings.upstream, &settings.timeouts, &surroundings::proxy())
            .map_err(|error| Failure::could_not_run("the way to Vonage cannot be set up").caused_by(&error))?;
        let provider = Provider::new(Arc::clone(&upstream), settings.rotation.host);
        let sinks = Sinks::of(&settings);
        Ok(Self { settings, upstream, provider, sinks })
    }

    /// The way to look at every account.
    pub(super) fn survey(&self) -> Survey {
        Survey { provider: self.provider.clone(), state_dir: self.settings.rotation.state_dir.clone() }
    }

    /// The credentials file as it is now.
    pub(super) fn held(&self) -> Result<Parsed, Failure> {
        self.sinks.read().map(|current| current.parsed).map_err(|error| undelivered("the credentials cannot be read", &error))
    }

    /// The secrets with which an account is managed: those of `with`, or its own and then those of the account that the
    /// file says manages it.
    pub(super) fn access(parsed: &Parsed, account: &ApiKey, with: Option<&ApiKey>) -> Result<Vec<Basic>, Failure> {
        let found = survey::access(parsed, with.unwrap_or(account));
        if found.is_empty() {
            let failure = Failure::no(format!("the credentials file has no secret to manage {account} with"));
            return Err(failure.hint("name an account of the file that manages it: --with PRIMARY"));
        }
        Ok(found)
    }

    /// The secrets of an account, with the first credential that is not refused.
    pub(super) async fn listed<'b>(&self, with: &'b [Basic], account: &ApiKey) -> Result<(&'b Basic, Vec<Listed>), Failure> {
        let what = format!("the secrets of {account} cannot be listed");
        match self.provider.list_with_any(with, account).await {
            Ok((basic, Secrets::Listed(listed))) => Ok((basic, listed)),
            Ok((_, Secrets::Denied(reason))) => Err(denied(&what, reason)),
            Err(trouble) => Err(troubled(&what, trouble)),
        }
    }

    /// Proves a secret at every host that can be asked: accepted without a refusal in between for `span`. Whatever else
    /// was said last, when that is not so within `patience`.
    pub(super) async fn prove(&self, secret: &Basic, span: Duration, patience: Duration) -> Result<(), (Host, Proof)> {
        let begun = clock::now();
        let mut since = None;
        loop {
            let last = self.provider.prove(secret).await;
            let now = clock::now();
            since = if last.1 == Proof::Accepted { since.or(Some(now)) } else { None };
            if since.is_some_and(|since| now.duration_since(since) >= span) {
                return Ok(());
            }
            if now.duration_since(begun) >= patience + span {
                return Err(last);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Tries every sink before anything is made.
pub(super) async fn try_sinks(sinks: &Sinks) -> Result<(), Failure> {
    for (name, outcome) in sinks.try_out().await {
        outcome.map_err(|error| undelivered(&format!("nothing was made, since {name} could not take a new file"), &error))?;
    }
    Ok(())
}

/// An account of the file.
pub(super) fn entry<'p>(parsed: &'p Parsed, account: &ApiKey) -> Option<&'p AccountEntry> {
    parsed.accounts.iter().find(|entry| entry.key == *account)
}
