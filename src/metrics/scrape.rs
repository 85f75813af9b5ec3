//! What the page shows of the moment: gauges that are gathered when it is asked for, so that what is gone is gone from it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::rotations::{self, RotationScrape};
use super::{Labels, PREFIX, add, count};
use crate::vonage::hosts::Host;

/// What can be read off the process when the page is asked for.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// Number of the snapshot in use; 0 before the first.
    pub generation: u64,
    /// One entry for each account held.
    pub accounts: Vec<AccountScrape>,
    /// One entry for each application held.
    pub applications: Vec<ApplicationScrape>,
    /// Values held although they left the file.
    pub retiring: usize,
    /// The credentials file.
    pub file: FileScrape,
    /// Open connections to Vonage: host, protocol, how many.
    pub upstream: Vec<(Host, &'static str, u64)>,
    /// Requests under way.
    pub in_flight: u64,
    /// Log lines lost so far.
    pub log_lines_dropped: u64,
}

/// One account, as far as an alert needs it.
#[derive(Debug, Clone)]
pub struct AccountScrape {
    /// Its key.
    pub key: String,
    /// Secrets of the file that no host refuses.
    pub usable: usize,
    /// How long the first secret of the file is refused; zero if it is not.
    pub preferred_refused: Duration,
    /// What the provider's list says; none when it was not asked for.
    pub rotation: Option<RotationScrape>,
}

/// One application, as far as an alert needs it.
#[derive(Debug, Clone)]
pub struct ApplicationScrape {
    /// Its id.
    pub id: String,
    /// Private keys of the file that no host refuses.
    pub usable: usize,
}

/// How reading the credentials file goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileScrape {
    /// 1 when the last reading could be used, else 0.
    pub ok: u8,
    /// How long since one could be used; none before the first.
    pub last_good: Option<Duration>,
}

/// A registry of the moment: an account that is gone is gone from the page, too.
pub(super) fn gathered(scrape: &Scrape) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    add::<Gauge<u64, AtomicU64>>(&mut registry, "generation", "Number of the snapshot in use, 0 before the first").set(scrape.generation);
    add::<Gauge<u64, AtomicU64>>(&mut registry, "accounts", "Accounts held").set(count(scrape.accounts.len()));
    let usable: Family<[(&'static str, String); 1], Gauge<u64, AtomicU64>> =
        add(&mut registry, "usable_secrets", "Secrets of the file that no host refuses");
    let refused: Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>> =
        add(&mut registry, "preferred_refused_seconds", "How long the first secret of the file is refused, 0 if it is not");
    for account in &scrape.accounts {
        usable.get_or_create(&[("account", account.key.clone())]).set(count(account.usable));
        refused.get_or_create(&[("account", account.key.clone())]).set(account.preferred_refused.as_secs_f64());
    }
    rotations::gather(&mut registry, &scrape.accounts);
    let keys: Family<[(&'static str, String); 1], Gauge<u64, AtomicU64>> =
        add(&mut registry, "usable_private_keys", "Private keys of the file that no host refuses");
    for application in &scrape.applications {
        keys.get_or_create(&[("application", application.id.clone())]).set(count(application.usable));
    }
    add::<Gauge<u64, AtomicU64>>(&mut registry, "retiring_secrets", "Values held although they left the file").set(count(scrape.retiring));
    add::<Gauge<u64, AtomicU64>>(&mut registry, "credentials_file_ok", "Whether the last reading of the credentials file could be used")
        .set(u64::from(scrape.file.ok));
    if let Some(age) = scrape.file.last_good {
        add::<Gauge<f64, AtomicU64>>(&mut registry, "credentials_last_good_age_seconds", "Since the credentials file could last be used")
            .set(age.as_secs_f64());
    }
    let upstream: Family<Labels<2>, Gauge<u64, AtomicU64>> = add(&mut registry, "upstream_connections", "Open connections to Vonage");
    for (host, protocol, open) in &scrape.upstream {
        upstream.get_or_create(&[("host", host.name()), ("protocol", protocol)]).set(*open);
    }
    add::<Gauge<u64, AtomicU64>>(&mut registry, "in_flight_requests", "Requests under way").set(scrape.in_flight);
    registry.register("log_lines_dropped", "Log lines lost because their reader was too slow", ConstCounter::new(scrape.log_lines_dropped));
    let build: Family<Labels<1>, Gauge> = add(&mut registry, "build_info", "The version, always 1");
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    registry
}
