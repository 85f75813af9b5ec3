//! The course of one request through its attempts: what comes after a refusal. Pure.
//!
//! Invariants:
//! - each secret at most once, and never more than five attempts: two with values of the file, two with values that left it
//!   (either may be dead without our knowing, and must not take the turn of the others), and one with a value that came
//!   after the second refusal;
//! - one more, within the five, for a value that the provider was seen to accept on a later attempt than this request's own:
//!   it was not live yet then, and is now; or, where nothing but a request can show that, for one that was refused before
//!   this request has waited;
//! - nothing is sent again unless the last answer was a refusal or might be one, or said that the time of our token is over,
//!   which takes a fresh one by the same key, once;
//! - the first answer is what goes back when nothing was accepted.

use std::time::Instant;

use crate::credentials::standing::{Candidate, Few};
use crate::credentials::{Place, Uid};
use crate::vonage::refusal::Verdict;

/// Most attempts of one request: the turns of both, and one for what a newer file or a wait brings.
const MOST: usize = 2 * TURNS + 1;
/// Most attempts with values of the file, and with values that left it, unless they came meanwhile.
const TURNS: usize = 2;

/// One attempt that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// With which value.
    pub uid: Uid,
    /// What the answer said about it.
    pub verdict: Verdict,
    /// When it was sent.
    pub sent: Instant,
}

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is about the request, or says nothing about the credential: it goes back.
    Deliver,
    /// The credential was refused, or perhaps: another one may be tried.
    Refused,
    /// The time of our token was over: the same key may sign a fresh one.
    MintAfresh,
}

/// The attempts of one request so far.
#[derive(Debug, Default)]
pub struct Course {
    tries: Few<Try>,
    known: Few<Uid>,
    afresh: Afresh,
}

/// Whether a fresh token was made for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Afresh {
    #[default]
    Allowed,
    Spent,
}

impl Course {
    /// Takes an answer in.
    pub fn answered(&mut self, uid: Uid, verdict: Verdict, sent: Instant) -> After {
        if verdict == Verdict::Stale {
            let before = std::mem::replace(&mut self.afresh, Afresh::Spent);
            return if before == Afresh::Allowed { After::MintAfresh } else { After::Deliver };
        }
        self.tries.push(Try { uid, verdict, sent });
        match verdict {
            Verdict::Accepted | Verdict::Stale | Verdict::NoEvidence => After::Deliver,
            Verdict::Refused | Verdict::Doubtful => After::Refused,
        }
    }

    /// The value to try next, from the newest order of everything held; none when the rules end here. `accepted_since`
    /// tells whether the provider was seen to accept a value after an instant.
    pub fn choose(&mut self, order: &[Uid], held: &[Candidate], accepted_since: impl Fn(Uid, Instant) -> bool) -> Option<Uid> {
        let is_untried = |uid: &Uid| !self.tries.iter().any(|tried| tried.uid == *uid);
        let has_a_turn = |uid: &Uid| !self.known.contains(uid) || self.turns_beside(*uid, held) < TURNS;
        let chosen = order.iter().copied().find(|uid| self.may_go_on() && is_untried(uid) && has_a_turn(uid));
        self.known = Few::from_slice(order);
        chosen.or_else(|| self.risen(order, accepted_since))
    }

    /// The first of the order that was refused here, for a request that has waited where nobody can find out in another
    /// way whether it is live by now. Once in a request.
    pub fn once_more(&self, order: &[Uid]) -> Option<Uid> {
        let refused = |uid: &Uid| self.tries.iter().any(|tried| tried.uid == *uid);
        if self.may_repeat() { order.iter().copied().find(refused) } else { None }
    }

    /// Whether no value was tried twice yet.
    fn may_repeat(&self) -> bool {
        let is_second_time = |tried: &Try| self.tries.iter().filter(|other| other.uid == tried.uid).count() > 1;
        self.may_go_on() && !self.tries.iter().any(is_second_time)
    }

    /// A value that was refused here and accepted since. Once in a request.
    fn risen(&self, order: &[Uid], accepted_since: impl Fn(Uid, Instant) -> bool) -> Option<Uid> {
        if !self.may_repeat() {
            return None;
        }
        let risen = |tried: &&Try| order.contains(&tried.uid) && accepted_since(tried.uid, tried.sent);
        self.tries.iter().find(risen).map(|tried| tried.uid)
    }

    /// How many values were tried that are in the file as `uid` is, or have left it as `uid` has.
    fn turns_beside(&self, uid: Uid, held: &[Candidate]) -> usize {
        let is_listed = |uid: Uid| held.iter().any(|held| held.uid == uid && matches!(held.place, Place::File(_)));
        self.tries.iter().filter(|tried| is_listed(tried.uid) == is_listed(uid)).count()
    }

    /// All answered attempts, in order.
    pub fn tries(&self) -> &[Try] {
        &self.tries
    }

    /// Whether every answer so far was a known refusal.
    pub fn all_refused(&self) -> bool {
        !self.tries.is_empty() && self.tries.iter().all(|tried| tried.verdict == Verdict::Refused)
    }

    /// Whether a value that comes from now on could still be tried.
    pub fn may_go_on(&self) -> bool {
        self.tries.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uids(numbers: &[u64]) -> Vec<Uid> {
        numbers.iter().map(|number| Uid(*number)).collect()
    }

    fn never(_: Uid, _: Instant) -> bool {
        false
    }

    #[test]
    fn a_value_that_was_not_live_yet_is_tried_once_more_when_it_was_seen_to_be() {
        let (mut course, held) = (Course::default(), held(&[1, 2], &[]));
        let order = uids(&[1, 2]);
        for uid in [1, 2] {
            assert_eq!(course.choose(&order, &held, never), Some(Uid(uid)));
            course.answered(Uid(uid), Verdict::Refused, crate::clock::now());
        }
        assert_eq!(course.choose(&order, &held, never), None);
        assert!(course.may_go_on());
        let live = |uid: Uid, _: Instant| uid == Uid(1);
        assert_eq!(course.choose(&order, &held, live), Some(Uid(1)));
        course.answered(Uid(1), Verdict::Refused, crate::clock::now());
        assert_eq!(course.choose(&order, &held, live), None, "once");
    }

    #[test]
    fn a_request_that_has_waited_may_repeat_one_value_and_no_second_one() {
        let mut course = Course::default();
        assert_eq!(course.once_more(&uids(&[1, 2])), None, "nothing was refused yet");
        for uid in [1, 2] {
            course.choose(&uids(&[1, 2]), &held(&[1, 2], &[]), never);
            course.answered(Uid(uid), Verdict::Refused, crate::clock::now());
        }
        assert_eq!(course.once_more(&uids(&[3, 2, 1])), Some(Uid(2)));
        course.answered(Uid(2), Verdict::Refused, crate::clock::now());
        assert_eq!(course.once_more(&uids(&[3, 2, 1])), None);
    }

    /// Values of the file, then values that left it.
    fn held(file: &[u64], retiring: &[u64]) -> Vec<Candidate> {
        let until = crate::clock::now();
        let file = file.iter().enumerate().map(|(at, uid)| Candidate { uid: Uid(*uid), place: Place::File(at) });
        file.chain(retiring.iter().map(|uid| Candidate { uid: Uid(*uid), place: Place::Retiring { until } })).collect()
    }

    #[test]
    fn more_than_two_attempts_need_values_that_came_after_a_refusal() {
        let mut course = Course::default();
        let held = held(&[1, 2, 3, 4, 5], &[]);
        assert_eq!(course.choose(&uids(&[1, 2, 3]), &held, never), Some(Uid(1)));
        assert_eq!(course.answered(Uid(1), Verdict::Refused, crate::clock::now()), After::Refused);
        assert_eq!(course.choose(&uids(&[2, 1, 3]), &held, never), Some(Uid(2)));
        assert_eq!(course.answered(Uid(2), Verdict::Refused, crate::clock::now()), After::Refused);
        assert_eq!(course.choose(&uids(&[3, 1, 2]), &held, never), None);
        assert_eq!(course.choose(&uids(&[4, 3, 1, 2]), &held, never), Some(Uid(4)));
        assert_eq!(course.answered(Uid(4), Verdict::Refused, crate::clock::now()), After::Refused);
        assert_eq!(course.choose(&uids(&[4, 3, 1, 2]), &held, never), None);
        assert_eq!(course.choose(&uids(&[5]), &held, never), Some(Uid(5)));
        assert_eq!(course.answered(Uid(5), Verdict::Refused, crate::clock::now()), After::Refused);
        assert_eq!(course.choose(&uids(&[6]), &held, never), Some(Uid(6)));
        assert_eq!(course.answered(Uid(6), Verdict::Refused, crate::clock::now()), After::Refused);
        assert_eq!(course.choose(&uids(&[7]), &held, never), None, "five are enough");
    }

    #[test]
    fn a_value_that_left_the_file_does_not_take_the_turn_of_one_in_it_nor_the_other_way_round() {
        for (file, retiring, order) in [(&[1, 2][..], &[3][..], [1, 3, 2]), (&[1, 2], &[3], [1, 2, 3]), (&[3], &[1, 2], [1, 2, 3])] {
            let (mut course, held) = (Course::default(), held(file, retiring));
            for uid in order {
                assert_eq!(course.choose(&uids(&order), &held, never), Some(Uid(uid)), "{file:?} {retiring:?} {order:?}");
                course.answered(Uid(uid), Verdict::Refused, crate::clock::now());
            }
        }
    }

    #[test]
    fn a_wrong_file_keeps_no_value_that_left_the_right_one_from_its_turn() {
        for (file, retiring, order, attempts) in
            [(&[1, 2][..], &[3, 4][..], &[1, 2, 3, 4][..], 4), (&[1], &[2, 3], &[1, 2, 3], 3), (&[1], &[2, 3, 4], &[1, 2, 3, 4], 3)]
        {
            let (mut course, held) = (Course::default(), held(file, retiring));
            for uid in &order[..attempts] {
                assert_eq!(course.choose(&uids(order), &held, never), Some(Uid(*uid)), "{file:?} {retiring:?}");
                course.answered(Uid(*uid), Verdict::Refused, crate::clock::now());
            }
            assert_eq!(course.choose(&uids(order), &held, never), None, "two of a side are enough: {file:?} {retiring:?}");
            assert_eq!(course.choose(&uids(&[9]), &held, never), Some(Uid(9)), "the right file comes");
        }
    }

    proptest! {
        #[test]
        fn no_value_is_tried_twice_and_never_more_than_five(orders in proptest::collection::vec(proptest::collection::vec(0_u64..6, 1..6), 1..8)) {
            let mut course = Course::default();
            let mut sent = Vec::new();
            for order in orders {
                if let Some(uid) = course.choose(&uids(&order), &held(&[0, 2, 4], &[1, 3, 5]), never) {
                    prop_assert!(!sent.contains(&uid));
                    sent.push(uid);
                    course.answered(uid, Verdict::Refused, crate::clock::now());
                }
            }
            prop_assert!(sent.len() <= MOST);
        }
    }
}
