//! Replaces credentials, so that nobody who uses them fails: a secret at the provider and in the credentials file, or the
//! key pair of an application.
//!
//! One driver ([`machine`]) goes the way from the first step to the last, through crashes and lost answers; what the steps
//! are is a list beside it for each kind:
//!
//! ```text
//! secrets   check ▶ create ▶ prove ▶ deploy ▶ converge ▶ soak ▶ revoke ▶ tidy ▶ verify ▶ done
//! key pairs check ▶ deploy ▶ spread ▶ put ▶ prove ▶ converge ▶ drop ▶ done
//! ```
//!
//! Decisions of every kind: the driver ([`machine`]), what it asks to be done ([`effect`]) and how often what fails is
//! ([`tries`]), what the sidecars' own words prove ([`evidence`]), what is written down between two steps
//! ([`mod@journal`]), what is asked for ([`plan`]), why a run ends early ([`halt`]). Of one kind: [`secrets`], [`keypair`].
//! What the provider's list means for what we hold ([`drift`]), which accounts breach the policy ([`audit`]), which is
//! rotated when ([`schedule`]), what a look at an account comes to ([`observed`]), what somebody is told ([`event`]),
//! what is written down of a rotation ([`report`]), which deploy has which mark ([`lineage`]).
//! Effects: running all of this ([`runner`]), finding and asking sidecars ([`fleet`]), keeping the journal on a disk
//! ([`journal::disk`]), calls to the provider ([`provider`]), looking at every account ([`survey`]), telling somebody
//! ([`notify`]), finding what was begun ([`begun`]), what a sidecar does by itself ([`rounds`]) and where it may
//! ([`place`], [`mounts`]), delivery of a new file ([`sinks`]), running a program for any of them ([`program`]), values of
//! single commands that the provider may or may not know yet ([`staged`]).
//!
//! Invariants: the journal is on the disk before anything happens that it speaks of; we choose the value of a secret,
//! so it is in the journal before the provider knows it, and an answer that got lost is settled by trying the value; a
//! secret is revoked by its id, with another one that was accepted a moment ago, after every known sidecar has shown
//! that it can do without; never the last one, never one that others depend on; a call whose outcome is not known is
//! never taken for done or not done; no value is printed.
//!
//! Not here: how a value is sent with a request (`inject`), what is thought of it there (`credentials`).

use std::fmt::Debug;

pub use crate::credentials::file::Item as Delivered;
use crate::jwt::SigningKey;
use crate::secret::{ApiSecret, Revision};

pub mod audit;
pub mod begun;
pub mod drift;
pub mod effect;
pub mod event;
pub mod evidence;
pub mod fleet;
pub mod halt;
pub mod journal;
pub mod keypair;
pub mod lineage;
pub mod machine;
pub mod mounts;
pub mod notify;
pub mod observed;
pub mod place;
pub mod plan;
mod program;
pub mod provider;
pub mod report;
pub mod rounds;
pub mod runner;
pub mod schedule;
pub mod secrets;
pub mod sinks;
pub mod staged;
pub mod survey;
mod tries;

/// A value of a credential.
pub trait Value: Debug + Clone {
    /// Whether it is the same one.
    fn same_as(&self, other: &Self) -> bool;
}

impl Value for ApiSecret {
    fn same_as(&self, other: &Self) -> bool {
        Self::same_as(self, other)
    }
}

impl Value for SigningKey {
    fn same_as(&self, other: &Self) -> bool {
        Self::same_as(self, other)
    }
}

/// The values of one account or application as the credentials file has them. Their ids may be missing, or wrong.
#[derive(Debug, Clone)]
pub struct File<V> {
    /// In the order of the file.
    pub items: Vec<Delivered<V>>,
    /// The mark of the last deploy.
    pub revision: Option<Revision>,
}

impl<V: Value> File<V> {
    /// Whether the file has exactly these values, in any order.
    pub fn has_exactly<'a>(&self, values: impl IntoIterator<Item = &'a V>) -> bool
    where
        V: 'a,
    {
        let mut count = 0_usize;
        let all_here = values.into_iter().all(|value| {
            count = count.saturating_add(1);
            self.find(value).is_some()
        });
        all_here && count == self.items.len()
    }

    /// Whether it has this mark and exactly these values.
    pub fn is_deployed<'a>(&self, revision: &Revision, values: impl IntoIterator<Item = &'a V>) -> bool
    where
        V: 'a,
    {
        self.revision.as_ref() == Some(revision) && self.has_exactly(values)
    }

    /// The item with this value.
    pub fn find(&self, value: &V) -> Option<&Delivered<V>> {
        self.items.iter().find(|item| item.value.same_as(value))
    }
}
