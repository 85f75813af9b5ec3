//! Every combination of what the account has and what we hold has one answer.

use std::time::{Duration, SystemTime};

use super::*;
use crate::credentials::Label;

fn day(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * number)
}

fn listed(id: &str, made: u64) -> Listed {
    Listed { id: SecretId::parse(id).unwrap(), created_at: Some(day(made)) }
}

/// The value has the name of its id, so that a mix-up shows.
fn held(value: &str, id: Option<&str>, keep: Keep) -> Delivered {
    let label = Label { id: id.map(|id| SecretId::parse(id).unwrap()), created_at: None, keep, note: None };
    Delivered { value: ApiSecret::parse(value).unwrap(), label }
}

fn named(name: &str, keep: Keep) -> Delivered {
    held(name, Some(name), keep)
}

fn decided(mode: &Mode, listed: &[Listed], live: &[Delivered]) -> Result<Decision, Stuck> {
    let file = live.iter().map(|item| item.value.clone()).collect();
    decide(mode, &Picture { listed, file, live: live.iter().collect() }, Revision::parse("r").unwrap())
}

/// Who stays and who goes, or that a secret is made.
fn outcome(mode: &Mode, listed: &[Listed], live: &[Delivered]) -> Result<String, Stuck> {
    decided(mode, listed, live).map(|decision| match decision {
        Decision::Mint(base) => format!("make one beside {}", base.live.iter().map(|item| item.id.as_str()).collect::<Vec<_>>().join(" ")),
        Decision::Free(change) => {
            let goes = match &change.goes {
                Goes::Nothing => "nothing".to_owned(),
                Goes::Used(item) | Goes::Unused(item) => format!("{} held", item.id),
                Goes::Unknown(id) => format!("{id} unknown"),
            };
            format!("{} stays, {goes} goes, then {:?}", change.stays.id, change.then)
        }
    })
}

fn emergency(leaked: Option<&str>) -> Mode {
    Mode::Emergency(Emergency { leaked: leaked.map(|id| SecretId::parse(id).unwrap()), deadline: Duration::ZERO })
}

#[test]
fn a_free_slot_is_used() {
    let one = [listed("a", 1)];
    for item in [named("a", Keep::No), held("a", None, Keep::No), named("a", Keep::Yes)] {
        for mode in [Mode::Rotate, Mode::Drill, emergency(None), emergency(Some("a"))] {
            let came = outcome(&mode, &one, std::slice::from_ref(&item));
            // Any may have leaked, and the only one there is may not go: that is no answer to a leak.
            let kept = item.label.keep == Keep::Yes && mode == emergency(None);
            let expected = if kept { Err(Stuck::LeakKept(SecretId::parse("a").unwrap())) } else { Ok("make one beside a".to_owned()) };
            assert_eq!(came, expected, "{mode:?}");
        }
    }
}

#[test]
fn where_others_depend_on_the_only_one_the_new_one_is_added_and_nothing_is_said_to_be_revoked() {
    let live = [named("a", Keep::Yes)];
    let Decision::Mint(base) = decided(&Mode::Rotate, &[listed("a", 1)], &live).unwrap() else { panic!("not made") };
    let new = Item { id: SecretId::parse("new").unwrap(), ..base.live[0].clone() };
    let change = replace(&Mode::Rotate, &new, &base, Revision::parse("r").unwrap());
    assert!(matches!(change.goes, Goes::Nothing) && change.then == Then::Finish(Ending::Added));
    let named = replace(&emergency(Some("a")), &new, &base, Revision::parse("r").unwrap());
    assert!(matches!(named.goes, Goes::Used(_)) && named.then == Then::Finish(Ending::Done));
}

#[test]
fn of_two_live_ones_the_older_goes_first_whatever_the_order() {
    let both = [listed("a", 1), listed("b", 2)];
    let items = [named("a", Keep::No), named("b", Keep::No)];
    let turned = [items[1].clone(), items[0].clone()];
    for live in [&items, &turned] {
        assert_eq!(outcome(&Mode::Rotate, &both, live).unwrap(), "b stays, a held goes, then Check");
    }
    assert_eq!(decided(&Mode::Drill, &both, &items).unwrap_err(), Stuck::NoFreeSlot);
}

#[test]
fn of_two_as_old_the_one_that_the_owner_prefers_stays() {
    let both = [listed("a", 1), listed("b", 1)];
    let live = [named("b", Keep::No), named("a", Keep::No)];
    assert_eq!(outcome(&Mode::Rotate, &both, &live).unwrap(), "b stays, a held goes, then Check");
}

#[test]
fn a_kept_one_lends_its_place_to_no_one_and_ours_goes() {
    for (a, b) in [(1, 2), (2, 1)] {
        let both = [listed("ours", a), listed("kept", b)];
        for live in [[named("ours", Keep::No), named("kept", Keep::Yes)], [named("kept", Keep::Yes), named("ours", Keep::No)]] {
            assert_eq!(outcome(&Mode::Rotate, &both, &live).unwrap(), "kept stays, ours held goes, then Check");
        }
    }
    let both = [listed("a", 1), listed("b", 2)];
    assert_eq!(outcome(&Mode::Rotate, &both, &[named("a", Keep::Yes), named("b", Keep::Yes)]), Err(Stuck::AllKept));
}

#[test]
fn a_stranger_is_left_alone_except_after_a_leak() {
    let both = [listed("a", 1), listed("x", 2)];
    let live = [named("a", Keep::No)];
    let x = SecretId::parse("x").unwrap();
    for mode in [Mode::Rotate, Mode::Drill] {
        assert_eq!(outcome(&mode, &both, &live), Err(Stuck::Foreign(x.clone())));
    }
    assert_eq!(outcome(&emergency(None), &both, &live).unwrap(), "a stays, x unknown goes, then Check");
    assert_eq!(outcome(&emergency(Some("x")), &both, &live).unwrap(), "a stays, x unknown goes, then Finish(Removed)");
}

#[test]
fn the_leaked_one_goes_even_when_kept_and_the_other_is_enough() {
    let both = [listed("a", 2), listed("b", 1)];
    let live = [named("a", Keep::Yes), named("b", Keep::No)];
    assert_eq!(outcome(&emergency(Some("a")), &both, &live).unwrap(), "b stays, a held goes, then Finish(Removed)");
    assert_eq!(outcome(&emergency(None), &both, &live).unwrap(), "a stays, b held goes, then Check");
    let absent = SecretId::parse("c").unwrap();
    assert_eq!(outcome(&emergency(Some("c")), &both, &live), Err(Stuck::NoSuchLeak(absent)));
}

#[test]
fn ids_are_found_only_where_there_is_no_doubt() {
    let both = [listed("a", 1), listed("b", 2)];
    let with_one = [held("a", None, Keep::No), named("b", Keep::No)];
    assert_eq!(outcome(&Mode::Rotate, &both, &with_one).unwrap(), "b stays, a held goes, then Check");
    let none = [held("a", None, Keep::No), held("b", None, Keep::No)];
    assert_eq!(outcome(&Mode::Rotate, &both, &none), Err(Stuck::WhichIsWhich));
    assert_eq!(outcome(&Mode::Rotate, &both, &[held("a", None, Keep::No)]), Err(Stuck::WhichIsWhich));
    let mut dated = none;
    (dated[0].label.created_at, dated[1].label.created_at) = (Some(day(1)), Some(day(2)));
    assert_eq!(outcome(&Mode::Rotate, &both, &dated).unwrap(), "b stays, a held goes, then Check");
    dated[1].label.created_at = Some(day(1));
    assert_eq!(outcome(&Mode::Rotate, &both, &dated), Err(Stuck::WhichIsWhich));
}

#[test]
fn one_that_was_revoked_and_is_still_accepted_takes_no_part() {
    let live = [named("gone", Keep::No), named("b", Keep::No)];
    assert_eq!(outcome(&Mode::Rotate, &[listed("b", 2)], &live).unwrap(), "make one beside b");
}

#[test]
fn a_new_one_takes_the_place_of_ours_and_stands_beside_a_kept_one() {
    let new = |base: &Base| Item { id: SecretId::parse("new").unwrap(), ..base.live[0].clone() };
    let base_of = |item: Delivered| match decided(&Mode::Rotate, &[listed("a", 1)], &[item]).unwrap() {
        Decision::Mint(base) => base,
        Decision::Free(change) => panic!("{change:?}"),
    };
    let revision = || Revision::parse("r").unwrap();
    let ours = base_of(named("a", Keep::No));
    let change = replace(&Mode::Rotate, &new(&ours), &ours, revision());
    assert!(matches!(&change.goes, Goes::Used(item) if item.id.as_str() == "a") && change.beside.is_empty());
    let kept = base_of(named("a", Keep::Yes));
    let change = replace(&Mode::Rotate, &new(&kept), &kept, revision());
    assert!(matches!(change.goes, Goes::Nothing) && change.beside[0].id.as_str() == "a");
    let change = replace(&emergency(Some("a")), &new(&kept), &kept, revision());
    assert!(matches!(&change.goes, Goes::Used(item) if item.id.as_str() == "a"), "named as leaked");
    let change = replace(&Mode::Drill, &new(&ours), &ours, revision());
    assert!(matches!(&change.goes, Goes::Unused(item) if item.id.as_str() == "new") && change.stays.id.as_str() == "a");
}
