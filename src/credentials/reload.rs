//! The task that keeps the store current with the credentials file, and the handle that others ask it by.
//!
//! Invariants: one read at a time, on a blocking thread; a read that hangs holds up no request for longer
//! than 100 ms; a file that cannot be used changes nothing; a file that says less than before under the same inode
//! may be half written, and is believed only when it says so twice, [`super::pace::DOUBT`] apart. So is a file that it
//! names, where what is replaced is not kept for a while.
//!
//! Not here: when to read ([`super::pace`]), what is read ([`super::read`]), what it does to what is held
//! ([`super::linger`]). Whether we are ready is seen in the store: accounts or none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::Generation;
use super::change::Change;
use super::store::Store;
use super::watch::Watching;
use crate::clock;
use crate::config::Credentials;
use crate::metrics::Metrics;
use crate::problem::Problem;
use record::Record;
use task::Task;

mod record;
mod task;

pub use record::{Counts, Past, Status};

/// Longest wait of a request for a read.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longest wait of a person for a read, and of the start for the first one.
const LONG_PATIENCE: Duration = Duration::from_secs(5);
/// Where events of this room are found in the log.
const TARGET: &str = "vonage_sidecar::credentials";

/// What a read did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new snapshot is current.
    Published {
        /// Its number.
        generation: Generation,
        /// What is new in it.
        changes: Vec<Change>,
    },
    /// The file holds the same bytes as before.
    Unchanged,
    /// It may be half written: the same file says less than before, or one that it names is being written over. It is read
    /// again soon.
    Doubted,
    /// The file cannot be used; the last good one stays.
    Kept {
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// There is no file; the last good one stays.
    Missing {
        /// In words.
        problems: Vec<Problem>,
    },
    /// The read has not ended: the file system hangs.
    Unfinished,
}

impl Outcome {
    /// One word for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Published { .. } => "published",
            Self::Unchanged => "unchanged",
            Self::Doubted => "doubted",
            Self::Kept { .. } => "kept",
            Self::Missing { .. } => "missing",
            Self::Unfinished => "unfinished",
        }
    }
}

/// The way to ask for a read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reload {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The latest instant after which somebody wants a read to begin.
    demand: watch::Sender<Option<Instant>>,
    /// The last read that ended.
    progress: watch::Sender<Progress>,
    prune: Notify,
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Progress {
    began: Option<Instant>,
    /// Shared, since thousands may wait for it.
    outcome: Arc<Outcome>,
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reload {
    /// Reads the file for the first time, then comes back with the handle and the task that keeps `store` current
    /// until it is dropped. A file that is missing or bad is tried again by the task; so is one whose first read
    /// takes longer than 5 s.
    pub async fn start(
        settings: &Credentials,
        watching: Watching,
        store: Arc<Store>,
        metrics: Arc<Metrics>,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let shared = Arc::new(Shared {
            demand: watch::Sender::new(None),
            progress: watch::Sender::new(Progress { began: None, outcome: Arc::new(Outcome::Unfinished) }),
            prune: Notify::new(),
            record: Mutex::new(Record::new(metrics)),
        });
        let mut task = Task::new(settings, watching, store, Arc::clone(&shared));
        let first = async {
            while shared.progress.borrow().began.is_none() {
                task.turn().await;
            }
        };
        if timeout(LONG_PATIENCE, first).await.is_err() {
            tracing::warn!(target: TARGET, file = %settings.file.display(), "the first read of the credentials file has not ended");
        }
        let keep_current = async move {
            loop {
                task.turn().await;
            }
        };
        (Self { shared }, keep_current)
    }

    /// After a refusal at `since`: comes back when a read that began after it has ended, at the latest after 100 ms.
    /// However many wait, they share one read, and reads begin at most 20 times a second.
    pub async fn refreshed(&self, since: Instant) {
        // Whether it was in time is not told: the caller goes on with the newest snapshot either way.
        let _in_time = self.read_since(since, PATIENCE, |_| true).await;
    }

    /// Reads the file now and tells what came of it: for SIGHUP and `POST /reload`. A doubt is waited out. At most 5 s.
    pub async fn now(&self) -> Outcome {
        Outcome::clone(&*self.read_since(clock::now(), LONG_PATIENCE, |outcome| *outcome != Outcome::Doubted).await)
    }

    async fn read_since(&self, since: Instant, patience: Duration, is_answer: impl Fn(&Outcome) -> bool) -> Arc<Outcome> {
        let mut progress = self.shared.progress.subscribe();
        self.shared.demand.send_if_modified(|demand| {
            let is_later = demand.is_none_or(|demand| demand < since);
            if is_later {
                *demand = Some(since);
            }
            is_later
        });
        let is_done = |progress: &Progress| progress.began.is_some_and(|began| began >= since) && is_answer(&progress.outcome);
        match timeout(patience, progress.wait_for(is_done)).await {
            Ok(Ok(progress)) => Arc::clone(&progress.outcome),
            Ok(Err(_)) | Err(_) => Arc::new(Outcome::Unfinished),
        }
    }

    /// Drops what has retired and what retires and is refused: for whoever saw a retiring value refused.
    pub fn prune(&self) {
        self.shared.prune.notify_one();
    }

    /// What reloading did so far.
    pub fn status(&self) -> Status {
        self.shared.record().status(clock::now())
    }
}
