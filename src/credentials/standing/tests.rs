//! Standing on simulated time, and a model of a hostile provider that never holds a request to ransom.

use proptest::prelude::*;

use super::*;
use crate::clock;
use crate::proxy::course::{After, Course};
use crate::vonage::refusal::Verdict;

const HOST: Host = Host::API;
const A: Uid = Uid(1);
const B: Uid = Uid(2);
const C: Uid = Uid(3);

fn file(uids: &[Uid]) -> Vec<Candidate> {
    uids.iter().enumerate().map(|(position, uid)| Candidate { uid: *uid, place: Place::File(position) }).collect()
}

fn retiring(uid: Uid, until: Instant) -> Candidate {
    Candidate { uid, place: Place::Retiring { until } }
}

struct Timeline {
    standings: Standings,
    now: Instant,
    file: Vec<Uid>,
}

impl Timeline {
    fn of(file: &[Uid]) -> Self {
        Self { standings: Standings::default(), now: clock::now(), file: file.to_vec() }
    }

    fn after(&mut self, wait: Duration) -> &mut Self {
        self.now += wait;
        self
    }

    fn learn(&mut self, uid: Uid, lesson: Lesson) -> Moved {
        self.standings.learn(uid, HOST, lesson, self.now, &self.file, self.now)
    }

    fn order(&mut self) -> Vec<Uid> {
        let candidates = file(&self.file);
        self.standings.order(&candidates, HOST, Trial::No, self.now).into_vec()
    }
}

#[test]
fn a_plan_to_probe_a_value_elsewhere_does_not_hide_that_it_is_refused_wherever_it_was_tried() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::RefusedPaired);
    let now = time.now;
    assert!(time.standings.probes_due(&file(&[A, B]), Host::REST, 0.5, now).is_empty(), "planned");
    assert!(time.standings.refused_everywhere(A));
    assert!(!time.standings.refused_everywhere(B));
}

#[test]
fn the_file_decides_between_equals() {
    let mut time = Timeline::of(&[B, A]);
    assert_eq!(time.order(), [B, A]);
    time.learn(A, Lesson::Accepted);
    assert_eq!(time.order(), [A, B], "a value that works goes before one that nobody tried");
    time.learn(B, Lesson::Accepted);
    assert_eq!(time.order(), [B, A]);
}

#[test]
fn paired_evidence_flips_at_once_and_once() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::Accepted);
    time.after(Duration::from_secs(1));
    assert_eq!(time.learn(A, Lesson::RefusedPaired), Moved::To { from: Standing::Good, to: Standing::Refused });
    time.learn(B, Lesson::Accepted);
    assert_eq!(time.order(), [B, A]);
    assert_eq!(time.learn(A, Lesson::RefusedPaired), Moved::No);
}

#[test]
fn a_late_answer_changes_nothing() {
    let mut time = Timeline::of(&[A, B]);
    let sent = time.now;
    time.after(Duration::from_millis(10)).learn(A, Lesson::Accepted);
    let (now, files) = (time.now + Duration::from_millis(5), time.file.clone());
    assert_eq!(time.standings.learn(A, HOST, Lesson::RefusedPaired, sent, &files, now), Moved::No);
    assert_eq!(time.standings.standing(A, HOST), Standing::Good);
}

#[test]
fn the_way_back_to_the_first_slot_takes_two_acceptances_a_second_apart() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::RefusedPaired);
    time.learn(B, Lesson::Accepted);
    time.after(Duration::from_secs(2)).learn(A, Lesson::Accepted);
    assert_eq!(time.order(), [B, A]);
    time.after(Duration::from_millis(500)).learn(A, Lesson::Accepted);
    assert_eq!(time.order(), [B, A]);
    time.after(Duration::from_millis(600)).learn(A, Lesson::Accepted);
    assert_eq!(time.order(), [A, B]);
}

#[test]
fn the_way_to_the_only_one_that_works_is_never_damped() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::RefusedPaired);
    time.learn(B, Lesson::Accepted);
    time.after(Duration::from_secs(2)).learn(B, Lesson::RefusedPaired);
    time.learn(A, Lesson::Accepted);
    assert_eq!(time.order(), [A, B]);
}

#[test]
fn a_retiring_value_stands_behind_what_may_work_and_before_what_does_not() {
    let mut time = Timeline::of(&[A, B]);
    let candidates = [file(&[A, B]), vec![retiring(C, time.now + Duration::from_mins(1))]].concat();
    assert_eq!(time.standings.order(&candidates, HOST, Trial::No, time.now).into_vec(), [A, B, C]);
    time.learn(A, Lesson::RefusedAlone);
    assert_eq!(time.standings.order(&candidates, HOST, Trial::No, time.now).into_vec(), [B, C, A]);
}

#[test]
fn a_refusal_alone_makes_suspect_and_asks_for_one_probe() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::Accepted);
    time.after(Duration::from_secs(1)).learn(A, Lesson::RefusedAlone);
    assert_eq!(time.standings.standing(A, HOST), Standing::Suspect);
    let (candidates, now) = (file(&[A, B]), time.now);
    assert!(!time.standings.probes_due(&candidates, HOST, 0.0, now).contains(&A));
    let later = now + PROBE_FIRST;
    assert!(time.standings.probes_due(&candidates, HOST, 0.0, later).contains(&A));
    assert!(!time.standings.probes_due(&candidates, HOST, 0.0, later).contains(&A), "asked for once");
}

#[test]
fn a_dead_spare_is_never_probed() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::Accepted);
    time.learn(B, Lesson::RefusedAlone);
    let (candidates, now) = (file(&[A, B]), time.now);
    for minute in 0..600 {
        assert!(time.standings.probes_due(&candidates, HOST, 0.5, now + Duration::from_mins(minute)).is_empty());
    }
}

#[test]
fn probes_of_a_value_before_the_one_in_use_become_rare() {
    let mut time = Timeline::of(&[A, B]);
    time.learn(A, Lesson::RefusedPaired);
    time.learn(B, Lesson::Accepted);
    let (candidates, start) = (file(&[A, B]), time.now);
    let mut probes = 0;
    for second in 0..3600 {
        probes += time.standings.probes_due(&candidates, HOST, 0.0, start + Duration::from_secs(second)).len();
    }
    assert!((10..=20).contains(&probes), "{probes} in an hour");
}

#[test]
fn without_a_free_probe_a_new_first_value_is_tried_now_and_then() {
    let mut time = Timeline::of(&[C, A]);
    time.learn(A, Lesson::Accepted);
    let (candidates, start) = (file(&[C, A]), time.now);
    let mut tried = 0;
    for tenth in 0..200 {
        let order = time.standings.order(&candidates, HOST, Trial::Allowed, start + Duration::from_millis(100 * tenth));
        tried += usize::from(order.first() == Some(&C));
    }
    assert_eq!(tried, 4, "once in five seconds of twenty");
}

/// One request by the rules of the proxy against a provider that accepts exactly `valid`. Returns whether it was served
/// and how many attempts it took.
fn request(standings: &mut Standings, held: &[Candidate], valid: Uid, file: &[Uid], now: Instant) -> (bool, usize) {
    let mut course = Course::default();
    let mut refused = Vec::new();
    loop {
        let order = standings.order(held, HOST, Trial::No, now);
        let Some(uid) = course.choose(&order, held, |_, _| false) else {
            for uid in &refused {
                standings.learn(*uid, HOST, Lesson::RefusedAlone, now, file, now);
            }
            return (false, refused.len());
        };
        let verdict = if uid == valid { Verdict::Accepted } else { Verdict::Refused };
        match course.answered(uid, verdict, now) {
            After::Deliver => {
                for uid in &refused {
                    standings.learn(*uid, HOST, Lesson::RefusedPaired, now, file, now);
                }
                standings.learn(uid, HOST, Lesson::Accepted, now, file, now);
                return (true, refused.len() + 1);
            }
            After::Refused => refused.push(uid),
            After::MintAfresh => panic!("no token is over here"),
        }
    }
}

#[test]
fn a_hostile_provider_that_swaps_the_valid_secret_fails_no_request() {
    let (mut seed, mut attempts, mut failed) = (0x9e37_79b9_7f4a_7c15_u64, 0, 0);
    let held = file(&[A, B]);
    let mut standings = Standings::default();
    let (mut now, mut valid) = (clock::now(), A);
    for _ in 0..20_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        if seed % 50 == 0 {
            valid = if valid == A { B } else { A };
        }
        now += Duration::from_millis(1 + seed % 97);
        let (served, tries) = request(&mut standings, &held, valid, &[A, B], now);
        attempts += tries;
        failed += usize::from(!served);
    }
    assert_eq!(failed, 0);
    assert!(attempts < 21_000, "{attempts} attempts for 20000 requests");
}

proptest! {
    #[test]
    fn an_order_holds_every_candidate_once(
        lessons in proptest::collection::vec((1_u64..6, 0_usize..4, 0_u64..3000), 0..60),
        held in proptest::collection::btree_set(1_u64..6, 1..5),
    ) {
        let mut standings = Standings::default();
        let mut now = clock::now();
        let until = now + Duration::from_mins(15);
        let candidates: Vec<Candidate> = held.iter().enumerate().map(|(index, uid)| Candidate {
            uid: Uid(*uid),
            place: if index < 2 { Place::File(index) } else { Place::Retiring { until } },
        }).collect();
        let files: Vec<Uid> = held.iter().take(2).map(|uid| Uid(*uid)).collect();
        for (uid, lesson, wait) in lessons {
            now += Duration::from_millis(wait);
            let lesson = [Lesson::Accepted, Lesson::RefusedPaired, Lesson::RefusedAlone, Lesson::ProbeRefused][lesson];
            standings.learn(Uid(uid), HOST, lesson, now, &files, now);
            let mut order = standings.order(&candidates, HOST, Trial::Allowed, now);
            order.sort_unstable();
            prop_assert_eq!(order.into_vec(), held.iter().map(|uid| Uid(*uid)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn while_one_of_two_held_secrets_is_valid_no_request_fails(swaps in proptest::collection::vec((0_u64..3, 0_u64..2000), 1..400)) {
        let mut standings = Standings::default();
        let held = file(&[A, B]);
        let (mut now, mut valid) = (clock::now(), A);
        for (swap, wait) in swaps {
            now += Duration::from_millis(wait);
            if swap == 0 {
                valid = if valid == A { B } else { A };
            }
            let (served, tries) = request(&mut standings, &held, valid, &[A, B], now);
            prop_assert!(served && tries <= 2);
        }
    }
}

#[test]
fn one_secret_files_rotate_with_the_old_value_retiring() {
    let mut standings = Standings::default();
    let mut now = clock::now();
    let old = file(&[A]);
    assert!(request(&mut standings, &old, A, &[A], now).0);
    let until = now + Duration::from_mins(15);
    let new = [file(&[B]), vec![retiring(A, until)]].concat();
    for _ in 0..20 {
        now += Duration::from_millis(100);
        assert!(request(&mut standings, &new, A, &[B], now).0, "the new value is not live yet");
    }
    for _ in 0..20 {
        now += Duration::from_millis(100);
        assert!(request(&mut standings, &new, B, &[B], now).0, "the old value was revoked");
    }
}
