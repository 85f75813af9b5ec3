//! Which connection is taken, and when another one is opened.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

#[derive(Debug, Clone)]
struct Fake(Rc<State>);

#[derive(Debug)]
struct State {
    name: u32,
    closed: Cell<bool>,
    ready: Cell<bool>,
    streams: Cell<usize>,
    limit: Cell<usize>,
    served: Cell<u64>,
}

fn fake(name: u32) -> Fake {
    Fake(Rc::new(State {
        name,
        closed: Cell::new(false),
        ready: Cell::new(true),
        streams: Cell::new(0),
        limit: Cell::new(10),
        served: Cell::new(0),
    }))
}

impl Single for Fake {
    fn is_closed(&self) -> bool {
        self.0.closed.get()
    }
    fn is_ready(&self) -> bool {
        self.0.ready.get()
    }
}

impl Shared for Fake {
    fn is_closed(&self) -> bool {
        self.0.closed.get()
    }
    fn streams(&self) -> usize {
        self.0.streams.get()
    }
    fn limit(&self) -> usize {
        self.0.limit.get()
    }
    fn served(&self) -> u64 {
        self.0.served.get()
    }
}

type Pool = super::Pool<Fake, Fake>;

fn resting(link: &Fake, at: Instant) -> Resting<Fake> {
    Resting { link: link.clone(), opened: at, since: at, limit: REST }
}

/// What was chosen, as text.
fn chosen(choice: Choice<Fake, Fake>) -> String {
    match choice {
        Choice::Single(resting) => format!("single {}", resting.link.0.name),
        Choice::Shared(link) => format!("shared {}", link.0.name),
        Choice::SharedAndOpen(link) => format!("shared {} and open", link.0.name),
        Choice::Open => "open".to_owned(),
        Choice::Join => "join".to_owned(),
    }
}

#[test]
fn nobody_connects_beside_the_first_until_the_protocol_is_known() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Unknown);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "join");
    pool.speaks_http1();
    assert_eq!(chosen(pool.choose(Need::Any, now)), "open");
}

#[test]
fn the_connection_used_last_is_taken_first() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http1);
    for name in [1, 2, 3] {
        pool.rest(resting(&fake(name), now));
    }
    let taken: Vec<_> = (0..4).map(|_| chosen(pool.choose(Need::Any, now))).collect();
    assert_eq!(taken, ["single 3", "single 2", "single 1", "open"]);
}

#[test]
fn a_connection_that_is_closed_or_rested_too_long_or_is_old_is_not_taken() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http1);
    let (closed, stale, old) = (fake(1), fake(2), fake(3));
    closed.0.closed.set(true);
    pool.rest(resting(&closed, now + AGE));
    pool.rest(resting(&stale, now + AGE.checked_sub(REST).unwrap()));
    pool.rest(Resting { since: now + AGE, ..resting(&old, now) });
    assert_eq!(chosen(pool.choose(Need::Any, now + AGE)), "open");
    assert!(pool.sweep(now + AGE));
}

#[test]
fn a_connection_whose_body_is_still_read_is_passed_over_and_does_not_age_as_resting() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http1);
    let busy = fake(1);
    busy.0.ready.set(false);
    pool.rest(resting(&busy, now));
    assert_eq!(chosen(pool.choose(Need::Any, now)), "open");
    let later = now + REST + REST;
    assert!(!pool.sweep(later));
    busy.0.ready.set(true);
    assert_eq!(chosen(pool.choose(Need::Any, later)), "single 1");
}

#[test]
fn a_request_that_must_not_reuse_opens() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http1);
    pool.rest(resting(&fake(1), now));
    assert_eq!(chosen(pool.choose(Need::Since(pool.next_number()), now)), "open");
    let mut pool = Pool::new(Speaks::Http2);
    pool.join(fake(1), now);
    let number = pool.next_number();
    assert_eq!(chosen(pool.choose(Need::Since(number), now)), "join");
    pool.join(fake(2), now);
    assert_eq!(chosen(pool.choose(Need::Since(number), now)), "shared 2");
}

#[test]
fn the_next_connection_is_opened_at_eighty_percent_and_no_more_than_four() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http2);
    let links: Vec<_> = (1..=4).map(fake).collect();
    pool.join(links[0].clone(), now);
    links[0].0.streams.set(7);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "shared 1");
    links[0].0.streams.set(8);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "shared 1 and open");
    links[0].0.streams.set(10);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "join");
    for link in &links[1..] {
        link.0.streams.set(10);
        pool.join(link.clone(), now);
    }
    links[2].0.streams.set(9);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "shared 3", "the fewest streams, and no fifth connection");
}

#[test]
fn a_peer_that_allows_one_stream_gets_one_connection_for_each_request() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http2);
    let link = fake(1);
    link.0.limit.set(1);
    pool.join(link.clone(), now);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "shared 1");
    link.0.streams.set(1);
    assert_eq!(chosen(pool.choose(Need::Any, now)), "join");
}

#[test]
fn a_shared_connection_ends_when_unused_or_old_but_not_while_in_use() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http2);
    let link = fake(1);
    pool.join(link.clone(), now);
    link.0.streams.set(1);
    assert!(!pool.sweep(now + UNUSED), "in use");
    link.0.streams.set(0);
    link.0.served.set(5);
    assert!(!pool.sweep(now + UNUSED + UNUSED), "used since the last look");
    assert!(pool.sweep(now + UNUSED + UNUSED + UNUSED));
}

#[test]
fn a_shared_connection_past_its_age_is_used_until_its_successor_stands() {
    let now = crate::clock::now();
    let mut pool = Pool::new(Speaks::Http2);
    let (old, young) = (fake(1), fake(2));
    old.0.streams.set(1);
    pool.join(old.clone(), now);
    assert!(!pool.sweep(now + AGE));
    assert_eq!(chosen(pool.choose(Need::Any, now + AGE)), "shared 1 and open");
    pool.join(young.clone(), now + AGE);
    young.0.streams.set(5);
    assert_eq!(chosen(pool.choose(Need::Any, now + AGE)), "shared 2");

    let mut pool = Pool::new(Speaks::Http2);
    pool.join(old, now);
    assert_eq!(chosen(pool.choose(Need::Any, now + AGE + SUCCESSION)), "join", "a successor that never comes is not waited for");
}

#[test]
fn the_rest_is_what_the_peer_says_minus_a_margin() {
    assert_eq!(rest_limit(None), REST);
    assert_eq!(rest_limit(Some("max=100")), REST);
    assert_eq!(rest_limit(Some("timeout=5, max=100")), Duration::from_secs(4));
    assert_eq!(rest_limit(Some("max=1, Timeout=\"30\"")), Duration::from_secs(29));
    assert_eq!(rest_limit(Some("timeout=1")), Duration::from_millis(500));
    assert_eq!(rest_limit(Some("timeout=0")), Duration::ZERO);
    assert_eq!(rest_limit(Some("timeout=86400")), Duration::from_secs(59));
    assert_eq!(rest_limit(Some("timeout=soon")), REST);
}
