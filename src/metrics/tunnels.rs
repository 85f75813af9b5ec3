//! What became of a `CONNECT`.

use super::Metrics;

/// How a `CONNECT` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelOutcome {
    /// A host of the provider: what comes through it is served.
    Served,
    /// Another host, joined byte for byte.
    Joined,
    /// By the settings, or without a token.
    Refused,
    /// The host could not be reached.
    Failed,
}

impl TunnelOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Joined => "joined",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// A `CONNECT` was answered.
    pub fn tunnel(&self, outcome: TunnelOutcome) {
        self.connects.get_or_create(&[("outcome", outcome.label())]).inc();
    }
}
