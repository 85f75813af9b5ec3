//! Asks in the background about values that stand before the one in use: a new first secret that is not live yet, a
//! first secret that was refused once.
//!
//! One proof at a time, 1 s doubling to 10 min with jitter. Never about a spare behind the one in use, nor about a
//! value that retires: two hundred pods that ask about a dead secret look like an attack.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::clock;
use crate::credentials::store::Store;
use crate::credentials::{Keyring, Uid};
use crate::metrics::Metrics;
use crate::prove;
use crate::upstream::Upstream;
use crate::vonage::hosts::Host;

/// With nothing due, look again after this long.
const RARELY: Duration = Duration::from_mins(1);

/// Wakes the prober when a standing fell or a file came.
#[derive(Debug, Default)]
pub struct Alarm(Notify);

impl Alarm {
    /// Something may be due earlier than thought.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// Runs for ever.
pub async fn run(store: Arc<Store>, upstream: Arc<Upstream>, metrics: Arc<Metrics>, alarm: Arc<Alarm>) {
    let mut published = store.subscribe();
    loop {
        for (keyring, uid, host) in due(&store) {
            let proof = prove::prove(&upstream, &keyring, uid, host).await;
            metrics.probe(proof.word());
            tracing::debug!(account = %keyring.account(), kind = %keyring.kind(), host = %host, proof = proof.word(), "probed");
        }
        let wait = next(&store).map_or(RARELY, |at| at.saturating_duration_since(clock::now())).clamp(Duration::from_millis(20), RARELY);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = alarm.0.notified() => {}
            changed = published.changed() => if changed.is_err() { return },
        }
    }
}

fn due(store: &Store) -> Vec<(Keyring, Uid, Host)> {
    let now = clock::now();
    let mut found = Vec::new();
    for keyring in store.load().keyrings() {
        let candidates = keyring.candidates();
        let mut standings = keyring.opinion().lock();
        for host in probed_hosts(&keyring, &standings.known_hosts()) {
            let share = f64::from(u16::from_le_bytes(clock::random())) / f64::from(u16::MAX);
            let due = standings.probes_due(&candidates, host, share, now);
            found.extend(due.into_iter().map(|uid| (keyring.clone(), uid, host)));
        }
    }
    found
}

fn next(store: &Store) -> Option<Instant> {
    let now = clock::now();
    let of_keyring = |keyring: Keyring| {
        let candidates = keyring.candidates();
        let standings = keyring.opinion().lock();
        let hosts = probed_hosts(&keyring, &standings.known_hosts());
        hosts.into_iter().filter_map(|host| standings.next_probe(&candidates, host, now)).min()
    };
    store.load().keyrings().filter_map(of_keyring).min()
}

fn probed_hosts(keyring: &Keyring, known: &[Host]) -> Vec<Host> {
    known.iter().copied().filter(|host| prove::free_call(keyring, *host).is_some()).collect()
}
