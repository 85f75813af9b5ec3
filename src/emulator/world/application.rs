//! An application: whose it is, its keys, and the resource as it was written.
//!
//! Facts: application.v2 2.4.1 (one public key per application).

use serde_json::{Value, json};

use crate::emulator::checks::keys::{Keyring, PublicKey};
use crate::emulator::setup::options::ApplicationSpec;

/// An application of an account.
pub(in crate::emulator) struct Application {
    pub(in crate::emulator) account: String,
    pub(in crate::emulator) keys: Keyring,
    /// The resource as the caller last wrote it, without `id` and the public key.
    pub(in crate::emulator) resource: Value,
}

impl Application {
    pub(in crate::emulator) fn new(spec: &ApplicationSpec) -> Self {
        let keys = spec.public_key.as_deref().map(PublicKey::new).map_or_else(Keyring::default, Keyring::of);
        Self { account: spec.account.clone(), keys, resource: json!({ "name": "Emulated application", "capabilities": {} }) }
    }
}
