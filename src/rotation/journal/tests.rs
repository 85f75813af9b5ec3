//! A journal comes back as it went, and nothing but its text shows a value.

use std::time::{Duration, SystemTime};

use super::{Entry, SCHEMA};
use crate::credentials::Keep;
use crate::rotation::plan::Fleet;
use crate::rotation::secrets::fact::Fact;
use crate::rotation::secrets::halt::Ending;
use crate::rotation::secrets::state::{Base, Change, Creation, Goes, State, Then, Wish};
use crate::rotation::secrets::task::{Approve, Emergency, Mode, Task};
use crate::rotation::secrets::{Item, Journal, Memory, Plan};
use crate::secret::{ApiKey, ApiSecret, Revision, SecretId};

fn item(value: &str, id: &str) -> Item {
    let created_at = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let note = Some("SMPP".to_owned());
    Item { value: ApiSecret::parse(value).unwrap(), id: SecretId::parse(id).unwrap(), created_at, keep: Keep::Yes, note }
}

fn base() -> Base {
    let old = item("OldValue1", "old");
    Base { file: vec![old.value.clone()], listed: vec![old.id.clone()], live: vec![old] }
}

pub(super) fn journal() -> Journal {
    let plan = Plan {
        account: ApiKey::parse("abcd1234").unwrap(),
        task: Task {
            mode: Mode::Emergency(Emergency { leaked: Some(SecretId::parse("old").unwrap()), deadline: Duration::from_secs(120) }),
            approve: Approve::First,
            soak: Duration::from_secs(30),
            revoke_lag: Duration::from_secs(120),
        },
        fleet: Fleet::Watched { expect: 2 },
        prove_times: 3,
        prove_for: Duration::from_secs(10),
        overlap: Duration::from_secs(90),
        poll: Duration::from_millis(2500),
        give_up: Duration::from_secs(60),
        patience: Duration::from_secs(600),
    };
    Journal {
        schema: SCHEMA,
        rotation: Revision::parse("rotation-1").unwrap(),
        began_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_250),
        plan,
        state: State::Create(Creation { value: ApiSecret::parse("NewValue1").unwrap(), turned_down: 1, base: base(), wish: Wish::Wanted }),
        memory: Memory { made: vec![SecretId::parse("old").unwrap()], latest: Some(item("OldValue1", "old")), approved: Vec::new() },
        members: vec!["10.0.0.1:9788".to_owned()],
        trail: vec![Entry { at: SystemTime::UNIX_EPOCH, fact: Fact::Checked { listed: 1, live: 1 } }],
    }
}

fn change(goes: Goes) -> Change {
    let revision = Revision::parse("r1").unwrap();
    Change {
        stays: item("NewValue1", "new"),
        beside: vec![item("KeptValue1", "kept")],
        goes,
        before: base().file,
        revision,
        then: Then::Check,
    }
}

#[test]
fn every_state_comes_back_as_it_went() {
    let mut journal = journal();
    let changes = [
        Goes::Nothing,
        Goes::Used(item("OldValue1", "old")),
        Goes::Unused(item("OldValue1", "old")),
        Goes::Unknown(SecretId::parse("thief").unwrap()),
    ]
    .map(change);
    let mut states = vec![journal.state.clone(), State::Check, State::Ended { ending: Ending::Done }];
    for change in changes {
        states.extend([State::Deploy(change.clone()), State::Revoke(change.clone()), State::Tidy(change)]);
    }
    for state in states {
        journal.state = state;
        let text = journal.to_text();
        let back = Journal::parse(&text).unwrap();
        assert_eq!(*back.to_text(), *text);
        assert_eq!((back.plan, back.trail), (journal.plan.clone(), journal.trail.clone()));
    }
}

#[test]
fn the_values_are_in_the_text_and_nowhere_else() {
    let journal = journal();
    let text = journal.to_text();
    assert!(text.contains("NewValue1") && text.contains("OldValue1"));
    let shown = format!("{journal:?}");
    assert!(!shown.contains("NewValue1") && !shown.contains("OldValue1"), "{shown}");
}

#[test]
fn a_later_schema_is_refused_with_what_to_do() {
    let later = journal().to_text().replacen("\"schema\": 1", "\"schema\": 2", 1);
    let words = Journal::parse(&later).unwrap_err().to_string();
    assert!(words.contains("schema 2") && words.contains("newer program"), "{words}");
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    let more = journal().to_text().replacen("\"schema\": 1", "\"schema\": 1, \"weather\": {\"rain\": true}", 1);
    assert!(Journal::parse(&more).is_ok());
}
