//! The handle that changes and observes an emulator while it serves.
//!
//! Every operation is also reachable over HTTP (`remote`). No lock is held across an await.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::record::{Executions, Record, Seen};
use crate::emulator::apis::secrets::{self, NotCreated};
use crate::emulator::checks::lag::Lag;
use crate::emulator::checks::signature::{SignatureMethod, Signing};
use crate::emulator::exchange::notation::millis;
use crate::emulator::setup::dialect::Dialect;
use crate::emulator::setup::faults::{Book, Rule};
use crate::emulator::setup::options::{AccountSpec, ApplicationSpec, Options};
use crate::emulator::world::allowance::Allowance;
use crate::emulator::world::application::Application;
use crate::emulator::world::changes::{Author, Change};
use crate::emulator::world::state::World;

/// What the connections and the handles share.
pub(in crate::emulator) struct Shared {
    world: Mutex<World>,
    book: Mutex<Book>,
    record: Mutex<Record>,
    /// Moves whenever something was seen, executed or answered.
    changed: watch::Sender<u64>,
    /// Moves when all connections are to be cut.
    disconnects: watch::Sender<u64>,
    /// Milliseconds after which an idle connection is closed; 0 is never.
    idle_close: AtomicU64,
    connections: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(in crate::emulator) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(in crate::emulator) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// Changes the record and wakes whoever waits for it.
    pub(in crate::emulator) fn note<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let result = change(&mut lock(&self.record));
        self.changed.send_modify(|count| *count += 1);
        result
    }

    pub(in crate::emulator) fn disconnects(&self) -> watch::Receiver<u64> {
        self.disconnects.subscribe()
    }

    pub(in crate::emulator) fn idle_close(&self) -> Option<Duration> {
        Some(self.idle_close.load(Ordering::Relaxed)).filter(|limit| *limit > 0).map(Duration::from_millis)
    }

    /// The number of a new connection, from 1.
    pub(in crate::emulator) fn connected(&self) -> u64 {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.changed.send_modify(|count| *count += 1);
        number
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

/// Why the emulator does not create a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretNotCreated {
    /// No such API key.
    #[error("there is no such account")]
    NoSuchAccount,
    /// 8 to 25 characters with a lower case letter, an upper case letter and a digit, and not the other slot's value.
    #[error("the value does not meet the policy")]
    Policy,
    /// Two secrets are there.
    #[error("both slots are taken")]
    SlotsFull,
}

/// The handle. Clones share the same emulator.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(in crate::emulator) fn new(options: &Options) -> Self {
        let shared = Shared {
            world: Mutex::new(World::new(options)),
            book: Mutex::new(Book::new(&options.rules)),
            record: Mutex::new(Record::new(options.remembered)),
            changed: watch::Sender::new(0),
            disconnects: watch::Sender::new(0),
            idle_close: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(in crate::emulator) fn of(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    pub(in crate::emulator) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Accounts, applications and lag as a document, without values.
    pub fn state(&self) -> serde_json::Value {
        self.shared.world().document()
    }

    /// Adds an account, or replaces it with all its slots.
    pub fn put_account(&self, account: &AccountSpec) {
        self.shared.world().put_account(account);
    }

    /// Adds an application, or replaces it.
    pub fn put_application(&self, application: &ApplicationSpec) {
        self.shared.world().applications.insert(application.id.clone(), Application::new(application));
    }

    /// Sets what an account may still spend, in euros; whether there is such an account.
    pub fn set_balance(&self, key: &str, balance: f64) -> bool {
        self.shared.world().accounts.get_mut(key).map(|account| account.balance = balance).is_some()
    }

    /// Takes a product from an account, by the name in the emulator's table (`sms`, `verify`, `verify-v2`,
    /// `number-insight`, `messages`, …); whether there is such an account.
    pub fn disable(&self, key: &str, product: &str) -> bool {
        self.shared.world().accounts.get_mut(key).map(|account| account.without.insert(product.to_owned())).is_some()
    }

    /// Gives a product back; whether there is such an account.
    pub fn enable(&self, key: &str, product: &str) -> bool {
        self.shared.world().accounts.get_mut(key).map(|account| account.without.remove(product)).is_some()
    }

    /// Sets how an account signs and with which secrets, each of which is good; whether there is such an account.
    pub fn set_signing(&self, key: &str, method: SignatureMethod, secrets: &[&str]) -> bool {
        let signing = Signing { method, secrets: secrets.iter().map(|value| (*value).to_owned()).collect() };
        self.shared.world().accounts.get_mut(key).map(|account| account.signing = signing).is_some()
    }

    /// Sets how many management calls an account may make in an hour that begins with the next; whether there is such
    /// an account.
    pub fn set_allowance(&self, key: &str, calls: u32) -> bool {
        self.shared.world().accounts.get_mut(key).map(|account| account.allowance = Allowance::of(calls)).is_some()
    }

    /// How often tokens were accepted by a public key of an application.
    pub fn accepted_tokens(&self, application: &str, public_key: &str) -> u64 {
        self.shared.world().applications.get(application).map_or(0, |found| found.keys.accepted(public_key))
    }

    /// What was created, revoked and replaced, oldest first. What is there from the start is not in it.
    pub fn changes(&self) -> Vec<Change> {
        self.shared.world().history.all()
    }

    /// Dates a secret back, or forward; whether there is one with this id.
    pub fn date_secret(&self, key: &str, id: &str, created_at: SystemTime) -> bool {
        let mut world = self.shared.world();
        let found = world.accounts.get_mut(key).and_then(|account| account.secrets.iter_mut().find(|secret| secret.id == id));
        found.map(|secret| secret.created_at = created_at).is_some()
    }

    /// Creates a secret as a person at the dashboard would, and returns its id.
    ///
    /// # Errors
    /// The provider's own rules.
    pub fn create_secret(&self, key: &str, value: &str) -> Result<String, SecretNotCreated> {
        secrets::create(&mut self.shared.world(), key, value, Author::Dashboard).map_err(|why| match why {
            NotCreated::NoSuchAccount => SecretNotCreated::NoSuchAccount,
            NotCreated::Policy => SecretNotCreated::Policy,
            NotCreated::SlotsFull => SecretNotCreated::SlotsFull,
        })
    }

    /// Revokes a secret by its id, even the last one, which the provider's API never does; whether there was one.
    pub fn revoke_secret(&self, key: &str, id: &str) -> bool {
        self.shared.world().revoke_secret(key, id, Author::Dashboard)
    }

    /// Revokes a secret by its value, even the last one; whether there was one.
    pub fn revoke_value(&self, key: &str, value: &str) -> bool {
        self.secret_id(key, value).is_some_and(|id| self.revoke_secret(key, &id))
    }

    /// The id of the slot that holds a value.
    pub fn secret_id(&self, key: &str, value: &str) -> Option<String> {
        let world = self.shared.world();
        world.accounts.get(key)?.secrets.iter().find(|secret| secret.value == value).map(|secret| secret.id.clone())
    }

    /// How often a value was accepted, in a slot or after its revocation.
    pub fn accepted(&self, key: &str, value: &str) -> u64 {
        self.shared.world().accounts.get(key).map_or(0, |account| account.accepted(value))
    }

    /// Sets the lag of one host by its name, or of all hosts.
    pub fn set_lag(&self, host: Option<&str>, lag: Lag) {
        self.shared.world().set_lag(host, lag);
    }

    /// Sets its clock so many seconds ahead of ours, or behind: tokens are judged by it, and answers dated.
    pub fn set_clock(&self, ahead: i64) {
        self.shared.world().set_clock(ahead);
    }

    /// Chooses among answers that the facts leave open.
    pub fn set_dialect(&self, dialect: Dialect) {
        self.shared.world().dialect = dialect;
    }

    /// Puts a rule in force.
    pub fn add_fault(&self, rule: Rule) {
        self.shared.book().add(rule);
    }

    /// Ends all rules.
    pub fn clear_faults(&self) {
        self.shared.book().clear();
    }

    /// Closes connections without a word once they are idle for so long; none is never.
    /// Holds for connections that are opened from now on.
    pub fn close_idle_after(&self, limit: Option<Duration>) {
        let limit = limit.map_or(0, |limit| millis(limit).max(1));
        self.shared.idle_close.store(limit, Ordering::Relaxed);
    }

    /// Cuts every connection.
    pub fn disconnect(&self) {
        self.shared.disconnects.send_modify(|count| *count += 1);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// What was executed.
    pub fn executions(&self) -> Executions {
        lock(&self.shared.record).executions()
    }

    /// How often a message was executed: by its `x-message-id`, or by the identity in [`Seen::executed`].
    pub fn executed(&self, message: &str) -> u64 {
        lock(&self.shared.record).executed(message)
    }

    /// Messages that were executed more than once, with how often.
    pub fn duplicates(&self) -> Vec<(String, u64)> {
        lock(&self.shared.record).duplicates()
    }

    /// The requests remembered, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.record).seen()
    }

    /// How many of the requests remembered are like this. Cheaper than [`Self::seen`].
    pub fn count(&self, wanted: impl FnMut(&Seen) -> bool) -> usize {
        lock(&self.shared.record).count(wanted)
    }

    /// Forgets requests, executions and rules; accounts stay.
    pub fn reset(&self) {
        self.clear_faults();
        self.shared.note(Record::clear);
    }

    /// Waits until something holds, looking again after each request, execution, answer and connection; whether it did
    /// within `limit`.
    #[must_use]
    pub async fn wait_for(&self, mut holds: impl FnMut(&Self) -> bool, limit: Duration) -> bool {
        let mut changes = self.shared.changed.subscribe();
        let until = async {
            // The sender lives as long as `self`, so a wait never ends by its loss.
            while !holds(self) && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(limit, until).await.is_ok()
    }
}
