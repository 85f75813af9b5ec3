//! The value that was chosen for an attempt.
//!
//! Not here: how it is chosen (`next`).

use std::sync::Arc;

use crate::credentials::standing::Standing;
use crate::credentials::usage::Usage;
use crate::credentials::{Generation, Keyring, Uid};

/// The value chosen for an attempt.
#[derive(Debug)]
pub(super) struct Pick {
    pub keyring: Keyring,
    pub uid: Uid,
    pub generation: Generation,
    pub standing: Standing,
}

impl Pick {
    /// What it was used for so far.
    pub(super) fn usage(&self) -> Option<&Arc<Usage>> {
        self.keyring.item(self.uid).map(|item| item.usage)
    }
}
