//! The pointer everyone loads, and what we think of each account's values.
//!
//! A snapshot is published by one pointer swap; whoever waits for something newer is woken by it. The opinion of an
//! account is shared by all its generations, behind a lock that is never held across an await.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::restraint::Restraint;
use super::standing::Standings;
use super::{Generation, Snapshot};

/// What we think of the values of one account, shared by all generations of it.
#[derive(Debug, Default)]
pub struct Opinion {
    standings: Mutex<Standings>,
    restraint: Mutex<Restraint>,
    restrained: AtomicBool,
    acceptances: watch::Sender<()>,
}

impl Opinion {
    /// Reads or changes the standings. Never hold it across an await.
    pub fn lock(&self) -> MutexGuard<'_, Standings> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes the restraint. Never hold it across an await.
    pub fn restraint<T>(&self, act: impl FnOnce(&mut Restraint) -> T) -> T {
        let mut restraint = self.restraint.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut restraint);
        self.restrained.store(!restraint.is_idle(), Ordering::Release);
        outcome
    }

    /// Something was accepted or rose. Costs one load while nothing restrains the account.
    pub fn hope(&self) {
        if self.restrained.load(Ordering::Acquire) {
            self.restraint(Restraint::hope);
        }
    }

    /// A value that was not known to work was accepted: whoever waits for one may look again.
    pub fn accepted_anew(&self) {
        self.acceptances.send_replace(());
    }

    /// Sees every such acceptance from now on.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.acceptances.subscribe()
    }

    /// Whether anything restrains the account.
    pub fn is_restrained(&self) -> bool {
        self.restrained.load(Ordering::Acquire)
    }
}

/// The current snapshot.
#[derive(Debug)]
pub struct Store {
    current: ArcSwap<Snapshot>,
    published: watch::Sender<Generation>,
}

impl Default for Store {
    fn default() -> Self {
        Self { current: ArcSwap::from_pointee(Snapshot::default()), published: watch::Sender::new(Generation::default()) }
    }
}

impl Store {
    /// The newest snapshot. Before the first good file it has no accounts.
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Makes a snapshot current and wakes everyone who waits for one.
    pub fn publish(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        self.current.store(Arc::new(snapshot));
        self.published.send_replace(generation);
    }

    /// Sees every publication from now on.
    pub fn subscribe(&self) -> watch::Receiver<Generation> {
        self.published.subscribe()
    }
}
