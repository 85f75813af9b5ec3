//! The values of one kind that one owner holds: what a request chooses among, whatever kind of credential it needs.
//!
//! An account has two (API secrets, signature secrets), an application one (private keys). Choosing, learning and
//! falling back are the same for all of them, so they are written once, for a keyring.

use std::sync::Arc;
use std::{fmt, slice};

use super::change::Kind;
use super::standing::{Candidate, Few};
use super::store::Opinion;
use super::usage::Usage;
use super::{Account, Application, Basic, Label, Membership, Place, Slot, Snapshot, Uid};
use crate::jwt::Signer;
use crate::secret::{ApiKey, ApplicationId, SecretId, SignatureSecret};

/// Names a keyring in every snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The API secrets of an account.
    Secrets(ApiKey),
    /// The signature secrets of an account.
    Signatures(ApiKey),
    /// The private keys of an application.
    Keys(ApplicationId),
}

/// A keyring of one snapshot.
#[derive(Debug, Clone)]
pub enum Keyring {
    /// The API secrets of an account.
    Secrets(Arc<Account>),
    /// The signature secrets of an account.
    Signatures(Arc<Account>),
    /// The private keys of an application.
    Keys(Arc<Application>),
}

/// One value of a keyring, without the value.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Our name of it.
    pub uid: Uid,
    /// Where it stands.
    pub place: Place,
    /// What the file says about it.
    pub label: &'a Label,
    /// What it was used for.
    pub usage: &'a Arc<Usage>,
}

/// How a value is called: by the provider's id, else by its place. Text is made of it only where it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// The id.
    ById(SecretId),
    /// Where it stands in the file.
    ByPlace(Kind, usize),
    /// It left the file.
    Retiring,
    /// It is not held any more.
    Gone,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ById(id) => write!(f, "{id}"),
            Self::ByPlace(Kind::Secret, position) => write!(f, "secrets[{position}]"),
            Self::ByPlace(Kind::Signature, position) => write!(f, "signature_secrets[{position}]"),
            Self::ByPlace(Kind::Key, position) => write!(f, "private_keys[{position}]"),
            Self::Retiring => f.write_str("retiring"),
            Self::Gone => f.write_str("gone"),
        }
    }
}

/// The values of a keyring, one after the other.
#[derive(Debug, Clone)]
pub enum Items<'a> {
    /// API secrets.
    Secrets(slice::Iter<'a, Slot<Basic>>),
    /// Signature secrets.
    Signatures(slice::Iter<'a, Slot<SignatureSecret>>),
    /// Private keys.
    Keys(slice::Iter<'a, Slot<Signer>>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Secrets(slots) => slots.next().map(item),
            Self::Signatures(slots) => slots.next().map(item),
            Self::Keys(slots) => slots.next().map(item),
        }
    }
}

fn item<V>(slot: &Slot<V>) -> Item<'_> {
    Item { uid: slot.uid, place: slot.place, label: &slot.label, usage: &slot.usage }
}

impl Keyring {
    /// All its values, in the order in which they are held.
    pub fn items(&self) -> Items<'_> {
        match self {
            Self::Secrets(account) => Items::Secrets(account.secrets.iter()),
            Self::Signatures(account) => Items::Signatures(account.signatures.iter()),
            Self::Keys(application) => Items::Keys(application.keys.iter()),
        }
    }

    /// One of them.
    pub fn item(&self, uid: Uid) -> Option<Item<'_>> {
        self.items().find(|item| item.uid == uid)
    }

    /// All of them as far as ordering goes.
    pub fn candidates(&self) -> Few<Candidate> {
        self.items().map(|item| Candidate { uid: item.uid, place: item.place }).collect()
    }

    /// What is thought of them.
    pub fn opinion(&self) -> &Arc<Opinion> {
        match self {
            Self::Secrets(account) => &account.opinion,
            Self::Signatures(account) => &account.signature_opinion,
            Self::Keys(application) => &application.opinion,
        }
    }

    /// The kind of its values.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Secrets(_) => Kind::Secret,
            Self::Signatures(_) => Kind::Signature,
            Self::Keys(_) => Kind::Key,
        }
    }

    /// The account that all of it belongs to.
    pub fn account(&self) -> &ApiKey {
        match self {
            Self::Secrets(account) | Self::Signatures(account) => &account.key,
            Self::Keys(application) => &application.account,
        }
    }

    /// The application that it belongs to, if it is one's.
    pub fn application(&self) -> Option<&ApplicationId> {
        match self {
            Self::Secrets(_) | Self::Signatures(_) => None,
            Self::Keys(application) => Some(&application.id),
        }
    }

    /// A name for a value in logs and answers.
    pub fn name(&self, uid: Uid) -> Called {
        let Some(item) = self.item(uid) else { return Called::Gone };
        match (&item.label.id, item.place) {
            (Some(id), Place::File(_) | Place::Retiring { .. }) => Called::ById(id.clone()),
            (None, Place::File(position)) => Called::ByPlace(self.kind(), position),
            (None, Place::Retiring { .. }) => Called::Retiring,
        }
    }
}

impl Snapshot {
    /// The keyring with this name, if its owner is held.
    pub fn keyring(&self, name: &Name) -> Option<Keyring> {
        match name {
            Name::Secrets(key) => self.account(key.as_str()).cloned().map(Keyring::Secrets),
            Name::Signatures(key) => self.account(key.as_str()).cloned().map(Keyring::Signatures),
            Name::Keys(id) => self.application(id.as_str()).cloned().map(Keyring::Keys),
        }
    }

    /// Every keyring that holds anything.
    pub fn keyrings(&self) -> impl Iterator<Item = Keyring> {
        let secrets = self.accounts.iter().cloned().map(Keyring::Secrets);
        let signatures = self.accounts.iter().filter(|account| !account.signatures.is_empty()).cloned().map(Keyring::Signatures);
        let keys = self.applications.iter().filter(|application| !application.keys.is_empty()).cloned().map(Keyring::Keys);
        secrets.chain(signatures).chain(keys)
    }
}

impl Account {
    /// Whether its requests are signed where the provider takes a signature: as long as the file says so. A signature
    /// secret that retires is held for requests under way, and does not keep an account signing that was told to stop.
    pub fn signs(&self) -> bool {
        let is_listed = |slot: &Slot<_>| matches!(slot.place, Place::File(_));
        match self.place {
            Membership::Listed => self.signatures.iter().any(is_listed),
            Membership::Lingering { .. } => !self.signatures.is_empty(),
        }
    }
}
