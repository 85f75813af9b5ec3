//! When an account stops asking twice: the budget of useless second attempts, rows where everything is refused, and
//! holds that ended in vain. Pure: `now` is an argument.
//!
//! Invariants: a second attempt that is accepted costs nothing; one unprovisioned product switches the fallback off
//! for its own row only; whatever brings hope (a new value, an acceptance, a rising standing) ends all restraint.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Generation, Uid};
use crate::vonage::hosts::Host;

/// Useless second attempts a second that an account may make on a row.
const BUDGET_RATE: f64 = 10.0;
/// Useless second attempts that it may make at once.
const BUDGET_BURST: f64 = 50.0;
/// Requests in a row with every secret refused that close a row.
const IN_A_ROW: u32 = 3;
/// They must span at least this long: a burst at the instant of a revoke is not an outage.
const SPAN: Duration = Duration::from_secs(1);
/// The first wait between full tries of a closed row; doubles up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait between full tries.
const LONGEST: Duration = Duration::from_secs(30);

/// How many attempts a request may make on its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// As many as the rules give.
    Full,
    /// One: everything was refused here lately.
    Single,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    first: Instant,
    count: u32,
    wait: Duration,
    /// When the next full try is allowed; none while the row is open.
    full_at: Option<Instant>,
}

/// What is left of the budget of a row at the instant.
#[derive(Debug, Clone, Copy)]
struct Budget {
    tokens: f64,
    at: Instant,
}

impl Budget {
    fn fill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.at);
        self.tokens = since.as_secs_f64().mul_add(BUDGET_RATE, self.tokens).min(BUDGET_BURST);
        self.at = now;
    }
}

/// Restraint of one account.
#[derive(Debug, Default)]
pub struct Restraint {
    /// By row, so that a product that is not enabled cannot eat up what the others need in a rotation.
    budgets: HashMap<(&'static str, Host), Budget>,
    rows: HashMap<(&'static str, Host), Row>,
    newest: Option<Uid>,
    held_in_vain: Option<Generation>,
}

impl Restraint {
    /// Whether nothing restrains the account.
    pub fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.held_in_vain.is_none()
    }

    /// How many attempts a request on this row may make. `newest` is the youngest value held.
    pub fn allowance(&mut self, row: &'static str, host: Host, newest: Uid, now: Instant) -> Allowance {
        self.notice(newest);
        let Some(record) = self.rows.get_mut(&(row, host)) else { return Allowance::Full };
        match record.full_at {
            None => Allowance::Full,
            Some(at) if at <= now => {
                record.wait = (record.wait * 2).min(LONGEST);
                record.full_at = Some(now + record.wait);
                Allowance::Full
            }
            Some(_) => Allowance::Single,
        }
    }

    /// Every secret was refused on one request of this row.
    pub fn all_refused(&mut self, row: &'static str, host: Host, now: Instant) {
        let record = self.rows.entry((row, host)).or_insert(Row { first: now, count: 0, wait: SHORTEST, full_at: None });
        record.count = record.count.saturating_add(1);
        if record.full_at.is_none() && record.count >= IN_A_ROW && now.saturating_duration_since(record.first) >= SPAN {
            record.full_at = Some(now + record.wait);
        }
    }

    /// Something was accepted or rose: nothing restrains the account any more.
    pub fn hope(&mut self) {
        self.rows.clear();
        self.held_in_vain = None;
    }

    fn notice(&mut self, newest: Uid) {
        if self.newest.is_some_and(|known| known < newest) {
            self.hope();
        }
        self.newest = Some(newest);
    }

    /// Whether the budget of this row has room for a second attempt that may be useless.
    pub fn has_budget(&mut self, row: &'static str, host: Host, now: Instant) -> bool {
        self.budgets.get_mut(&(row, host)).is_none_or(|budget| {
            budget.fill(now);
            budget.tokens >= 1.0
        })
    }

    /// A second attempt was refused as well.
    pub fn spend(&mut self, row: &'static str, host: Host, now: Instant) {
        let budget = self.budgets.entry((row, host)).or_insert(Budget { tokens: BUDGET_BURST, at: now });
        budget.fill(now);
        budget.tokens = (budget.tokens - 1.0).max(0.0);
    }

    /// Whether a request may wait for a newer file: not again for a generation for which it was in vain.
    pub fn may_hold(&self, generation: Generation) -> bool {
        self.held_in_vain != Some(generation)
    }

    /// A wait ended without anything newer than this generation.
    pub fn held_in_vain(&mut self, generation: Generation) {
        self.held_in_vain = Some(generation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "messages";

    fn closed() -> (Restraint, Instant) {
        let start = crate::clock::now();
        let mut restraint = Restraint::default();
        for step in 0..3 {
            assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), start), Allowance::Full);
            restraint.all_refused(ROW, Host::API, start + Duration::from_millis(500 * step));
        }
        (restraint, start + SPAN)
    }

    #[test]
    fn a_burst_of_refusals_closes_nothing() {
        let start = crate::clock::now();
        let mut restraint = Restraint::default();
        for _ in 0..5000 {
            restraint.all_refused(ROW, Host::API, start);
        }
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), start), Allowance::Full);
    }

    #[test]
    fn a_closed_row_tries_fully_once_a_second_then_less_and_others_stay_open() {
        let (mut restraint, now) = closed();
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), now), Allowance::Single);
        assert_eq!(restraint.allowance("sms", Host::REST, Uid(1), now), Allowance::Full);
        assert_eq!(restraint.allowance(ROW, Host::REST, Uid(1), now), Allowance::Full);
        let later = now + SHORTEST;
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), later), Allowance::Full);
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), later + SHORTEST), Allowance::Single);
        let full = (0..600)
            .filter(|second| restraint.allowance(ROW, Host::API, Uid(1), later + Duration::from_secs(*second)) == Allowance::Full)
            .count();
        assert!((15..=30).contains(&full), "{full}");
    }

    #[test]
    fn a_new_value_or_an_acceptance_opens_the_row_at_once() {
        let (mut restraint, now) = closed();
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(2), now), Allowance::Full);
        let (mut restraint, now) = closed();
        restraint.hope();
        assert_eq!(restraint.allowance(ROW, Host::API, Uid(1), now), Allowance::Full);
    }

    #[test]
    fn only_useless_second_attempts_cost() {
        let now = crate::clock::now();
        let mut restraint = Restraint::default();
        for _ in 0..50 {
            assert!(restraint.has_budget(ROW, Host::API, now));
            restraint.spend(ROW, Host::API, now);
        }
        assert!(!restraint.has_budget(ROW, Host::API, now));
        assert!(restraint.has_budget("sms", Host::REST, now), "one row does not spend for another");
        assert!(restraint.has_budget(ROW, Host::API, now + Duration::from_millis(150)));
    }

    #[test]
    fn a_hold_in_vain_is_not_repeated_for_the_same_file() {
        let mut restraint = Restraint::default();
        restraint.held_in_vain(Generation(4));
        assert!(!restraint.may_hold(Generation(4)));
        assert!(restraint.may_hold(Generation(5)));
    }
}
