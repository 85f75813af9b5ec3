//! What the emulated platform remembers: accounts with their slots, lag, balances, applications, and what was changed.
//!
//! A secret is good for (key, value, host, now): a new one only after the host's lag, a revoked one until its own lag
//! has passed. The list shows slots at once, as the provider's does; only what the gateway accepts lags.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::allowance::Allowance;
use super::application::Application;
use super::changes::{Author, Changed, History};
use crate::clock;
use crate::emulator::checks::lag::Lag;
use crate::emulator::checks::signature::Signing;
use crate::emulator::exchange::notation::{date, millis, uuid};
use crate::emulator::setup::dialect::Dialect;
use crate::emulator::setup::options::{AccountSpec, Options};

/// Two at most, one at least (Vonage, "Secret Management").
pub(in crate::emulator) const SLOTS: usize = 2;
/// Revoked secrets that are remembered per account, so that a long test does not grow.
const REVOKED: usize = 64;
/// What every account may spend, in euros: no load test runs dry by itself.
const BALANCE: f64 = 1_000_000.0;

/// One slot's secret.
pub(in crate::emulator) struct Secret {
    pub(in crate::emulator) id: String,
    pub(in crate::emulator) created_at: SystemTime,
    pub(in crate::emulator) value: String,
    /// Requests it was accepted for.
    pub(super) accepted: u64,
    /// None: there from the start, so good everywhere.
    born: Option<Instant>,
    revoked: Option<Instant>,
}

impl Secret {
    fn is_accepted(&self, lag: Lag, now: Instant) -> bool {
        let arrived = self.born.is_none_or(|born| now.duration_since(born) >= lag.new);
        let gone = self.revoked.is_some_and(|revoked| now.duration_since(revoked) >= lag.revoked);
        arrived && !gone
    }
}

/// A phone number that an account owns.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::emulator) struct Number {
    pub(in crate::emulator) country: String,
    pub(in crate::emulator) msisdn: String,
}

/// One API key.
pub(in crate::emulator) struct Account {
    pub(in crate::emulator) secrets: Vec<Secret>,
    revoked: Vec<Secret>,
    pub(in crate::emulator) primary: Option<String>,
    pub(in crate::emulator) name: String,
    pub(in crate::emulator) balance: f64,
    /// Products that are not enabled, by the names in the endpoint table.
    pub(in crate::emulator) without: BTreeSet<String>,
    pub(in crate::emulator) numbers: Vec<Number>,
    pub(in crate::emulator) signing: Signing,
    pub(in crate::emulator) allowance: Allowance,
}

/// A running verification.
pub(in crate::emulator) struct Verification {
    pub(in crate::emulator) account: String,
    pub(in crate::emulator) number: String,
    pub(in crate::emulator) state: VerificationState,
}

/// How far a verification is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum VerificationState {
    Running,
    Done,
    Cancelled,
}

/// Everything.
pub(in crate::emulator) struct World {
    pub(in crate::emulator) accounts: BTreeMap<String, Account>,
    pub(in crate::emulator) applications: BTreeMap<String, Application>,
    pub(in crate::emulator) verifications: BTreeMap<String, Verification>,
    pub(in crate::emulator) dialect: Dialect,
    pub(in crate::emulator) history: History,
    lag: Lag,
    lag_of: BTreeMap<String, Lag>,
    /// Seconds that its clock is ahead; behind when negative.
    ahead: i64,
}

impl World {
    pub(in crate::emulator) fn new(options: &Options) -> Self {
        let mut world = Self {
            accounts: BTreeMap::new(),
            applications: BTreeMap::new(),
            verifications: BTreeMap::new(),
            dialect: options.dialect,
            history: History::default(),
            lag: options.lag,
            lag_of: BTreeMap::new(),
            ahead: 0,
        };
        options.accounts.iter().for_each(|spec| world.put_account(spec));
        world.applications.extend(options.applications.iter().map(|spec| (spec.id.clone(), Application::new(spec))));
        world
    }

    /// Adds an account, or replaces it with all its slots.
    pub(in crate::emulator) fn put_account(&mut self, spec: &AccountSpec) {
        let date = |secret: Secret, at: Option<&SystemTime>| Secret { created_at: at.copied().unwrap_or(secret.created_at), ..secret };
        let secrets = spec.secrets.iter().enumerate().map(|(at, value)| date(secret(value, None), spec.dates.get(at))).collect();
        let account = Account {
            secrets,
            revoked: Vec::new(),
            primary: spec.primary.clone(),
            name: format!("Account {}", spec.key),
            balance: BALANCE,
            without: BTreeSet::new(),
            numbers: Vec::new(),
            signing: spec.signing.clone(),
            allowance: Allowance::default(),
        };
        self.accounts.insert(spec.key.clone(), account);
    }

    /// Sets the lag of one host, or of all hosts when none is named.
    pub(in crate::emulator) fn set_lag(&mut self, host: Option<&str>, lag: Lag) {
        if let Some(host) = host {
            self.lag_of.insert(host.to_owned(), lag);
        } else {
            self.lag = lag;
            self.lag_of.clear();
        }
    }

    /// Sets its clock so many seconds ahead, or behind.
    pub(in crate::emulator) fn set_clock(&mut self, ahead: i64) {
        self.ahead = ahead;
    }

    /// Its calendar, by which it judges tokens and dates answers.
    pub(in crate::emulator) fn wall(&self) -> SystemTime {
        let by = Duration::from_secs(self.ahead.unsigned_abs());
        let now = clock::wall();
        if self.ahead < 0 { now.checked_sub(by).unwrap_or(now) } else { now + by }
    }

    /// How long a change takes to be seen on a host.
    pub(in crate::emulator) fn lag(&self, host: &str) -> Lag {
        self.lag_of.get(host).copied().unwrap_or(self.lag)
    }

    /// Whether this value is good for this key on this host now; its id if so. Counts the use.
    pub(in crate::emulator) fn check(&mut self, key: &str, value: &str, host: &str, now: Instant) -> Option<String> {
        let lag = self.lag(host);
        let account = self.accounts.get_mut(key)?;
        let mut all = account.secrets.iter_mut().chain(account.revoked.iter_mut());
        let secret = all.find(|secret| secret.value == value && secret.is_accepted(lag, now))?;
        secret.accepted += 1;
        Some(secret.id.clone())
    }

    /// Whether `key` may manage `target`: it is its own account or that account's primary.
    pub(in crate::emulator) fn manages(&self, key: &str, target: &str) -> bool {
        self.accounts.get(target).is_some_and(|account| key == target || account.primary.as_deref() == Some(key))
    }

    /// Puts a new secret into a slot and returns its id; nothing if there is no such account. A slot must be free.
    pub(in crate::emulator) fn create_secret(&mut self, key: &str, value: &str, by: Author) -> Option<String> {
        let id = self.accounts.get_mut(key)?.create(value);
        self.history.add(key, Changed::SecretCreated(id.clone()), by);
        Some(id)
    }

    /// Empties the slot with this id; whether there was one.
    pub(in crate::emulator) fn revoke_secret(&mut self, key: &str, id: &str, by: Author) -> bool {
        let revoked = self.accounts.get_mut(key).is_some_and(|account| account.revoke(id));
        if revoked {
            self.history.add(key, Changed::SecretRevoked(id.to_owned()), by);
        }
        revoked
    }
}

impl Account {
    fn create(&mut self, value: &str) -> String {
        let secret = secret(value, Some(clock::now()));
        let id = secret.id.clone();
        self.secrets.push(secret);
        id
    }

    fn revoke(&mut self, id: &str) -> bool {
        let Some(index) = self.secrets.iter().position(|secret| secret.id == id) else {
            return false;
        };
        let mut secret = self.secrets.remove(index);
        secret.revoked = Some(clock::now());
        if self.revoked.len() == REVOKED {
            self.revoked.remove(0);
        }
        self.revoked.push(secret);
        true
    }

    /// How often a value was accepted, in a slot or after its revocation.
    pub(in crate::emulator) fn accepted(&self, value: &str) -> u64 {
        self.secrets.iter().chain(&self.revoked).filter(|secret| secret.value == value).map(|secret| secret.accepted).sum()
    }

    /// Spends `price` euros; whether there was enough.
    pub(in crate::emulator) fn charge(&mut self, price: f64) -> bool {
        let enough = self.balance >= price;
        if enough {
            self.balance -= price;
        }
        enough
    }
}

fn secret(value: &str, born: Option<Instant>) -> Secret {
    Secret { id: uuid(), created_at: clock::wall(), value: value.to_owned(), accepted: 0, born, revoked: None }
}

impl World {
    /// The state as a document, without values.
    pub(in crate::emulator) fn document(&self) -> Value {
        let accounts: BTreeMap<&String, Value> = self.accounts.iter().map(|(key, account)| (key, account.document())).collect();
        let applications: BTreeMap<&String, &String> =
            self.applications.iter().map(|(id, application)| (id, &application.account)).collect();
        let lag = |lag: Lag| serde_json::json!({ "new_ms": millis(lag.new), "revoked_ms": millis(lag.revoked) });
        let lag_of: BTreeMap<&String, Value> = self.lag_of.iter().map(|(host, of)| (host, lag(*of))).collect();
        serde_json::json!({ "accounts": accounts, "applications": applications, "lag": lag(self.lag), "lag_of": lag_of })
    }
}

impl Account {
    fn document(&self) -> Value {
        let secret =
            |secret: &Secret| serde_json::json!({ "id": secret.id, "created_at": date(secret.created_at), "accepted": secret.accepted });
        serde_json::json!({
            "secrets": self.secrets.iter().map(secret).collect::<Vec<_>>(),
            "revoked": self.revoked.iter().map(secret).collect::<Vec<_>>(),
            "primary": self.primary,
            "balance": self.balance,
            "without": self.without,
        })
    }
}
