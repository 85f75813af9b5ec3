//! `secrets create` and `secrets import`: a new secret gets to the file, whoever made it.
//!
//! A value is staged (0600, below `state_dir`) before the provider knows it. Whatever fails then, the same command run
//! again finds it, tries it to learn what was done, and goes on from there. A value with which an earlier call was made
//! is forgotten only when it is in the file, whatever a later call is told.

use std::io::{IsTerminal as _, Read as _};
use std::time::Duration;

use zeroize::Zeroizing;

use super::Whose;
use super::enrol::{Newcomer, Place, revision};
use crate::cli::operator::{self, Files, Operator, denied, duration, entry, troubled, try_sinks};
use crate::cli::report::{Failure, Outcome};
use crate::credentials::file::Parsed;
use crate::credentials::{Basic, Label};
use crate::prove::Proof;
use crate::rotation::drift;
use crate::rotation::journal::disk::{Disk, journals};
use crate::rotation::staged::{self, Known, NotStaged, Staged};
use crate::secret::{ApiKey, ApiSecret};
use crate::vonage::hosts::Host;
use crate::vonage::management::{Created, Listed};

/// The slots of an account.
const SLOTS: usize = 2;
/// The longest value on standard input.
const LONGEST: u64 = 4096;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    way: Way,
}

/// The way of a new secret: how it is proven, where it goes.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Way {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    #[command(flatten)]
    pub(in crate::cli) patience: Patience,
}

/// How long a secret is proven.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Patience {
    /// How long it must be accepted without a refusal, in place of what the settings say
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    prove_for: Option<Duration>,
    /// How long to wait for it to be accepted at all, in place of what the settings say
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    give_up: Option<Duration>,
}

impl Patience {
    /// Proves a value.
    pub(in crate::cli) async fn prove(&self, operator: &Operator, account: &ApiKey, value: &ApiSecret) -> Result<(), (Host, Proof)> {
        let settings = &operator.settings.rotation;
        let (span, patience) = (self.prove_for.unwrap_or(settings.prove_for), self.give_up.unwrap_or(settings.give_up));
        operator.prove(&Basic::new(account, value.clone()), span, patience).await
    }
}

pub(super) fn create(arguments: &Arguments, files: &Files) -> Outcome {
    operator::operate(files, async |operator| created(&operator, arguments).await)
}

async fn created(operator: &Operator, arguments: &Arguments) -> Outcome {
    let Whose { account, with } = &arguments.whose;
    let parsed = operator.held()?;
    let _alone = alone(operator, account)?;
    let before = find(operator, account.as_str())?;
    let is_held =
        |staged: &Staged| entry(&parsed, account).is_some_and(|entry| entry.secrets.iter().any(|item| item.value.same_as(&staged.value)));
    let before = match before {
        Some(staged) if is_held(&staged) => return delivered_before(arguments, staged, &parsed),
        before => before,
    };
    let access = Operator::access(&parsed, account, with.as_ref())?;
    let held = arguments.way.place.held(operator, account)?;
    let (basic, listed) = operator.listed(&access, account).await?;
    try_sinks(&arguments.way.place.sinks(operator)).await?;
    let mut staged = match before {
        Some(staged) => staged,
        None if listed.len() >= SLOTS => return Err(full(account, &parsed, &listed)),
        None => stage(operator, account.as_str(), listed.iter().map(|secret| secret.id.to_string()).collect())?,
    };
    if !matches!(staged.known, Known::Made(_)) {
        staged = make(operator, basic, account, &parsed, listed.len(), staged).await?;
    }
    if let Err(last) = arguments.way.patience.prove(operator, account, &staged.value).await {
        return Err(unproven(account, last));
    }
    let made = match &staged.known {
        Known::Made(made) => Some(made.clone()),
        // The answer of the call that made it did not arrive.
        Known::Nothing | Known::Perhaps => staged.among(&operator.listed(std::slice::from_ref(basic), account).await?.1),
    };
    // What was just accepted, of an account with a single secret, is that one.
    let is_live = held.iter().any(|item| Basic::new(account, item.value.clone()).header == basic.header);
    let only = if let [only] = staged.before.as_slice() { Some(only) } else { None };
    let other = listed.iter().find(|secret| is_live && only.is_some_and(|only| secret.id.as_str() == only));
    let new = Newcomer { account, primary: with.as_ref(), value: &staged.value, made: made.as_ref(), other };
    let exit = arguments.way.place.add(operator, &held, &new).await?;
    staged.forget().map_err(|error| unstaged(&error))?;
    Ok(exit)
}

/// Nobody else makes, takes in or rotates a secret of the account meanwhile.
fn alone(operator: &Operator, account: &ApiKey) -> Result<Disk, Failure> {
    let disk = Disk::open(&journals(&operator.settings.rotation.state_dir), account);
    disk.map_err(|error| Failure::could_not_run("nothing was done").caused_by(&error).hint("wait until the other one has ended"))
}

/// The run before this one delivered the value, and did not come to forget it.
fn delivered_before(arguments: &Arguments, staged: Staged, parsed: &Parsed) -> Outcome {
    let made = match &staged.known {
        Known::Made(made) => Some(made),
        Known::Nothing | Known::Perhaps => None,
    };
    let new = Newcomer { account: &arguments.whose.account, primary: None, value: &staged.value, made, other: None };
    let mark = parsed.revision.clone().map_or_else(revision, Ok)?;
    let exit = arguments.way.place.tell(&new, &mark, vec!["the credentials file".to_owned()])?;
    staged.forget().map_err(|error| unstaged(&error))?;
    Ok(exit)
}

/// Makes a staged value, unless it is accepted already: then an earlier call made it.
async fn make(
    operator: &Operator,
    with: &Basic,
    account: &ApiKey,
    parsed: &Parsed,
    slots: usize,
    mut staged: Staged,
) -> Result<Staged, Failure> {
    let value = Basic::new(account, staged.value.clone());
    if operator.provider.prove(&value).await.1 == Proof::Accepted {
        return Ok(staged);
    }
    let what = format!("no secret of {account} was made");
    if slots >= SLOTS {
        let failure = Failure::no(format!("{what}: a value is staged, and both slots are taken, perhaps by it"));
        return Err(failure.hint("wait a minute and run it again: it is tried once more; or revoke the secret that is not yours"));
    }
    let before = staged.known.clone();
    staged.sends().map_err(|error| unstaged(&error))?;
    let failure = match operator.provider.create(with, account, &staged.value).await {
        Ok(Created::Created(made)) => return staged.made(made).map(|()| staged).map_err(|error| unstaged(&error)),
        Err(trouble) if trouble.may_have_happened() => return Ok(staged),
        Ok(Created::Full) => full(account, parsed, &[]),
        Ok(Created::Invalid(words)) => Failure::no(what).because(words).hint("run it again: another value is made"),
        Ok(Created::Denied(reason)) => denied(&what, reason),
        Err(trouble) => troubled(&what, trouble),
    };
    Err(unmade(staged, &before, failure))
}

/// A call that made nothing. The value is of no use any more, unless an earlier call may have made it.
pub(in crate::cli) fn unmade(staged: Staged, before: &Known, failure: Failure) -> Failure {
    match before {
        Known::Nothing => match staged.forget() {
            Ok(()) => failure,
            Err(error) => unstaged(&error),
        },
        Known::Perhaps | Known::Made(_) => {
            let kept = format!("the value of an earlier call, which may have made it, is kept in {}", staged.path().display());
            failure.because(kept).hint(
                "run it again in a minute: the value is tried first; remove the file only when Vonage lists nothing that you cannot account for",
            )
        }
    }
}

pub(super) fn import(arguments: &Arguments, files: &Files) -> Outcome {
    let value = from_stdin()?;
    operator::operate(files, async |operator| imported(&operator, arguments, &value).await)
}

async fn imported(operator: &Operator, arguments: &Arguments, value: &ApiSecret) -> Outcome {
    let Whose { account, with } = &arguments.whose;
    let parsed = operator.held()?;
    let _alone = alone(operator, account)?;
    let held = arguments.way.place.held(operator, account)?;
    if held.iter().any(|item| item.value.same_as(value)) {
        return Err(Failure::no(format!("the file holds this secret of {account} already")));
    }
    try_sinks(&arguments.way.place.sinks(operator)).await?;
    if let Err((host, proof)) = arguments.way.patience.prove(operator, account, value).await {
        let failure = Failure::no(format!("this is not a secret of {account}, or not yet")).because(format!("{host}: {}", proof.word()));
        return Err(failure.hint("check the key and the value; one that was just made may take a minute"));
    }
    let own = [Basic::new(account, value.clone())];
    let (_, listed) = operator.listed(&own, account).await?;
    let made = match labels(&parsed, account).as_slice() {
        // The file holds none, so with a single one there can be no doubt.
        [] => only(&listed),
        labels => drift::only_newcomer(&listed, labels),
    };
    let new = Newcomer { account, primary: with.as_ref(), value, made, other: None };
    arguments.way.place.add(operator, &held, &new).await
}

fn from_stdin() -> Result<ApiSecret, Failure> {
    let unread = || {
        Failure::could_not_run("there is no secret on standard input")
            .hint("pipe it in: vonage-sidecar secrets import --account KEY < file")
    };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(unread());
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST).unwrap_or_default()));
    stdin.lock().take(LONGEST).read_to_string(&mut text).map_err(|error| unread().caused_by(&error))?;
    ApiSecret::parse(text.trim_end_matches(['\n', '\r'])).map_err(|error| unread().caused_by(&error))
}

/// The only one there is: then it is known to be the one that is held and accepted.
fn only(listed: &[Listed]) -> Option<&Listed> {
    if let [only] = listed { Some(only) } else { None }
}

fn labels(parsed: &Parsed, account: &ApiKey) -> Vec<Label> {
    entry(parsed, account).into_iter().flat_map(|entry| &entry.secrets).map(|item| item.label.clone()).collect()
}

fn full(account: &ApiKey, parsed: &Parsed, listed: &[Listed]) -> Failure {
    let whose = drift::whose(listed, &labels(parsed, account));
    let failure = Failure::no(format!("{account} has two secrets already, which is all that Vonage allows"));
    let told =
        listed.iter().zip(whose).fold(failure, |failure, (secret, whose)| failure.because(format!("{} is {}", secret.id, whose.word())));
    told.hint("find out who uses them, then revoke one: vonage-sidecar secrets revoke; or import the one that the file does not hold")
}

/// A secret that was made and is not accepted in time.
pub(in crate::cli) fn unproven(account: &ApiKey, (host, proof): (Host, Proof)) -> Failure {
    let failure = Failure::no(format!("the new secret of {account} is not proven yet, and nothing was delivered"));
    failure.because(format!("{host}: {}", proof.word())).hint("run it again: the value is staged, and it goes on from there")
}

/// Finds a staged value.
pub(in crate::cli) fn find(operator: &Operator, name: &str) -> Result<Option<Staged>, Failure> {
    staged::find(&operator.settings.rotation.state_dir, name).map_err(|error| unstaged(&error))
}

/// Stages a new value.
pub(in crate::cli) fn stage(operator: &Operator, name: &str, before: Vec<String>) -> Result<Staged, Failure> {
    staged::stage(&operator.settings.rotation.state_dir, name, before).map_err(|error| unstaged(&error))
}

/// Forgets a value that the provider does not know.
pub(in crate::cli) fn forget(staged: Staged) -> Result<(), Failure> {
    staged.forget().map_err(|error| unstaged(&error))
}

/// The disk does not keep what must be kept.
pub(in crate::cli) fn unstaged(error: &NotStaged) -> Failure {
    Failure::no("a value cannot be kept safe on disk")
        .caused_by(error)
        .hint("rotation.state_dir must be a directory that this user may write")
}
