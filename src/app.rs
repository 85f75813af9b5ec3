//! The composition root: the only place that knows every room.
//!
//! The app is bound first and run second, so that whoever starts it knows its addresses before the first request.
//! All long-lived tasks are started here and end with [`App::run`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::admin::serve::Admin;
use crate::admin::{Backend, Identity, status};
use crate::bind::BindError;
use crate::clock;
use crate::config::Settings;
use crate::credentials::reload::Reload;
use crate::credentials::store::Store;
use crate::credentials::watch::Watching;
use crate::metrics::Metrics;
use crate::prove::prober::{self, Alarm};
use crate::proxy::Proxy;
use crate::proxy::listen::{Bound, Door, ListenError};
use crate::rotation::report::Who;
use crate::shutdown::Shutdown;
use crate::tokens::{TokenError, Tokens};
use crate::upstream::{ProxyEnvironment, SetupError, Upstream};
use crate::work::work;

mod operations;
mod rotations;

pub use operations::LostLines;

use operations::Parts;

/// What the app takes from its surroundings.
#[derive(Debug)]
pub struct Surroundings {
    /// The proxy variables of the environment.
    pub proxy: ProxyEnvironment,
    /// How changes of the credentials file are noticed.
    pub watching: Watching,
    /// What is counted; made before the logs.
    pub metrics: Arc<Metrics>,
    /// Log lines that were lost, as a question.
    pub log_lines_dropped: LostLines,
    /// Who runs it, for the reports of rotations.
    pub who: Who,
}

/// Why a sidecar cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener of operators.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener of callers.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// TLS roots or the egress proxy.
    #[error("the way to Vonage cannot be set up")]
    Upstream(#[from] SetupError),
    /// A token file of `[admin.observe]`.
    #[error("a token of admin.observe cannot be read")]
    Token(#[source] TokenError),
}

/// A sidecar with its listeners bound and its credentials read once.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    data: Bound,
    admin: Admin,
    backend: Arc<Backend>,
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    rereading: Rereading,
    tasks: JoinSet<()>,
}

/// Reads again what may change while the process runs: the credentials with everything they name, tokens, certificates.
#[derive(Debug, Clone)]
pub struct Rereading {
    reload: Reload,
    observers: Arc<Tokens>,
    doors: Arc<[Arc<Door>]>,
}

/// How often the files of tokens and certificates are looked at. They are small, and nobody waits for them.
const REREAD_EVERY: Duration = Duration::from_secs(2);

impl Rereading {
    /// Reads now.
    pub async fn now(&self) {
        self.tokens_and_certificates().await;
        let _told_by_the_reloader = self.reload.now().await;
    }

    /// On a thread that may block: the file system may hang.
    async fn tokens_and_certificates(&self) {
        let (observers, doors) = (Arc::clone(&self.observers), Arc::clone(&self.doors));
        let read = move || {
            observers.reread();
            doors.iter().for_each(|door| door.reread());
        };
        let _ended = tokio::task::spawn_blocking(read).await;
    }

    /// Reads for ever, if there is a file that may change.
    async fn keep_reading(self) {
        if !self.observers.are_in_files() && !self.doors.iter().any(|door| door.has_files()) {
            return;
        }
        let mut tick = tokio::time::interval(REREAD_EVERY);
        loop {
            tick.tick().await;
            self.tokens_and_certificates().await;
        }
    }
}

/// Where a sidecar can be reached.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// By callers.
    pub data: Vec<SocketAddr>,
    /// By callers, in the file system.
    pub sockets: Vec<PathBuf>,
    /// By operators and observers.
    pub admin: Vec<status::Listener>,
}

impl App {
    /// Binds every listener, prepares TLS, reads the credentials for the first time. A missing or bad credentials
    /// file is no error: the sidecar is live and not ready until a good one comes.
    pub async fn bind(settings: Settings, surroundings: Surroundings, shutdown: Shutdown) -> Result<Self, StartError> {
        let data = Bound::bind(&settings.listen)?;
        let admin = Admin::bind(&settings.admin)?;
        let upstream = Upstream::new(&settings.upstream, &settings.timeouts, &surroundings.proxy)?;
        let observed = settings.admin.observe.as_ref().map_or(&[][..], |observe| &observe.tokens);
        let observers = Tokens::read(observed).map_err(StartError::Token)?;
        let store = Arc::new(Store::default());
        let metrics = surroundings.metrics;
        let mut tasks = JoinSet::new();
        let (reload, keep_current) =
            Reload::start(&settings.credentials, surroundings.watching, Arc::clone(&store), Arc::clone(&metrics)).await;
        tasks.spawn(work(keep_current));
        let alarm = Arc::new(Alarm::default());
        tasks.spawn(work(prober::run(Arc::clone(&store), Arc::clone(&upstream), Arc::clone(&metrics), Arc::clone(&alarm))));
        let proxy = Arc::new(Proxy::new(&settings, Arc::clone(&store), reload.clone(), Arc::clone(&upstream), Arc::clone(&metrics), alarm));
        let around = rotations::Around { upstream: &upstream, store: &store, metrics: &metrics, admin: &admin };
        let rounds = rotations::start(&settings, &surroundings.proxy, surroundings.who, &around, &mut tasks)?;
        let parts = Parts {
            file: settings.credentials.file.clone(),
            reload,
            store: Arc::clone(&store),
            upstream,
            metrics: Arc::clone(&metrics),
            proxy: Arc::clone(&proxy),
            listeners: operations::listeners(&data, &admin),
            observers: Arc::clone(&observers),
            doors: data.doors().into(),
            lost: surroundings.log_lines_dropped,
            rounds,
        };
        let identity = Identity::new(clock::random(), clock::now());
        let backend = Arc::new(Backend { store, metrics, shutdown: shutdown.clone(), identity, operations: Box::new(parts) });
        let rereading = Rereading { reload: proxy.reload.clone(), observers, doors: data.doors().into() };
        tasks.spawn(work(rereading.clone().keep_reading()));
        Ok(Self { settings, data, admin, backend, proxy, shutdown, rereading, tasks })
    }

    /// Where it can be reached.
    pub fn addresses(&self) -> Addresses {
        Addresses { data: self.data.addresses(), sockets: self.data.paths(), admin: self.admin.listeners() }
    }

    /// What it holds.
    pub fn store(&self) -> &Arc<Store> {
        &self.backend.store
    }

    /// How a read of the credentials file is asked for.
    pub fn reload(&self) -> &Reload {
        &self.proxy.reload
    }

    /// What SIGHUP does.
    pub fn rereading(&self) -> Rereading {
        self.rereading.clone()
    }

    /// Serves until the shutdown has drained it. Admin answers to the end.
    pub async fn run(self) {
        let mut tasks = self.tasks;
        tasks.spawn(work(self.admin.run(self.backend)));
        self.data.serve(self.proxy, &self.settings, self.shutdown).await;
    }
}
