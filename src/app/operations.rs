//! What the admin listeners ask of the rest, answered: reloads, listeners, load, proofs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::rotations;
use crate::admin::serve::Admin;
use crate::admin::status::{self, Binding, FileState, Listener, ProofOutcome, ReloadOutcome, Role, Watch};
use crate::admin::{Load, Operations, Pending, Proven, ReloadView};
use crate::clock;
use crate::credentials::reload::{Outcome, Past, Reload, Status};
use crate::credentials::store::Store;
use crate::credentials::watch::Source;
use crate::credentials::{Keyring, Place};
use crate::metrics::Metrics;
use crate::prove::{self, Proof};
use crate::proxy::Proxy;
use crate::proxy::listen::{Bound, Door};
use crate::rotation::rounds::Rounds;
use crate::secret::AccessToken;
use crate::tokens::Tokens;
use crate::upstream::{Figures, Upstream};
use crate::vonage::hosts::Host;

/// How many log lines were lost.
pub struct LostLines(pub Box<dyn Fn() -> u64 + Send + Sync>);

impl fmt::Debug for LostLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LostLines")
    }
}

/// Every listener of the process, for `/status`.
pub(super) fn listeners(data: &Bound, admin: &Admin) -> Vec<Listener> {
    let now = clock::wall();
    let data = data.sockets().map(|(address, door)| Listener {
        role: Role::Data,
        address,
        binding: Binding::Bound,
        serves: Some(door.listen().serves.word().to_owned()),
        certificate_left_seconds: door.serving().map(|serving| serving.validity().left(now).as_secs()),
    });
    data.chain(admin.listeners()).collect()
}

/// Everything that is asked for an answer.
#[derive(Debug)]
pub(super) struct Parts {
    /// The credentials file.
    pub(super) file: PathBuf,
    /// The reloader.
    pub(super) reload: Reload,
    /// What we hold.
    pub(super) store: Arc<Store>,
    /// The way to Vonage.
    pub(super) upstream: Arc<Upstream>,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// The proxy.
    pub(super) proxy: Arc<Proxy>,
    /// All listeners.
    pub(super) listeners: Vec<Listener>,
    /// What opens `/status` on the observe listener.
    pub(super) observers: Arc<Tokens>,
    /// What is behind the listeners of callers.
    pub(super) doors: Arc<[Arc<Door>]>,
    /// Lost log lines.
    pub(super) lost: LostLines,
    /// What is known of rotation, where the settings have a policy.
    pub(super) rounds: Option<Arc<Rounds>>,
}

impl Operations for Parts {
    fn reloads(&self, _now: Instant) -> ReloadView {
        let told = self.reload.status();
        ReloadView { file: file(&self.file, &told), history: told.history.iter().map(past).collect() }
    }

    fn listeners(&self) -> Vec<Listener> {
        self.listeners.clone()
    }

    fn observe_tokens(&self) -> Vec<AccessToken> {
        self.observers.current().as_ref().clone()
    }

    fn load(&self) -> Load {
        Load {
            in_flight: u64::try_from(self.proxy.in_flight.load(Ordering::Acquire)).unwrap_or(u64::MAX),
            upstream: open(&self.upstream.figures()),
            log_lines_dropped: (self.lost.0)(),
        }
    }

    fn rotation(&self, now: Instant) -> status::rotation::Rotation {
        self.rounds.as_ref().map(|rounds| rotations::told(&rounds.view(), now)).unwrap_or_default()
    }

    fn reload(&self) -> Pending<'_, status::Reload> {
        Box::pin(async {
            self.observers.reread();
            self.doors.iter().for_each(|door| door.reread());
            let outcome = self.reload.now().await;
            told(&outcome, Duration::ZERO, self.store.load().generation.0)
        })
    }

    fn prove(&self, whose: Proven) -> Pending<'_, Option<Vec<status::Proof>>> {
        Box::pin(async move {
            let snapshot = self.store.load();
            let asked: Vec<Keyring> = snapshot.keyrings().filter(|keyring| is_asked(keyring, &whose)).collect();
            if asked.is_empty() && whose != Proven::Everything {
                return None;
            }
            let mut proofs = Vec::new();
            for keyring in &asked {
                self.prove_all(keyring, &mut proofs).await;
            }
            Some(proofs)
        })
    }
}

impl Parts {
    async fn prove_all(&self, keyring: &Keyring, proofs: &mut Vec<status::Proof>) {
        for item in keyring.items() {
            // What has left the file is on its way out, and never asked about.
            let position = match item.place {
                Place::File(position) => Some(position),
                Place::Retiring { .. } => continue,
            };
            for host in prove::hosts(keyring).iter().copied() {
                let proof = prove::prove(&self.upstream, keyring, item.uid, host).await;
                self.metrics.probe(proof.word());
                let (outcome, detail) = outcome(proof);
                proofs.push(status::Proof {
                    account: keyring.account().to_string(),
                    application: keyring.application().map(ToString::to_string),
                    id: item.label.id.as_ref().map(ToString::to_string),
                    position,
                    host: host.to_string(),
                    outcome,
                    detail,
                });
            }
        }
    }
}

fn is_asked(keyring: &Keyring, whose: &Proven) -> bool {
    match whose {
        Proven::Everything => true,
        Proven::Account(key) => keyring.account() == key,
        Proven::Application(id) => keyring.application() == Some(id),
    }
}

fn open(figures: &[Figures]) -> Vec<(Host, &'static str, u64)> {
    figures.iter().flat_map(|of| [(of.host, "http/1.1", of.http1.open), (of.host, "h2", of.http2.open)]).collect()
}

fn outcome(proof: Proof) -> (ProofOutcome, String) {
    match proof {
        Proof::Accepted => (ProofOutcome::Accepted, String::new()),
        Proof::Refused => (ProofOutcome::Refused, String::new()),
        Proof::Doubtful => (ProofOutcome::Unclear, "a 401 of an unknown form".to_owned()),
        Proof::Unclear => (ProofOutcome::Unclear, "an answer that says nothing about the secret".to_owned()),
        Proof::Unreachable(code) => (ProofOutcome::Unclear, code.to_owned()),
        Proof::NoFreeCall => (ProofOutcome::Unclear, "no free call is known at this host".to_owned()),
    }
}

fn file(path: &std::path::Path, told: &Status) -> status::File {
    let state = match (&told.error, told.good_ago) {
        (Some(_), _) => FileState::Failing,
        (None, Some(_)) => FileState::Ok,
        (None, None) => FileState::Unread,
    };
    status::File {
        path: path.display().to_string(),
        device: told.identity.map(|identity| identity.device),
        inode: told.identity.map(|identity| identity.inode),
        state,
        error: told.error.clone(),
        last_good_age_seconds: told.good_ago.map(|age| age.as_secs_f64()),
        watch: match told.source {
            Source::Events => Watch::Events,
            Source::Polling { .. } => Watch::Polling,
        },
    }
}

fn past(past: &Past) -> status::Reload {
    told(&past.outcome, past.ago, past.generation.0)
}

fn told(outcome: &Outcome, ago: Duration, generation: u64) -> status::Reload {
    let words = |problems: &[crate::problem::Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let (outcome, detail) = match outcome {
        Outcome::Published { changes, .. } => {
            (ReloadOutcome::Published, changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Outcome::Unchanged => (ReloadOutcome::Unchanged, String::new()),
        Outcome::Doubted => (ReloadOutcome::Unchanged, "may be half written: read again soon".to_owned()),
        Outcome::Kept { problems } | Outcome::Missing { problems } => (ReloadOutcome::Failed, words(problems)),
        Outcome::Unfinished => (ReloadOutcome::Failed, "the read has not ended: the file system hangs".to_owned()),
    };
    status::Reload { age_seconds: ago.as_secs_f64(), outcome, generation, detail }
}
