//! The real app on port 0 with its own directory and emulator, so that tests run beside each other.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use vonage_sidecar::app::{App, LostLines, Surroundings};
use vonage_sidecar::config::{Access, Address, Origin, Place, Settings, Transport};
use vonage_sidecar::credentials::store::Store;
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::emulator::{Control, Emulator, Options, Running};
use vonage_sidecar::metrics::Metrics;
use vonage_sidecar::rotation::report::Who;
use vonage_sidecar::shutdown::Shutdown;
use vonage_sidecar::upstream::ProxyEnvironment;
use vonage_sidecar::vonage::hosts::Host;

/// The account that most tests use.
pub const KEY: &str = "abcd1234";
/// Longest wait for a condition.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running sidecar. Dropped, it ends with everything it started.
pub struct Sidecar {
    pub data: SocketAddr,
    pub all: Vec<SocketAddr>,
    pub paths: Vec<PathBuf>,
    pub admin: SocketAddr,
    pub file: PathBuf,
    pub shutdown: Shutdown,
    pub store: Arc<Store>,
    pub metrics: Arc<Metrics>,
    pub emulator: Option<Running>,
    _directory: TempDir,
    task: Option<JoinHandle<()>>,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// What a sidecar starts with.
pub struct Setup {
    pub options: Option<Options>,
    pub origin: Option<Origin>,
    pub secrets: Vec<String>,
    pub watching: Watching,
    pub adjust: Box<dyn FnOnce(&mut Settings) + Send>,
}

impl Setup {
    /// An emulator that knows `live` secrets and a credentials file that holds `held` ones.
    pub fn new(live: &[&str], held: &[&str]) -> Self {
        Self {
            options: Some(Options::with_account(KEY, live)),
            origin: None,
            secrets: held.iter().map(|secret| (*secret).to_owned()).collect(),
            watching: Watching::Events,
            adjust: Box::new(|_| {}),
        }
    }

    /// No emulator: every Vonage host is this address, in the clear.
    pub fn scripted(origin: SocketAddr, held: &[&str]) -> Self {
        let origin = Origin { transport: Transport::Plain, host: origin.ip().to_string(), port: origin.port() };
        Self { options: None, origin: Some(origin), ..Self::new(&[], held) }
    }

    /// Changes settings before the start.
    pub fn with(mut self, adjust: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        let before = self.adjust;
        self.adjust = Box::new(move |settings| {
            before(settings);
            adjust(settings);
        });
        self
    }

    /// Starts it; the first read of the credentials has been done.
    pub async fn start(self) -> Sidecar {
        self.try_start().await.unwrap()
    }

    /// Starts it, or says why it does not start.
    pub async fn try_start(self) -> Result<Sidecar, String> {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("credentials.toml");
        if !self.secrets.is_empty() {
            let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
            replace(&file, &one_account(&secrets));
        }
        let emulator = match self.options {
            Some(options) => Some(Emulator::bind(options).await.unwrap()),
            None => None,
        };
        let plain = |address: SocketAddr| Origin { transport: Transport::Plain, host: address.ip().to_string(), port: address.port() };
        let origin = self.origin.or_else(|| emulator.as_ref().map(|running| plain(running.address())));
        let mut settings = Settings::default();
        settings.listen[0].place = Place::Tcp(Address::Ip(([127, 0, 0, 1], 0).into()));
        settings.admin.address = Address::Ip(([127, 0, 0, 1], 0).into());
        settings.credentials.file.clone_from(&file);
        settings.log.access = Access::Off;
        if let Some(origin) = origin {
            settings.upstream.hosts = Host::all().map(|host| (host, origin.clone())).collect();
        }
        (self.adjust)(&mut settings);
        let shutdown = Shutdown::new();
        let metrics = Arc::new(Metrics::new());
        let surroundings = Surroundings {
            proxy: ProxyEnvironment::default(),
            watching: self.watching,
            metrics: Arc::clone(&metrics),
            who: Who::default(),
            log_lines_dropped: LostLines(Box::new(|| 0)),
        };
        let app = App::bind(settings, surroundings, shutdown.clone()).await.map_err(|error| causes(&error))?;
        let addresses = app.addresses();
        let store = Arc::clone(app.store());
        Ok(Sidecar {
            data: addresses.data[0],
            all: addresses.data,
            paths: addresses.sockets,
            admin: addresses.admin[0].address.parse().unwrap(),
            file,
            shutdown,
            store,
            metrics,
            emulator,
            _directory: directory,
            task: Some(tokio::spawn(app.run())),
        })
    }
}

impl Sidecar {
    /// The emulator behind it.
    pub fn vonage(&self) -> &Control {
        self.emulator.as_ref().unwrap().control()
    }

    /// Puts these secrets into the file by rename, as every careful writer does.
    pub fn write(&self, secrets: &[&str]) {
        replace(&self.file, &one_account(secrets));
    }

    /// Puts this text into the file by rename.
    pub fn write_text(&self, text: &str) {
        replace(&self.file, text);
    }

    /// Waits until a snapshot satisfies the condition.
    pub async fn holds(&self, condition: impl Fn(&vonage_sidecar::credentials::Snapshot) -> bool) {
        let mut published = self.store.subscribe();
        let wait = async {
            while !condition(&self.store.load()) {
                published.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the snapshot never came");
    }

    /// Waits until the file's first account has these many secrets of the file, the generation having moved.
    pub async fn newer_than(&self, generation: u64) {
        self.holds(|snapshot| snapshot.generation.0 > generation).await;
    }

    /// The generation in use.
    pub fn generation(&self) -> u64 {
        self.store.load().generation.0
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {}", causes(cause)))
}

/// A credentials file of one account.
pub fn one_account(secrets: &[&str]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|secret| format!("{secret:?}")).collect();
    format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\n", secrets.join(", "))
}

fn replace(file: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let temporary = file.with_extension("new");
    std::fs::write(&temporary, text).unwrap();
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::rename(&temporary, file).unwrap();
}
