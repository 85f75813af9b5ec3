//! The `/status` document of a moment: from a snapshot, [`Facts`] and `now`. Pure.

use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use super::rotation::Rotation;
use super::{Account, Application, Listener, Presence, SCHEMA, Standing, Status, Value};
use crate::admin::ReloadView;
use crate::admin::age::seconds;
use crate::credentials::standing::{self, Standings};
use crate::credentials::{self, Keep, Membership, Place, Slot, Snapshot};

/// What a document says beside the snapshot.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Facts {
    /// Another one after each start of the process.
    pub(in crate::admin) boot_id: String,
    /// Since it started.
    pub(in crate::admin) uptime: Duration,
    /// The date, for what ends by the calendar.
    pub(in crate::admin) date: SystemTime,
    /// Whether it is ending.
    pub(in crate::admin) draining: bool,
    /// How reading the credentials file goes.
    pub(in crate::admin) reloads: ReloadView,
    /// Where the process listens.
    pub(in crate::admin) listeners: Vec<Listener>,
    /// What is known of rotation.
    pub(in crate::admin) rotation: Rotation,
}

impl Status {
    /// The document of this moment.
    pub(in crate::admin) fn of(snapshot: &Snapshot, facts: Facts, now: Instant) -> Self {
        Self {
            schema: SCHEMA,
            boot_id: facts.boot_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: seconds(facts.uptime),
            draining: facts.draining,
            generation: snapshot.generation.0,
            revision: snapshot.revision.as_ref().map(ToString::to_string),
            credentials: facts.reloads.file,
            accounts: snapshot.accounts.iter().map(|account| Account::of(account, &facts.rotation, now)).collect(),
            applications: snapshot.applications.iter().map(|application| Application::of(application, now, facts.date)).collect(),
            reloads: facts.reloads.history,
            listeners: facts.listeners,
            schedule: facts.rotation.schedule,
        }
    }
}

impl Account {
    fn of(account: &credentials::Account, rotation: &Rotation, now: Instant) -> Self {
        let (membership, lingering_seconds) = presence(account.place, now);
        let standings = account.opinion.lock();
        let signature_standings = account.signature_opinion.lock();
        Self {
            key: account.key.to_string(),
            listing: rotation.listings.get(account.key.as_str()).cloned(),
            membership,
            lingering_seconds,
            secrets: account.secrets.iter().map(|slot| Value::of(slot, &standings, now)).collect(),
            signature_secrets: account.signatures.iter().map(|slot| Value::of(slot, &signature_standings, now)).collect(),
        }
    }
}

impl Application {
    fn of(application: &credentials::Application, now: Instant, date: SystemTime) -> Self {
        let (membership, lingering_seconds) = presence(application.place, now);
        let standings = application.opinion.lock();
        Self {
            id: application.id.to_string(),
            account: application.account.to_string(),
            membership,
            lingering_seconds,
            private_keys: application.keys.iter().map(|slot| Value::of(slot, &standings, now)).collect(),
            client_tokens: application.handed_out.lock().unwrap_or_else(PoisonError::into_inner).alive(date),
        }
    }
}

impl Value {
    fn of<V>(slot: &Slot<V>, standings: &Standings, now: Instant) -> Self {
        let figures = slot.usage.figures(now);
        let (position, retiring_seconds) = match slot.place {
            Place::File(position) => (Some(position), None),
            Place::Retiring { until } => (None, Some(seconds(until.saturating_duration_since(now)))),
        };
        let known = standings.hosts(slot.uid);
        Self {
            id: slot.label.id.as_ref().map(ToString::to_string),
            position,
            retiring_seconds,
            keep: slot.label.keep == Keep::Yes,
            note: slot.label.note.clone(),
            created_at: slot.label.created_at.map(|at| humantime::format_rfc3339_seconds(at).to_string()),
            standing: known.into_iter().map(|(host, standing)| (host.to_string(), standing.into())).collect(),
            last_used_seconds: figures.unused_for.map(seconds),
            last_accepted_seconds: figures.accepted_ago.map(seconds),
            in_flight: figures.in_flight,
            served: figures.served,
        }
    }
}

fn presence(place: Membership, now: Instant) -> (Presence, Option<f64>) {
    match place {
        Membership::Listed => (Presence::Listed, None),
        Membership::Lingering { until } => (Presence::Lingering, Some(seconds(until.saturating_duration_since(now)))),
    }
}

impl From<standing::Standing> for Standing {
    fn from(standing: standing::Standing) -> Self {
        match standing {
            standing::Standing::Untested => Self::Untested,
            standing::Standing::Good => Self::Good,
            standing::Standing::Suspect => Self::Suspect,
            standing::Standing::Refused => Self::Refused,
        }
    }
}
