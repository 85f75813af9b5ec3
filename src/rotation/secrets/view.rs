//! The driver's view as the steps of secrets use it, and what only they look at.

use super::halt::Stuck;
use super::state::State;
use super::{Call, Effect, Fact, Secrets};
use crate::rotation::machine;
use crate::secret::ApiSecret;
use crate::vonage::management::Listed;

pub(super) type Move = machine::Move<Secrets>;
pub(super) type View<'a> = machine::View<'a, Secrets>;
pub(super) type Need<T> = machine::Need<Secrets, T>;

pub(super) fn go(state: State, facts: Vec<Fact>) -> Move {
    Move::go(state, facts)
}

pub(super) fn stuck(why: Stuck) -> Move {
    Move::stuck(why)
}

/// What the provider lists.
pub(super) fn listed<'v>(view: &View<'v>, with: &ApiSecret) -> Need<&'v [Listed]> {
    view.seen.learnt.listed.as_deref().ok_or_else(|| Move::Do(Effect::Call(Call::List { with: with.clone() })))
}
