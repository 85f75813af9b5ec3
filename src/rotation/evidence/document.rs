//! Reads what a `/status` document says about an account or an application, and no more of it.

use std::time::Duration;

use serde::Deserialize;

use super::{Held, Look, Trust};
use crate::secret::{ApiKey, ApplicationId, Revision, SecretId};

/// A document that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no status document.
    #[error("the answer is no status document ({0})")]
    Malformed(String),
    /// It is of a later contract.
    #[error("the status document has schema {0}; update this program")]
    Newer(u32),
    /// It does not know the account, or the application.
    #[error("it does not serve what is rotated")]
    NotServed,
}

/// Whose values are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The secrets of an account.
    Account(ApiKey),
    /// The private keys of an application.
    Application(ApplicationId),
}

impl Whose {
    /// What `POST /prove` is asked for.
    pub fn query(&self) -> String {
        match self {
            Self::Account(key) => format!("account={key}"),
            Self::Application(id) => format!("application={id}"),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// What is read of the document.
#[derive(Deserialize)]
struct Document {
    boot_id: String,
    uptime_seconds: f64,
    revision: Option<Revision>,
    accounts: Vec<Account>,
    #[serde(default)]
    applications: Vec<Application>,
}

#[derive(Deserialize)]
struct Application {
    id: String,
    private_keys: Vec<Value>,
    #[serde(default)]
    client_tokens: u64,
}

#[derive(Deserialize)]
struct Account {
    key: String,
    secrets: Vec<Value>,
}

#[derive(Deserialize)]
struct Value {
    id: Option<SecretId>,
    #[serde(default)]
    standing: std::collections::BTreeMap<String, String>,
    /// Null is never. Without it nothing is known, and that must not pass for never.
    #[serde(deserialize_with = "there")]
    last_used_seconds: Option<f64>,
    last_accepted_seconds: Option<f64>,
    #[serde(default)]
    served: u64,
}

/// A member that may be null, and must be there.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Option::deserialize(from)
}

/// The contract that is read here.
const SCHEMA: u32 = 1;

impl Look {
    /// Reads what a `/status` document says. The private keys of an application stand in the place of secrets.
    pub fn parse(text: &[u8], whose: &Whose) -> Result<Self, Unreadable> {
        let document = Document::parse(text)?;
        let (values, client_tokens) = match whose {
            Whose::Account(key) => {
                let found = document.accounts.into_iter().find(|one| one.key == key.as_str()).ok_or(Unreadable::NotServed)?;
                (found.secrets, 0)
            }
            Whose::Application(id) => {
                let found = document.applications.into_iter().find(|one| one.id == id.as_str()).ok_or(Unreadable::NotServed)?;
                (found.private_keys, found.client_tokens)
            }
        };
        Ok(Self {
            boot_id: document.boot_id,
            uptime: age(document.uptime_seconds).unwrap_or_default(),
            revision: document.revision,
            secrets: values.into_iter().map(Held::from).collect(),
            client_tokens,
        })
    }
}

impl Document {
    fn parse(text: &[u8]) -> Result<Self, Unreadable> {
        let malformed = |error: serde_json::Error| Unreadable::Malformed(error.to_string());
        let head: Head = serde_json::from_slice(text).map_err(malformed)?;
        if head.schema > SCHEMA {
            return Err(Unreadable::Newer(head.schema));
        }
        serde_json::from_slice(text).map_err(malformed)
    }
}

impl From<Value> for Held {
    fn from(value: Value) -> Self {
        let doubted = value.standing.values().any(|word| matches!(word.as_str(), "suspect" | "refused"));
        Self {
            id: value.id,
            // An age that makes no sense must not open the gate: in use at this moment, never accepted.
            unused_for: value.last_used_seconds.map(|seconds| age(seconds).unwrap_or_default()),
            accepted_ago: value.last_accepted_seconds.and_then(age),
            trust: if doubted { Trust::Doubted } else { Trust::Trusted },
            served: value.served,
        }
    }
}

fn age(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
