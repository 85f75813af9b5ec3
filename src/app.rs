//! The composition root: the only place that knows every room.
//!
//! The app is bound first and run second, so that whoever starts it knows its addresses before the first request.
//! All long-lived tasks are started here and end with [`App::run`].

use std::net::SocketAddr;
use std::sync::Arc;

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
use crate::proxy::listen::Bound;
use crate::shutdown::Shutdown;
use crate::upstream::{ProxyEnvironment, SetupError, Upstream};

mod operations;

pub use operations::{LostLines, TokenError};

use operations::{Parts, Tokens};

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
}

/// Why a sidecar cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener.
    #[error(transparent)]
    Bind(#[from] BindError),
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

/// Reads again what may change while the process runs: the credentials with everything they name, and tokens.
#[derive(Debug, Clone)]
pub struct Rereading {
    reload: Reload,
    tokens: Arc<Tokens>,
}

impl Rereading {
    /// Reads now.
    pub async fn now(&self) {
        self.tokens.reread();
        let _told_by_the_reloader = self.reload.now().await;
    }
}

/// Where a sidecar can be reached.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// By callers.
    pub data: Vec<SocketAddr>,
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
        let tokens = Arc::new(Tokens::read(&settings.admin).map_err(StartError::Token)?);
        let store = Arc::new(Store::default());
        let metrics = surroundings.metrics;
        let mut tasks = JoinSet::new();
        let (reload, keep_current) =
            Reload::start(&settings.credentials, surroundings.watching, Arc::clone(&store), Arc::clone(&metrics)).await;
        tasks.spawn(keep_current);
        let alarm = Arc::new(Alarm::default());
        tasks.spawn(prober::run(Arc::clone(&store), Arc::clone(&upstream), Arc::clone(&metrics), Arc::clone(&alarm)));
        let proxy = Arc::new(Proxy::new(&settings, Arc::clone(&store), reload.clone(), Arc::clone(&upstream), Arc::clone(&metrics), alarm));
        let parts = Parts {
            file: settings.credentials.file.clone(),
            reload,
            store: Arc::clone(&store),
            upstream,
            metrics: Arc::clone(&metrics),
            proxy: Arc::clone(&proxy),
            listeners: operations::listeners(&data, &admin),
            tokens: Arc::clone(&tokens),
            lost: surroundings.log_lines_dropped,
        };
        let identity = Identity::new(clock::random(), clock::now());
        let backend = Arc::new(Backend { store, metrics, shutdown: shutdown.clone(), identity, operations: Box::new(parts) });
        let rereading = Rereading { reload: proxy.reload.clone(), tokens };
        Ok(Self { settings, data, admin, backend, proxy, shutdown, rereading, tasks })
    }

    /// Where it can be reached.
    pub fn addresses(&self) -> Addresses {
        Addresses { data: self.data.addresses(), admin: self.admin.listeners() }
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
        tasks.spawn(self.admin.run(self.backend));
        self.data.serve(self.proxy, &self.settings, self.shutdown).await;
    }
}
