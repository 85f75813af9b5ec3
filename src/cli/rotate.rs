//! `vonage-sidecar rotate`: a new secret takes the place of the old one, and nobody who uses it fails.

use std::sync::Arc;
use std::time::Duration;

use super::line::Line;
use super::operator::{self, Files, Operator, duration, key};
use super::report::{self, Exit, Failure, Outcome};
use super::surroundings;
use crate::config::rotation::is_match;
use crate::rotation::halt::End;
use crate::rotation::keypair::KeyPairs;
use crate::rotation::keypair::task::Window;
use crate::rotation::machine::Kind;
use crate::rotation::notify::Notifier;
use crate::rotation::runner::all::Pace;
use crate::rotation::runner::event::Told;
use crate::rotation::runner::terms::{Purpose, Terms, Witnesses};
use crate::rotation::runner::{KeyOrder, NotRun, Order, Preview, Ran, Rotator, Tell, Want};
use crate::secret::{ApiKey, ApplicationId, Malformed, SecretId};

mod due;
mod endings;

use endings::ended;
pub(super) use endings::{conclude, not_run};

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
    #[arg(long)]
    now: bool,
    /// With --application: between these times of the day in UTC
    #[arg(long, value_name = "HH:MM-HH:MM")]
    window: Option<Window>,
}

/// When a secret is known to others.
#[derive(Debug, clap::Args)]
struct Leak {
    /// A secret is known to others: one proof, and the old one is revoked at the deadline, whoever has not followed
    #[arg(long, conflicts_with = "abort")]
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
    /// Every rotation that was begun, of secrets and of key pairs; then every account that is due by its
    /// [[rotation.policy]], one after the other, unless the schedule pauses
    #[arg(long, conflicts_with_all = ["dry_run", "resume", "abort", "approve", "emergency", "leaked", "revoke_first"])]
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

    /// A line with the same arguments.
    pub(super) fn on(&self, line: Line) -> Line {
        let line = line.span_if("--prove-for", self.prove_for).span_if("--soak", self.soak).span_if("--overlap", self.overlap);
        line.span_if("--give-up", self.give_up).span_if("--deadline", self.deadline)
    }
}

impl Arguments {
    /// The command that goes on with an account, whatever named it to this one.
    fn goes_on(&self, account: &ApiKey) -> Line {
        let Leak { emergency, leaked, revoke_first } = &self.leak;
        let line = self.patient(Line::of("rotate").value("--account", account));
        line.flag("--emergency", *emergency).value_if("--leaked", leaked.as_ref()).flag("--revoke-first", *revoke_first)
    }

    fn goes_on_with_keys(&self, order: &KeyOrder) -> Line {
        let line = Line::of("rotate").value("--application", &order.application).flag("--now", order.window == Window::Now);
        self.patient(line.value_if("--window", order.window.as_given()))
    }

    /// What is said on top of the settings.
    fn terms(&self) -> Terms {
        let mut terms = self.patience.terms();
        if self.leak.emergency {
            terms.purpose = Purpose::Emergency(self.leak.leaked.clone());
        }
        if self.leak.revoke_first {
            terms.deadline = Some(Duration::ZERO);
        }
        if self.no_fleet {
            terms.witnesses = Witnesses::Nobody;
        }
        terms
    }

    fn patient(&self, line: Line) -> Line {
        self.patience.on(self.files.on(line)).flag("--no-fleet", self.no_fleet)
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

/// What does not go together with what is rotated. `requires` of clap cannot say it: whatever is in one exclusive group
/// with an argument that is there, it takes as not required.
fn fit_together(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { which, moment, leak, approve, .. } = arguments;
    match which.application {
        None if moment.now || moment.window.is_some() => {
            Err(Failure::could_not_run("--now and --window say when the public key of an application may be replaced")
                .because("this is about secrets of accounts, which are replaced at any time")
                .hint("leave it out, or name a key pair: --application ID; the window of a [[rotation.policy]] is for --if-due"))
        }
        None if leak.leaked.is_some() && which.account.is_none() => {
            Err(Failure::could_not_run("--leaked names a secret of one account").hint("name the account, too: --account KEY"))
        }
        Some(_) if leak.emergency || approve.is_some() => {
            Err(Failure::could_not_run("--emergency and --approve are for secrets, not for key pairs")
                .hint("leave it out, or name an account: --account KEY; the key pair of an application is replaced at once with --now"))
        }
        None | Some(_) => Ok(()),
    }
}

/// Rotates.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    fit_together(arguments)?;
    operator::operate(&arguments.files, async |operator| {
        if arguments.which.if_due {
            return due::rotate(arguments, operator).await;
        }
        let rotator = rotator(operator)?;
        if let Some(application) = &arguments.which.application {
            return keys(arguments, application, &rotator).await;
        }
        let orders = orders(arguments, &rotator)?;
        if arguments.way.dry_run {
            return previewed(&rotator, &orders, |account| arguments.goes_on(account), &teller(arguments.json)).await;
        }
        let came = rotator
            .rotate_all(orders, Pace::SideBySide, &teller(arguments.json))
            .await
            .map_err(|error| not_run("nothing was done", &error))?;
        conclude(&came, |account| arguments.goes_on(account))
    })
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
    let terms = arguments.terms();
    let order = |account| Order { account, want, terms: terms.clone(), approve: arguments.approve.clone() };
    keys.into_iter().map(order).collect()
}

/// Rotates the key pair of an application.
async fn keys(arguments: &Arguments, application: &ApplicationId, rotator: &Rotator) -> Outcome {
    let way = &arguments.way;
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
    let order = KeyOrder { application: application.clone(), want: way.want(), window, terms: arguments.terms() };
    if way.dry_run {
        let tell = teller(arguments.json);
        let preview = rotator.preview_keys(&order, &tell).await.map_err(|error| not_run("nothing was looked at", &error))?;
        return foreseen(
            &format!("the rotation of the key pair of {application} would not go on"),
            &preview,
            arguments.goes_on_with_keys(&order),
        );
    }
    conclude_keys(arguments, &order, rotator.rotate_keys(&order, &teller(arguments.json)).await)
}

/// What came of the rotation of a key pair.
fn conclude_keys(arguments: &Arguments, order: &KeyOrder, came: Result<Ran<KeyPairs>, NotRun>) -> Outcome {
    let application = &order.application;
    let what = format!("the rotation of the key pair of {application} is not done");
    match came.map_err(|error| not_run(&what, &error))? {
        Ran::NothingBegun => {
            report::notice(&format!("{application}: there is no rotation to go on with\n"));
            Ok(Exit::Done)
        }
        Ran::Over(End::Ended(_)) => Ok(Exit::Done),
        Ran::Over(end @ (End::Parked(_) | End::Stuck(_) | End::Awaiting(_))) => Err(ended(&what, &end, arguments.goes_on_with_keys(order))),
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

async fn previewed(rotator: &Rotator, orders: &[Order], goes_on: impl Fn(&ApiKey) -> Line, tell: &Tell) -> Outcome {
    let mut came = Ok(Exit::Done);
    for order in orders {
        let preview = rotator.preview(order, tell).await.map_err(|error| not_run("nothing was looked at", &error))?;
        let one = foreseen(&format!("the rotation of {} would not go on", order.account), &preview, goes_on(&order.account));
        came = came.and(one);
    }
    came
}

fn foreseen<K: Kind>(what: &str, preview: &Preview<K>, goes_on: Line) -> Outcome {
    match preview {
        Preview::Would => Ok(Exit::Done),
        Preview::End(end) => Err(ended(what, end, goes_on)),
    }
}
