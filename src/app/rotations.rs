//! What a sidecar knows of rotation and does about it: which tasks run, and how that reads in `/status`.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::task::JoinSet;

use crate::admin::status::rotation::{Listing, Rotation, Schedule, ScheduleState};
use crate::clock;
use crate::config::Settings;
use crate::credentials::store::Store;
use crate::rotation::notify::Notifier;
use crate::rotation::observed::{Observed, Stage};
use crate::rotation::provider::Provider;
use crate::rotation::rounds::{Rounds, Standing, View};
use crate::rotation::schedule::{Due, Timeliness};
use crate::rotation::survey::Survey;
use crate::upstream::{ProxyEnvironment, SetupError, Upstream};

/// Starts what the settings ask for. None: they have no policy, so nobody is asked about secrets.
pub(super) fn start(
    settings: &Settings,
    environment: &ProxyEnvironment,
    upstream: &Arc<Upstream>,
    store: &Arc<Store>,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Arc<Rounds>>, SetupError> {
    let notifier = Notifier::new(settings, environment)?;
    let provider = Provider::new(Arc::clone(upstream), settings.rotation.host);
    let survey = Survey { provider, state_dir: settings.rotation.state_dir.clone() };
    let tells = notifier.is_set();
    let rounds = Arc::new(Rounds::new(settings, survey, notifier));
    if tells {
        tasks.spawn(Arc::clone(&rounds).watch_refusals(Arc::clone(store)));
    }
    if settings.rotation.policies.is_empty() {
        return Ok(None);
    }
    tasks.spawn(Arc::clone(&rounds).watch_stages());
    tasks.spawn(Arc::clone(&rounds).look_on());
    Ok(Some(rounds))
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
