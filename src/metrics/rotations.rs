//! What is counted of rotations, and what the provider's lists show.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{AccountScrape, Metrics, add, count};

/// How a rotation that the sidecar ran by itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationOutcome {
    /// As it should.
    Done,
    /// Something failed for longer than it is tried again.
    Parked,
    /// A person must look.
    Stuck,
    /// A person must say yes.
    AwaitingApproval,
    /// It could not be run.
    NotRun,
}

impl RotationOutcome {
    pub(super) const ALL: [Self; 5] = [Self::Done, Self::Parked, Self::Stuck, Self::AwaitingApproval, Self::NotRun];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Parked => "parked",
            Self::Stuck => "stuck",
            Self::AwaitingApproval => "awaiting_approval",
            Self::NotRun => "not_run",
        }
    }
}

/// What the provider's list of an account shows, as far as an alert needs it.
#[derive(Debug, Clone)]
pub struct RotationScrape {
    /// How old the oldest live secret is; none when that is not known.
    pub secret_age_seconds: Option<f64>,
    /// 1 when that is close to what is allowed, else 0.
    pub overdue: u8,
    /// How much changed behind our back.
    pub drift: usize,
    /// The step of a rotation under way, and how long it has been there.
    pub step: Option<(String, f64)>,
}

impl Metrics {
    /// A rotation that the sidecar ran by itself ended.
    pub fn rotation(&self, outcome: RotationOutcome) {
        self.rotations.get_or_create(&[("outcome", outcome.label())]).inc();
    }
}

type Of<const N: usize, V> = Family<[(&'static str, String); N], Gauge<V, AtomicU64>>;

/// The gauges of this moment.
pub(super) fn gather(registry: &mut Registry, accounts: &[AccountScrape]) {
    let age: Of<1, f64> = add(registry, "secret_age_seconds", "Age of the oldest live secret at Vonage, absent when it is not known");
    let overdue: Of<1, u64> = add(registry, "rotation_overdue", "Whether the oldest live secret has 90 % of max_age of its policy or more");
    let drift: Of<1, u64> = add(registry, "secret_drift", "Secrets that changed behind the sidecar's back");
    let step: Of<2, f64> = add(registry, "rotation_step_seconds", "How long a rotation under way is at its step");
    for account in accounts {
        let Some(rotation) = &account.rotation else { continue };
        let key = || ("account", account.key.clone());
        if let Some(seconds) = rotation.secret_age_seconds {
            age.get_or_create(&[key()]).set(seconds);
        }
        overdue.get_or_create(&[key()]).set(u64::from(rotation.overdue));
        drift.get_or_create(&[key()]).set(count(rotation.drift));
        if let Some((name, seconds)) = &rotation.step {
            step.get_or_create(&[key(), ("step", name.clone())]).set(*seconds);
        }
    }
}
