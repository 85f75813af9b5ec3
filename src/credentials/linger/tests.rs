//! From one snapshot to the next: nothing in use is lost, nothing refused is kept.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use super::*;
use crate::credentials::Label;
use crate::credentials::standing::Lesson;
use crate::jwt::{SigningKey, generate};
use crate::secret::{ApiKey, ApiSecret, ApplicationId, SecretId};
use crate::vonage::hosts::Host;

const RETIRE: Duration = Duration::from_mins(15);

/// A file in short: accounts with their secrets, applications (of the first account) with their keys.
type Short<'a> = (&'a [(&'a str, &'a [&'a str])], &'a [(&'a str, &'a [&'a str])]);

fn parsed((accounts, applications): Short<'_>) -> Parsed {
    let first = accounts[0].0;
    Parsed {
        revision: None,
        accounts: accounts
            .iter()
            .map(|(key, secrets)| AccountEntry {
                key: ApiKey::parse(key).unwrap(),
                secrets: secrets.iter().map(|text| item(ApiSecret::parse(text).unwrap())).collect(),
                signatures: Vec::new(),
                signature_method: SignatureMethod::default(),
                primary: None,
            })
            .collect(),
        applications: applications
            .iter()
            .map(|(id, keys)| ApplicationEntry {
                id: ApplicationId::parse(id).unwrap(),
                account: ApiKey::parse(first).unwrap(),
                keys: keys.iter().map(|text| item(key(text))).collect(),
            })
            .collect(),
    }
}

/// A key that is the same for the same name.
fn key(name: &str) -> SigningKey {
    static MADE: LazyLock<Mutex<HashMap<String, SigningKey>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    let make = || SigningKey::parse(&generate::key_pair().unwrap().private).unwrap();
    made.entry(name.to_owned()).or_insert_with(make).clone()
}

fn item<V>(value: V) -> Item<V> {
    Item { value, label: Label::default() }
}

/// A sequence of files, one second after another.
struct Held {
    now: Instant,
    next_uid: u64,
    retire: Duration,
    snapshot: Snapshot,
}

impl Held {
    fn new(retire: Duration, file: Short<'_>) -> Self {
        let mut held = Self { now: crate::clock::now(), next_uid: 1, retire, snapshot: Snapshot::default() };
        held.file(file);
        held
    }

    fn file(&mut self, file: Short<'_>) -> Vec<String> {
        self.now += Duration::from_secs(1);
        let (snapshot, changes) = succeed(&self.snapshot, parsed(file), self.retire, self.now, &mut self.next_uid);
        self.snapshot = snapshot;
        changes.iter().map(ToString::to_string).collect()
    }

    fn prune(&mut self) -> Vec<String> {
        let Some((snapshot, changes)) = prune(&self.snapshot, self.now) else { return Vec::new() };
        self.snapshot = snapshot;
        changes.iter().map(ToString::to_string).collect()
    }

    /// Uid and whether it is in the file, in order.
    fn secrets(&self, key: &str) -> Vec<(u64, bool)> {
        self.snapshot.account(key).unwrap().secrets.iter().map(|slot| (slot.uid.0, matches!(slot.place, Place::File(_)))).collect()
    }

    fn refuse(&self, key: &str, uid: u64) {
        let account = self.snapshot.account(key).unwrap();
        let host = Host::API;
        account.opinion.lock().learn(Uid(uid), host, Lesson::RefusedPaired, self.now, &[], self.now);
    }
}

#[test]
fn a_value_keeps_its_uid_usage_and_opinion_wherever_it_moves() {
    let mut held = Held::new(RETIRE, (&[("k", &["a", "b"])], &[]));
    let before = Arc::clone(held.snapshot.account("k").unwrap());
    before.secrets[0].usage.served();
    assert_eq!(held.file((&[("first", &["x"]), ("k", &["b", "a"])], &[])), ["account first added", "account k: secrets reordered"]);
    assert_eq!(held.secrets("k"), [(2, true), (1, true)]);
    let after = held.snapshot.account("k").unwrap();
    assert!(Arc::ptr_eq(&after.opinion, &before.opinion) && Arc::ptr_eq(&after.secrets[1].usage, &before.secrets[0].usage));
    assert_eq!(after.secrets[1].place, Place::File(1));
    assert_eq!(held.snapshot.generation, Generation(2));
}

#[test]
fn a_value_gone_from_the_file_retires_behind_the_file_and_ends_in_time() {
    let mut held = Held::new(RETIRE, (&[("k", &["a"])], &[]));
    assert_eq!(
        held.file((&[("k", &["b"])], &[])),
        ["account k: secret number 1 added", "account k: secret number 1 is gone from the file and kept for a while"]
    );
    assert_eq!(held.secrets("k"), [(2, true), (1, false)]);
    let end = held.now + RETIRE;
    assert_eq!(next_end(&held.snapshot), Some(end));
    held.file((&[("k", &["b", "c"])], &[]));
    assert_eq!(next_end(&held.snapshot), Some(end), "a later file does not move the end");
    held.now += RETIRE.saturating_sub(Duration::from_secs(2));
    assert!(held.prune().is_empty());
    held.now = end;
    assert_eq!(held.prune(), ["account k: secret number 3 dropped"]);
    assert_eq!(held.secrets("k"), [(2, true), (3, true)]);
    assert_eq!(next_end(&held.snapshot), None);
}

#[test]
fn a_value_that_comes_back_stops_retiring() {
    let mut held = Held::new(RETIRE, (&[("k", &["a"])], &[]));
    held.file((&[("k", &["b"])], &[]));
    assert!(held.file((&[("k", &["a", "b"])], &[])).contains(&"account k: secret number 1 is back in the file".to_owned()));
    assert_eq!(held.secrets("k"), [(1, true), (2, true)]);
}

#[test]
fn a_refused_value_does_not_linger_and_a_retiring_one_goes_when_it_is_refused() {
    let mut held = Held::new(RETIRE, (&[("k", &["a", "b"])], &[]));
    held.refuse("k", 1);
    held.file((&[("k", &["c"])], &[]));
    assert_eq!(held.secrets("k"), [(3, true), (2, false)]);
    held.refuse("k", 2);
    assert_eq!(held.prune(), ["account k: secret number 2 dropped"]);
    assert_eq!(held.secrets("k"), [(3, true)]);
    let account = held.snapshot.account("k").unwrap();
    forget(&held.snapshot);
    assert!(account.opinion.lock().hosts(Uid(2)).is_empty());
}

#[test]
fn with_no_time_to_retire_everything_goes_at_once() {
    let mut held = Held::new(Duration::ZERO, (&[("k", &["a"]), ("gone", &["x"])], &[("app", &["1"])]));
    let words = held.file((&[("k", &["b"])], &[]));
    assert!(words.contains(&"account gone dropped".to_owned()) && words.contains(&"application app dropped".to_owned()), "{words:?}");
    assert_eq!(held.secrets("k"), [(4, true)]);
    assert_eq!((held.snapshot.accounts.len(), held.snapshot.applications.len()), (1, 0));
}

#[test]
fn the_wrong_file_cuts_nobody_off() {
    let mut held = Held::new(RETIRE, (&[("a", &["1"]), ("b", &["2"])], &[("app", &["k"])]));
    let words = held.file((&[("other", &["3"])], &[]));
    assert_eq!(
        words,
        [
            "account other added",
            "account a is gone from the file and kept for a while",
            "account b is gone from the file and kept for a while",
            "application app is gone from the file and kept for a while"
        ]
    );
    let keys: Vec<_> = held.snapshot.accounts.iter().map(|account| account.key.as_str()).collect();
    assert_eq!(keys, ["other", "a", "b"], "lingering accounts stand behind those of the file");
    let until = held.now + RETIRE;
    assert_eq!(held.snapshot.account("b").unwrap().place, Membership::Lingering { until });
    assert_eq!(held.secrets("b"), [(2, false)]);
    assert_eq!(held.snapshot.application("app").unwrap().place, Membership::Lingering { until });
    let words = held.file((&[("a", &["1"]), ("b", &["2"])], &[("app", &["k"])]));
    assert!(words.contains(&"account b is back in the file".to_owned()), "{words:?}");
    assert_eq!(held.secrets("b"), [(2, true)]);
    held.now += RETIRE;
    held.prune();
    assert_eq!(held.snapshot.accounts.len(), 2);
    assert_eq!(held.snapshot.applications.len(), 1);
}

#[test]
fn a_lingering_account_ends_in_time_with_its_application() {
    let mut held = Held::new(RETIRE, (&[("a", &["1"])], &[("app", &["k"])]));
    held.file((&[("b", &["2"])], &[]));
    held.now += RETIRE;
    let words = held.prune();
    assert!(words.contains(&"account a dropped".to_owned()) && words.contains(&"application app dropped".to_owned()), "{words:?}");
    assert_eq!((held.snapshot.accounts.len(), held.snapshot.applications.len()), (1, 0));
}

#[test]
fn the_key_of_an_application_rotates_like_a_secret() {
    let mut held = Held::new(RETIRE, (&[("a", &["1"])], &[("app", &["k1"])]));
    held.file((&[("a", &["1"])], &[("app", &["k2"])]));
    let uids: Vec<_> = held.snapshot.application("app").unwrap().keys.iter().map(|slot| slot.uid.0).collect();
    assert_eq!(uids, [3, 2]);
    held.file((&[("a", &["1"])], &[("app", &[])]));
    assert_eq!(held.snapshot.application("app").unwrap().keys.len(), 2, "a missing key file leaves the keys that we hold");
}

#[test]
fn a_file_rewritten_without_end_does_not_fill_the_memory_and_keeps_what_was_used() {
    let mut held = Held::new(RETIRE, (&[("k", &["used"])], &[]));
    held.snapshot.account("k").unwrap().secrets[0].usage.begin();
    held.snapshot.account("k").unwrap().secrets[0].usage.end(held.now);
    for round in 0..100 {
        held.file((&[("k", &[&format!("s{round}")])], &[]));
    }
    let secrets = held.secrets("k");
    assert_eq!(secrets.len(), 1 + MOST_RETIRING);
    assert_eq!(&secrets[..3], [(101, true), (1, false), (100, false)]);
}

#[test]
fn a_value_is_called_by_its_id_and_never_by_itself() {
    let mut held = Held::new(RETIRE, (&[("k", &["a"])], &[]));
    let mut file = parsed((&[("k", &["topsecret"])], &[]));
    file.accounts[0].secrets[0].label.id = Some(SecretId::parse("id-7").unwrap());
    let (_, changes) = succeed(&held.snapshot, file, RETIRE, held.now, &mut held.next_uid);
    assert_eq!(changes[0].to_string(), "account k: secret id-7 added");
    assert!(!format!("{changes:?}").contains("topsecret"));
}

#[test]
fn only_what_says_less_loses() {
    let mut held = Held::new(RETIRE, (&[("a", &["1", "2"]), ("b", &["3"])], &[("app", &["k1", "k2"])]));
    let cases: [(Short<'_>, bool); 8] = [
        ((&[("a", &["1", "2"]), ("b", &["3"])], &[("app", &["k1", "k2"])]), false),
        ((&[("a", &["2", "1"]), ("b", &["4"])], &[("app", &["k2", "k1"])]), false),
        ((&[("a", &["5"]), ("b", &["3"])], &[("app", &["k1", "k3"])]), false),
        ((&[("a", &["1", "2"]), ("b", &["3"]), ("c", &["9"])], &[("app", &["k1", "k2"])]), false),
        ((&[("a", &["1", "2"])], &[("app", &["k1", "k2"])]), true),
        ((&[("a", &["1", "2"]), ("b", &["3"])], &[]), true),
        ((&[("a", &["1", "2"]), ("b", &["3"])], &[("app", &["k2"])]), true),
        ((&[("a", &["2"]), ("b", &["3"])], &[("app", &["k1", "k2"])]), true),
    ];
    for (index, (file, expected)) in cases.into_iter().enumerate() {
        assert_eq!(loses(&held.snapshot, &parsed(file)), expected, "case {index}");
    }
    held.file((&[("a", &["1"])], &[]));
    assert!(!loses(&held.snapshot, &parsed((&[("a", &["1"])], &[]))), "what lingers is not in the file any more");
}
