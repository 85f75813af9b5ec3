//! The course of one request through its attempts: what comes after a refusal. Pure.
//!
//! Invariants: each secret at most once; two attempts, a third only for a value that came after the second refusal;
//! nothing is sent again unless the last answer was a refusal or might be one; the first answer is what goes back
//! when nothing was accepted.

use crate::credentials::Uid;
use crate::vonage::refusal::Verdict;

/// Most attempts of one request.
const MOST: usize = 3;

/// One attempt that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// With which value.
    pub uid: Uid,
    /// What the answer said about it.
    pub verdict: Verdict,
}

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It is about the request, or says nothing about the credential: it goes back.
    Deliver,
    /// The credential was refused, or perhaps: another one may be tried.
    Refused,
}

/// The attempts of one request so far.
#[derive(Debug, Default)]
pub struct Course {
    tries: Vec<Try>,
    known: Vec<Uid>,
}

impl Course {
    /// Takes an answer in.
    pub fn answered(&mut self, uid: Uid, verdict: Verdict) -> After {
        self.tries.push(Try { uid, verdict });
        match verdict {
            Verdict::Accepted | Verdict::NoEvidence => After::Deliver,
            Verdict::Refused | Verdict::Doubtful => After::Refused,
        }
    }

    /// The value to try next, from the newest order of everything held; none when the rules end here.
    pub fn choose(&mut self, order: &[Uid]) -> Option<Uid> {
        let untried = order.iter().copied().filter(|uid| !self.tries.iter().any(|tried| tried.uid == *uid));
        let chosen = match self.tries.len() {
            0 | 1 => untried.into_iter().next(),
            2.. if self.may_go_on() => untried.into_iter().find(|uid| !self.known.contains(uid)),
            2.. => None,
        };
        self.known = order.to_vec();
        chosen
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

    #[test]
    fn a_third_attempt_needs_a_value_that_came_after_the_second_refusal() {
        let mut course = Course::default();
        assert_eq!(course.choose(&uids(&[1, 2, 3])), Some(Uid(1)));
        assert_eq!(course.answered(Uid(1), Verdict::Refused), After::Refused);
        assert_eq!(course.choose(&uids(&[2, 1, 3])), Some(Uid(2)));
        assert_eq!(course.answered(Uid(2), Verdict::Refused), After::Refused);
        assert_eq!(course.choose(&uids(&[3, 1, 2])), None);
        assert_eq!(course.choose(&uids(&[4, 3, 1, 2])), Some(Uid(4)));
        assert_eq!(course.answered(Uid(4), Verdict::Refused), After::Refused);
        assert_eq!(course.choose(&uids(&[5])), None);
    }

    proptest! {
        #[test]
        fn no_value_is_tried_twice_and_never_more_than_three(orders in proptest::collection::vec(proptest::collection::vec(0_u64..6, 1..6), 1..8)) {
            let mut course = Course::default();
            let mut sent = Vec::new();
            for order in orders {
                if let Some(uid) = course.choose(&uids(&order)) {
                    prop_assert!(!sent.contains(&uid));
                    sent.push(uid);
                    course.answered(uid, Verdict::Refused);
                }
            }
            prop_assert!(sent.len() <= 3);
        }
    }
}
