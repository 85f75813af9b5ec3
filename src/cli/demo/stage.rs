//! What the demo plays on: an emulated Vonage, the real sidecar in front of it, and the credentials file between them.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::report::Failure;
use super::callers::Load;
use super::calls::KEY;
use super::directory::Directory;
use super::figures::{Figures, InUse};
use crate::app::{App, LostLines, Surroundings};
use crate::clock;
use crate::config::{self, Access, Address, Origin, Proxy, Settings, Transport};
use crate::credentials::Place;
use crate::credentials::store::Store;
use crate::credentials::watch::Watching;
use crate::emulator::{Control, Emulator, Options, Running};
use crate::files;
use crate::metrics::{FallbackOutcome, HoldOutcome, Metrics};
use crate::rotation::report::Who;
use crate::secret::ApiSecret;
use crate::shutdown::Shutdown;
use crate::upstream::ProxyEnvironment;
use crate::vonage::hosts::Host;

/// The sidecar has nothing to drain when it is told to end: the callers are gone.
const ENDING: Duration = Duration::from_secs(10);

/// Longest wait until the sidecar has read a file.
const READING: Duration = Duration::from_secs(10);

/// All that runs beside the callers. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Stage {
    emulator: Running,
    sidecar: SocketAddr,
    file: PathBuf,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    app: JoinHandle<()>,
    _directory: Directory,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.app.abort();
    }
}

impl Stage {
    /// Starts everything with [`secret`] 0 live and in the file.
    pub(super) async fn start() -> Result<Self, Failure> {
        let directory = Directory::create().map_err(|error| cannot("the directory for the credentials file", &error))?;
        let file = directory.path().join("credentials.toml");
        files::replace(&file, text(&[&secret(0)]).as_bytes(), 0o600).map_err(|error| cannot("the credentials file", &error))?;
        let emulator = Emulator::bind(Options::with_account(KEY, &[&secret(0)])).await;
        let emulator = emulator.map_err(|error| cannot("the emulator", &error))?;
        let metrics = Arc::new(Metrics::new());
        let surroundings = Surroundings {
            proxy: ProxyEnvironment::default(),
            watching: Watching::Events,
            metrics: Arc::clone(&metrics),
            who: Who::default(),
            log_lines_dropped: LostLines(Box::new(|| 0)),
        };
        let shutdown = Shutdown::new();
        let app = App::bind(settings(emulator.address(), file.clone()), surroundings, shutdown.clone()).await;
        let app = app.map_err(|error| cannot("the sidecar", &error))?;
        let sidecar = app.addresses().data.first().copied().ok_or_else(|| Failure::could_not_run("the sidecar has no address"))?;
        let store = Arc::clone(app.store());
        Ok(Self { emulator, sidecar, file, store, metrics, shutdown, app: tokio::spawn(app.run()), _directory: directory })
    }

    /// Where the emulator listens.
    pub(super) fn emulator(&self) -> SocketAddr {
        self.emulator.address()
    }

    /// Where the sidecar listens.
    pub(super) fn sidecar(&self) -> SocketAddr {
        self.sidecar
    }

    /// The emulated provider, as a person at its dashboard has it.
    pub(super) fn vonage(&self) -> &Control {
        self.emulator.control()
    }

    /// Replaces the credentials file, as every careful writer does.
    pub(super) async fn write(&self, secrets: &[&str]) -> Result<(), Failure> {
        let (file, text) = (self.file.clone(), text(secrets));
        let written = tokio::task::spawn_blocking(move || files::replace(&file, text.as_bytes(), 0o600)).await;
        let written = written.map_err(|broken| cannot("the credentials file", &broken))?;
        written.map_err(|error| cannot("the credentials file", &error))
    }

    /// Writes the credentials file in place and stops halfway, as a careless writer that is interrupted does.
    pub(super) fn tear(&self, secrets: &[&str]) -> Result<(), Failure> {
        let text = text(secrets);
        let half = text.get(..text.len() * 2 / 3).unwrap_or_default();
        let torn = || -> io::Result<()> { OpenOptions::new().write(true).truncate(true).open(&self.file)?.write_all(half.as_bytes()) };
        torn().map_err(|error| cannot("the credentials file", &error))
    }

    /// Waits until the sidecar has read a file with this secret alone. Without it a busy machine could replace a file
    /// that nobody has read yet, and with it the only mention of the live secret.
    pub(super) async fn reads(&self, secret: &str) -> Result<(), Failure> {
        let secret = ApiSecret::parse(secret).map_err(|error| cannot("a secret", &error))?;
        let mut published = self.store.subscribe();
        let is_alone = || {
            let snapshot = self.store.load();
            snapshot.account(KEY).is_some_and(|account| {
                let mut listed = account.secrets.iter().filter(|slot| matches!(slot.place, Place::File(_)));
                listed.next().is_some_and(|slot| slot.value.secret.same_as(&secret)) && listed.next().is_none()
            })
        };
        // The store lives as long as `self`, so a wait never ends by its loss.
        let read = async { while !is_alone() && published.changed().await.is_ok() {} };
        let read = tokio::time::timeout(READING, read).await;
        read.map_err(|elapsed| Failure::could_not_run("the sidecar does not read its credentials file").caused_by(&elapsed))
    }

    /// What callers and sidecar counted so far.
    pub(super) fn figures(&self, load: &Load) -> Figures {
        let counts = load.counts();
        Figures {
            requests: counts.iter().map(|count| count.requests).sum(),
            failed: counts.iter().map(|count| count.failed).sum(),
            fell_back: self.metrics.fallbacks(FallbackOutcome::Accepted),
            held: self.metrics.holds(HoldOutcome::Served),
        }
    }

    /// Executions beyond one for each message.
    pub(super) fn duplicated(&self) -> u64 {
        self.vonage().duplicates().iter().map(|(_, times)| times.saturating_sub(1)).sum()
    }

    /// The secret that the provider accepted last.
    pub(super) fn in_use(&self) -> InUse {
        let (snapshot, now) = (self.store.load(), clock::now());
        let Some(account) = snapshot.account(KEY) else { return InUse::None };
        let of = account.secrets.iter().filter(|slot| matches!(slot.place, Place::File(_))).count();
        let accepted = account.secrets.iter().filter_map(|slot| Some((slot.usage.figures(now).accepted_ago?, slot.place)));
        match accepted.min_by_key(|(ago, _)| *ago) {
            Some((_, Place::File(position))) => InUse::Slot { place: position + 1, of },
            Some((_, Place::Retiring { .. })) => InUse::LeftTheFile,
            None => InUse::None,
        }
    }

    /// Ends the sidecar as a signal would. A panic in it that a request survived is told all the same.
    pub(super) async fn end(mut self) -> Result<(), Failure> {
        self.shutdown.request();
        match tokio::time::timeout(ENDING, &mut self.app).await {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => return Err(Failure::could_not_run("the sidecar broke off").caused_by(&broken)),
            Err(elapsed) => return Err(Failure::could_not_run("the sidecar did not end").caused_by(&elapsed)),
        }
        match self.metrics.panics() {
            0 => Ok(()),
            panics => Err(Failure::could_not_run(format!("the sidecar panicked {panics} times"))),
        }
    }
}

fn cannot(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::could_not_run(format!("the demo cannot set up {what}")).caused_by(error)
}

/// Free ports of loopback, every Vonage host replaced by the emulator, nothing from the environment.
fn settings(emulator: SocketAddr, file: PathBuf) -> Settings {
    let mut settings = Settings::default();
    let free = Address::Ip(([127, 0, 0, 1], 0).into());
    for listen in &mut settings.listen {
        listen.place = config::Place::Tcp(free);
    }
    settings.admin.address = free;
    settings.credentials.file = file;
    settings.log.access = Access::Off;
    settings.upstream.proxy = Proxy::None;
    let origin = Origin { transport: Transport::Plain, host: emulator.ip().to_string(), port: emulator.port() };
    settings.upstream.hosts = Host::all().map(|host| (host, origin.clone())).collect();
    settings
}

/// The secret before rotation `number + 1`, made up and within the provider's policy.
pub(super) fn secret(number: usize) -> String {
    format!("Secret{number}aB3")
}

fn text(secrets: &[&str]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|secret| format!("\"{secret}\"")).collect();
    format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\n", secrets.join(", "))
}
