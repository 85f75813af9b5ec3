//! The way from the first step to the last, as a runner sees it, and what a run does that cannot go on. What may come
//! between, in all combinations, is in `tests/it/rotation`.

use std::time::Duration;

use super::task::{Approve, Emergency, Mode};
use super::*;
use crate::rotation::evidence::{self, Held, Listing, Look, Sighting, Trust};
use crate::rotation::halt::Parked;
use crate::rotation::machine::{Next, Now, State as _};
use crate::rotation::plan::Fleet;
use crate::secret::ApiKey;

struct Counted(u32);

impl Chance for Counted {
    fn secret(&mut self) -> ApiSecret {
        ApiSecret::parse("NewValue1").unwrap()
    }

    fn revision(&mut self) -> Revision {
        self.0 += 1;
        Revision::parse(&format!("r{}", self.0)).unwrap()
    }
}

fn plan(mode: Mode) -> Plan {
    Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task { mode, approve: Approve::First, soak: Duration::from_secs(30), revoke_lag: Duration::from_secs(120) },
        fleet: Fleet::Watched { expect: 1 },
        prove_times: 3,
        prove_for: Duration::from_secs(10),
        overlap: Duration::ZERO,
        poll: Duration::from_secs(10),
        give_up: Duration::from_secs(60),
        patience: Duration::from_secs(600),
    }
}

fn id(text: &str) -> SecretId {
    SecretId::parse(text).unwrap()
}

/// A provider, a file and a sidecar with which all goes well.
struct Calm {
    now: Now,
    machine: Machine,
    listed: Vec<Listed>,
    file: File,
    chance: Counted,
    /// Each step and what was done in it, without repetitions.
    did: Vec<(&'static str, Doing)>,
}

impl Calm {
    fn new(mode: Mode) -> Self {
        let now = Now { instant: crate::clock::now(), date: SystemTime::UNIX_EPOCH };
        let start = Start { rotation: Revision::parse("one").unwrap(), plan: plan(mode), memory: Memory::default() };
        let label = Label { id: None, created_at: None, keep: Keep::No, note: None };
        let old = Delivered { value: ApiSecret::parse("OldValue1").unwrap(), label };
        Self {
            now,
            machine: Machine::begin(start, now),
            listed: vec![Listed { id: id("old"), created_at: None }],
            file: File { items: vec![old], revision: None },
            chance: Counted(0),
            did: Vec::new(),
        }
    }

    fn run(&mut self, mut answer: impl FnMut(&mut Self, &Effect) -> Outcome) -> End {
        loop {
            match self.machine.next(self.now, &mut self.chance) {
                Next::End(end) => return end,
                Next::Wait(until) => self.passes(until - self.now.instant),
                Next::Do(effect) => {
                    let step = (self.machine.journal().state.word(), effect.doing());
                    if !self.did.contains(&step) {
                        self.did.push(step);
                    }
                    let outcome = answer(self, &effect);
                    self.machine.take(&effect, outcome, self.now);
                }
            }
        }
    }

    fn passes(&mut self, span: Duration) {
        self.now = Now { instant: self.now.instant + span, date: self.now.date + span };
    }

    fn well(&mut self, effect: &Effect) -> Outcome {
        match effect {
            Effect::Save | Effect::TrySinks | Effect::AskMembers { .. } | Effect::Report(_) => Outcome::Done,
            Effect::ReadFile => Outcome::File(self.file.clone()),
            Effect::Deploy(deploy) => {
                self.file = File { items: deploy.items.iter().map(Item::delivered).collect(), revision: Some(deploy.revision.clone()) };
                Outcome::Done
            }
            Effect::Prove { value, host: _ } => {
                let name = if value.equals(b"OldValue1") { "old" } else { "new" };
                let known = self.listed.iter().any(|one| one.id.as_str() == name);
                if known { Outcome::Accepted } else { Outcome::Refused }
            }
            Effect::Call(Call::List { .. }) => Outcome::Answer(Answer::Listed(self.listed.clone())),
            Effect::Call(Call::Create { .. }) => {
                self.listed.push(Listed { id: id("new"), created_at: None });
                Outcome::Answer(Answer::Created(self.listed[1].clone()))
            }
            Effect::Call(Call::Revoke { id, with }) => {
                assert!(!with.equals(if id.as_str() == "old" { b"OldValue1" } else { b"NewValue1" }), "revoked with itself");
                self.listed.retain(|one| one.id != *id);
                Outcome::Answer(Answer::Revoked)
            }
            Effect::Look { .. } => Outcome::Seen(vec![self.sighting()]),
        }
    }

    fn sighting(&self) -> Sighting {
        let held = |item: &Delivered| Held {
            id: item.label.id.clone(),
            unused_for: None,
            accepted_ago: Some(Duration::ZERO),
            trust: Trust::Trusted,
            served: 0,
        };
        let secrets = self.file.items.iter().map(held).collect();
        let revision = self.file.revision.clone();
        let look = Look { boot_id: "b".to_owned(), uptime: Duration::from_secs(1000), revision, secrets, client_tokens: 0 };
        Sighting { name: "one".to_owned(), listing: Listing::Listed, answer: evidence::Answer::Look(look) }
    }
}

#[test]
fn the_way_from_the_first_step_to_the_last() {
    let mut calm = Calm::new(Mode::Rotate);
    let approve = calm.run(Calm::well);
    assert_eq!(approve, End::Awaiting(Unapproved::NotOurs(id("old"))), "nobody knows who else uses what this tool did not make");
    calm.machine = Machine::resume(calm.machine.journal().clone(), calm.now);
    calm.machine.approve(id("old"));
    assert_eq!(calm.run(Calm::well), End::Ended(Ending::Done));
    let expected = [
        ("check", Doing::Save),
        ("check", Doing::TrySinks),
        ("check", Doing::ReadFile),
        ("check", Doing::Prove),
        ("check", Doing::List),
        ("create", Doing::Save),
        ("create", Doing::List),
        ("create", Doing::Create),
        ("prove", Doing::Save),
        ("prove", Doing::Prove),
        ("deploy", Doing::Save),
        ("deploy", Doing::ReadFile),
        ("deploy", Doing::Deploy),
        ("converge", Doing::Save),
        ("converge", Doing::ReadFile),
        ("converge", Doing::Look),
        ("soak", Doing::Save),
        ("soak", Doing::ReadFile),
        ("soak", Doing::Look),
        ("soak", Doing::Report),
        ("revoke", Doing::Save),
        ("revoke", Doing::ReadFile),
        ("revoke", Doing::Prove),
        ("revoke", Doing::List),
        ("revoke", Doing::Look),
        ("revoke", Doing::Revoke),
        ("tidy", Doing::Save),
        ("tidy", Doing::ReadFile),
        ("tidy", Doing::Deploy),
        ("verify", Doing::Save),
        ("verify", Doing::Prove),
        ("report", Doing::Save),
        ("report", Doing::Report),
        ("ended", Doing::Save),
    ];
    let did: Vec<_> = calm.did.iter().copied().filter(|step| *step != ("converge", Doing::AskMembers)).collect();
    assert_eq!(did, expected.to_vec());
    assert!(calm.file.items.len() == 1 && calm.file.items[0].value.equals(b"NewValue1"));
    assert_eq!(calm.machine.journal().memory.made, [id("new")]);
    assert!(calm.machine.journal().memory.latest.as_ref().unwrap().value.equals(b"NewValue1"), "kept after the end");
}

const DEADLINE: Duration = Duration::from_secs(120);

fn after_a_leak() -> Calm {
    Calm::new(Mode::Emergency(Emergency { leaked: Some(id("old")), deadline: DEADLINE }))
}

fn left_behind(machine: &Machine) -> Option<&[String]> {
    machine.journal().trail.iter().find_map(|entry| match &entry.fact {
        Fact::LeftBehind { members } => Some(members.as_slice()),
        _ => None,
    })
}

#[test]
fn after_a_leak_sidecars_that_cannot_be_found_do_not_keep_the_secret_alive_beyond_the_deadline() {
    let mut calm = after_a_leak();
    let begun = calm.now.instant;
    let end = calm.run(|calm, effect| match effect {
        Effect::Look { .. } => Outcome::Failed("the name cannot be looked up".to_owned()),
        other => calm.well(other),
    });
    assert_eq!((end, calm.listed.len()), (End::Ended(Ending::Done), 1));
    assert_eq!(left_behind(&calm.machine), Some(Vec::new().as_slice()), "nobody knows who followed");
    assert!(calm.now.instant - begun < DEADLINE + Duration::from_secs(30));
}

#[test]
fn after_a_leak_a_run_that_is_resumed_has_what_is_left_of_the_deadline_and_looks_once_more() {
    for (down, follows) in [(30, false), (600, false), (600, true)] {
        let mut calm = after_a_leak();
        let behind = |calm: &Calm| Outcome::Seen(vec![Sighting { answer: evidence::Answer::Refuses, ..calm.sighting() }]);
        let mut looks = 0;
        let stopped = calm.run(|calm, effect| match effect {
            Effect::Look { .. } => {
                looks += 1;
                behind(calm)
            }
            // The process dies here.
            Effect::ReadFile if looks == 3 => Outcome::Failed("dead".to_owned()),
            other => calm.well(other),
        });
        assert!(matches!(stopped, End::Parked(_)), "{stopped}");
        let died = calm.now.instant;
        calm.machine = Machine::resume(calm.machine.journal().clone(), calm.now);
        calm.passes(Duration::from_secs(down));
        calm.machine = Machine::resume(calm.machine.journal().clone(), calm.now);
        let end = calm.run(|calm, effect| match effect {
            Effect::Look { .. } if !follows => behind(calm),
            other => calm.well(other),
        });
        assert_eq!((end, calm.listed.len()), (End::Ended(Ending::Done), 1));
        assert_eq!(left_behind(&calm.machine).is_none(), follows, "{down} s");
        assert!(calm.now.instant - died < DEADLINE.max(Duration::from_secs(down)) + Duration::from_secs(30), "{down} s");
    }
}

#[test]
fn who_calls_an_emergency_off_waits_for_every_sidecar() {
    let mut calm = after_a_leak();
    let behind = |calm: &Calm| Outcome::Seen(vec![Sighting { answer: evidence::Answer::Silent("stopped".to_owned()), ..calm.sighting() }]);
    let begun = calm.run(|calm, effect| match effect {
        Effect::Look { .. } => behind(calm),
        Effect::ReadFile if calm.machine.journal().state.word() == "converge" => Outcome::Failed("dead".to_owned()),
        other => calm.well(other),
    });
    assert!(matches!(begun, End::Parked(_)) && calm.listed.len() == 2, "{begun}");
    calm.machine = Machine::resume(calm.machine.journal().clone(), calm.now);
    calm.machine.abort(calm.now, &mut calm.chance).unwrap();
    let end = calm.run(|calm, effect| match effect {
        Effect::Look { .. } => behind(calm),
        other => calm.well(other),
    });
    assert!(matches!(end, End::Parked(Parked::NotConverged { .. })) && calm.listed.len() == 2, "{end}");
    assert_eq!(left_behind(&calm.machine), None);
}

#[test]
fn a_drill_switches_nothing_and_measures_both_ways() {
    let mut calm = Calm::new(Mode::Drill);
    assert_eq!(calm.run(Calm::well), End::Ended(Ending::Drilled));
    assert!(!calm.did.iter().any(|(_, doing)| *doing == Doing::Deploy));
    assert_eq!(calm.listed.len(), 1);
    let facts = &calm.machine.journal().trail;
    assert_eq!(facts.iter().filter(|entry| matches!(entry.fact, Fact::Proven { .. })).count(), 2);
    assert_eq!(facts.iter().filter(|entry| matches!(entry.fact, Fact::Refused { .. })).count(), 2);
}

#[test]
fn what_keeps_failing_is_parked_after_a_minute_and_the_journal_stays_where_it_was() {
    for doing in [Doing::Save, Doing::TrySinks, Doing::ReadFile, Doing::List, Doing::Create, Doing::Prove, Doing::Deploy, Doing::Look] {
        let mut calm = Calm::new(Mode::Rotate);
        let begun = calm.now.instant;
        let end =
            calm.run(|calm, effect| if effect.doing() == doing { Outcome::Failed("no answer".to_owned()) } else { calm.well(effect) });
        assert!(matches!(end, End::Parked(Parked::Failing { doing: failed, .. }) if failed == doing), "{doing}: {end}");
        assert!(calm.now.instant - begun >= Duration::from_secs(60), "{doing}");
        calm.machine = Machine::resume(calm.machine.journal().clone(), calm.now);
        assert_eq!(calm.run(Calm::well), End::Awaiting(Unapproved::NotOurs(id("old"))), "{doing}: it goes on when the cause is gone");
    }
}

#[test]
fn what_keeps_failing_at_one_host_is_parked_though_the_other_one_answers() {
    let mut calm = Calm::new(Mode::Rotate);
    let begun = calm.now.instant;
    let end = calm.run(|calm, effect| match effect {
        Effect::Prove { host, .. } if *host == Secrets::PROVING[1] && calm.machine.journal().state.word() == "prove" => {
            Outcome::Failed("no answer".to_owned())
        }
        other => calm.well(other),
    });
    assert!(matches!(end, End::Parked(Parked::Failing { doing: Doing::Prove, .. })), "{end}");
    assert!(calm.now.instant - begun < Duration::from_secs(90));
}

#[test]
fn a_report_that_cannot_be_written_does_not_hide_why_the_run_is_over() {
    let mut calm = Calm::new(Mode::Rotate);
    let end = calm.run(|calm, effect| match effect {
        Effect::Report(_) => Outcome::Failed("disk full".to_owned()),
        Effect::Look { .. } => Outcome::Seen(Vec::new()),
        other => calm.well(other),
    });
    assert_eq!(end, End::Stuck(Stuck::NoEvidence));
    assert!(end.to_string().contains("--no-fleet"), "{end}");
}

#[test]
fn a_value_that_is_not_taken_is_replaced_three_times_at_most() {
    let mut calm = Calm::new(Mode::Rotate);
    let mut tries = 0;
    let end = calm.run(|calm, effect| match effect {
        Effect::Call(Call::Create { .. }) => {
            tries += 1;
            Outcome::Answer(Answer::Invalid("too simple".to_owned()))
        }
        other => calm.well(other),
    });
    assert_eq!((end, tries), (End::Stuck(Stuck::Invalid("too simple".to_owned())), 3));
}

#[test]
fn once_a_revoke_may_have_been_sent_there_is_no_way_back() {
    let mut calm = Calm::new(Mode::Rotate);
    calm.machine.approve(id("old"));
    let end = calm.run(|calm, effect| match effect {
        Effect::Call(Call::Revoke { .. }) => Outcome::Failed("no answer".to_owned()),
        other => calm.well(other),
    });
    assert!(matches!(end, End::Parked(_)), "{end}");
    assert_eq!(calm.machine.abort(calm.now, &mut calm.chance), Err(Refused::TooLate(Credential::Secret)));
}

#[test]
fn nothing_is_revoked_while_what_should_stay_is_refused() {
    let mut calm = Calm::new(Mode::Rotate);
    calm.machine.approve(id("old"));
    let end = calm.run(|calm, effect| match (calm.machine.journal().state.word(), effect) {
        ("revoke", Effect::Prove { .. }) => Outcome::Refused,
        (_, other) => calm.well(other),
    });
    assert_eq!(end, End::Stuck(Stuck::SurvivorRefused));
    assert_eq!(calm.listed.len(), 2);
}

#[test]
fn an_effect_and_a_machine_show_no_value() {
    let mut calm = Calm::new(Mode::Rotate);
    let mut shown = Vec::new();
    calm.run(|calm, effect| {
        shown.push(format!("{effect:?} {:?}", calm.machine));
        calm.well(effect)
    });
    let shown = shown.concat();
    assert!(shown.contains("Create") && !shown.contains("NewValue1") && !shown.contains("OldValue1"));
}
