//! What is counted, and the page that Prometheus reads.
//!
//! Invariants: every name begins with `vonage_sidecar_`; labels come from fixed sets or from the credentials file,
//! never from a caller; no label holds a path, a secret or an id that a caller chose. Counting costs a map look-up
//! and an atomic add. Series with a fixed label set exist from the start, so that an alert on an increase works.
//! What can be read off the state of the process ([`Scrape`]) is not kept here: it is gathered when it is asked for.
//!
//! The metrics (a test holds this list equal to what is printed):
//!
//! - `vonage_sidecar_requests_total` {endpoint, class}: requests answered, by row of the endpoint table and status class
//! - `vonage_sidecar_request_duration_seconds`: from the head of a request to the head of its answer
//! - `vonage_sidecar_attempts_total` {host, verdict}: requests sent to Vonage and judged
//! - `vonage_sidecar_fallbacks_total` {outcome}: refusals, by what became of the second attempt
//! - `vonage_sidecar_holds_total` {outcome}: requests that waited for a newer credentials file
//! - `vonage_sidecar_caller_secret_total` {kind}: what callers presented; `held` is an app that still has a real secret
//! - `vonage_sidecar_own_errors_total` {code}: answers that the sidecar made itself
//! - `vonage_sidecar_probes_total` {outcome}: harmless calls made to learn whether a secret is accepted
//! - `vonage_sidecar_reloads_total` {outcome}: readings of the credentials file
//! - `vonage_sidecar_panics_total`: bugs met
//! - `vonage_sidecar_connects_total` {outcome}: what became of CONNECT on proxy listeners
//! - `vonage_sidecar_caller_connections`: callers' connections now open
//! - `vonage_sidecar_generation`: number of the snapshot in use, 0 before the first
//! - `vonage_sidecar_accounts`: accounts held
//! - `vonage_sidecar_usable_secrets` {account}: secrets of the file that no host refuses
//! - `vonage_sidecar_usable_private_keys` {application}: private keys of the file that no host refuses
//! - `vonage_sidecar_preferred_refused_seconds` {account}: how long the first secret of the file is refused, 0 if it is not
//! - `vonage_sidecar_secret_age_seconds` {account}: age of the oldest live secret at Vonage, absent when it is not known
//! - `vonage_sidecar_rotation_overdue` {account}: whether that is 90 % of `max_age` of its policy or more
//! - `vonage_sidecar_secret_drift` {account}: secrets that changed behind the sidecar's back
//! - `vonage_sidecar_rotation_step_seconds` {account, step}: how long a rotation under way is at its step
//! - `vonage_sidecar_rotations_total` {outcome}: rotations that the sidecar ran by itself
//! - `vonage_sidecar_retiring_secrets`: values held although they left the file
//! - `vonage_sidecar_credentials_file_ok`: whether the last reading of the file could be used
//! - `vonage_sidecar_credentials_last_good_age_seconds`: since the file could last be used, absent before
//! - `vonage_sidecar_upstream_connections` {host, protocol}: connections to Vonage now open
//! - `vonage_sidecar_in_flight_requests`: requests under way
//! - `vonage_sidecar_log_lines_dropped_total`: log lines lost because their reader was too slow
//! - `vonage_sidecar_build_info` {version}: always 1

use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::vonage::hosts::Host;
use crate::vonage::refusal::Verdict;

mod rotations;
mod scrape;
mod tunnels;

pub use rotations::{RotationOutcome, RotationScrape};
pub use scrape::{AccountScrape, ApplicationScrape, FileScrape, Scrape};
pub use tunnels::TunnelOutcome;

#[cfg(test)]
mod tests;

/// The media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the duration buckets, in seconds: from a local answer to a report that takes the whole
/// `answer_head` time.
const DURATIONS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

const PREFIX: &str = "vonage_sidecar";

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;

/// What became of a refusal that a second attempt might have cured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackOutcome {
    /// The second credential was accepted: the caller saw nothing.
    Accepted,
    /// The second one was refused too.
    Refused,
    /// The second attempt failed on the way.
    Failed,
    /// The body could not be sent again.
    NotReplayable,
    /// No other credential is held.
    NoOther,
    /// The account's budget of second attempts was spent.
    Budget,
    /// The row makes one attempt only for a while.
    BackedOff,
    /// The caller had left.
    CallerGone,
}

impl FallbackOutcome {
    const ALL: [Self; 8] =
        [Self::Accepted, Self::Refused, Self::Failed, Self::NotReplayable, Self::NoOther, Self::Budget, Self::BackedOff, Self::CallerGone];

    fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotReplayable => "not_replayable",
            Self::NoOther => "no_other",
            Self::Budget => "budget",
            Self::BackedOff => "backed_off",
            Self::CallerGone => "caller_gone",
        }
    }
}

/// How waiting for a newer file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOutcome {
    /// A newer file came and its credential was accepted.
    Served,
    /// Nothing newer came, or it was refused as well.
    InVain,
    /// Too many waited already.
    Full,
    /// The caller left.
    CallerGone,
}

impl HoldOutcome {
    const ALL: [Self; 4] = [Self::Served, Self::InVain, Self::Full, Self::CallerGone];

    fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::InVain => "in_vain",
            Self::Full => "full",
            Self::CallerGone => "caller_gone",
        }
    }
}

/// What a caller presented in the place of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerSecret {
    /// Something we do not hold: as it should be.
    Placeholder,
    /// A secret that we hold: this app still has the real one.
    Held,
    /// A token of its own.
    Token,
    /// Nothing.
    None,
}

impl CallerSecret {
    const ALL: [Self; 4] = [Self::Placeholder, Self::Held, Self::Token, Self::None];

    fn label(self) -> &'static str {
        match self {
            Self::Placeholder => "placeholder",
            Self::Held => "held",
            Self::Token => "token",
            Self::None => "none",
        }
    }
}

/// All counters of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Counters<2>,
    durations: Histogram,
    attempts: Counters<2>,
    fallbacks: Counters<1>,
    holds: Counters<1>,
    connects: Counters<1>,
    rotations: Counters<1>,
    caller_secrets: Counters<1>,
    own_errors: Counters<1>,
    probes: Counters<1>,
    reloads: Counters<1>,
    panics: Counter,
    connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let metrics = Self {
            requests: add(&mut registry, "requests", "Requests answered, by endpoint and status class"),
            durations: duration(&mut registry),
            attempts: add(&mut registry, "attempts", "Requests sent to Vonage and judged, by host and verdict on the credential"),
            fallbacks: add(&mut registry, "fallbacks", "Refusals, by what became of the second attempt"),
            holds: add(&mut registry, "holds", "Requests that waited for a newer credentials file, by outcome"),
            caller_secrets: add(&mut registry, "caller_secret", "What callers presented in the place of a secret"),
            own_errors: add(&mut registry, "own_errors", "Answers that the sidecar made itself, by code"),
            probes: add(&mut registry, "probes", "Harmless calls made to learn whether a secret is accepted, by outcome"),
            reloads: add(&mut registry, "reloads", "Readings of the credentials file, by outcome"),
            panics: add(&mut registry, "panics", "Bugs met: tasks that panicked"),
            connects: add(&mut registry, "connects", "What became of CONNECT on proxy listeners, by outcome"),
            rotations: add(&mut registry, "rotations", "Rotations that the sidecar ran by itself, by outcome"),
            connections: add(&mut registry, "caller_connections", "Open connections of callers"),
            registry,
        };
        for outcome in FallbackOutcome::ALL {
            drop(metrics.fallbacks.get_or_create(&[("outcome", outcome.label())]));
        }
        for outcome in HoldOutcome::ALL {
            drop(metrics.holds.get_or_create(&[("outcome", outcome.label())]));
        }
        for outcome in RotationOutcome::ALL {
            drop(metrics.rotations.get_or_create(&[("outcome", outcome.label())]));
        }
        for kind in CallerSecret::ALL {
            drop(metrics.caller_secrets.get_or_create(&[("kind", kind.label())]));
        }
        metrics
    }

    /// A request was answered with `status` after `took`.
    pub fn request(&self, endpoint: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&[("endpoint", endpoint), ("class", class(status))]).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// An attempt at `host` was judged.
    pub fn attempt(&self, host: Host, verdict: Verdict) {
        self.attempts.get_or_create(&[("host", host.name()), ("verdict", verdict_label(verdict))]).inc();
    }

    /// A refusal was dealt with.
    pub fn fallback(&self, outcome: FallbackOutcome) {
        self.fallbacks.get_or_create(&[("outcome", outcome.label())]).inc();
    }

    /// Waiting for a newer file ended.
    pub fn hold(&self, outcome: HoldOutcome) {
        self.holds.get_or_create(&[("outcome", outcome.label())]).inc();
    }

    /// A caller presented something.
    pub fn caller_secret(&self, kind: CallerSecret) {
        self.caller_secrets.get_or_create(&[("kind", kind.label())]).inc();
    }

    /// The sidecar answered by itself with `code`.
    pub fn own_error(&self, code: &'static str) {
        self.own_errors.get_or_create(&[("code", code)]).inc();
    }

    /// A probe ended.
    pub fn probe(&self, outcome: &'static str) {
        self.probes.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// The credentials file was read.
    pub fn reload(&self, outcome: &'static str) {
        self.reloads.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A caller connected. Every call has its [`Metrics::connection_closed`].
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// A caller's connection ended.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    /// A task panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// How many refusals ended like this so far.
    pub fn fallbacks(&self, outcome: FallbackOutcome) -> u64 {
        self.fallbacks.get_or_create(&[("outcome", outcome.label())]).get()
    }

    /// How many waits for a newer file ended like this so far.
    pub fn holds(&self, outcome: HoldOutcome) -> u64 {
        self.holds.get_or_create(&[("outcome", outcome.label())]).get()
    }

    /// How many tasks panicked so far.
    pub fn panics(&self) -> u64 {
        self.panics.get()
    }

    /// The whole page: what was counted, then what was gathered.
    pub fn render(&self, scrape: &Scrape) -> String {
        let gathered = scrape::gathered(scrape);
        let mut page = String::new();
        let written = encode_registry(&mut page, &self.registry)
            .and_then(|()| encode_registry(&mut page, &gathered))
            .and_then(|()| encode_eof(&mut page));
        debug_assert!(written.is_ok(), "a String takes everything");
        page
    }
}

fn add<M: Metric + Default + Clone>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn duration(registry: &mut Registry) -> Histogram {
    let histogram = Histogram::new(DURATIONS);
    registry.register("request_duration_seconds", "From the head of a request to the head of its answer", histogram.clone());
    histogram
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        // A peer may answer with any three digits.
        0 | 6.. => "other",
    }
}

fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Refused => "refused",
        Verdict::Doubtful => "doubtful",
        Verdict::Stale => "stale",
        Verdict::NoEvidence => "no_evidence",
    }
}
