//! Which deploy was made on top of which: the mark in the file is one for all accounts.
//!
//! While one account waits for its sidecars, another one is deployed into the same file with a mark of its own. Each
//! deploy changes the items of one account and nothing else, so whoever shows a later mark has the earlier deploy too.
//!
//! Invariant: an edge is written down before the file is; one whose file was never written says too little, not too
//! much. Not here: keeping it on a disk ([`disk`]).

use serde::{Deserialize, Serialize};

use crate::secret::Revision;

pub mod disk;

/// The number of the format, which only grows.
const SCHEMA: u32 = 1;
/// More deploys than can be made while one rotation waits.
const KEPT: usize = 2000;

/// Deploys and what each was made on top of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    schema: u32,
    deploys: Vec<Edge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Edge {
    revision: Revision,
    after: Revision,
}

impl Lineage {
    /// Reads one; what cannot be read says nothing, and then only an equal mark counts.
    pub fn parse(text: &[u8]) -> Self {
        serde_json::from_slice(text).ok().filter(|found: &Self| found.schema <= SCHEMA).unwrap_or_default()
    }

    /// As text.
    pub fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec(&Self { schema: SCHEMA, ..self.clone() }).unwrap_or_default()
    }

    /// Notes a deploy that is about to be made on top of another one.
    pub fn note(&mut self, revision: &Revision, after: &Revision) {
        if revision != after && !self.is_on_top_of(after, revision) {
            self.deploys.push(Edge { revision: revision.clone(), after: after.clone() });
            let surplus = self.deploys.len().saturating_sub(KEPT);
            self.deploys.drain(..surplus);
        }
    }

    /// Whether a file with this mark has everything that was deployed with the other one.
    pub fn is_on_top_of(&self, revision: &Revision, other: &Revision) -> bool {
        let mut at = vec![revision];
        let mut seen = 0;
        while let Some(next) = at.get(seen).copied() {
            if next == other {
                return true;
            }
            for edge in self.deploys.iter().filter(|edge| edge.revision == *next) {
                if !at.contains(&&edge.after) {
                    at.push(&edge.after);
                }
            }
            seen += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Revision {
        Revision::parse(text).unwrap()
    }

    #[test]
    fn a_later_mark_has_what_was_deployed_with_an_earlier_one_and_not_the_other_way() {
        let mut lineage = Lineage::default();
        for (revision, after) in [("b", "a"), ("c", "b"), ("x", "a")] {
            lineage.note(&mark(revision), &mark(after));
        }
        let lineage = Lineage::parse(&lineage.to_text());
        let is = |one: &str, other: &str| lineage.is_on_top_of(&mark(one), &mark(other));
        assert!(is("c", "a") && is("c", "b") && is("x", "a") && is("a", "a"));
        assert!(!is("a", "c") && !is("x", "b") && !is("c", "x") && !is("unknown", "a"));
    }

    #[test]
    fn the_same_deploy_again_makes_no_circle() {
        let mut lineage = Lineage::default();
        lineage.note(&mark("b"), &mark("a"));
        lineage.note(&mark("b"), &mark("b"));
        lineage.note(&mark("a"), &mark("b"));
        assert!(lineage.is_on_top_of(&mark("b"), &mark("a")) && !lineage.is_on_top_of(&mark("a"), &mark("b")));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        assert!(!Lineage::parse(b"{\"schema\":9,\"deploys\":[]}").is_on_top_of(&mark("b"), &mark("a")));
        assert_eq!(Lineage::parse(b"no"), Lineage::default());
    }
}
