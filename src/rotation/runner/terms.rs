//! What a rotation is asked to do: the settings, what a drill measured, and what the command says on top.
//!
//! The command's word counts most, also for a rotation that another run began. Nothing that was measured makes a
//! rotation less patient than the settings say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::rotation::{Approve as Approving, Fleet as Members, Rotation};
use crate::rotation::journal::span;
use crate::rotation::plan::{self, Fleet};
use crate::rotation::secrets::Plan;
use crate::rotation::secrets::task::{Approve, Emergency, Mode, Task};
use crate::secret::{ApiKey, SecretId};

/// How long the provider, or a sidecar, may take to come to what is expected of it.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a revoked secret may go on being accepted.
const REVOKE_LAG: Duration = Duration::from_mins(2);
/// From one look at a single sidecar of this machine to the next, and at many.
const POLL_ONE: Duration = Duration::from_millis(500);
const POLL_MANY: Duration = Duration::from_secs(2);
/// Acceptances that prove a secret: one each so long, within these bounds.
const PROOF_EVERY: Duration = Duration::from_secs(1);
const FEWEST_PROOFS: u32 = 3;
const MOST_PROOFS: u32 = 20;

/// What a command says on top of the settings. What is not there, it does not say.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// What for.
    pub purpose: Purpose,
    /// Whose evidence counts.
    pub witnesses: Witnesses,
    /// How long a new secret is proven.
    pub prove_for: Option<Duration>,
    /// How long an old one must have been unused.
    pub soak: Option<Duration>,
    /// How long both stay valid at least.
    pub overlap: Option<Duration>,
    /// How long what fails is tried again.
    pub give_up: Option<Duration>,
    /// How long an emergency waits for sidecars.
    pub deadline: Option<Duration>,
}

/// What a command is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A new secret takes the place of the old one.
    #[default]
    Rotate,
    /// A new secret is made, measured and revoked.
    Drill,
    /// A secret is known to others; which, if that is known.
    Emergency(Option<SecretId>),
}

/// Whose evidence counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Witnesses {
    /// That of the sidecars of the settings.
    #[default]
    Fleet,
    /// Nobody's, on the word of the operator.
    Nobody,
}

/// What a drill measured of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The longest until a host accepted a new secret.
    #[serde(with = "span")]
    pub accepted_after: Duration,
    /// The longest until a host refused a revoked one.
    #[serde(with = "span")]
    pub refused_after: Duration,
}

impl Terms {
    /// A new plan; `expect` is the fewest sidecars that must be found.
    pub fn plan(&self, account: &ApiKey, settings: &Rotation, expect: usize, measured: Measured) -> Plan {
        let prove_for = self.prove_for.unwrap_or_else(|| settings.prove_for.max(measured.accepted_after.saturating_mul(2)));
        let mut plan = Plan {
            account: account.clone(),
            task: Task {
                mode: self.mode(settings.deadline),
                approve: match settings.approve {
                    Approving::First => Approve::First,
                    Approving::Always => Approve::Always,
                    Approving::Never => Approve::Never,
                },
                soak: self.soak.unwrap_or_else(|| settings.soak.max(measured.refused_after.saturating_mul(2))),
                revoke_lag: REVOKE_LAG,
            },
            fleet: Fleet::Watched { expect },
            prove_times: proofs(prove_for),
            prove_for,
            overlap: settings.overlap,
            poll: if settings.fleet.as_ref().is_none_or(is_one) { POLL_ONE } else { POLL_MANY },
            give_up: settings.give_up,
            patience: PATIENCE,
        };
        self.amend(&mut plan, expect);
        plan
    }

    /// What the command is for, when the settings give an emergency so much time.
    pub fn mode(&self, deadline: Duration) -> Mode {
        match &self.purpose {
            Purpose::Rotate => Mode::Rotate,
            Purpose::Drill => Mode::Drill,
            Purpose::Emergency(leaked) => {
                Mode::Emergency(Emergency { leaked: leaked.clone(), deadline: self.deadline.unwrap_or(deadline) })
            }
        }
    }

    /// Lets a plan follow what the command says, and how many sidecars there are by now. What it is for stays.
    pub fn amend(&self, plan: &mut Plan, expect: usize) {
        self.amend_patience(plan, expect);
        plan.task.soak = self.soak.unwrap_or(plan.task.soak);
    }

    /// The same of what a rotation of any kind is asked.
    pub fn amend_patience<T>(&self, plan: &mut plan::Plan<T>, expect: usize) {
        match (self.witnesses, &mut plan.fleet) {
            (Witnesses::Nobody, fleet) => *fleet = Fleet::Unwatched,
            (Witnesses::Fleet, Fleet::Watched { expect: before }) => *before = expect,
            (Witnesses::Fleet, Fleet::Unwatched) => {}
        }
        if let Some(span) = self.prove_for {
            (plan.prove_for, plan.prove_times) = (span, proofs(span));
        }
        plan.overlap = self.overlap.unwrap_or(plan.overlap);
        plan.give_up = self.give_up.unwrap_or(plan.give_up);
    }
}

/// Whether there is a single member to be asked.
fn is_one(fleet: &Members) -> bool {
    fleet.members.len() <= 1 && fleet.dns.is_none() && fleet.command.is_empty()
}

/// So many acceptances in a row over so long a time.
fn proofs(span: Duration) -> u32 {
    let times = span.as_millis().checked_div(PROOF_EVERY.as_millis()).unwrap_or_default();
    u32::try_from(times).unwrap_or(MOST_PROOFS).saturating_add(1).clamp(FEWEST_PROOFS, MOST_PROOFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(terms: &Terms, measured: Measured) -> Plan {
        terms.plan(&ApiKey::parse("abcd1234").unwrap(), &Rotation::default(), 1, measured)
    }

    #[test]
    fn a_drill_makes_a_rotation_more_patient_and_never_less() {
        let slow = Measured { accepted_after: Duration::from_secs(20), refused_after: Duration::from_secs(40) };
        let (usual, after) = (plan(&Terms::default(), Measured::default()), plan(&Terms::default(), slow));
        assert_eq!((usual.prove_for, usual.task.soak), (Duration::from_secs(10), Duration::from_secs(30)));
        assert_eq!((after.prove_for, after.task.soak), (Duration::from_secs(40), Duration::from_secs(80)));
        let terms = Terms { prove_for: Some(Duration::from_secs(1)), ..Terms::default() };
        assert_eq!(plan(&terms, slow).prove_for, Duration::from_secs(1));
    }

    #[test]
    fn a_command_says_how_long_an_emergency_waits_or_the_settings_do() {
        let emergency = |deadline| Terms { purpose: Purpose::Emergency(None), deadline, ..Terms::default() };
        let mode = |seconds| Mode::Emergency(Emergency { leaked: None, deadline: Duration::from_secs(seconds) });
        assert_eq!(plan(&emergency(None), Measured::default()).task.mode, mode(120));
        assert_eq!(plan(&emergency(Some(Duration::ZERO)), Measured::default()).task.mode, mode(0));
    }

    #[test]
    fn a_longer_proof_asks_more_often_within_bounds() {
        let times = |seconds| proofs(Duration::from_secs(seconds));
        assert_eq!([times(0), times(2), times(10), times(600)], [3, 3, 11, 20]);
    }
}
