//! What opens the gate, and what keeps it shut.

use super::*;
use crate::secret::{ApiKey, ApplicationId};

fn id(text: &str) -> SecretId {
    SecretId::parse(text).unwrap()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn start() -> Instant {
    crate::clock::now()
}

fn held(name: &str, unused_for: Option<u64>, accepted_ago: Option<u64>) -> Held {
    Held {
        id: Some(id(name)),
        unused_for: unused_for.map(seconds),
        accepted_ago: accepted_ago.map(seconds),
        trust: Trust::Trusted,
        served: 0,
    }
}

/// A sidecar that has run for long, has the file, and has not used the old secret for a minute.
fn good() -> Look {
    let secrets = vec![held("new", Some(0), Some(1)), held("old", Some(60), Some(60))];
    Look { boot_id: "b".to_owned(), uptime: seconds(1000), revision: Some(Revision::parse("r2").unwrap()), secrets, client_tokens: 0 }
}

fn seen(name: &str, listing: Listing, answer: Answer) -> Sighting {
    Sighting { name: name.to_owned(), listing, answer }
}

/// The gate after a look, 100 s after watching began.
fn gate(sightings: Vec<Sighting>) -> Gate {
    let began = start();
    let mut watch = Watch::begin(&[], began);
    let now = began + seconds(100);
    watch.note(sightings, now);
    watch.gate(&question(&Revision::parse("r2").unwrap(), &id("new"), &id("old")), 1, now)
}

fn question<'a>(revision: &'a Revision, stays: &'a SecretId, goes: &'a SecretId) -> Question<'a> {
    Question { revision, stays, must: Must::Accept, goes: Some((goes, seconds(30))) }
}

fn blocked(look: Look) -> Why {
    match gate(vec![seen("good", Listing::Listed, Answer::Look(good())), seen("bad", Listing::Listed, Answer::Look(look))]) {
        Gate::Shut { on, ask: _ } => {
            assert_eq!((on.len(), on[0].name.as_str()), (1, "bad"));
            on[0].why.clone()
        }
        other => panic!("{other:?}"),
    }
}

/// What keeps the gate shut after one sidecar answered with these starts, one after the other.
fn after_starts(starts: &[&str]) -> Gate {
    let (began, revision, new, old) = (start(), Revision::parse("r2").unwrap(), id("new"), id("old"));
    let mut watch = Watch::begin(&["one".to_owned()], began);
    let now = began + seconds(100);
    for boot_id in starts {
        watch.note(vec![seen("one", Listing::Listed, Answer::Look(Look { boot_id: (*boot_id).to_owned(), ..good() }))], now);
    }
    watch.gate(&question(&revision, &new, &old), 1, now)
}

#[test]
fn several_sidecars_behind_one_name_have_no_say_and_one_that_starts_anew_has() {
    assert_eq!(after_starts(&["a", "a", "b", "c", "c"]), Gate::Open(1));
    for by_turns in [&["a", "b", "a"][..], &["a", "b", "a", "a", "a"]] {
        let Gate::Shut { on, ask } = after_starts(by_turns) else { panic!("{by_turns:?}") };
        assert!(ask.is_empty() && on[0].to_string().contains("name each by an address of its own"), "{on:?}");
    }
}

fn account(key: &str) -> Whose {
    Whose::Account(ApiKey::parse(key).unwrap())
}

#[test]
fn all_good_opens_it() {
    let both = ["a", "b"].map(|name| seen(name, Listing::Listed, Answer::Look(good())));
    assert_eq!(gate(both.to_vec()), Gate::Open(2));
}

#[test]
fn each_thing_amiss_with_one_shuts_it_for_all() {
    assert_eq!(blocked(Look { revision: None, ..good() }), Why::OtherRevision);
    assert_eq!(blocked(Look { revision: Some(Revision::parse("r1").unwrap()), ..good() }), Why::OtherRevision);
    let new = |held: Held| Look { secrets: vec![held, good().secrets[1].clone()], ..good() };
    assert_eq!(blocked(new(held("new", None, None))), Why::NotAccepted);
    assert_eq!(blocked(new(held("new", Some(0), Some(101)))), Why::NotAccepted, "accepted before watching began");
    assert_eq!(blocked(new(Held { trust: Trust::Doubted, ..held("new", Some(0), Some(1)) })), Why::Doubts);
    let old = |unused: Option<u64>| Look { secrets: vec![good().secrets[0].clone(), held("old", unused, None)], ..good() };
    assert_eq!(blocked(old(Some(29))), Why::NotQuiet(seconds(29)));
    assert_eq!(blocked(Look { uptime: seconds(10), ..old(None) }), Why::NotQuiet(seconds(10)), "its life before is unknown");
    for answer in [Answer::Silent("timed out".to_owned()), Answer::Refuses] {
        assert!(matches!(gate(vec![seen("mute", Listing::Listed, answer)]), Gate::Shut { .. }));
    }
}

#[test]
fn those_that_could_try_it_themselves_are_asked() {
    let look = Look { secrets: vec![held("new", None, None), good().secrets[1].clone()], ..good() };
    let late = Look { revision: None, ..good() };
    let shut = gate(vec![seen("idle", Listing::Listed, Answer::Look(look)), seen("late", Listing::Listed, Answer::Look(late))]);
    assert!(matches!(&shut, Gate::Shut { on, ask } if on.len() == 2 && *ask == ["idle"]), "{shut:?}");
}

#[test]
fn a_file_without_ids_is_an_error_and_not_a_wait() {
    let nameless = Held { id: None, ..held("new", Some(0), Some(1)) };
    let look = Look { secrets: vec![nameless.clone(), nameless], ..good() };
    assert_eq!(gate(vec![seen("a", Listing::Listed, Answer::Look(look))]), Gate::WithoutIds("a".to_owned()));
}

#[test]
fn nobody_is_not_everybody_and_few_are_not_enough() {
    assert_eq!(gate(Vec::new()), Gate::Nobody);
    let began = start();
    let mut watch = Watch::begin(&[], began);
    watch.note(vec![seen("a", Listing::Listed, Answer::Look(good()))], began + seconds(100));
    let (revision, new, old) = (Revision::parse("r2").unwrap(), id("new"), id("old"));
    assert_eq!(watch.gate(&question(&revision, &new, &old), 2, began + seconds(100)), Gate::TooFew(1));
}

#[test]
fn one_that_left_counts_until_it_has_refused_connections_for_five_minutes() {
    let began = start();
    let mut watch = Watch::begin(&["gone".to_owned()], began);
    let mut note = |after: u64, answer: Answer| watch.note(vec![seen("gone", Listing::Left, answer)], began + seconds(after));
    assert!(note(0, Answer::Refuses).is_empty());
    assert!(note(200, Answer::Silent("timed out".to_owned())).is_empty(), "silence begins it anew");
    assert!(note(210, Answer::Refuses).is_empty());
    assert!(note(509, Answer::Refuses).is_empty());
    assert_eq!(note(510, Answer::Refuses), ["gone"]);
    assert!(watch.names().is_empty());
}

#[test]
fn a_listed_one_that_refuses_connections_is_never_dropped() {
    let began = start();
    let mut watch = Watch::begin(&[], began);
    for after in [0, 1000] {
        assert!(watch.note(vec![seen("a", Listing::Listed, Answer::Refuses)], began + seconds(after)).is_empty());
    }
}

#[test]
fn a_document_is_read_for_one_account_and_the_rest_is_ignored() {
    let text = br#"{"schema":1,"boot_id":"b","uptime_seconds":12.5,"revision":"r2","more":{},"accounts":[{"key":"other","secrets":[]},
        {"key":"abcd1234","membership":"listed","secrets":[
            {"id":"new","position":0,"standing":{"h":"good","g":"refused"},"last_used_seconds":0.0,"last_accepted_seconds":3.0},
            {"id":null,"position":1,"standing":{},"last_used_seconds":null,"last_accepted_seconds":null}]}]}"#;
    let look = Look::parse(text, &account("abcd1234")).unwrap();
    assert_eq!((look.uptime, look.revision), (Duration::from_millis(12_500), Some(Revision::parse("r2").unwrap())));
    assert_eq!(look.secrets[0], Held { trust: Trust::Doubted, ..held("new", Some(0), Some(3)) });
    assert_eq!(look.secrets[1], Held { id: None, ..held("x", None, None) });
    assert_eq!(Look::parse(text, &account("none")), Err(Unreadable::NotServed));
    assert_eq!(
        Look::parse(br#"{"schema":2,"boot_id":"b","uptime_seconds":1,"revision":null,"accounts":[]}"#, &account("a")),
        Err(Unreadable::Newer(2))
    );
    // Silence about the last use is not "never".
    let silent = std::str::from_utf8(text).unwrap().replace("\"last_used_seconds\":0.0,", "");
    let unreadable = Look::parse(silent.as_bytes(), &account("abcd1234")).unwrap_err();
    assert!(unreadable.to_string().contains("last_used_seconds"), "{unreadable}");
    assert!(matches!(Look::parse(b"<html>", &account("a")), Err(Unreadable::Malformed(_))));
}

#[test]
fn private_keys_of_an_application_stand_in_the_place_of_secrets() {
    let text =
        br#"{"schema":1,"boot_id":"b","uptime_seconds":5,"revision":"r2","accounts":[],"applications":[{"id":"app-1","client_tokens":7,
        "private_keys":[{"id":"k1","standing":{},"last_used_seconds":null,"last_accepted_seconds":2.0,"served":3}]}]}"#;
    let of = |id: &str| Look::parse(text, &Whose::Application(ApplicationId::parse(id).unwrap()));
    let look = of("app-1").unwrap();
    assert_eq!((look.client_tokens, look.secrets[0].accepted_ago), (7, Some(seconds(2))));
    assert_eq!(of("app-2"), Err(Unreadable::NotServed));
}

#[test]
fn who_holds_a_key_that_the_provider_does_not_know_yet_is_enough_before_it_is_put() {
    let (began, revision, new) = (crate::clock::now(), Revision::parse("r2").unwrap(), SecretId::parse("new").unwrap());
    let untried = Look { secrets: vec![held("new", None, None)], ..good() };
    let mut watch = Watch::begin(&[], began);
    watch.note(vec![Sighting { name: "a".to_owned(), listing: Listing::Listed, answer: Answer::Look(untried) }], began);
    let gate = |must| watch.gate(&Question { revision: &revision, stays: &new, must, goes: None }, 1, began + seconds(1));
    assert_eq!(gate(Must::Hold), Gate::Open(1));
    assert!(matches!(gate(Must::Accept), Gate::Shut { .. }));
}

#[test]
fn a_fleet_is_silent_only_when_nobody_says_anything() {
    let silent = || seen("a", Listing::Listed, Answer::Silent("no answer".to_owned()));
    let refuses = || seen("b", Listing::Listed, Answer::Refuses);
    let names = |seen: &[Sighting]| all_silent(seen).map(|on| on.iter().map(ToString::to_string).collect::<Vec<_>>());
    let both = ["a does not answer (no answer)", "b does not answer (connection refused)"].map(str::to_owned).to_vec();
    assert_eq!(names(&[silent(), refuses()]), Some(both));
    assert_eq!(names(&[silent(), seen("c", Listing::Listed, Answer::Look(good()))]), None);
}
