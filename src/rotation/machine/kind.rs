//! What a kind of rotation says of itself, so that one driver drives them all.

use std::fmt::{Debug, Display};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Move, Seen, View};
use crate::rotation::Value;
use crate::rotation::effect::Doing;
use crate::rotation::halt::{Amiss, Credential, Halt};
use crate::rotation::journal::Journal;
use crate::rotation::plan::Plan;
use crate::rotation::report;
use crate::secret::Revision;
use crate::vonage::hosts::Host;

/// What values of a kind are: they go from hand to hand.
pub trait Part: Debug + Clone + Send + Sync + 'static {}

impl<T: Debug + Clone + Send + Sync + 'static> Part for T {}

/// One kind of rotation: what it replaces, what it knows and asks for, what each of its steps does. Everything is pure.
pub trait Kind: Part + PartialEq + Eq {
    /// What is replaced.
    const CREDENTIAL: Credential;
    /// The hosts that must accept it.
    const PROVING: &'static [Host];
    /// A value of it.
    type Value: Value + Part;
    /// A value with its name, as a deploy writes it.
    type Item: Part;
    /// What the credentials file has, as far as the steps need it.
    type File: Part;
    /// What a run is asked to do, beside what every run is.
    type Task: Part + PartialEq + Serialize + DeserializeOwned;
    /// The steps, in order.
    type State: State;
    /// What happens.
    type Fact: Part + PartialEq + Display + Serialize + DeserializeOwned;
    /// What the journal has beside the state.
    type Memory: Part + Serialize + DeserializeOwned;
    /// A call to the provider's management, with all that is needed to make it; its `Debug` shows no value.
    type Call: Part;
    /// What the provider says to a call.
    type Answer: Part;
    /// What answers have told since the last wait.
    type Learnt: Debug + Default + Send + Sync;
    /// Where new values and marks come from.
    type Chance: ?Sized;
    /// How a rotation ends, for good.
    type Ending: Part + Copy + Eq + Display + Into<report::Outcome>;
    /// What is not as it was left: a person must look.
    type Stuck: Part + Eq + Halt + From<Amiss>;
    /// What a person must say yes to.
    type Asking: Part + Eq + Halt;

    /// By which name its journal is kept.
    fn name(plan: &Plan<Self::Task>) -> String;

    /// What comes next in the state that the rotation is in.
    fn step(view: &View<'_, Self>, chance: &mut Self::Chance) -> Move<Self>;

    /// Takes in the answer to a call; in words why it is a failure.
    fn learn(seen: &mut Seen<Self>, call: &Self::Call, answer: Self::Answer) -> Result<(), String>;

    /// The way back from a state.
    fn back(state: &Self::State, chance: &mut Self::Chance) -> Result<Back<Self::State>, Refused>;

    /// What is to be known for longer than the state, which is entered because of these facts.
    fn remember(memory: &mut Self::Memory, state: &Self::State, facts: &[Self::Fact]);

    /// What a call is.
    fn doing(call: &Self::Call) -> Doing;

    /// Whether the state that the rotation is in comes to an end of its own, also when this keeps failing.
    fn can_do_without(journal: &Journal<Self>, doing: Doing) -> bool;

    /// A sidecar that is gone does not count any more.
    fn dropped(member: String) -> Self::Fact;

    /// A person asked to go back.
    fn abort_asked() -> Self::Fact;
}

/// Where a rotation is: the part of it that survives the process.
///
/// Each state has what its step needs and nothing else, so that a step cannot be entered without it. A state is on the
/// disk before anything of its step is done.
pub trait State: Part + Serialize + DeserializeOwned {
    /// Where it begins.
    fn first() -> Self;

    /// One word, as the command shows it.
    fn word(&self) -> &'static str;

    /// Whether it is the one in which is decided what to do.
    fn is_first(&self) -> bool;

    /// Whether there is nothing left to do.
    fn is_over(&self) -> bool;

    /// The mark of the deploy that the file and the sidecars must show, while there is one.
    fn revision(&self) -> Option<&Revision>;

    /// Whether what sidecars said before counts in this state.
    fn watching(&self) -> Watching;
}

/// Whether what sidecars said before counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// It does.
    On,
    /// What was accepted before the state was entered proves nothing.
    Anew,
}

/// The way back.
#[derive(Debug)]
pub enum Back<S> {
    /// From here it is undone.
    To(Box<S>),
    /// It is being undone.
    Underway,
}

/// Why a rotation cannot be called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What would be gone back to may be gone.
    #[error("{} already; run the command without --abort to finish", match .0 {
        Credential::Secret => "the old secret may be revoked",
        Credential::Key => "the old key may have left the file",
    })]
    TooLate(Credential),
    /// One change is over, and what comes next is not decided yet.
    #[error("one change is made and the next one not decided; run the command without --abort, or see `secrets list`")]
    Between,
    /// There is nothing to call off.
    #[error("the rotation is over")]
    Over,
}
