//! Replaces a secret at the provider and in the credentials file, so that nobody who uses it fails.
//!
//! ```text
//! check ▶ create ▶ prove ▶ deploy ▶ converge ▶ soak ▶ revoke ▶ tidy ▶ verify ▶ done
//! ```
//!
//! Decisions: the steps ([`machine`]), which secrets take part ([`slots`]), what the sidecars' own words prove
//! ([`evidence`]), what is written down between two steps ([`mod@journal`]), why a run ends early ([`halt`]).
//! What the provider's list means for what we hold ([`drift`]), which accounts breach the policy ([`audit`]), which is
//! rotated when ([`schedule`]), what a look at an account comes to ([`observed`]), what somebody is told ([`event`]),
//! what is written down of a rotation ([`report`]), which deploy has which mark ([`lineage`]). The same for
//! key pairs of applications is [`keypair`].
//! Effects: running all of this ([`runner`]), finding and asking sidecars ([`fleet`]), keeping the journal on a disk
//! ([`journal::disk`]), calls to the provider ([`provider`]), looking at every account ([`survey`]), telling somebody
//! ([`notify`]), what a sidecar does by itself ([`rounds`]) and where it may ([`place`], [`mounts`]), delivery of a new
//! file ([`sinks`]), values of single commands that the provider may or may not know yet ([`staged`]).
//!
//! Invariants: the journal is on the disk before anything happens that it speaks of; we choose the value of a secret,
//! so it is in the journal before the provider knows it, and an answer that got lost is settled by trying the value; a
//! secret is revoked by its id, with another one that was accepted a moment ago, after every known sidecar has shown
//! that it can do without; never the last one, never one that others depend on; a call whose outcome is not known is
//! never taken for done or not done; no value is printed.
//!
//! Not here: how a value is sent with a request (`inject`), what is thought of it there (`credentials`).

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::credentials::{Keep, Label};
use crate::secret::{ApiSecret, Revision, SecretId};

pub mod audit;
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
pub mod provider;
pub mod report;
pub mod rounds;
pub mod runner;
pub mod schedule;
pub mod sinks;
pub mod slots;
pub mod staged;
pub mod survey;
mod tries;

/// A secret of which both the value and the provider's id are known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    /// The value.
    #[serde(with = "journal::value")]
    pub value: ApiSecret,
    /// The provider's id.
    pub id: SecretId,
    /// When the provider made it.
    #[serde(with = "journal::date")]
    pub created_at: Option<SystemTime>,
    /// Whether others depend on it, so that it is never revoked.
    pub keep: Keep,
    /// A word of the owner.
    pub note: Option<String>,
}

/// The secrets of one account as the credentials file has them.
#[derive(Debug, Clone)]
pub struct File {
    /// In the order of the file.
    pub items: Vec<Delivered>,
    /// The mark of the last deploy.
    pub revision: Option<Revision>,
}

/// One secret of the credentials file. Its id may be missing, or wrong.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The value.
    pub value: ApiSecret,
    /// What the file says about it.
    pub label: Label,
}

impl File {
    /// Whether the file has exactly these values, in any order.
    pub fn has_exactly<'a>(&self, values: impl IntoIterator<Item = &'a ApiSecret>) -> bool {
        let mut count = 0_usize;
        let all_here = values.into_iter().all(|value| {
            count = count.saturating_add(1);
            self.find(value).is_some()
        });
        all_here && count == self.items.len()
    }

    /// The item with this value.
    pub fn find(&self, value: &ApiSecret) -> Option<&Delivered> {
        self.items.iter().find(|item| item.value.same_as(value))
    }
}
