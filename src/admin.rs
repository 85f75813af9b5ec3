//! What operators see and do: health, metrics, status, reload, prove, quit. On listeners of its own, never on the
//! data port.
//!
//! Two surfaces. **Operators** (`[admin]`, loopback): everything. **Observers** (`[admin.observe]`, any address):
//! health and metrics for the kubelet and Prometheus; `/status` and `POST /prove` with a token; nothing else.
//!
//! Invariants: readiness is about listeners and a loaded snapshot, never about what the provider thinks of a
//! secret (all replicas would leave service together); no answer holds a value; a web page can reach none of it.
//!
//! Decisions: who may (`guard`), what the documents say ([`status`], `metrics_page`, `page`).
//! Effects: listeners and answers ([`serve`]). Not here: how reloading and proving are done ([`Operations`]).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::clock;
use crate::credentials::Snapshot;
use crate::credentials::store::Store;
use crate::metrics::Metrics;
use crate::secret::{AccessToken, ApiKey, ApplicationId};
use crate::shutdown::Shutdown;
use crate::vonage::hosts::Host;

pub(crate) mod age;
pub mod guard;
mod metrics_page;
mod page;
pub mod serve;
pub mod status;

/// An answer of [`Operations`] that takes time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the admin listeners ask of the rest of the process.
pub trait Operations: Send + Sync {
    /// How reading the credentials file goes.
    fn reloads(&self, now: Instant) -> ReloadView;
    /// All listeners of the process. It is ready when each is bound.
    fn listeners(&self) -> Vec<status::Listener>;
    /// The tokens of `[admin.observe]` as they are now. None: what needs one is closed.
    fn observe_tokens(&self) -> Vec<AccessToken>;
    /// What the process is doing.
    fn load(&self) -> Load;
    /// What is known of rotation.
    fn rotation(&self, now: Instant) -> status::rotation::Rotation;
    /// Reads the credentials file now and says what came of it.
    fn reload(&self) -> Pending<'_, status::Reload>;
    /// Tries secrets and private keys of the file with free calls. None: it does not hold that account or application.
    fn prove(&self, whose: Proven) -> Pending<'_, Option<Vec<status::Proof>>>;
}

/// Whose secrets and private keys are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// Everything that is held.
    Everything,
    /// The secrets of an account, and the keys of its applications.
    Account(ApiKey),
    /// The keys of an application.
    Application(ApplicationId),
}

/// How reading the credentials file goes.
#[derive(Debug, Clone)]
pub struct ReloadView {
    /// The file.
    pub file: status::File,
    /// The latest readings that changed something or failed, newest first.
    pub history: Vec<status::Reload>,
}

/// What the process is doing.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Requests under way.
    pub in_flight: u64,
    /// Open connections to Vonage: host, protocol (`http/1.1` or `h2`), how many.
    pub upstream: Vec<(Host, &'static str, u64)>,
    /// Log lines lost so far.
    pub log_lines_dropped: u64,
}

/// Which process this is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Another one after each start.
    pub boot_id: String,
    /// When it started.
    pub started: Instant,
}

impl Identity {
    /// Of a process that started then, told apart by these bytes.
    pub fn new(random: [u8; 8], started: Instant) -> Self {
        Self { boot_id: format!("{:016x}", u64::from_be_bytes(random)), started }
    }
}

/// Everything that the admin listeners show or set off.
pub struct Backend {
    /// The snapshot in use.
    pub store: Arc<Store>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The way to end.
    pub shutdown: Shutdown,
    /// Which process this is.
    pub identity: Identity,
    /// The rest of the process.
    pub operations: Box<dyn Operations>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Backend {
    fn health(&self) -> Health {
        Health {
            listening: self.operations.listeners().iter().all(|listener| listener.binding == status::Binding::Bound),
            loaded: is_loaded(&self.store.load()),
            draining: self.shutdown.is_draining(),
        }
    }

    fn status(&self, now: Instant) -> status::Status {
        let facts = status::Facts {
            boot_id: self.identity.boot_id.clone(),
            uptime: now.saturating_duration_since(self.identity.started),
            date: clock::wall(),
            draining: self.shutdown.is_draining(),
            reloads: self.operations.reloads(now),
            listeners: self.operations.listeners(),
            rotation: self.operations.rotation(now),
        };
        status::Status::of(&self.store.load(), facts, now)
    }

    fn metrics_page(&self, now: Instant) -> String {
        let reloads = self.operations.reloads(now);
        let rotation = self.operations.rotation(now);
        self.metrics.render(&metrics_page::scrape(&self.store.load(), &reloads.file, self.operations.load(), &rotation, now))
    }
}

fn is_loaded(snapshot: &Snapshot) -> bool {
    snapshot.published.is_some()
}

/// Whether a request may be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Health {
    listening: bool,
    loaded: bool,
    draining: bool,
}

impl Health {
    /// What is missing before the process has started; none when it has.
    fn unstarted(self) -> Option<&'static str> {
        match self {
            Self { listening: false, .. } => Some("not every listener is bound yet"),
            Self { loaded: false, .. } => Some("no valid credentials file has been loaded yet; /status and the log say why"),
            Self { listening: true, loaded: true, .. } => None,
        }
    }

    /// What is missing before requests should come; none when they may.
    fn unready(self) -> Option<&'static str> {
        self.unstarted().or(if self.draining { Some("the process is ending") } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_listening_and_loaded_and_not_ending() {
        let ready = Health { listening: true, loaded: true, draining: false };
        assert_eq!(ready.unready(), None);
        assert!(Health { listening: false, ..ready }.unready().is_some());
        assert!(Health { loaded: false, ..ready }.unready().is_some());
        assert!(Health { draining: true, ..ready }.unready().is_some());
        assert_eq!(Health { draining: true, ..ready }.unstarted(), None);
    }

    #[test]
    fn two_processes_have_two_names() {
        let now = clock::now();
        assert_eq!(Identity::new([0, 0, 0, 0, 0, 0, 1, 255], now).boot_id, "00000000000001ff");
    }
}
