//! An application: whose it is, its keys, and the resource as it was written.
//!
//! Facts: application.v2 2.4.1 (one public key per application).

use serde_json::{Value, json};

use super::keys::{Keyring, PublicKey};
use super::options::ApplicationSpec;

/// An application of an account.
pub(super) struct Application {
    pub(super) account: String,
    pub(super) keys: Keyring,
    /// The resource as the caller last wrote it, without `id` and the public key.
    pub(super) resource: Value,
}

impl Application {
    pub(super) fn new(spec: &ApplicationSpec) -> Self {
        let keys = spec.public_key.as_deref().map(PublicKey::new).map_or_else(Keyring::default, Keyring::of);
        Self { account: spec.account.clone(), keys, resource: json!({ "name": "Emulated application", "capabilities": {} }) }
    }
}
