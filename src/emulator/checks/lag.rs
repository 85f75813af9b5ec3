//! How long it takes until a changed credential is seen.
//!
//! Facts: the provider states no figures; a test says how long.

use std::time::Duration;

/// How long a change of secrets or of public keys takes to be seen. Real figures: not stated by the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// From creation until a new secret or key is accepted.
    pub new: Duration,
    /// From revocation or replacement until it is refused.
    pub revoked: Duration,
}
