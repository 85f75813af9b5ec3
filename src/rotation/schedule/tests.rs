//! The schedule in virtual time.

use super::*;
use crate::credentials::Label;
use crate::secret::SecretId;
use crate::vonage::management::Listed;

const HOUR: Duration = Duration::from_hours(1);
const DAYS: Duration = Duration::from_hours(24);

/// Midnight of some day.
fn midnight() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAYS
}

fn policy() -> Policy {
    Policy { accounts: "*".to_owned(), max_age: 30 * DAYS, every: 24 * DAYS, window: Window::Always, jitter: Duration::ZERO }
}

/// An account that we hold, whose secrets are of these ages at midnight.
fn seen(account: &str, secrets: &[(Duration, Keep)]) -> Seen {
    let id = |index: usize| SecretId::parse(&format!("id-{index}")).unwrap();
    let listed = secrets.iter().enumerate().map(|(index, (age, _))| Listed { id: id(index), created_at: Some(midnight() - *age) });
    let held = secrets.iter().enumerate().map(|(index, (_, keep))| Label { id: Some(id(index)), keep: *keep, ..Label::default() });
    Seen {
        account: ApiKey::parse(account).unwrap(),
        primary: None,
        listed: Ok(listed.collect()),
        held: held.collect(),
        progress: Progress::Resting,
    }
}

fn old(days: u32) -> Seen {
    seen("abcd1234", &[(days * DAYS, Keep::No)])
}

fn due(seen: &Seen, policy: Policy, tried: Tried, now: SystemTime) -> Due {
    Subject::of(seen, &[policy], tried, now).unwrap().due(now)
}

fn due_of(seen: &Seen, policy: Policy) -> Due {
    due(seen, policy, Tried::Well, midnight())
}

#[test]
fn a_secret_is_due_when_it_reaches_the_age_at_which_it_is_rotated() {
    assert_eq!(due_of(&old(23), policy()), Due::At(midnight() + DAYS));
    assert_eq!(due_of(&old(24), policy()), Due::Now);
    // However long nobody looked.
    assert_eq!(due_of(&old(400), policy()), Due::Now);
}

#[test]
fn nothing_is_due_that_is_not_known_not_held_or_not_meant() {
    let never = |seen: &Seen, policy| match due_of(seen, policy) {
        Due::Never(why) => why,
        Due::Now | Due::At(_) => panic!("it is due"),
    };
    assert_eq!(never(&old(400), Policy { accounts: "other*".to_owned(), ..policy() }), Never::NoPolicy);
    assert_eq!(never(&Seen { held: Vec::new(), ..old(400) }, policy()), Never::NotHeld);
    let mut undated = old(400);
    undated.listed.as_mut().unwrap()[0].created_at = None;
    assert_eq!(never(&undated, policy()), Never::NoDate);
    let unseen = Seen { listed: Err("refused".to_owned()), ..old(400) };
    assert!(Subject::of(&unseen, &[policy()], Tried::Well, midnight()).is_none());
}

#[test]
fn a_kept_secret_is_never_due_and_is_warned_of() {
    let kept = seen("abcd1234", &[(400 * DAYS, Keep::Yes), (DAYS, Keep::No)]);
    assert_eq!(due_of(&kept, policy()), Due::At(midnight() + 23 * DAYS));
    let policies = [policy()];
    let subject = Subject::of(&kept, &policies, Tried::Well, midnight()).unwrap();
    assert_eq!((subject.age(midnight()), subject.timeliness(midnight())), (Some(400 * DAYS), Timeliness::Overdue));
    assert_eq!(due_of(&seen("abcd1234", &[(400 * DAYS, Keep::Yes)]), policy()), Due::Never(Never::NoDate));
}

#[test]
fn the_warning_comes_at_nine_tenths_of_what_is_allowed() {
    let at = |days| Subject::of(&old(days), &[policy()], Tried::Well, midnight()).unwrap().timeliness(midnight());
    assert_eq!((at(26), at(27), at(31)), (Timeliness::InTime, Timeliness::Overdue, Timeliness::Overdue));
    assert_eq!(Subject::of(&old(99), &[], Tried::Well, midnight()).unwrap().timeliness(midnight()), Timeliness::InTime);
}

#[test]
fn a_rotation_begins_in_the_window_also_over_midnight() {
    let within = |from: u32, to: u32| Policy { window: Window::Between { from: from * 60, to: to * 60 }, ..policy() };
    assert_eq!(due_of(&old(24), within(2, 5)), Due::At(midnight() + 2 * HOUR));
    assert_eq!(due(&old(24), within(2, 5), Tried::Well, midnight() + 2 * HOUR), Due::Now);
    assert_eq!(due(&old(24), within(2, 5), Tried::Well, midnight() + 5 * HOUR), Due::At(midnight() + 26 * HOUR));
    assert_eq!(due_of(&old(24), within(23, 1)), Due::Now);
    assert_eq!(due(&old(24), within(23, 1), Tried::Well, midnight() + HOUR), Due::At(midnight() + 23 * HOUR));
    // The window of the day on which it comes due, not of today.
    assert_eq!(due_of(&old(22), within(2, 5)), Due::At(midnight() + 2 * DAYS + 2 * HOUR));
}

#[test]
fn jitter_spreads_accounts_before_the_age_and_always_in_the_same_way() {
    let jittered = || Policy { jitter: 10 * HOUR, ..policy() };
    let at = |account: &str| due_of(&seen(account, &[(20 * DAYS, Keep::No)]), jittered());
    let moments: Vec<Due> = (0..50).map(|number| at(&format!("acc{number:05}"))).collect();
    for moment in &moments {
        let Due::At(moment) = moment else { panic!("{moment:?}") };
        let left = moment.duration_since(midnight()).unwrap();
        assert!(left + 10 * HOUR > 4 * DAYS && left <= 4 * DAYS, "{left:?}");
    }
    let mut distinct: Vec<String> = moments.iter().map(|moment| format!("{moment:?}")).collect();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 45, "{}", distinct.len());
    assert_eq!(at("abcd1234"), at("abcd1234"));
}

#[test]
fn one_under_way_goes_on_outside_of_the_window_and_one_that_failed_waits_longer_and_longer() {
    let closed = || Policy { window: Window::Between { from: 600, to: 660 }, ..policy() };
    let under_way = Seen { progress: Progress::Rotating, ..old(1) };
    assert_eq!(due_of(&under_way, closed()), Due::Now);
    let waits = |times| match due(&under_way, closed(), Tried::InVain { times, ended_at: midnight() }, midnight()) {
        Due::At(at) => at.duration_since(midnight()).unwrap().as_secs() / 60,
        Due::Now | Due::Never(_) => panic!("at once"),
    };
    assert_eq!([1, 2, 3, 6, 60].map(waits), [5, 10, 20, 160, 160]);
}

#[test]
fn one_under_way_goes_on_in_a_pause_without_a_policy_and_unseen_and_waits_longer_and_longer_when_that_is_in_vain() {
    let under_way = Seen { progress: Progress::Rotating, listed: Err("refused".to_owned()), ..old(1) };
    let due_now = old(400);
    let next = |policies: &[Policy], tried, beginnings| {
        let subjects = [(&due_now, Tried::Well), (&under_way, tried)].into_iter();
        let subjects: Vec<Subject<'_>> = subjects.filter_map(|(seen, tried)| Subject::of(seen, policies, tried, midnight())).collect();
        turn(&subjects, beginnings, None, midnight())
    };
    let account = || under_way.account.clone();
    assert_eq!(next(&[], Tried::Well, Beginnings::Allowed), Turn::GoOn(account()));
    assert_eq!(next(&[policy()], Tried::Well, Beginnings::Paused), Turn::GoOn(account()));
    let waits = |times, policies: &[Policy]| match next(policies, Tried::InVain { times, ended_at: midnight() }, Beginnings::Paused) {
        Turn::Wait(at) => at.duration_since(midnight()).unwrap().as_secs() / 60,
        turn => panic!("{turn:?}"),
    };
    assert_eq!([1, 2, 60].map(|times| waits(times, &[])), [5, 10, 160], "what waits for a person is not hammered");
    assert_eq!([1, 2, 60].map(|times| waits(times, &[policy()])), [5, 10, 160]);
    assert_eq!(
        next(&[policy()], Tried::InVain { times: 1, ended_at: midnight() }, Beginnings::Allowed),
        Turn::Begin(due_now.account.clone())
    );
}

#[test]
fn after_a_downtime_accounts_rotate_one_after_the_other_the_most_urgent_first() {
    let accounts: Vec<Seen> = (0..20_u32).map(|number| seen(&format!("acc{number:05}"), &[((25 + number) * DAYS, Keep::No)])).collect();
    let policies = [policy()];
    let (mut now, mut last) = (midnight(), None);
    let mut done: Vec<ApiKey> = Vec::new();
    while done.len() < accounts.len() {
        let left = accounts.iter().filter(|seen| !done.contains(&seen.account));
        let subjects: Vec<Subject<'_>> = left.filter_map(|seen| Subject::of(seen, &policies, Tried::Well, now)).collect();
        match turn(&subjects, Beginnings::Allowed, last, now) {
            Turn::Begin(account) => {
                assert!(last.is_none_or(|last| now >= last + LONGEST_PAUSE), "there is a pause in between");
                done.push(account);
                now += Duration::from_secs(40);
                last = Some(now);
            }
            Turn::Wait(until) => now = until,
            Turn::GoOn(_) | Turn::Nothing => panic!("all are due"),
        }
    }
    assert!(done.iter().rev().is_sorted(), "{done:?}");
}

#[test]
fn one_under_way_comes_before_all_others_and_nothing_due_is_waited_for() {
    let policies = [policy()];
    let (older, under_way) = (seen("older", &[(29 * DAYS, Keep::No)]), Seen { progress: Progress::Rotating, ..old(1) });
    let subjects: Vec<Subject<'_>> =
        [&older, &under_way].into_iter().filter_map(|seen| Subject::of(seen, &policies, Tried::Well, midnight())).collect();
    assert_eq!(turn(&subjects, Beginnings::Allowed, None, midnight()), Turn::GoOn(under_way.account.clone()));
    assert_eq!(all_due(&subjects, midnight()), std::slice::from_ref(&older.account));
    let (early, late) = (old(20), seen("other", &[(10 * DAYS, Keep::No)]));
    let subjects: Vec<Subject<'_>> =
        [&early, &late].into_iter().filter_map(|seen| Subject::of(seen, &policies, Tried::Well, midnight())).collect();
    assert_eq!(turn(&subjects, Beginnings::Allowed, None, midnight()), Turn::Wait(midnight() + 4 * DAYS));
    assert_eq!(turn(&[], Beginnings::Allowed, None, midnight()), Turn::Nothing);
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    let (policies, seen) = ([policy()], old(25));
    let subjects: Vec<Subject<'_>> = Subject::of(&seen, &policies, Tried::Well, midnight()).into_iter().collect();
    let last = Some(midnight() + 100 * DAYS);
    assert_eq!(turn(&subjects, Beginnings::Allowed, last, midnight()), Turn::Begin(seen.account.clone()));
    // Nor does a rotation that did not end well while the clock was ahead.
    assert_eq!(due(&seen, policy(), Tried::InVain { times: 1, ended_at: midnight() + 30 * DAYS }, midnight()), Due::Now);
}
