//! What a sidecar knows of rotation and does about it: which tasks run, and how that reads in `/status`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinSet;

use crate::admin::serve::Admin;
use crate::admin::status::Role;
use crate::admin::status::rotation::{Listing, Rotation, Schedule, ScheduleState};
use crate::clock;
use crate::config::rotation as settings;
use crate::config::{Address, Settings};
use crate::credentials::store::Store;
use crate::metrics::{Metrics, RotationOutcome};
use crate::rotation::begun;
use crate::rotation::notify::Notifier;
use crate::rotation::observed::{Observed, Stage};
use crate::rotation::place;
use crate::rotation::provider::Provider;
use crate::rotation::report::Who;
use crate::rotation::rounds::{Ask, Rotate, Rounds, Standing, View};
use crate::rotation::runner::event::Told;
use crate::rotation::runner::terms::Terms;
use crate::rotation::runner::{Order, Ran, Rotator, Tell, Want};
use crate::rotation::schedule::{Due, Timeliness};
use crate::rotation::secrets::End;
use crate::rotation::survey::Survey;
use crate::upstream::{ProxyEnvironment, SetupError, Upstream};
use crate::work::work;

/// How often it is seen whether a place that was not fit to rotate in has become so.
const FIT: Duration = Duration::from_mins(1);

/// What of the process takes part.
pub(super) struct Around<'a> {
    pub(super) upstream: &'a Arc<Upstream>,
    pub(super) store: &'a Arc<Store>,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) admin: &'a Admin,
}

/// Starts what the settings ask for. None: they have no policy, so nobody is asked about secrets.
pub(super) fn start(
    settings: &Settings,
    environment: &ProxyEnvironment,
    who: Who,
    around: &Around<'_>,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Arc<Rounds>>, SetupError> {
    let notifier = Notifier::new(settings, environment)?;
    let provider = Provider::new(Arc::clone(around.upstream), settings.rotation.host);
    let survey = Survey { provider, state_dir: settings.rotation.state_dir.clone() };
    let tells = notifier.is_set();
    let rounds = Arc::new(Rounds::new(settings, survey, notifier.clone()));
    if tells {
        tasks.spawn(work(Arc::clone(&rounds).watch_refusals(Arc::clone(around.store))));
    }
    if settings.rotation.policies.is_empty() {
        return Ok(None);
    }
    tasks.spawn(work(Arc::clone(&rounds).watch_stages()));
    match settings.rotation.schedule {
        settings::Schedule::Off => drop(tasks.spawn(work(Arc::clone(&rounds).look_on()))),
        settings::Schedule::Here => {
            let own = of_this_process(settings, around.admin);
            let state_dir = own.rotation.state_dir.clone();
            let rotator = Rotator::new(own.clone(), Arc::clone(around.upstream), notifier, who)?;
            tasks.spawn(work(rotate_when_fit(Arc::clone(&rounds), own, rotate(rotator, state_dir, Arc::clone(around.metrics)))));
        }
    }
    Ok(Some(rounds))
}

/// The settings with the admin address that was bound: the sidecar asks itself for evidence, too.
fn of_this_process(settings: &Settings, admin: &Admin) -> Settings {
    let mut own = settings.clone();
    let bound = admin.listeners().into_iter().find(|listener| listener.role == Role::Admin);
    if let Some(address) = bound.and_then(|listener| listener.address.parse().ok()) {
        own.admin.address = Address::Ip(address);
    }
    own
}

/// Looks on until this is a place to rotate in, then rotates what is due.
async fn rotate_when_fit(rounds: Arc<Rounds>, settings: Settings, rotate: Rotate) {
    let becomes_fit = async {
        while let Err(why) = place::fit(&settings).await {
            rounds.unfit(&why);
            tokio::time::sleep(FIT).await;
        }
    };
    tokio::select! {
        () = becomes_fit => {}
        () = Arc::clone(&rounds).look_on() => {}
    }
    rounds.rotate_on(rotate).await;
}

/// One rotation, in the log and counted.
fn rotate(rotator: Rotator, state_dir: PathBuf, metrics: Arc<Metrics>) -> Rotate {
    let tell: Tell = Arc::new(|told: &Told| {
        if told.event.is_for_people() {
            tracing::info!(account = %told.account, event = %told.event, "rotation");
        }
    });
    Box::new(move |account, ask| {
        let (rotator, metrics, tell) = (rotator.clone(), Arc::clone(&metrics), Arc::clone(&tell));
        let want = match ask {
            Ask::Begin => Want::Rotate,
            Ask::GoOn => begun::want(&state_dir, &account),
        };
        Box::pin(async move {
            let order = Order { account, want, terms: Terms::default(), approve: None };
            let came = match rotator.rotate(&order, &tell).await {
                Ok(Ran::Over(end)) => Ok(end),
                Ok(Ran::NothingBegun) => Err("nothing was begun".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            metrics.rotation(came.as_ref().map_or(RotationOutcome::NotRun, outcome));
            if let Err(error) = &came {
                tracing::error!(account = %order.account, error, "a rotation that is due was not run");
            }
            came
        })
    })
}

fn outcome(end: &End) -> RotationOutcome {
    match end {
        End::Ended(_) => RotationOutcome::Done,
        End::Parked(_) => RotationOutcome::Parked,
        End::Stuck(_) => RotationOutcome::Stuck,
        End::Awaiting(_) => RotationOutcome::AwaitingApproval,
    }
}

/// As `/status` has it.
pub(super) fn told(view: &View, now: Instant) -> Rotation {
    let date = clock::wall();
    let looked = view.looked_at.map(|at| now.saturating_duration_since(at).as_secs_f64());
    let listing = |observed: &Observed| {
        let stage = view.stages.get(&observed.account);
        Some((observed.account.to_string(), listing(observed, stage, looked?, date)))
    };
    Rotation { schedule: Some(schedule(&view.standing)), listings: view.accounts.iter().filter_map(listing).collect() }
}

fn schedule(standing: &Standing) -> Schedule {
    let (state, detail) = match standing {
        Standing::Off => (ScheduleState::Off, String::new()),
        Standing::Waiting => (ScheduleState::Waiting, String::new()),
        Standing::Rotating(account) => (ScheduleState::Rotating, account.to_string()),
        Standing::Paused => (ScheduleState::Paused, String::new()),
        Standing::Unfit(why) => (ScheduleState::Unfit, why.clone()),
    };
    Schedule { state, detail }
}

fn listing(observed: &Observed, stage: Option<&Stage>, looked_seconds: f64, now: SystemTime) -> Listing {
    let since = |at: SystemTime| now.duration_since(at).unwrap_or_default().as_secs_f64();
    let seen = observed.listing.as_ref();
    Listing {
        looked_seconds,
        error: seen.err().cloned(),
        oldest_secret_seconds: seen.ok().and_then(|listing| listing.oldest).map(since),
        overdue: seen.is_ok_and(|listing| listing.timeliness == Timeliness::Overdue),
        due_seconds: seen.ok().and_then(|listing| match listing.due {
            Due::Now => Some(0.0),
            Due::At(at) => Some(at.duration_since(now).unwrap_or_default().as_secs_f64()),
            Due::Never(_) => None,
        }),
        drift: seen.map(|listing| listing.drift.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        step: stage.map(|stage| stage.step.to_owned()),
        step_seconds: stage.map(|stage| stage.for_so_long(now).as_secs_f64()),
    }
}
