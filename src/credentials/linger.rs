//! What a new file does to what is held: the next snapshot, and what changed in words. Pure: `now` is an argument.
//!
//! Invariants:
//! - A value that stays keeps its [`Uid`], its usage and its account's opinion, wherever in the file it moves.
//! - Whatever disappears lingers for the time to retire, so that half a file, or the wrong one, cuts nobody off. Only
//!   what the provider refuses everywhere it was tried goes at once.
//! - What comes back to the file stops retiring. The instant at which something is dropped never moves back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::change::{Change, Event, Kind, Owner, Subject};
use super::file::{AccountEntry, ApplicationEntry, Item, Parsed};
use super::standing::Standings;
use super::store::Opinion;
use super::usage::Usage;
use super::{Account, Application, Basic, Generation, Membership, Place, SignatureMethod, Slot, Snapshot, Uid};
use crate::jwt::Signer;
use crate::secret::SignatureSecret;

/// Most values of a kind that retire at once. A provider has two; more come only from a file that is rewritten
/// without end, and must not fill the memory. Those that were used are kept first, then the newest.
const MOST_RETIRING: usize = 8;

/// The snapshot that follows `previous` when the file says `parsed`, and what changed. `next_uid` is the next unused
/// name of a value; `retire` is how long what disappears is kept, zero dropping it at once.
pub fn succeed(previous: &Snapshot, parsed: Parsed, retire: Duration, now: Instant, next_uid: &mut u64) -> (Snapshot, Vec<Change>) {
    let mut step = Step { retire, now, next_uid, changes: Vec::new() };
    let mut accounts: Vec<Arc<Account>> = Vec::with_capacity(parsed.accounts.len());
    for entry in parsed.accounts {
        let before = previous.accounts.iter().find(|account| account.key == entry.key);
        accounts.push(Arc::new(step.listed_account(before.map(AsRef::as_ref), entry)));
    }
    let gone = previous.accounts.iter().filter(|before| !accounts.iter().any(|account| account.key == before.key));
    let lingering: Vec<_> = gone.filter_map(|before| step.lingering_account(before)).map(Arc::new).collect();
    accounts.extend(lingering);

    let mut applications: Vec<Arc<Application>> = Vec::with_capacity(parsed.applications.len());
    for entry in parsed.applications {
        let before = previous.applications.iter().find(|application| application.id == entry.id);
        applications.push(Arc::new(step.listed_application(before.map(AsRef::as_ref), entry)));
    }
    let gone = previous.applications.iter().filter(|before| !applications.iter().any(|application| application.id == before.id));
    let lingering: Vec<_> = gone.filter_map(|before| step.lingering_application(&accounts, before)).map(Arc::new).collect();
    applications.extend(lingering);

    let changes = step.changes;
    let generation = Generation(previous.generation.0 + 1);
    (Snapshot { generation, revision: parsed.revision, accounts, applications, published: Some(now) }, changes)
}

/// The snapshot without what has retired by `now` and without retiring values that the provider refuses, with what
/// went. None when everything stays.
pub fn prune(snapshot: &Snapshot, now: Instant) -> Option<(Snapshot, Vec<Change>)> {
    let mut changes = Vec::new();
    let mut accounts = Vec::with_capacity(snapshot.accounts.len());
    for account in &snapshot.accounts {
        let owner = Owner::Account(account.key.clone());
        let secrets = remaining(&account.secrets, Kind::Secret, &owner, &account.opinion, now, &mut changes);
        let signatures = remaining(&account.signatures, Kind::Signature, &owner, &account.signature_opinion, now, &mut changes);
        if secrets.is_empty() || has_retired(account.place, now) {
            changes.push(Change { owner, subject: Subject::Itself, event: Event::Dropped });
        } else {
            accounts.push(Arc::new(Account { secrets, signatures, ..Account::clone(account) }));
        }
    }
    let mut applications = Vec::with_capacity(snapshot.applications.len());
    for application in &snapshot.applications {
        let owner = Owner::Application(application.id.clone());
        let keys = remaining(&application.keys, Kind::Key, &owner, &application.opinion, now, &mut changes);
        let account_is_held = accounts.iter().any(|account| account.key == application.account);
        let is_needless = application.place != Membership::Listed && (keys.is_empty() || !account_is_held);
        if is_needless || has_retired(application.place, now) {
            changes.push(Change { owner, subject: Subject::Itself, event: Event::Dropped });
        } else {
            applications.push(Arc::new(Application { keys, ..Application::clone(application) }));
        }
    }
    let generation = Generation(snapshot.generation.0 + 1);
    let next = Snapshot { generation, accounts, applications, published: Some(now), ..snapshot.clone() };
    (!changes.is_empty()).then_some((next, changes))
}

/// When the next value, account or application of the snapshot is to be dropped.
pub fn next_end(snapshot: &Snapshot) -> Option<Instant> {
    let values = snapshot.accounts.iter().flat_map(|account| ends(&account.secrets).chain(ends(&account.signatures)));
    let keys = snapshot.applications.iter().flat_map(|application| ends(&application.keys));
    let places =
        snapshot.accounts.iter().map(|account| account.place).chain(snapshot.applications.iter().map(|application| application.place));
    let owners = places.filter_map(|place| match place {
        Membership::Listed => None,
        Membership::Lingering { until } => Some(until),
    });
    values.chain(keys).chain(owners).min()
}

fn ends<V>(slots: &[Slot<V>]) -> impl Iterator<Item = Instant> {
    slots.iter().filter_map(|slot| match slot.place {
        Place::File(_) => None,
        Place::Retiring { until } => Some(until),
    })
}

/// Whether the file says less than what was published from it, and nothing new in its place: an account, an
/// application, a value or a setting is gone. So does every cut of a file that is being written in place.
pub fn loses(previous: &Snapshot, parsed: &Parsed) -> bool {
    let accounts = previous.accounts.iter().filter(|account| account.place == Membership::Listed);
    let applications = previous.applications.iter().filter(|application| application.place == Membership::Listed);
    (previous.revision.is_some() && parsed.revision.is_none())
        || accounts.into_iter().any(|account| match parsed.accounts.iter().find(|entry| entry.key == account.key) {
            Some(entry) => account_loses(account, entry),
            None => true,
        })
        || applications.into_iter().any(|application| match parsed.applications.iter().find(|entry| entry.id == application.id) {
            Some(entry) => shrinks(&application.keys, &entry.keys, |held, read| held.key.same_as(read)),
            None => true,
        })
}

fn account_loses(account: &Account, entry: &AccountEntry) -> bool {
    shrinks(&account.secrets, &entry.secrets, |held, read| held.secret.same_as(read))
        || shrinks(&account.signatures, &entry.signatures, SignatureSecret::same_as)
        || (account.signature_method != entry.signature_method && entry.signature_method == SignatureMethod::default())
        || (account.primary.is_some() && entry.primary.is_none())
}

fn shrinks<V, W>(before: &[Slot<V>], read: &[Item<W>], same: impl Fn(&V, &W) -> bool) -> bool {
    let listed = || before.iter().filter(|slot| matches!(slot.place, Place::File(_)));
    read.len() < listed().count() && read.iter().all(|item| listed().any(|slot| same(&slot.value, &item.value)))
}

/// Makes every owner forget what it thinks of values that the snapshot no longer holds.
pub fn forget(snapshot: &Snapshot) {
    for keyring in snapshot.keyrings() {
        let held: HashSet<Uid> = keyring.items().map(|item| item.uid).collect();
        keyring.opinion().lock().retain(|uid| held.contains(&uid));
    }
}

fn has_retired(place: Membership, now: Instant) -> bool {
    match place {
        Membership::Listed => false,
        Membership::Lingering { until } => until <= now,
    }
}

/// The values that stay, and a change for each that does not.
fn remaining<V: Held>(
    slots: &[Slot<V>],
    kind: Kind,
    owner: &Owner,
    opinion: &Opinion,
    now: Instant,
    changes: &mut Vec<Change>,
) -> Vec<Slot<V>> {
    let standings = opinion.lock();
    let stays = |slot: &Slot<V>| match slot.place {
        Place::File(_) => true,
        Place::Retiring { until } => until > now && !standings.refused_everywhere(slot.uid),
    };
    for (index, slot) in slots.iter().enumerate().filter(|(_, slot)| !stays(slot)) {
        changes.push(Change::of_value(owner, kind, slot, index, Event::Dropped));
    }
    slots.iter().filter(|slot| stays(slot)).cloned().collect()
}

/// One publication in the making.
struct Step<'a> {
    retire: Duration,
    now: Instant,
    next_uid: &'a mut u64,
    changes: Vec<Change>,
}

impl Step<'_> {
    fn listed_account(&mut self, before: Option<&Account>, entry: AccountEntry) -> Account {
        let AccountEntry { key, secrets, signatures, signature_method, primary } = entry;
        let owner = Owner::Account(key.clone());
        self.arrives(&owner, before.map(|before| before.place));
        if before.is_some_and(|before| before.signature_method != signature_method || before.primary != primary) {
            self.changes.push(Change { owner: owner.clone(), subject: Subject::Itself, event: Event::Changed });
        }
        let opinion = before.map_or_else(Arc::default, |before| Arc::clone(&before.opinion));
        let secrets = secrets.into_iter().map(|item| Item { value: Basic::new(&key, item.value), label: item.label }).collect();
        let signature_opinion = before.map_or_else(Arc::default, |before| Arc::clone(&before.signature_opinion));
        let secrets = self.values(&owner, Kind::Secret, before.map(|before| before.secrets.as_slice()), secrets, &opinion.lock());
        let known = before.map(|before| before.signatures.as_slice());
        let signatures = self.values(&owner, Kind::Signature, known, signatures, &signature_opinion.lock());
        Account { key, secrets, signatures, signature_method, primary, place: Membership::Listed, opinion, signature_opinion }
    }

    fn lingering_account(&mut self, before: &Account) -> Option<Account> {
        let standings = before.opinion.lock();
        let secrets: Vec<_> = before.secrets.iter().filter_map(|slot| self.retired(slot, &standings)).collect();
        drop(standings);
        let standings = before.signature_opinion.lock();
        let signatures = before.signatures.iter().filter_map(|slot| self.retired(slot, &standings)).collect();
        drop(standings);
        let place = self.leaves(&Owner::Account(before.key.clone()), before.place, secrets.is_empty())?;
        Some(Account { secrets, signatures, place, ..before.clone() })
    }

    fn listed_application(&mut self, before: Option<&Application>, entry: ApplicationEntry) -> Application {
        let ApplicationEntry { id, account, keys } = entry;
        let owner = Owner::Application(id.clone());
        self.arrives(&owner, before.map(|before| before.place));
        if before.is_some_and(|before| before.account != account) {
            self.changes.push(Change { owner: owner.clone(), subject: Subject::Itself, event: Event::Changed });
        }
        let opinion = before.map_or_else(Arc::default, |before| Arc::clone(&before.opinion));
        let keys = keys.into_iter().map(|item| Item { value: Signer::new(&id, item.value), label: item.label }).collect();
        let keys = self.values(&owner, Kind::Key, before.map(|before| before.keys.as_slice()), keys, &opinion.lock());
        let handed_out = before.map_or_else(Arc::default, |before| Arc::clone(&before.handed_out));
        Application { id, account, keys, place: Membership::Listed, opinion, handed_out }
    }

    /// An application without its account cannot be used: it goes with it.
    fn lingering_application(&mut self, accounts: &[Arc<Account>], before: &Application) -> Option<Application> {
        let standings = before.opinion.lock();
        let keys: Vec<_> = before.keys.iter().filter_map(|slot| self.retired(slot, &standings)).collect();
        drop(standings);
        let is_useless = keys.is_empty() || !accounts.iter().any(|account| account.key == before.account);
        let place = self.leaves(&Owner::Application(before.id.clone()), before.place, is_useless)?;
        Some(Application { keys, place, ..before.clone() })
    }

    fn arrives(&mut self, owner: &Owner, before: Option<Membership>) {
        let event = match before {
            None => Event::Added,
            Some(Membership::Lingering { .. }) => Event::Returned,
            Some(Membership::Listed) => return,
        };
        self.changes.push(Change { owner: owner.clone(), subject: Subject::Itself, event });
    }

    /// Where an account or application that is not in the file stands now; none when it is dropped.
    fn leaves(&mut self, owner: &Owner, before: Membership, is_empty: bool) -> Option<Membership> {
        let (until, event) = match before {
            Membership::Listed => (self.now + self.retire, Some(Event::Retires)),
            Membership::Lingering { until } => (until, None),
        };
        let stays = until > self.now && !is_empty;
        let event = if stays { event } else { Some(Event::Dropped) };
        self.changes.extend(event.map(|event| Change { owner: owner.clone(), subject: Subject::Itself, event }));
        stays.then_some(Membership::Lingering { until })
    }

    /// The values of the file under their old names, then those that retire. `before` is none when the owner is new.
    fn values<V: Held>(
        &mut self,
        owner: &Owner,
        kind: Kind,
        before: Option<&[Slot<V>]>,
        items: Vec<Item<V>>,
        standings: &Standings,
    ) -> Vec<Slot<V>> {
        let known = before.unwrap_or_default();
        let mut changes = Vec::new();
        let mut slots: Vec<Slot<V>> = Vec::with_capacity(items.len());
        for (position, item) in items.into_iter().enumerate() {
            let held = known.iter().find(|slot| slot.value.same_as(&item.value));
            let event = match held {
                None => Some(Event::Added),
                Some(Slot { place: Place::Retiring { .. }, .. }) => Some(Event::Returned),
                Some(slot) => (slot.label != item.label).then_some(Event::Changed),
            };
            let slot = self.listed(held, item, position);
            changes.extend(event.map(|event| Change::of_value(owner, kind, &slot, position, event)));
            slots.push(slot);
        }
        if is_reordered(known, &slots) {
            changes.push(Change { owner: owner.clone(), subject: Subject::Values(kind), event: Event::Reordered });
        }
        let mut retiring: Vec<Slot<V>> = Vec::new();
        for (index, slot) in known.iter().enumerate().filter(|(_, slot)| !slots.iter().any(|listed| listed.uid == slot.uid)) {
            let retired = self.retired(slot, standings);
            let event = match (&retired, slot.place) {
                (None, _) => Some(Event::Dropped),
                (Some(_), Place::File(_)) => Some(Event::Retires),
                (Some(_), Place::Retiring { .. }) => None,
            };
            changes.extend(event.map(|event| Change::of_value(owner, kind, slot, index, event)));
            retiring.extend(retired);
        }
        retiring.sort_by_key(|slot| slot.usage.figures(self.now).unused_for.is_none());
        retiring.truncate(MOST_RETIRING);
        slots.extend(retiring);
        if before.is_some() {
            self.changes.extend(changes);
        }
        slots
    }

    fn listed<V: Held>(&mut self, held: Option<&Slot<V>>, item: Item<V>, position: usize) -> Slot<V> {
        let place = Place::File(position);
        if let Some(slot) = held {
            return Slot { label: item.label, place, ..slot.clone() };
        }
        let uid = Uid(*self.next_uid);
        *self.next_uid += 1;
        Slot { uid, value: item.value, label: item.label, place, usage: Arc::new(Usage::new(self.now)) }
    }

    /// The slot of a value that is not in the file; none when it is dropped.
    fn retired<V: Held>(&self, slot: &Slot<V>, standings: &Standings) -> Option<Slot<V>> {
        let until = match slot.place {
            Place::File(_) => self.now + self.retire,
            Place::Retiring { until } => until,
        };
        let stays = until > self.now && !standings.refused_everywhere(slot.uid);
        stays.then(|| Slot { place: Place::Retiring { until }, ..slot.clone() })
    }
}

/// Whether the values that are in both files stand in another order.
fn is_reordered<V>(before: &[Slot<V>], after: &[Slot<V>]) -> bool {
    let stood: Vec<Uid> = before.iter().filter(|slot| matches!(slot.place, Place::File(_))).map(|slot| slot.uid).collect();
    let stands: Vec<Uid> = after.iter().map(|slot| slot.uid).filter(|uid| stood.contains(uid)).collect();
    stood.iter().filter(|uid| stands.contains(uid)).ne(stands.iter())
}

/// A kind of value, compared without telling where two differ.
trait Held: Clone {
    fn same_as(&self, other: &Self) -> bool;
}

impl Held for Basic {
    fn same_as(&self, other: &Self) -> bool {
        self.secret.same_as(&other.secret)
    }
}

impl Held for SignatureSecret {
    fn same_as(&self, other: &Self) -> bool {
        Self::same_as(self, other)
    }
}

impl Held for Signer {
    fn same_as(&self, other: &Self) -> bool {
        self.key.same_as(&other.key)
    }
}

#[cfg(test)]
mod tests;
