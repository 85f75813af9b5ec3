//! The `/status` document, schema 1: a contract that other programs and other versions of this one read.
//!
//! Rules of the contract: it only grows within a schema number, and readers ignore what they do not know. Times are
//! **ages in seconds, never timestamps**, since clocks of two machines differ; `created_at` is the one exception,
//! being the provider's own date. A value is named by the provider's id and its position; nothing is derived from
//! the value itself. "Last used" is 0 while an attempt is in flight.
//!
//! Not here: how a document is made of a snapshot (`build`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod build;
pub mod rotation;

pub(super) use build::Facts;

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
    /// What the sidecar does about rotation by itself. None: it has no policy, or is of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<rotation::Schedule>,
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
    /// What the provider's list says of it. None: it was not asked for, or the sidecar is of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<rotation::Listing>,
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
    /// Tokens for clients, made by `POST /jwt` of this process, that are within their life. They end when the public key
    /// of the application is replaced. 0 also of an older version.
    #[serde(default)]
    pub client_tokens: u64,
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
    /// What a listener of callers serves: `http`, `https`, `proxy`. None: it is not for callers, or of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<String>,
    /// How long the certificate of its local authority, or the one that it was given, was valid when this was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_left_seconds: Option<u64>,
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
    /// One a secret or private key and host.
    pub proofs: Vec<Proof>,
}

/// What one free call with one secret or private key came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The API key.
    pub account: String,
    /// The application whose private key it is. None: it is a secret of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The id of the secret or key, when the file has one.
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

impl Value {
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
