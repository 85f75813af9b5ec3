//! What the metrics page says about the state of the process. Pure.

use std::time::{Duration, Instant};

use super::Load;
use super::status::rotation::{Listing, Rotation};
use super::status::{File, FileState};
use crate::credentials::{Account, Application, Place, Slot, Snapshot};
use crate::metrics::{AccountScrape, ApplicationScrape, FileScrape, RotationScrape, Scrape};

/// The gauges of this moment.
pub(super) fn scrape(snapshot: &Snapshot, file: &File, load: Load, rotation: &Rotation, now: Instant) -> Scrape {
    Scrape {
        generation: snapshot.generation.0,
        accounts: snapshot.accounts.iter().map(|account| of_account(account, rotation.listings.get(account.key.as_str()), now)).collect(),
        applications: snapshot.applications.iter().map(|application| of_application(application)).collect(),
        retiring: retiring(snapshot),
        file: FileScrape {
            ok: u8::from(file.state == FileState::Ok),
            last_good: file.last_good_age_seconds.and_then(|age| Duration::try_from_secs_f64(age).ok()),
        },
        upstream: load.upstream,
        in_flight: load.in_flight,
        log_lines_dropped: load.log_lines_dropped,
    }
}

/// A secret that one host refuses is not usable, whatever another host thought of it before: after a revoke the
/// hosts learn one by one.
fn of_account(account: &Account, listing: Option<&Listing>, now: Instant) -> AccountScrape {
    let standings = account.opinion.lock();
    let in_file = || account.secrets.iter().filter(|slot| !is_retiring(slot));
    let preferred = in_file().next().and_then(|slot| standings.refused_since(slot.uid));
    AccountScrape {
        key: account.key.to_string(),
        usable: in_file().filter(|slot| standings.refused_since(slot.uid).is_none()).count(),
        preferred_refused: preferred.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
        rotation: listing.map(of_listing),
    }
}

fn of_listing(listing: &Listing) -> RotationScrape {
    RotationScrape {
        secret_age_seconds: listing.oldest_secret_seconds,
        overdue: u8::from(listing.overdue),
        drift: listing.drift.len(),
        step: listing.step.clone().zip(listing.step_seconds),
    }
}

/// The same rule as for secrets.
fn of_application(application: &Application) -> ApplicationScrape {
    let standings = application.opinion.lock();
    let usable = application.keys.iter().filter(|slot| !is_retiring(slot) && standings.refused_since(slot.uid).is_none());
    ApplicationScrape { id: application.id.to_string(), usable: usable.count() }
}

fn retiring(snapshot: &Snapshot) -> usize {
    let accounts = snapshot.accounts.iter().map(|account| count_retiring(&account.secrets) + count_retiring(&account.signatures));
    let applications = snapshot.applications.iter().map(|application| count_retiring(&application.keys));
    accounts.chain(applications).sum()
}

fn count_retiring<V>(slots: &[Slot<V>]) -> usize {
    slots.iter().filter(|slot| is_retiring(slot)).count()
}

fn is_retiring<V>(slot: &Slot<V>) -> bool {
    match slot.place {
        Place::File(_) => false,
        Place::Retiring { .. } => true,
    }
}
