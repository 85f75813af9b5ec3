//! Which connection of an origin the next request takes. Plain bookkeeping: no I/O, no clock, no task.
//!
//! HTTP/1.1: the connection used last is taken first, so that those no longer needed grow old and close. A
//! connection goes back as soon as the head of an answer is there; until its body is read to the end (and the
//! request written to the end) it is not ready, and is passed over.
//!
//! HTTP/2: the connection with the fewest streams, up to four of them; the next one is opened when all have used
//! 80 % of what the peer allows. A connection past its age is used until its successor stands, takes no more requests
//! then, and ends when its last stream has.
//!
//! Facts: research of stale connections in other proxies (4 s is below the idle limit of common gateways).

use std::time::{Duration, Instant};

/// How long an HTTP/1.1 connection may rest when the peer has not said how long it waits.
pub(super) const REST: Duration = Duration::from_secs(4);
/// The longest rest, whatever the peer says: middleboxes forget silently.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// How long an HTTP/2 connection stays open without a stream.
pub(super) const UNUSED: Duration = Duration::from_mins(1);
/// The age at which a connection is no longer used, so that new addresses and certificates are noticed.
pub(super) const AGE: Duration = Duration::from_secs(10 * 60);
/// How much longer an HTTP/2 connection is used while its successor is being opened, so that nobody waits for it.
pub(super) const SUCCESSION: Duration = Duration::from_secs(30);
/// How many HTTP/2 connections an origin gets.
pub(super) const MOST_SHARED: usize = 4;

/// A connection that carries one request at a time.
pub(super) trait Single {
    /// Whether it is gone.
    fn is_closed(&self) -> bool;
    /// Whether it would take a request now.
    fn is_ready(&self) -> bool;
}

/// A connection that carries many requests at a time.
pub(super) trait Shared: Clone {
    /// Whether it takes no more requests.
    fn is_closed(&self) -> bool;
    /// How many streams are in use.
    fn streams(&self) -> usize;
    /// How many streams the peer allows.
    fn limit(&self) -> usize;
    /// How many requests it has been given in its life.
    fn served(&self) -> u64;
}

/// A connection of HTTP/1.1 between two requests.
#[derive(Debug)]
pub(super) struct Resting<S> {
    pub(super) link: S,
    pub(super) opened: Instant,
    /// Since when it has been resting.
    pub(super) since: Instant,
    /// How long it may rest.
    pub(super) limit: Duration,
}

#[derive(Debug)]
struct Member<M> {
    link: M,
    /// Counts up with every connection that joins.
    number: u64,
    opened: Instant,
    /// Requests it had been given at the last sweep, and since when it has been given none.
    served: u64,
    quiet: Instant,
}

/// What is known of the protocol that an origin speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    /// Nothing yet: one connect finds out, the others wait.
    Unknown,
    /// HTTP/1.1 at the last connect.
    Http1,
    /// HTTP/2 at the last connect.
    Http2,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Any connection.
    Any,
    /// One that joined at this number or later: the others have failed.
    Since(u64),
}

/// What a request does.
#[derive(Debug)]
pub(super) enum Choice<S, M> {
    /// Takes this connection.
    Single(Resting<S>),
    /// Takes a stream of this connection.
    Shared(M),
    /// Takes a stream of this connection, and another one should be opened for those who come later.
    SharedAndOpen(M),
    /// Opens a connection for itself.
    Open,
    /// Waits for the one connect under way, or begins it.
    Join,
}

/// The connections of one origin.
#[derive(Debug)]
pub(super) struct Pool<S, M> {
    speaks: Speaks,
    resting: Vec<Resting<S>>,
    shared: Vec<Member<M>>,
    joined: u64,
}

impl<S: Single, M: Shared> Pool<S, M> {
    pub(super) fn new(speaks: Speaks) -> Self {
        Self { speaks, resting: Vec::new(), shared: Vec::new(), joined: 0 }
    }

    /// The number of the next connection that joins.
    pub(super) fn next_number(&self) -> u64 {
        self.joined
    }

    /// What a request at `now` does.
    pub(super) fn choose(&mut self, need: Need, now: Instant) -> Choice<S, M> {
        match (self.speaks, need) {
            (Speaks::Http1, Need::Any) => self.take_resting(now).map_or(Choice::Open, Choice::Single),
            (Speaks::Http1, Need::Since(_)) => Choice::Open,
            // A connection left over from before the origin changed its mind would still be good.
            (Speaks::Unknown | Speaks::Http2, _) => self.take_shared(need, now),
        }
    }

    fn take_resting(&mut self, now: Instant) -> Option<Resting<S>> {
        let mut index = self.resting.len();
        while let Some(resting) = index.checked_sub(1).and_then(|last| self.resting.get(last)) {
            index -= 1;
            if resting.is_spent(now) {
                drop(self.resting.remove(index));
            } else if resting.link.is_ready() {
                return Some(self.resting.remove(index));
            }
        }
        None
    }

    fn take_shared(&mut self, need: Need, now: Instant) -> Choice<S, M> {
        self.drop_spent_shared(now);
        let least = match need {
            Need::Any => 0,
            Need::Since(number) => number,
        };
        let usable = self.shared.iter().filter(|member| member.number >= least);
        let Some(member) = usable.min_by_key(|member| member.link.streams()) else { return Choice::Join };
        let (streams, limit) = (member.link.streams(), member.link.limit());
        if member.is_old(now) {
            Choice::SharedAndOpen(member.link.clone())
        } else if streams < comfortable(limit) || self.shared.len() >= MOST_SHARED {
            Choice::Shared(member.link.clone())
        } else if streams < limit {
            Choice::SharedAndOpen(member.link.clone())
        } else {
            Choice::Join
        }
    }

    /// A new connection of HTTP/1.1 stands.
    pub(super) fn speaks_http1(&mut self) {
        self.speaks = Speaks::Http1;
    }

    /// A connection of HTTP/1.1 has the head of its answer.
    pub(super) fn rest(&mut self, resting: Resting<S>) {
        self.resting.push(resting);
    }

    /// A new connection of HTTP/2 stands.
    pub(super) fn join(&mut self, link: M, now: Instant) {
        self.speaks = Speaks::Http2;
        self.shared.push(Member { link, number: self.joined, opened: now, served: 0, quiet: now });
        self.joined += 1;
    }

    /// Lets go of what is closed, old or unused. True when nothing is left.
    pub(super) fn sweep(&mut self, now: Instant) -> bool {
        for resting in &mut self.resting {
            // Its body is still being read.
            if !resting.link.is_ready() {
                resting.since = now;
            }
        }
        for member in &mut self.shared {
            let served = member.link.served();
            if served != member.served || member.link.streams() > 0 {
                (member.served, member.quiet) = (served, now);
            }
        }
        self.resting.retain(|resting| !resting.is_spent(now));
        self.drop_spent_shared(now);
        self.resting.is_empty() && self.shared.is_empty()
    }

    /// Old connections go as soon as there is a younger one.
    fn drop_spent_shared(&mut self, now: Instant) {
        self.shared.retain(|member| !member.is_spent(now));
        if self.shared.iter().any(|member| !member.is_old(now)) {
            self.shared.retain(|member| !member.is_old(now));
        }
    }
}

impl<S: Single> Resting<S> {
    fn is_spent(&self, now: Instant) -> bool {
        self.link.is_closed()
            || now.saturating_duration_since(self.opened) >= AGE
            || now.saturating_duration_since(self.since) >= self.limit
    }
}

impl<M: Shared> Member<M> {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) >= AGE
    }

    fn is_spent(&self, now: Instant) -> bool {
        self.link.is_closed()
            || now.saturating_duration_since(self.opened) >= AGE + SUCCESSION
            || now.saturating_duration_since(self.quiet) >= UNUSED
    }
}

/// So many streams may be in use before another connection is opened: 80 % of the limit, at least one.
fn comfortable(limit: usize) -> usize {
    (limit.saturating_mul(4) / 5).max(1)
}

/// How long a connection may rest, from the `Keep-Alive` header of an answer: what the peer says minus a margin for
/// the way, or [`REST`] when it says nothing.
pub(super) fn rest_limit(keep_alive: Option<&str>) -> Duration {
    let seconds = keep_alive.and_then(|value| {
        value.split(',').find_map(|part| {
            let (name, number) = part.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("timeout") { number.trim().trim_matches('"').parse().ok() } else { None }
        })
    });
    seconds.map_or(REST, |seconds| {
        let said = Duration::from_secs(seconds).min(LONGEST_REST);
        said.saturating_sub(Duration::from_secs(1).min(said / 2))
    })
}

#[cfg(test)]
mod tests;
