//! The `/status` document, schema 1: a contract that other programs and other versions of this one read.
//!
//! Rules of the contract: it only grows within a schema number, and readers ignore what they do not know. Times are
//! **ages in seconds, never timestamps**, since clocks of two machines differ; `created_at` is the one exception,
//! being the provider's own date. A value is named by the provider's id and its position; nothing is derived from
//! the value itself. "Last used" is 0 while an attempt is in flight.
//!
//! Pure: a document is built from a snapshot, [`Facts`] and `now`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ReloadView;
use super::age::seconds;
use crate::credentials::standing::{self, Standings};
use crate::credentials::{self, Keep, Membership, Place, Slot, Snapshot};

#[cfg(test)]
mod tests;

/// The number of the contract.
pub const SCHEMA: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Another one after each start of the process.
    pub boot_id: String,
    /// The version of the sidecar.
    pub version: String,
    /// Since the process started.
    pub uptime_seconds: f64,
    /// Whether it is ending.
    pub draining: bool,
    /// The number of the snapshot in this process; says nothing in another one.
    pub generation: u64,
    /// The mark that the last deploy wrote into the file.
    pub revision: Option<String>,
    /// The credentials file.
    pub credentials: File,
    /// What is held, in file order, lingering ones last.
    pub accounts: Vec<Account>,
    /// The same for applications.
    pub applications: Vec<Application>,
    /// The latest readings that changed something or failed, newest first.
    pub reloads: Vec<Reload>,
    /// Where the process listens.
    pub listeners: Vec<Listener>,
}

/// The credentials file and how reading it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// The device it was last read from: with `inode`, tells whether two sidecars read the same file.
    pub device: Option<u64>,
    /// Its number there.
    pub inode: Option<u64>,
    /// What the last reading came to.
    pub state: FileState,
    /// Why it cannot be used, in words, without values.
    pub error: Option<String>,
    /// Since it could last be used; null if never.
    pub last_good_age_seconds: Option<f64>,
    /// How changes are noticed.
    pub watch: Watch,
}

/// What the last reading of the file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It was not read yet.
    Unread,
    /// It is in use.
    Ok,
    /// It cannot be used; the last good one is, if there was one.
    Failing,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// How changes of the file are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watch {
    /// By events, and by looking every two seconds.
    Events,
    /// By looking every two seconds: events do not work here.
    Polling,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Its API key.
    pub key: String,
    /// Whether it is in the file.
    pub membership: Presence,
    /// Until a lingering one is dropped.
    pub lingering_seconds: Option<f64>,
    /// Its API secrets, in file order, retiring ones last.
    pub secrets: Vec<Value>,
    /// Its signature secrets, the same way.
    pub signature_secrets: Vec<Value>,
}

/// One application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// The API key of its account.
    pub account: String,
    /// Whether it is in the file.
    pub membership: Presence,
    /// Until a lingering one is dropped.
    pub lingering_seconds: Option<f64>,
    /// Its private keys, in file order, retiring ones last.
    pub private_keys: Vec<Value>,
}

/// Whether an account or application is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is.
    Listed,
    /// It is gone from the file and kept for a while.
    Lingering,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One held value, without the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The provider's id, when the file has it.
    pub id: Option<String>,
    /// Its place in the file, from 0; null when it left the file.
    pub position: Option<usize>,
    /// Until it is dropped, when it left the file.
    pub retiring_seconds: Option<f64>,
    /// Whether others depend on it, so that it is never revoked.
    pub keep: bool,
    /// A word of the owner.
    pub note: Option<String>,
    /// When the provider made it (RFC 3339), when the file says so.
    pub created_at: Option<String>,
    /// What is believed of it, by host that it was used at.
    pub standing: BTreeMap<String, Standing>,
    /// Since it was last on an attempt: 0 while one is in flight, null if never.
    pub last_used_seconds: Option<f64>,
    /// Since the provider last accepted it; null if never.
    pub last_accepted_seconds: Option<f64>,
    /// Attempts under way.
    pub in_flight: u64,
    /// Requests answered with it.
    pub served: u64,
}

/// What is believed of a value at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing yet.
    Untested,
    /// The provider accepted it.
    Good,
    /// It was refused once, without proof that another one is accepted.
    Suspect,
    /// The provider refuses it.
    Refused,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

impl Standing {
    /// As the document has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Good => "good",
            Self::Suspect => "suspect",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl From<standing::Standing> for Standing {
    fn from(standing: standing::Standing) -> Self {
        match standing {
            standing::Standing::Untested => Self::Untested,
            standing::Standing::Good => Self::Good,
            standing::Standing::Suspect => Self::Suspect,
            standing::Standing::Refused => Self::Refused,
        }
    }
}

/// One reading of the file. Also the answer of `POST /reload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reload {
    /// How long ago.
    pub age_seconds: f64,
    /// What it came to.
    pub outcome: ReloadOutcome,
    /// The number of the snapshot in use afterwards.
    pub generation: u64,
    /// What changed or what is wrong, in words, without values.
    pub detail: String,
}

/// What a reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadOutcome {
    /// A new snapshot is in use.
    Published,
    /// The file is the same.
    Unchanged,
    /// The file cannot be used.
    Failed,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// One listener of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// What it is for.
    pub role: Role,
    /// Where.
    pub address: String,
    /// Whether it is there yet.
    pub binding: Binding,
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Callers' requests.
    Data,
    /// Operators.
    Admin,
    /// The kubelet and Prometheus.
    Observe,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Whether a listener is there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// Not yet.
    Pending,
    /// Connections are taken.
    Bound,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// The answer of `POST /prove`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proofs {
    /// [`SCHEMA`].
    pub schema: u32,
    /// One a secret and host.
    pub proofs: Vec<Proof>,
}

/// What one free call with one secret came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The API key.
    pub account: String,
    /// The provider's id of the secret, when the file has it.
    pub id: Option<String>,
    /// Its place in the file, from 0; null when it left the file.
    pub position: Option<usize>,
    /// Where it was tried.
    pub host: String,
    /// What came of it.
    pub outcome: ProofOutcome,
    /// Why it is unclear; empty when it is not.
    pub detail: String,
}

/// What a proof came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// The provider accepts the secret.
    Accepted,
    /// The provider refuses it.
    Refused,
    /// No answer, or one that says nothing.
    Unclear,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// What a document says beside the snapshot.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Another one after each start of the process.
    pub boot_id: String,
    /// Since it started.
    pub uptime: Duration,
    /// Whether it is ending.
    pub draining: bool,
    /// How reading the credentials file goes.
    pub reloads: ReloadView,
    /// Where the process listens.
    pub listeners: Vec<Listener>,
}

impl Status {
    /// The document of this moment.
    pub fn of(snapshot: &Snapshot, facts: Facts, now: Instant) -> Self {
        Self {
            schema: SCHEMA,
            boot_id: facts.boot_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: seconds(facts.uptime),
            draining: facts.draining,
            generation: snapshot.generation.0,
            revision: snapshot.revision.as_ref().map(ToString::to_string),
            credentials: facts.reloads.file,
            accounts: snapshot.accounts.iter().map(|account| Account::of(account, now)).collect(),
            applications: snapshot.applications.iter().map(|application| Application::of(application, snapshot, now)).collect(),
            reloads: facts.reloads.history,
            listeners: facts.listeners,
        }
    }
}

impl Account {
    fn of(account: &credentials::Account, now: Instant) -> Self {
        let (membership, lingering_seconds) = presence(account.place, now);
        let standings = account.opinion.lock();
        Self {
            key: account.key.to_string(),
            membership,
            lingering_seconds,
            secrets: account.secrets.iter().map(|slot| Value::of(slot, Some(&standings), now)).collect(),
            signature_secrets: account.signatures.iter().map(|slot| Value::of(slot, Some(&standings), now)).collect(),
        }
    }
}

impl Application {
    /// What is believed of an application's keys is kept with its account.
    fn of(application: &credentials::Application, snapshot: &Snapshot, now: Instant) -> Self {
        let (membership, lingering_seconds) = presence(application.place, now);
        let account = snapshot.account(application.account.as_str());
        let standings = account.map(|account| account.opinion.lock());
        Self {
            id: application.id.to_string(),
            account: application.account.to_string(),
            membership,
            lingering_seconds,
            private_keys: application.keys.iter().map(|slot| Value::of(slot, standings.as_deref(), now)).collect(),
        }
    }
}

impl Value {
    fn of<V>(slot: &Slot<V>, standings: Option<&Standings>, now: Instant) -> Self {
        let figures = slot.usage.figures(now);
        let (position, retiring_seconds) = match slot.place {
            Place::File(position) => (Some(position), None),
            Place::Retiring { until } => (None, Some(seconds(until.saturating_duration_since(now)))),
        };
        let known = standings.map(|standings| standings.hosts(slot.uid)).unwrap_or_default();
        Self {
            id: slot.label.id.as_ref().map(ToString::to_string),
            position,
            retiring_seconds,
            keep: slot.label.keep == Keep::Yes,
            note: slot.label.note.clone(),
            created_at: slot.label.created_at.map(|at| humantime::format_rfc3339_seconds(at).to_string()),
            standing: known.into_iter().map(|(host, standing)| (host.to_string(), standing.into())).collect(),
            last_used_seconds: figures.unused_for.map(seconds),
            last_accepted_seconds: figures.accepted_ago.map(seconds),
            in_flight: figures.in_flight,
            served: figures.served,
        }
    }

    /// How people call it: by its place, and by the provider's id when it is known.
    pub fn name(&self) -> String {
        let place = match self.position {
            Some(0) => "first".to_owned(),
            Some(1) => "second".to_owned(),
            Some(position) => format!("number {}", position.saturating_add(1)),
            None => "retiring".to_owned(),
        };
        match &self.id {
            Some(id) => format!("{place} ({id})"),
            None => place,
        }
    }
}

fn presence(place: Membership, now: Instant) -> (Presence, Option<f64>) {
    match place {
        Membership::Listed => (Presence::Listed, None),
        Membership::Lingering { until } => (Presence::Lingering, Some(seconds(until.saturating_duration_since(now)))),
    }
}
