//! Replaces the key pair of an application, so that no request through a sidecar fails.
//!
//! ```text
//! check ▶ deploy ▶ spread ▶ put ▶ prove ▶ converge ▶ drop ▶ done
//! ```
//!
//! An application has one public key at the provider, so there is no time in which two pairs are good. But sidecars may
//! hold two private keys, and sign a refused token again by the other one. So both are in the file of every sidecar
//! before the public key is replaced, and until every one has had the new key accepted.
//!
//! Tokens that were handed out to clients of apps are signed by the old key and pass no sidecar: they end when the
//! public key is replaced. That is done inside the window of the plan, and the report says how many there were.
//!
//! What each step needs to know and does is in [`steps`]. The public key is replaced only while every known sidecar holds
//! both private keys, and none leaves the file before every one had the other accepted; an answer that got lost is settled
//! by looking. The same way is gone backwards when a rotation is called off ([`abort`]).
//!
//! Not here: what is the same for every kind (`machine`). Facts: application-v2 (PUT replaces the whole resource). Whether tokens of
//! the old key are refused at once is not stated: they are taken to be.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::Doing;
use super::halt::Credential;
use super::machine::{self, Back, Kind, Move, Refused, Seen, View};
use super::{effect, halt as halts, journal, plan};
use crate::credentials::{Keep, Label};
use crate::jwt::SigningKey;
use crate::secret::{ApiSecret, Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::probe::PROVING_KEYS;
use fact::Fact;
use halt::{Ending, Stuck};
use state::State;
use task::Task;

pub mod abort;
pub mod fact;
pub mod halt;
pub mod pem;
pub mod state;
pub mod steps;
pub mod task;

#[cfg(test)]
mod tests;

/// The kind of rotation that replaces a key pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPairs;

/// What the name of a journal begins with. No API key has a full stop.
pub const JOURNAL: &str = "application.";
/// One rotation of the key pair of one application under way.
pub type Machine = machine::Machine<KeyPairs>;
/// What it begins with.
pub type Start = machine::Start<KeyPairs>;
/// What is written down of it: of the same schema as that of secrets, in another file.
pub type Journal = journal::Journal<KeyPairs>;
/// What it is asked to do.
pub type Plan = plan::Plan<Task>;
/// What it asks to be done.
pub type Effect = effect::Effect<KeyPairs>;
/// What came of that.
pub type Outcome = effect::Outcome<KeyPairs>;
/// Why a run of it is over.
pub type End = halts::End<KeyPairs>;

/// A private key with the name that the file has for it. The provider has none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    #[serde(with = "pem")]
    pub value: SigningKey,
    /// Its name: random, not secret.
    pub id: SecretId,
    /// A word of the owner.
    pub note: Option<String>,
}

impl Key {
    /// What the file says about it.
    pub fn label(&self) -> Label {
        Label { id: Some(self.id.clone()), created_at: None, keep: Keep::No, note: self.note.clone() }
    }
}

/// What the credentials file has of an application and of its account.
#[derive(Debug, Clone)]
pub struct File {
    /// The private keys.
    pub keys: super::File<SigningKey>,
    /// The secrets of the account that it belongs to.
    pub secrets: Vec<ApiSecret>,
}

/// What the journal of a key pair has beside the state: what it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What kind of journal it is.
    pub kind: Tag,
}

/// What kind of journal it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// That of a key pair.
    #[default]
    Keypair,
}

/// A call to the provider. `with` is the secret that authenticates it.
#[derive(Debug, Clone)]
pub enum Call {
    /// Read the application. Answer: `Resource`, `NoSuchApplication`.
    ReadApplication {
        /// What authenticates it.
        with: ApiSecret,
    },
    /// Put the application back with another public key and otherwise unchanged. Answer: `Resource`,
    /// `NoSuchApplication`, `Invalid`.
    PutKey {
        /// The whole resource as it was read.
        resource: Value,
        /// The key whose public half it gets.
        key: SigningKey,
        /// What authenticates it.
        with: ApiSecret,
    },
}

/// What the provider says to a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The application as it is now.
    Resource(Value),
    /// There is none with this id, or the account may not manage it.
    NoSuchApplication,
    /// It does not take what was sent; in its words.
    Invalid(String),
}

/// What answers have told.
#[derive(Debug, Default)]
pub struct Learnt {
    application: Option<Result<Value, Stuck>>,
    put: Option<Put>,
}

/// The provider said that the public key is replaced.
#[derive(Debug)]
struct Put;

/// Where new keys and marks come from: random, each another one.
pub trait Chance {
    /// A new key. None: the system gave no randomness.
    fn key(&mut self) -> Option<SigningKey>;
    /// A new mark.
    fn revision(&mut self) -> Revision;
    /// A new name of a key.
    fn name(&mut self) -> SecretId;
}

impl Kind for KeyPairs {
    const CREDENTIAL: Credential = Credential::Key;
    const PROVING: &'static [Host] = &PROVING_KEYS;
    type Value = SigningKey;
    type Item = Key;
    type File = File;
    type Task = Task;
    type State = State;
    type Fact = Fact;
    type Memory = Memory;
    type Call = Call;
    type Answer = Answer;
    type Learnt = Learnt;
    type Chance = dyn Chance;
    type Ending = Ending;
    type Stuck = Stuck;
    type Asking = Infallible;

    fn name(plan: &Plan) -> String {
        format!("{JOURNAL}{}", plan.task.application)
    }

    fn step(view: &View<'_, Self>, chance: &mut Self::Chance) -> Move<Self> {
        steps::step(view, chance).unwrap_or_else(|first| first)
    }

    fn learn(seen: &mut Seen<Self>, call: &Call, answer: Answer) -> Result<(), String> {
        let learnt = &mut seen.learnt;
        match (call, answer) {
            (Call::ReadApplication { .. }, Answer::Resource(resource)) => learnt.application = Some(Ok(resource)),
            // The application is read back, whatever was said of the writing.
            (Call::PutKey { .. }, Answer::Resource(_)) => *learnt = Learnt { application: None, put: Some(Put) },
            (_, Answer::NoSuchApplication) => learnt.application = Some(Err(Stuck::NoSuchApplication)),
            (Call::PutKey { .. }, Answer::Invalid(words)) => learnt.application = Some(Err(Stuck::Invalid(words))),
            (Call::ReadApplication { .. }, Answer::Invalid(_)) => return Err("an answer to another question".to_owned()),
        }
        Ok(())
    }

    fn back(state: &State, _chance: &mut Self::Chance) -> Result<Back<State>, Refused> {
        abort::back(state)
    }

    fn remember(_memory: &mut Memory, _state: &State, _facts: &[Fact]) {}

    fn doing(call: &Call) -> Doing {
        match call {
            Call::ReadApplication { .. } => Doing::ReadApplication,
            Call::PutKey { .. } => Doing::PutKey,
        }
    }

    fn can_do_without(_journal: &Journal, _doing: Doing) -> bool {
        false
    }

    fn dropped(member: String) -> Fact {
        Fact::Dropped { member }
    }

    fn abort_asked() -> Fact {
        Fact::AbortAsked
    }
}
