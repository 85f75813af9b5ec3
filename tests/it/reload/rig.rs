//! A directory, a credentials file in it, and the task that reloads it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use vonage_sidecar::clock;
use vonage_sidecar::config::{Credentials, Modes};
use vonage_sidecar::credentials::reload::{Reload, Status};
use vonage_sidecar::credentials::store::Store;
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::credentials::{Place, Snapshot};
use vonage_sidecar::metrics::Metrics;

/// Longest wait for anything; only what never happens takes so long.
const BOUND: Duration = Duration::from_secs(20);

pub(super) struct Rig {
    pub(super) path: PathBuf,
    pub(super) store: Arc<Store>,
    pub(super) reload: Reload,
    task: JoinHandle<()>,
    directory: TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn settings(file: &Path) -> Credentials {
    Credentials { file: file.to_path_buf(), retire: Duration::from_secs(900), modes: Modes::Warn }
}

impl Rig {
    /// One whose file is `credentials.toml` with this text.
    pub(super) async fn with(text: &str, watching: Watching) -> Self {
        Self::prepared(watching, |root| {
            let path = root.join("credentials.toml");
            in_place(&path, text);
            path
        })
        .await
    }

    /// One whose directory is prepared by the closure, which says where the file is.
    pub(super) async fn prepared(watching: Watching, prepare: impl FnOnce(&Path) -> PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = prepare(directory.path());
        Self::at(directory, settings(&path), watching).await
    }

    pub(super) async fn at(directory: TempDir, settings: Credentials, watching: Watching) -> Self {
        let store = Arc::new(Store::default());
        let (reload, task) = Reload::start(&settings, watching, Arc::clone(&store), Arc::new(Metrics::new())).await;
        Self { path: settings.file, store, reload, task: tokio::spawn(task), directory }
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn generation(&self) -> u64 {
        self.store.load().generation.0
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.store.load().accounts.iter().map(|account| account.key.to_string()).collect()
    }

    /// Waits until the first secret of the file is this one, and tells how long that took.
    pub(super) async fn until_secret(&self, secret: &str) -> Duration {
        self.until_snapshot(|snapshot| first_is(snapshot, secret)).await
    }

    pub(super) async fn until_snapshot(&self, is_so: impl Fn(&Snapshot) -> bool) -> Duration {
        let began = clock::now();
        let mut published = self.store.subscribe();
        let wait = async {
            while !is_so(&self.store.load()) {
                published.changed().await.unwrap();
            }
        };
        tokio::time::timeout(BOUND, wait).await.unwrap_or_else(|_| panic!("not so: {:?}\n{:?}", self.store.load(), self.reload.status()));
        began.elapsed()
    }

    /// Waits until the status is so. There is no event for it: it is looked at after each read.
    pub(super) async fn until_status(&self, is_so: impl Fn(&Status) -> bool) -> Status {
        let began = clock::now();
        loop {
            let status = self.reload.status();
            if is_so(&status) {
                return status;
            }
            assert!(began.elapsed() < BOUND, "not so: {status:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until a read that began from now on has ended.
    pub(super) async fn read_once_more(&self) {
        let before = self.reload.status().counts.reads;
        while self.reload.status().counts.reads == before {
            self.reload.refreshed(clock::now()).await;
        }
    }
}

/// Whether the first secret of the default account is this one.
pub(super) fn first_is(snapshot: &Snapshot, secret: &str) -> bool {
    let slot = snapshot.default_account().and_then(|account| account.secrets.first());
    slot.is_some_and(|slot| slot.place == Place::File(0) && slot.value.secret.equals(secret.as_bytes()))
}

/// A file with one account.
pub(super) fn one(secret: &str) -> String {
    account("abcd1234", &[secret])
}

pub(super) fn account(key: &str, secrets: &[&str]) -> String {
    format!("[[account]]\napi_key = \"{key}\"\nsecrets = {secrets:?}\n")
}

pub(super) fn application(id: &str, account: &str, key_file: &str) -> String {
    format!("[[application]]\nid = \"{id}\"\naccount = \"{account}\"\nprivate_keys = [{{ file = \"{key_file}\" }}]\n")
}

pub(super) fn pem(content: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{content}\n-----END PRIVATE KEY-----")
}

/// Writes as `cat >` does: empty first, then the content.
pub(super) fn in_place(path: &Path, text: &str) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Says that a test did not run here, and why.
pub(super) fn skipped(what: &str, why: &str) {
    eprintln!("SKIPPED: {what}: {why}");
}

pub(super) fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}
