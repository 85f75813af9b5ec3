//! Replaces a secret at the provider and in the credentials file, so that nobody who uses it fails.
//!
//! ```text
//! check ▶ create ▶ prove ▶ deploy ▶ converge ▶ soak ▶ revoke ▶ tidy ▶ verify ▶ done
//! ```
//!
//! What each step needs to know and does is in [`steps`], from the first to the proof of the new secret, and in
//! [`change`], from there to the end; going back is in [`abort`], turning to
//! something else in [`turn`], which secrets take part in [`slots`].
//!
//! We choose the value, so it is in the journal before the provider knows it, and an answer that got lost is settled by
//! trying the value.
//!
//! Not here: what is the same for every kind (`machine`).

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::effect::Doing;
use super::halt::Credential;
use super::machine::{self, Back, Kind, Move, Refused, Seen, View};
use super::{effect, halt as halts, journal, plan};
use crate::credentials::{Keep, Label};
use crate::secret::{ApiSecret, Revision, SecretId};
use crate::vonage::hosts::Host;
use crate::vonage::management::Listed;
use crate::vonage::probe::PROVING;
use fact::Fact;
use halt::{Ending, Stuck, Unapproved};
use state::State;
use task::{Mode, Task};

pub mod abort;
pub mod change;
pub mod fact;
pub mod halt;
pub mod slots;
pub mod state;
pub mod steps;
pub mod task;
pub mod turn;
mod view;

#[cfg(test)]
mod tests;

/// The kind of rotation that replaces a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets;

/// One rotation of one account under way.
pub type Machine = machine::Machine<Secrets>;
/// What it begins with.
pub type Start = machine::Start<Secrets>;
/// What is written down of it.
pub type Journal = journal::Journal<Secrets>;
/// What it is asked to do.
pub type Plan = plan::Plan<Task>;
/// What it asks to be done.
pub type Effect = effect::Effect<Secrets>;
/// What came of that.
pub type Outcome = effect::Outcome<Secrets>;
/// Why a run of it is over.
pub type End = halts::End<Secrets>;
/// The secrets of the account as the credentials file has them.
pub type File = super::File<ApiSecret>;
/// One of them.
pub type Delivered = super::Delivered<ApiSecret>;

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

impl Item {
    /// As the file has it.
    pub fn delivered(&self) -> Delivered {
        let label = Label { id: Some(self.id.clone()), created_at: self.created_at, keep: self.keep, note: self.note.clone() };
        Delivered { value: self.value.clone(), label }
    }
}

/// Where new values and marks come from: random, each another one.
pub trait Chance {
    /// A new secret that meets the provider's policy.
    fn secret(&mut self) -> ApiSecret;
    /// A new mark.
    fn revision(&mut self) -> Revision;
}

/// What is known of an account for longer than a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The secrets that this tool made, this time or before.
    pub made: Vec<SecretId>,
    /// The last secret that was made. Kept after the end, until the file has held it long enough: a file that is
    /// put back from a copy can be mended with it.
    pub latest: Option<Item>,
    /// The secrets that a person said may be revoked.
    pub approved: Vec<SecretId>,
}

/// A call to the provider. `with` is the secret that authenticates it.
#[derive(Debug, Clone)]
pub enum Call {
    /// List the account's secrets. Answer: `Listed`.
    List {
        /// What authenticates it.
        with: ApiSecret,
    },
    /// Make a secret. Answer: `Created`, `Full`, `Invalid`.
    Create {
        /// Its value.
        value: ApiSecret,
        /// What authenticates it.
        with: ApiSecret,
    },
    /// Revoke a secret. Answer: `Revoked`, `NoSuchId`, `LastSecret`.
    Revoke {
        /// Its id.
        id: SecretId,
        /// What authenticates it: another one.
        with: ApiSecret,
    },
}

/// What the provider says to a call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These are the account's secrets.
    Listed(Vec<Listed>),
    /// It is made.
    Created(Listed),
    /// Both slots are taken.
    Full,
    /// It does not take the value; in its words.
    Invalid(String),
    /// It is revoked.
    Revoked,
    /// There is none with this id.
    NoSuchId,
    /// It is the only one.
    LastSecret,
}

/// What answers have told.
#[derive(Debug, Default)]
pub struct Learnt {
    listed: Option<Vec<Listed>>,
    created: Option<Creating>,
    revoked: Option<Revoking>,
}

/// What the provider said to a new value.
#[derive(Debug)]
enum Creating {
    Made(Listed),
    TurnedDown(String),
}

/// What the provider said to a revoke.
#[derive(Debug)]
enum Revoking {
    Gone,
    LastSecret,
}

impl Kind for Secrets {
    const CREDENTIAL: Credential = Credential::Secret;
    const PROVING: &'static [Host] = &PROVING;
    type Value = ApiSecret;
    type Item = Item;
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
    type Asking = Unapproved;

    fn name(plan: &Plan) -> String {
        plan.account.to_string()
    }

    fn step(view: &View<'_, Self>, chance: &mut Self::Chance) -> Move<Self> {
        steps::step(view, chance).unwrap_or_else(|first| first)
    }

    fn learn(seen: &mut Seen<Self>, call: &Call, answer: Answer) -> Result<(), String> {
        let learnt = &mut seen.learnt;
        match (call, answer) {
            (Call::List { .. }, Answer::Listed(listed)) => learnt.listed = Some(listed),
            (Call::Create { .. }, Answer::Created(made)) => learnt.created = Some(Creating::Made(made)),
            (Call::Create { .. }, Answer::Full) => return Err("the provider says that both slots are taken".to_owned()),
            // Also what a provider says that has the value already: list once more before another one is made.
            (Call::Create { .. }, Answer::Invalid(words)) => {
                learnt.created = Some(Creating::TurnedDown(words));
                learnt.listed = None;
            }
            (Call::Revoke { .. }, Answer::Revoked | Answer::NoSuchId) => learnt.revoked = Some(Revoking::Gone),
            (Call::Revoke { .. }, Answer::LastSecret) => learnt.revoked = Some(Revoking::LastSecret),
            (_, _foreign) => return Err("an answer to another question".to_owned()),
        }
        Ok(())
    }

    fn back(state: &State, chance: &mut Self::Chance) -> Result<Back<State>, Refused> {
        abort::back(state, chance)
    }

    fn remember(memory: &mut Memory, state: &State, facts: &[Fact]) {
        if let State::Prove(minted) = state {
            memory.latest = Some(minted.new.clone());
        }
        for fact in facts {
            if let Fact::Created { id } | Fact::Adopted { id } = fact {
                memory.made.push(id.clone());
            }
        }
    }

    fn doing(call: &Call) -> Doing {
        match call {
            Call::List { .. } => Doing::List,
            Call::Create { .. } => Doing::Create,
            Call::Revoke { .. } => Doing::Revoke,
        }
    }

    /// After a leak, sidecars that cannot be found or asked do not keep the old secret alive beyond the deadline.
    fn can_do_without(journal: &Journal, doing: Doing) -> bool {
        let asks = matches!(doing, Doing::Look | Doing::AskMembers);
        matches!((&journal.state, &journal.plan.task.mode), (State::Converge(_), Mode::Emergency(_)) if asks)
    }

    fn dropped(member: String) -> Fact {
        Fact::Dropped { member }
    }

    fn abort_asked() -> Fact {
        Fact::AbortAsked
    }
}

impl Machine {
    /// A person says that this secret may be revoked.
    pub fn approve(&mut self, id: SecretId) {
        self.remember(|memory| memory.approved.push(id));
    }
}
