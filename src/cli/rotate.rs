//! `vonage-sidecar rotate`: a new secret takes the place of the old one, and nobody who uses it fails.

use std::sync::Arc;
use std::time::Duration;

use super::operator::{self, Files, Operator, duration, key};
use super::report::{self, Exit, Failure, Outcome};
use super::surroundings;
use crate::clock;
use crate::config::rotation::is_match;
use crate::rotation::halt::End;
use crate::rotation::journal::disk::DiskError;
use crate::rotation::keypair::task::Window;
use crate::rotation::machine::{Kind, State as _};
use crate::rotation::notify::Notifier;
use crate::rotation::place;
use crate::rotation::runner::all::{Came, Pace};
use crate::rotation::runner::event::Told;
use crate::rotation::runner::terms::{Purpose, Terms, Witnesses};
use crate::rotation::runner::{KeyOrder, NotRun, Order, Preview, Ran, Rotator, Tell, Want};
use crate::rotation::schedule::{self, Subject, Tried};
use crate::rotation::survey::Breadth;
use crate::secret::{ApiKey, ApplicationId, Malformed, SecretId};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    leak: Leak,
    #[command(flatten)]
    moment: Moment,
    /// The secret with this id may be revoked, although this tool did not make it
    #[arg(long, value_name = "ID", value_parser = id)]
    approve: Option<SecretId>,
    /// Revoke without the evidence of any sidecar
    #[arg(long)]
    no_fleet: bool,
    /// One JSON document a line
    #[arg(long)]
    json: bool,
}

/// Forth, back, or nowhere.
#[derive(Debug, clap::Args)]
struct Way {
    /// Look and say what would be done, and change nothing
    #[arg(long, visible_alias = "plan", conflicts_with_all = ["resume", "abort", "approve"])]
    dry_run: bool,
    /// Only go on with a rotation that was begun; without one there is nothing to do
    #[arg(long, conflicts_with = "abort")]
    resume: bool,
    /// Go back: the new secret is revoked and the old one stays
    #[arg(long)]
    abort: bool,
}

/// When the public key of an application may be replaced: tokens that its clients have end with it.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Moment {
    /// With --application: at once
    #[arg(long, requires = "application")]
    now: bool,
    /// With --application: between these times of the day in UTC
    #[arg(long, value_name = "HH:MM-HH:MM", requires = "application")]
    window: Option<Window>,
}

/// When a secret is known to others.
#[derive(Debug, clap::Args)]
struct Leak {
    /// A secret is known to others: one proof, and the old one is revoked at the deadline, whoever has not followed
    #[arg(long)]
    emergency: bool,
    /// The id of the secret that is known to others [default: any may be]
    #[arg(long, value_name = "ID", value_parser = id, requires = "emergency")]
    leaked: Option<SecretId>,
    /// Money is being spent: wait for no sidecar
    #[arg(long, requires = "emergency", conflicts_with = "deadline")]
    revoke_first: bool,
}

/// Which accounts.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The API key of the account
    #[arg(long, value_name = "KEY", value_parser = key)]
    account: Option<ApiKey>,
    /// Every account of the credentials file, those that manage others last
    #[arg(long)]
    all: bool,
    /// Every account that is due by its [[rotation.policy]], one after the other, and every rotation that was begun
    #[arg(long, conflicts_with_all = ["dry_run", "resume", "abort", "approve", "emergency"])]
    if_due: bool,
    /// The id of an application: its key pair is replaced; needs --now or --window
    #[arg(long, value_name = "ID", value_parser = application)]
    application: Option<ApplicationId>,
    /// Every account whose key matches, `*` standing for any letters
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,
}

/// How patient, in place of what the settings say.
#[derive(Debug, clap::Args)]
pub(super) struct Patience {
    /// How long a new secret must be accepted everywhere
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    prove_for: Option<Duration>,
    /// How long an old secret must have been unused
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    soak: Option<Duration>,
    /// How much older the file of a sidecar may be that starts now
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    overlap: Option<Duration>,
    /// How long a step that fails is tried again
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    give_up: Option<Duration>,
    /// How long an emergency waits for sidecars
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
}

impl Patience {
    pub(super) fn terms(&self) -> Terms {
        let Self { prove_for, soak, overlap, give_up, deadline } = *self;
        Terms { prove_for, soak, overlap, give_up, deadline, ..Terms::default() }
    }
}

impl Way {
    fn want(&self) -> Want {
        match (self.resume, self.abort) {
            (_, true) => Want::Abort,
            (true, false) => Want::Resume,
            (false, false) => Want::Rotate,
        }
    }
}

/// The id of an application, as an argument.
fn application(text: &str) -> Result<ApplicationId, Malformed> {
    ApplicationId::parse(text)
}

/// The id of a secret, as an argument.
fn id(text: &str) -> Result<SecretId, Malformed> {
    SecretId::parse(text)
}

/// Rotates.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    operator::operate(&arguments.files, async |operator| {
        let due = if arguments.which.if_due { Some(due(&operator).await?) } else { None };
        let rotator = rotator(operator)?;
        if let Some(due) = due {
            let exit = rotate_due(arguments, &rotator, due.accounts).await?;
            return if due.unseen.is_empty() { Ok(exit) } else { Err(not_seen(&due.unseen)) };
        }
        if let Some(application) = &arguments.which.application {
            return keys(arguments, application, &rotator).await;
        }
        let orders = orders(arguments, &rotator)?;
        if arguments.way.dry_run {
            return previewed(&rotator, &orders).await;
        }
        let came = rotator
            .rotate_all(orders, Pace::SideBySide, &teller(arguments.json))
            .await
            .map_err(|error| not_run("nothing was done", &error))?;
        conclude(&came)
    })
}

/// What is due, as far as it can be seen.
#[derive(Default)]
struct DueNow {
    accounts: Vec<ApiKey>,
    /// Accounts that cannot be seen.
    unseen: Vec<ApiKey>,
}

/// What cannot be seen must not pass for what is in order, whatever was due beside it.
fn not_seen(unseen: &[ApiKey]) -> Failure {
    let failure = unseen.iter().fold(Failure::no("not every account can be seen"), |failure, account| failure.because(account));
    failure.hint("vonage-sidecar secrets audit says more")
}

/// What is due. Nothing is while the schedule pauses.
async fn due(operator: &Operator) -> Result<DueNow, Failure> {
    let rotation = &operator.settings.rotation;
    if rotation.policies.is_empty() {
        return Err(Failure::no("no policy says when a secret is due").hint("add a [[rotation.policy]] with max_age to sidecar.toml"));
    }
    if place::is_paused(&rotation.state_dir) {
        report::notice("paused: `vonage-sidecar schedule resume` ends it\n");
        return Ok(DueNow::default());
    }
    let parsed = operator.held()?;
    let seen = operator.survey().look(&parsed, Breadth::Held, |_| true).await;
    let now = clock::wall();
    for (account, why) in seen.iter().filter_map(|seen| Some((&seen.account, seen.listed.as_ref().err()?))) {
        report::notice(&format!("{account} is not seen: {why}\n"));
    }
    let subjects: Vec<Subject<'_>> = seen.iter().filter_map(|seen| Subject::of(seen, &rotation.policies, Tried::Well, now)).collect();
    let unseen = seen.iter().filter(|seen| seen.listed.is_err()).map(|seen| seen.account.clone()).collect();
    Ok(DueNow { accounts: schedule::all_due(&subjects, now), unseen })
}

async fn rotate_due(arguments: &Arguments, rotator: &Rotator, due: Vec<ApiKey>) -> Outcome {
    if due.is_empty() {
        report::notice("nothing is due\n");
        return Ok(Exit::Done);
    }
    let orders = wanted(arguments, due, Want::Rotate);
    let came =
        rotator.rotate_all(orders, Pace::InTurn, &teller(arguments.json)).await.map_err(|error| not_run("nothing was done", &error))?;
    conclude(&came)
}

/// Everything that a rotation needs.
pub(super) fn rotator(operator: Operator) -> Result<Rotator, Failure> {
    let made = Notifier::new(&operator.settings, &surroundings::proxy())
        .and_then(|notifier| Rotator::new(operator.settings, operator.upstream, notifier, surroundings::who()));
    made.map_err(|error| Failure::could_not_run("the way to sidecars cannot be set up").caused_by(&error))
}

fn orders(arguments: &Arguments, rotator: &Rotator) -> Result<Vec<Order>, Failure> {
    let Which { account, all: _, if_due: _, application: _, pattern } = &arguments.which;
    let keys: Vec<ApiKey> = match (account, pattern) {
        (Some(account), _) => vec![account.clone()],
        (None, pattern) => {
            let accounts = rotator.accounts().map_err(|error| not_run("nothing was done", &error))?;
            let is_asked = |key: &ApiKey| pattern.as_ref().is_none_or(|pattern| is_match(pattern, key));
            accounts.into_iter().map(|(key, _)| key).filter(is_asked).collect()
        }
    };
    if keys.is_empty() {
        return Err(Failure::no("the credentials file has no such account").hint("vonage-sidecar secrets audit lists those that it has"));
    }
    Ok(wanted(arguments, keys, arguments.way.want()))
}

fn wanted(arguments: &Arguments, keys: Vec<ApiKey>, want: Want) -> Vec<Order> {
    let mut terms = arguments.patience.terms();
    if arguments.leak.emergency {
        terms.purpose = Purpose::Emergency(arguments.leak.leaked.clone());
    }
    if arguments.leak.revoke_first {
        terms.deadline = Some(Duration::ZERO);
    }
    if arguments.no_fleet {
        terms.witnesses = Witnesses::Nobody;
    }
    let order = |account| Order { account, want, terms: terms.clone(), approve: arguments.approve.clone() };
    keys.into_iter().map(order).collect()
}

/// Rotates the key pair of an application.
async fn keys(arguments: &Arguments, application: &ApplicationId, rotator: &Rotator) -> Outcome {
    let Arguments { leak, approve, way, .. } = arguments;
    if leak.emergency || approve.is_some() {
        return Err(Failure::could_not_run("--emergency and --approve are for secrets, not for key pairs"));
    }
    let nothing_ends = way.abort || way.dry_run;
    let window = match (&arguments.moment, nothing_ends) {
        (Moment { now: true, .. }, _) | (Moment { now: false, window: None }, true) => Window::Now,
        (Moment { now: false, window: Some(window) }, _) => *window,
        (Moment { now: false, window: None }, false) => {
            return Err(Failure::no("tokens that clients of apps have (Client SDK, Video) end when the public key is replaced")
                .because("vonage-sidecar status --json counts those made by POST /jwt that are alive: client_tokens")
                .hint("say when that may be: --now, or --window 02:00-04:00 (UTC)"));
        }
    };
    let mut terms = arguments.patience.terms();
    if arguments.no_fleet {
        terms.witnesses = Witnesses::Nobody;
    }
    let order = KeyOrder { application: application.clone(), want: way.want(), window, terms };
    if way.dry_run {
        let preview = rotator.preview_keys(&order).await.map_err(|error| not_run("nothing was looked at", &error))?;
        return shown(&application.to_string(), &preview);
    }
    let what = format!("the rotation of the key pair of {application} is not done");
    match rotator.rotate_keys(&order, &teller(arguments.json)).await.map_err(|error| not_run(&what, &error))? {
        Ran::NothingBegun => {
            report::notice(&format!("{application}: there is no rotation to go on with\n"));
            Ok(Exit::Done)
        }
        Ran::Over(End::Ended(_)) => Ok(Exit::Done),
        Ran::Over(end @ (End::Parked(_) | End::Stuck(_) | End::Awaiting(_))) => Err(ended(&what, &end)),
    }
}

/// Prints what happens, while it happens.
pub(super) fn teller(json: bool) -> Tell {
    Arc::new(move |told: &Told| {
        let line = if json {
            serde_json::to_string(told).unwrap_or_default()
        } else if told.event.is_for_people() {
            told.to_string()
        } else {
            return;
        };
        // A reader that is gone must not end a rotation that is under way.
        let _unheard = report::data(&format!("{line}\n"));
    })
}

async fn previewed(rotator: &Rotator, orders: &[Order]) -> Outcome {
    let mut exit = Exit::Done;
    for order in orders {
        let preview = rotator.preview(order).await.map_err(|error| not_run("nothing was looked at", &error))?;
        if shown(&order.account.to_string(), &preview)? == Exit::No {
            exit = Exit::No;
        }
    }
    Ok(exit)
}

fn shown<K: Kind>(whose: &str, preview: &Preview<K>) -> Outcome {
    match preview {
        Preview::Would(journal) => {
            for entry in &journal.trail {
                report::data(&format!("{whose} {}\n", entry.fact))?;
            }
            report::data(&format!("{whose} would go on with: {}; nothing was changed\n", journal.state.word()))?;
            Ok(Exit::Done)
        }
        Preview::End(end) => {
            report::data(&format!("{whose} {end}\n"))?;
            Ok(Exit::No)
        }
    }
}

/// What came of it all: a line for each account when there are several, and the first remedy.
pub(super) fn conclude(came: &[(ApiKey, Came)]) -> Outcome {
    if came.len() > 1 {
        for (account, one) in came {
            report::notice(&format!("{account}: {}\n", words(one)));
        }
    }
    let Some((account, first)) = came.iter().find(|(_, one)| !one.is_done()) else {
        for (account, _) in came.iter().filter(|(_, one)| matches!(one, Came::Ran(Ran::NothingBegun))) {
            report::notice(&format!("{account}: there is no rotation to go on with\n"));
        }
        return Ok(Exit::Done);
    };
    let what = format!("the rotation of {account} is not done");
    Err(match first {
        Came::NotRun(error) => not_run(&what, error),
        Came::Ran(Ran::Over(end)) => ended(&what, end),
        Came::Ran(Ran::NothingBegun) => Failure::no(what),
        Came::Waits(child) => Failure::no(what).because(format!("{child}, which it manages, is not done")),
    })
}

fn words(came: &Came) -> String {
    match came {
        Came::Ran(Ran::Over(end)) => end.to_string(),
        Came::Ran(Ran::NothingBegun) => "there is no rotation to go on with".to_owned(),
        Came::NotRun(error) => error.to_string(),
        Came::Waits(child) => format!("not begun, since {child}, which it manages, is not done"),
    }
}

fn ended<K: Kind>(what: &str, end: &End<K>) -> Failure {
    let failure = Failure::no(what);
    match end.halt() {
        None => failure,
        Some(halt) => failure.because(halt).hint(halt.remedy()),
    }
}

pub(super) fn not_run(what: &str, error: &NotRun) -> Failure {
    let failure = Failure::could_not_run(what).caused_by(error);
    match error {
        NotRun::Credentials(undelivered) => failure.hint(undelivered.remedy()),
        NotRun::NoSuchAccount(_) => failure.ending_with(Exit::No).hint("vonage-sidecar secrets audit lists those that it has"),
        NotRun::NoSuchApplication(_) => failure.ending_with(Exit::No).hint("vonage-sidecar check lists what it has"),
        NotRun::NoWayBack(_) => failure.ending_with(Exit::No).hint("run it again without --abort"),
        // Not another directory: a second rotation would make a second secret.
        NotRun::Disk(DiskError::Locked { .. }) => {
            failure.hint("wait for that one to end, then run it again: it may be another command, or the schedule of a sidecar")
        }
        NotRun::Disk(DiskError::Misplaced { .. }) => {
            failure.hint("give it back the name of its account, or move it away and look at `secrets list` for a secret that nobody holds")
        }
        NotRun::Disk(DiskError::File(_) | DiskError::Unusable { .. }) => {
            failure.hint("rotation.state_dir in sidecar.toml, or --state-dir, names the directory")
        }
        NotRun::Setup(_) => failure.hint("see [upstream] in sidecar.toml"),
    }
}
