//! `vonage-sidecar run`: serves until it is told to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::locate::{Given, Located};
use super::report::{Exit, Failure, Outcome};
use super::surroundings;
use crate::app::{App, LostLines, Surroundings};
use crate::config::Settings;
use crate::credentials::watch::Watching;
use crate::metrics::Metrics;
use crate::proxy::listen::ListenError;
use crate::shutdown::{Shutdown, Signals};
use crate::telemetry::{self, Telemetry};

/// How long a thread that reads or writes a file may take after the drain. What it writes is whole or not there.
const LAST_FILES: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,
}

/// Serves. Exit 0 after a drain.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let Located { settings, warnings, .. } = arguments.given.settings()?;
    let metrics = Arc::new(Metrics::new());
    // A sandbox may forbid it; the listeners then take fewer connections and say so.
    let _limit_stays = crate::hardening::many_files();
    let telemetry = telemetry::start(&settings.log, Arc::clone(&metrics))
        .map_err(|error| Failure::could_not_run("logs cannot be written").caused_by(&error))?;
    for warning in warnings.iter().flat_map(crate::problem::Problems::iter) {
        tracing::warn!(problem = %warning, "settings");
    }
    let runtime = runtime(settings.runtime.workers)?;
    let ended = runtime.block_on(serve(settings, metrics, &telemetry));
    // A thread that blocks, on a lock or on a file system that hangs, does not keep the process.
    runtime.shutdown_timeout(LAST_FILES);
    drop(telemetry);
    ended
}

/// One worker needs no stealing between threads.
pub(super) fn runtime(workers: usize) -> Result<Runtime, Failure> {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().map_err(|error| Failure::could_not_run("no threads can be started").caused_by(&error))
}

async fn serve(settings: Settings, metrics: Arc<Metrics>, telemetry: &Telemetry) -> Outcome {
    // First of all: from here on no signal ends the process by itself, also as the first process of a container.
    let signals = Signals::register().map_err(|error| Failure::could_not_run("signals cannot be handled").caused_by(&error))?;
    let shutdown = Shutdown::new();
    let lost = telemetry.dropped_counter();
    let surroundings = Surroundings {
        proxy: surroundings::proxy(),
        watching: Watching::Events,
        metrics,
        who: surroundings::who(),
        log_lines_dropped: LostLines(Box::new(move || u64::try_from(lost.dropped_lines()).unwrap_or(u64::MAX))),
    };
    let app = App::bind(settings, surroundings, shutdown.clone()).await.map_err(|error| could_not_start(&error))?;
    let addresses = app.addresses();
    let admin: Vec<String> = addresses.admin.iter().map(|listener| listener.address.clone()).collect();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = ?addresses.data, sockets = ?addresses.sockets, admin = ?admin, "listening");
    let rereading = app.rereading();
    let mut hangups = signals.hangups;
    let on_hangup = async move {
        loop {
            hangups.next().await;
            rereading.now().await;
        }
    };
    let on_signal = async { signals.endings.drive(&shutdown).await };
    tokio::select! {
        () = app.run() => {}
        () = on_hangup => {}
        () = on_signal => {}
    }
    tracing::info!("ended");
    Ok(Exit::Done)
}

fn could_not_start(error: &crate::app::StartError) -> Failure {
    let failure = Failure::could_not_run("the sidecar cannot start").caused_by(error);
    match error {
        crate::app::StartError::Listen(ListenError::Certificate(_)) => failure.hint("see [listen.tls] and [listen.proxy] in sidecar.toml"),
        crate::app::StartError::Listen(ListenError::Token(_)) => failure.hint("see tokens of [[listen]] in sidecar.toml"),
        crate::app::StartError::Bind(_) | crate::app::StartError::Listen(ListenError::Bind(_)) => {
            failure.hint("another process has the port, or it may not be bound; listen and admin in sidecar.toml choose others")
        }
        crate::app::StartError::Upstream(_) => failure.hint("see [upstream] in sidecar.toml; an image needs CA certificates"),
        crate::app::StartError::Token(_) => failure.hint("see [admin.observe] in sidecar.toml"),
    }
}
