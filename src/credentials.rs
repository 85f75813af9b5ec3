//! What secrets we hold: one immutable picture of all accounts and applications, and what we think of each value.
//!
//! Decisions: the file format ([`mod@file`]), how a file is changed ([`edit`]), what a request chooses among
//! ([`keyring`]), what a reload keeps ([`linger`]) and changes ([`change`]), when to read
//! again ([`pace`]), standing ([`standing`]).
//! Effects: the pointer everyone loads ([`store`]), reading and watching ([`read`], [`watch`], [`reload`]).
//!
//! Invariants: a snapshot is never changed after it was published; a value keeps its [`Uid`] for as long as it is
//! held, whatever the file does around it; a generation is only a label.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use http::HeaderValue;

use crate::jwt::{HandedOut, Signer};
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId, SignatureSecret};

/// The version number of a published snapshot in this process, from 1. Says nothing in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Generation(pub u64);

/// Our own name of a held value, given when it is first seen. Never reused in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub u64);

/// Where a held value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the file, at this position from 0. The order is the owner's preference.
    File(usize),
    /// Gone from the file, kept until the instant.
    Retiring {
        /// When it is dropped.
        until: Instant,
    },
}

/// What the file says about a value beside the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// The provider's id, when the file has it.
    pub id: Option<SecretId>,
    /// When the provider made it, when the file says so.
    pub created_at: Option<SystemTime>,
    /// Whether others depend on it, so that it is never revoked.
    pub keep: Keep,
    /// A word of the owner.
    pub note: Option<String>,
}

/// Whether a rotation may revoke a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// It may.
    #[default]
    No,
    /// Others depend on it.
    Yes,
}

/// One held value of a kind.
#[derive(Debug, Clone)]
pub struct Slot<V> {
    /// Our name of it.
    pub uid: Uid,
    /// The value.
    pub value: V,
    /// What the file says about it.
    pub label: Label,
    /// Where it stands.
    pub place: Place,
    /// What it was used for so far; survives reloads.
    pub usage: Arc<usage::Usage>,
}

/// An API secret ready to be sent.
#[derive(Debug, Clone)]
pub struct Basic {
    /// The secret.
    pub secret: ApiSecret,
    /// The header that presents it, built once.
    pub header: HeaderValue,
}

impl Basic {
    /// The secret of the account with this key.
    pub fn new(key: &ApiKey, secret: ApiSecret) -> Self {
        Self { header: secret.basic(key), secret }
    }
}

/// One account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its key.
    pub key: ApiKey,
    /// Its secrets: those of the file in its order, then those that retire. Never empty.
    pub secrets: Vec<Slot<Basic>>,
    /// Its signature secrets, in the same order.
    pub signatures: Vec<Slot<SignatureSecret>>,
    /// How it signs.
    pub signature_method: SignatureMethod,
    /// The account that manages it.
    pub primary: Option<ApiKey>,
    /// Whether it is in the file.
    pub place: Membership,
    /// What we think of its secrets; survives reloads.
    pub opinion: Arc<store::Opinion>,
    /// What we think of its signature secrets.
    pub signature_opinion: Arc<store::Opinion>,
}

/// Whether an account or application is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It is.
    Listed,
    /// It is gone from the file and lingers until the instant: an alarm.
    Lingering {
        /// When it is dropped.
        until: Instant,
    },
}

/// One application of an account.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The account it belongs to.
    pub account: ApiKey,
    /// Its private keys: those of the file in its order, then those that retire.
    pub keys: Vec<Slot<Signer>>,
    /// Whether it is in the file.
    pub place: Membership,
    /// What we think of its keys; survives reloads.
    pub opinion: Arc<store::Opinion>,
    /// The tokens that clients of apps have of it; survives reloads.
    pub handed_out: Arc<Mutex<HandedOut>>,
}

/// Everything held, at one generation.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Its number.
    pub generation: Generation,
    /// The mark that the last deploy wrote.
    pub revision: Option<Revision>,
    /// Accounts in file order, then lingering ones. The first is the default.
    pub accounts: Vec<Arc<Account>>,
    /// Applications in file order, then lingering ones.
    pub applications: Vec<Arc<Application>>,
    /// When it was published; none before the first good file.
    pub published: Option<Instant>,
}

impl Snapshot {
    /// The account with this key.
    pub fn account(&self, key: &str) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.key.as_str() == key)
    }

    /// The account for callers that name none: the first of the file.
    pub fn default_account(&self) -> Option<&Arc<Account>> {
        self.accounts.first()
    }

    /// The application with this id.
    pub fn application(&self, id: &str) -> Option<&Arc<Application>> {
        self.applications.iter().find(|application| application.id.as_str() == id)
    }
}

pub mod change;
pub mod edit;
pub mod file;
pub mod keyring;
pub mod linger;
pub mod pace;
pub mod read;
pub mod reload;
pub mod restraint;
pub mod standing;
pub mod store;
pub mod usage;
pub mod watch;

pub use keyring::Keyring;

pub use crate::vonage::signature::SignatureMethod;
