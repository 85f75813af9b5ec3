//! Replaces the key pair of an application, so that no request through a sidecar fails.
//!
//! ```text
//! check ▶ deploy ▶ spread ▶ put ▶ prove ▶ converge ▶ drop ▶ done
//! ```
//!
//! An application has one public key at the provider, so there is no time in which two pairs are good. But sidecars may
//! hold two private keys, and sign a refused token again by the other one. So both are in the file of every sidecar
//! before the public key is replaced, and until every one has had the new key accepted.
//!
//! Tokens that were handed out to clients of apps are signed by the old key and pass no sidecar: they end when the
//! public key is replaced. That is done inside the window of the plan, and the report says how many there were.
//!
//! The way is the one of [`machine`](super::machine), and so are its rules: a state is on the disk before anything of its
//! step is done, every decision stands on what was seen a moment ago, an answer that got lost is settled by looking.
//! The same way is gone backwards when a rotation is called off.
//!
//! Not here: doing things, the time, chance. Facts: application-v2 (PUT replaces the whole resource). Whether tokens of
//! the old key are refused at once is not stated: they are taken to be.

use serde::{Deserialize, Serialize};

use crate::credentials::{Keep, Label};
use crate::jwt::SigningKey;
use crate::secret::{ApiSecret, Revision, SecretId};

pub mod effect;
pub mod halt;
pub mod journal;
pub mod machine;
pub mod plan;
pub mod state;

/// A private key with the name that the file has for it. The provider has none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    #[serde(with = "journal::pem")]
    pub value: SigningKey,
    /// Its name: random, not secret.
    pub id: SecretId,
    /// A word of the owner.
    pub note: Option<String>,
}

impl Key {
    /// What the file says about it.
    pub fn label(&self) -> Label {
        Label { id: Some(self.id.clone()), created_at: None, keep: Keep::No, note: self.note.clone() }
    }
}

/// What the credentials file has of an application and of its account.
#[derive(Debug, Clone)]
pub struct File {
    /// The private keys, in the order of the file.
    pub keys: Vec<Delivered>,
    /// The secrets of the account that it belongs to.
    pub secrets: Vec<ApiSecret>,
    /// The mark of the last deploy.
    pub revision: Option<Revision>,
}

/// One private key of the credentials file.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The key.
    pub value: SigningKey,
    /// What the file says about it.
    pub label: Label,
}

impl File {
    /// Whether the file has exactly these keys, in any order.
    pub fn has_exactly(&self, keys: &[&SigningKey]) -> bool {
        keys.len() == self.keys.len() && keys.iter().all(|key| self.keys.iter().any(|held| held.value.same_as(key)))
    }
}

/// Where new keys and marks come from: random, each another one.
pub trait Chance {
    /// A new key. None: the system gave no randomness.
    fn key(&mut self) -> Option<SigningKey>;
    /// A new mark.
    fn revision(&mut self) -> Revision;
    /// A new name of a key.
    fn name(&mut self) -> SecretId;
}
