//! The document says what is held without a value, and is read by other versions.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::admin::ReloadView;
use crate::credentials::standing::Lesson;
use crate::credentials::usage::Usage;
use crate::credentials::{self, Basic, Generation, Keep, Label, Membership, Place, SignatureMethod, Slot, Snapshot, Uid, store};
use crate::jwt::{Signer, SigningKey, generate};
use crate::metrics::{Metrics, Scrape};
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SecretId};
use crate::vonage::hosts::Host;

const CANARY: &str = "CanaryValue1";

fn secret(uid: u64, place: Place, id: Option<&str>, now: Instant) -> Slot<Basic> {
    let key = ApiKey::parse("abcd1234").unwrap();
    let value = ApiSecret::parse(CANARY).unwrap();
    let label = Label {
        id: id.map(|id| SecretId::parse(id).unwrap()),
        created_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        keep: Keep::Yes,
        note: Some("SMPP".to_owned()),
    };
    Slot { uid: Uid(uid), value: Basic { header: value.basic(&key), secret: value }, label, place, usage: Arc::new(Usage::new(now)) }
}

/// One account with the first secret refused, the second in use, a retiring one; and an application.
fn snapshot(now: Instant) -> Snapshot {
    let key = ApiKey::parse("abcd1234").unwrap();
    let secrets = vec![
        secret(1, Place::File(0), Some("id-1"), now),
        secret(2, Place::File(1), None, now),
        secret(3, Place::Retiring { until: now + Duration::from_secs(90) }, None, now),
    ];
    let opinion = Arc::new(store::Opinion::default());
    {
        let mut standings = opinion.lock();
        let file = [Uid(1), Uid(2)];
        standings.learn(Uid(1), Host::REST, Lesson::RefusedPaired, now, &file, now);
        standings.learn(Uid(2), Host::REST, Lesson::Accepted, now, &file, now);
    }
    let account = credentials::Account {
        key: key.clone(),
        secrets,
        signatures: Vec::new(),
        signature_method: SignatureMethod::default(),
        primary: None,
        place: Membership::Listed,
        opinion,
        signature_opinion: Arc::default(),
    };
    let id = ApplicationId::parse("app-1").unwrap();
    let signer = Signer::new(&id, SigningKey::parse(&generate::key_pair().unwrap().private).unwrap());
    let opinion = Arc::new(store::Opinion::default());
    opinion.lock().learn(Uid(9), Host::API, Lesson::Accepted, now, &[Uid(9)], now);
    let application = credentials::Application {
        id,
        account: key,
        keys: vec![Slot { uid: Uid(9), value: signer, label: Label::default(), place: Place::File(0), usage: Arc::new(Usage::new(now)) }],
        place: Membership::Lingering { until: now + Duration::from_secs(30) },
        handed_out: Arc::default(),
        opinion,
    };
    Snapshot {
        generation: Generation(7),
        revision: Some(Revision::parse("r-1").unwrap()),
        accounts: vec![Arc::new(account)],
        applications: vec![Arc::new(application)],
        published: Some(now),
    }
}

fn file() -> File {
    File {
        path: "/etc/credentials.toml".to_owned(),
        device: Some(1),
        inode: Some(2),
        state: FileState::Ok,
        error: None,
        last_good_age_seconds: Some(1.5),
        watch: Watch::Events,
    }
}

fn facts() -> Facts {
    Facts {
        boot_id: "00112233".to_owned(),
        uptime: Duration::from_micros(12_345_678),
        date: crate::clock::wall(),
        draining: false,
        reloads: ReloadView { file: file(), history: Vec::new() },
        listeners: Vec::new(),
        rotation: rotation::Rotation::default(),
    }
}

#[test]
fn a_document_says_where_each_value_stands() {
    let now = crate::clock::now();
    let document = Status::of(&snapshot(now), facts(), now);
    assert_eq!((document.schema, document.generation, document.revision.as_deref()), (1, 7, Some("r-1")));
    assert!((document.uptime_seconds - 12.345).abs() < 1e-9);
    let [first, second, retiring] = document.accounts[0].secrets.as_slice() else { panic!("three secrets") };
    assert_eq!(first.name(), "first (id-1)");
    assert_eq!(first.standing, BTreeMap::from([("rest.nexmo.com".to_owned(), Standing::Refused)]));
    assert_eq!(first.created_at.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert!(first.keep);
    assert_eq!((second.name().as_str(), second.standing["rest.nexmo.com"]), ("second", Standing::Good));
    assert_eq!((retiring.position, retiring.retiring_seconds), (None, Some(90.0)));
    assert_eq!(document.applications[0].membership, Presence::Lingering);
    assert_eq!(document.applications[0].lingering_seconds, Some(30.0));
    assert_eq!(document.applications[0].private_keys[0].standing["api.nexmo.com"], Standing::Good);
}

#[test]
fn use_is_never_then_now_then_an_age() {
    let now = crate::clock::now();
    let snapshot = snapshot(now);
    let used = |now| {
        let value = Status::of(&snapshot, facts(), now).accounts[0].secrets[0].clone();
        (value.last_used_seconds, value.in_flight, value.served, value.last_accepted_seconds)
    };
    assert_eq!(used(now), (None, 0, 0, None));
    let usage = &snapshot.accounts[0].secrets[0].usage;
    usage.begin();
    assert_eq!(used(now + Duration::from_mins(1)), (Some(0.0), 1, 0, None));
    usage.accepted(now + Duration::from_mins(1));
    usage.served();
    usage.end(now + Duration::from_mins(1));
    assert_eq!(used(now + Duration::from_secs(65)), (Some(5.0), 0, 1, Some(5.0)));
}

#[test]
fn a_document_holds_no_value_and_no_timestamp_of_ours() {
    let now = crate::clock::now();
    let text = serde_json::to_string(&Status::of(&snapshot(now), facts(), now)).unwrap();
    assert!(!text.contains(CANARY), "{text}");
    let dates: Vec<_> = text.match_indices("T22:13:20Z").collect();
    assert_eq!(dates.len(), text.matches("created_at\":\"").count());
}

#[test]
fn a_reader_takes_the_document_of_a_later_version() {
    let now = crate::clock::now();
    let document = Status::of(&snapshot(now), facts(), now);
    let mut later = serde_json::to_value(&document).unwrap();
    assert_eq!(serde_json::from_value::<Status>(later.clone()).unwrap(), document);
    later["added_later"] = serde_json::json!({ "x": 1 });
    later["accounts"][0]["secrets"][0]["standing"]["rest.nexmo.com"] = serde_json::json!("a_new_word");
    later["credentials"]["watch"] = serde_json::json!("a_new_word");
    let read: Status = serde_json::from_value(later).unwrap();
    assert_eq!(read.accounts[0].secrets[0].standing["rest.nexmo.com"], Standing::Unknown);
    assert_eq!(read.credentials.watch, Watch::Unknown);
}

#[test]
fn the_contract_keeps_its_names() {
    let now = crate::clock::now();
    let document = serde_json::to_value(Status::of(&snapshot(now), facts(), now)).unwrap();
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(&document),
        "accounts applications boot_id credentials draining generation listeners reloads revision schema uptime_seconds version"
    );
    assert_eq!(names(&document["credentials"]), "device error inode last_good_age_seconds path state watch");
    assert_eq!(names(&document["accounts"][0]), "key lingering_seconds membership secrets signature_secrets");
    assert_eq!(
        names(&document["accounts"][0]["secrets"][0]),
        "created_at id in_flight keep last_accepted_seconds last_used_seconds note position retiring_seconds served standing"
    );
    assert_eq!(document["accounts"][0]["secrets"][0]["standing"]["rest.nexmo.com"], "refused");
}

#[test]
fn what_is_known_of_rotation_is_added_and_nothing_else_changes() {
    let now = crate::clock::now();
    let listing = rotation::Listing {
        looked_seconds: 2.0,
        error: None,
        oldest_secret_seconds: Some(90.0),
        overdue: true,
        due_seconds: Some(0.0),
        drift: vec!["foreign: id-9".to_owned()],
        step: Some("prove".to_owned()),
        step_seconds: Some(1.0),
    };
    let schedule = rotation::Schedule { state: rotation::ScheduleState::Unfit, detail: "why".to_owned() };
    let known = rotation::Rotation { schedule: Some(schedule), listings: BTreeMap::from([("abcd1234".to_owned(), listing.clone())]) };
    let document = Status::of(&snapshot(now), Facts { rotation: known, ..facts() }, now);
    assert_eq!(document.accounts[0].listing.as_ref(), Some(&listing));
    let mut grown = serde_json::to_value(&document).unwrap();
    assert_eq!(grown["schedule"]["state"], "unfit");
    // A reader that knows nothing of it reads on, and so does this one when it is not there.
    grown.as_object_mut().unwrap().remove("schedule");
    grown["accounts"][0].as_object_mut().unwrap().remove("listing");
    assert_eq!(serde_json::from_value::<Status>(grown).unwrap(), Status::of(&snapshot(now), facts(), now));
    let text = serde_json::to_string(&document).unwrap();
    let scrape =
        super::super::metrics_page::scrape(&snapshot(now), &file(), super::super::Load::default(), &document_rotation(&listing), now);
    assert!(!text.contains(CANARY) && scrape.accounts[0].rotation.is_some());
}

fn document_rotation(listing: &rotation::Listing) -> rotation::Rotation {
    rotation::Rotation { schedule: None, listings: BTreeMap::from([("abcd1234".to_owned(), listing.clone())]) }
}

#[test]
fn the_gauges_tell_how_many_secrets_still_work() {
    let now = crate::clock::now();
    let later = now + Duration::from_secs(40);
    let scrape: Scrape =
        super::super::metrics_page::scrape(&snapshot(now), &file(), super::super::Load::default(), &rotation::Rotation::default(), later);
    assert_eq!(scrape.generation, 7);
    assert_eq!(scrape.retiring, 1);
    assert_eq!((scrape.accounts[0].usable, scrape.accounts[0].preferred_refused), (1, Duration::from_secs(40)));
    assert!(Metrics::new().render(&scrape).contains("vonage_sidecar_credentials_last_good_age_seconds 1.5"));
}
