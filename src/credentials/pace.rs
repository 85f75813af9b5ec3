//! When to read the credentials file again. Pure: `now` is an argument.
//!
//! Every trigger ends in one instant, [`Pace::due`]. An event reads at once, again when it has been quiet for a
//! moment, and now and then while it is never quiet: the first event may show an empty file, and only the last one
//! shows what the writer wanted. Whatever happens, reads begin at most 20 times a second, and every 2 s: file
//! systems without events exist. Figures: NFS, overlays and bind mounts show no events; a rewrite in place shows two.

use std::time::{Duration, Instant};

/// Least time between the beginnings of two reads.
const SPACING: Duration = Duration::from_millis(50);
/// Without an event for this long, a writer is done.
const QUIET: Duration = Duration::from_millis(50);
/// Longest time between reads while events go on.
const STREAM: Duration = Duration::from_millis(500);
/// A read happens at least this often, whatever the events say.
const POLL: Duration = Duration::from_secs(2);
/// When to look again at a file that cannot be used; after these it is left to the poll.
const RETRIES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// How long a file must stay as it is before it is believed to say less than before.
pub const DOUBT: Duration = Duration::from_millis(250);

/// What a read found, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A file that can be used.
    Good,
    /// None, or one that cannot be used.
    Bad,
    /// One that may be half written, since the instant.
    Less(Instant),
}

/// What is known of triggers and reads.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    /// When the last read began.
    began: Option<Instant>,
    /// The last event that no quiet read has followed yet.
    event: Option<Event>,
    /// The latest instant after which somebody wants a read to begin.
    demand: Option<Instant>,
    /// When what the last read found asks for another one.
    again: Option<Instant>,
    /// How many reads in a row found nothing usable.
    failures: usize,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    last: Instant,
    /// Whether a read began since the first of them.
    is_read: bool,
}

impl Pace {
    /// No read yet: one is due at once.
    pub fn new(start: Instant) -> Self {
        Self { start, began: None, event: None, demand: None, again: None, failures: 0 }
    }

    /// Something happened in a watched directory.
    pub fn event(&mut self, now: Instant) {
        let is_read = self.event.is_some_and(|event| event.is_read);
        self.event = Some(Event { last: now, is_read });
    }

    /// Somebody wants a read that begins at or after `since`.
    pub fn demand(&mut self, since: Instant) {
        if self.began.is_none_or(|began| began < since) {
            self.demand = self.demand.max(Some(since));
        }
    }

    /// A read begins.
    pub fn began(&mut self, now: Instant) {
        self.began = Some(now);
        self.again = None;
        self.demand = self.demand.filter(|since| *since > now);
        self.event = self.event.filter(|event| now < event.last + QUIET).map(|event| Event { is_read: true, ..event });
    }

    /// The read ended.
    pub fn ended(&mut self, found: Found, now: Instant) {
        let failures = std::mem::take(&mut self.failures);
        match found {
            Found::Good => {}
            Found::Bad => {
                self.again = RETRIES.get(failures).map(|wait| now + *wait);
                self.failures = failures + 1;
            }
            Found::Less(since) => self.again = Some(since + DOUBT),
        }
    }

    /// When the next read is to begin.
    pub fn due(&self) -> Instant {
        let Some(began) = self.began else { return self.start };
        let event = self.event.map(|event| if event.is_read { (event.last + QUIET).min(began + STREAM) } else { event.last });
        let wanted = [event, self.demand, self.again].into_iter().flatten().fold(began + POLL, Instant::min);
        wanted.max(began + SPACING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A pace whose first read began and ended well at the instant.
    fn started() -> (Pace, Instant) {
        let start = crate::clock::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.due(), start, "the first read is due at once");
        pace.began(start);
        pace.ended(Found::Good, start);
        (pace, start)
    }

    #[test]
    fn without_any_event_a_read_begins_every_two_seconds() {
        let (pace, start) = started();
        assert_eq!(pace.due(), start + ms(2000));
    }

    #[test]
    fn an_event_reads_at_once_and_again_when_it_is_quiet() {
        let (mut pace, start) = started();
        let event = start + ms(1000);
        pace.event(event);
        assert_eq!(pace.due(), event);
        pace.began(event);
        pace.event(event + ms(20));
        assert_eq!(pace.due(), event + ms(70));
        pace.began(event + ms(70));
        assert_eq!(pace.due(), event + ms(2070));
    }

    #[test]
    fn events_without_end_read_every_half_second() {
        let (mut pace, start) = started();
        let mut reads = Vec::new();
        for tick in 100..3100 {
            pace.event(start + ms(tick));
            while pace.due() <= start + ms(tick) {
                pace.began(start + ms(tick));
                reads.push(tick);
            }
        }
        assert_eq!(reads, [100, 600, 1100, 1600, 2100, 2600]);
    }

    #[test]
    fn a_demand_is_met_only_by_a_read_that_begins_after_it() {
        let (mut pace, start) = started();
        let refusal = start + ms(10);
        pace.demand(refusal);
        assert_eq!(pace.due(), start + SPACING, "at most 20 reads a second");
        pace.began(start + SPACING);
        pace.demand(refusal);
        assert_eq!(pace.due(), start + SPACING + POLL, "an older refusal wants nothing more");
        pace.demand(start + ms(60));
        assert_eq!(pace.due(), start + ms(100));
    }

    #[test]
    fn whatever_happens_reads_begin_at_most_twenty_times_a_second() {
        let (mut pace, start) = started();
        let mut reads = 0;
        for tick in 1..=1000 {
            let now = start + ms(tick);
            pace.demand(now);
            if tick % 60 == 0 {
                pace.event(now);
            }
            if pace.due() <= now {
                pace.began(now);
                pace.ended(Found::Bad, now);
                reads += 1;
            }
        }
        assert_eq!(reads, 20);
    }

    #[test]
    fn a_bad_file_is_looked_at_soon_and_then_by_the_poll() {
        let (mut pace, start) = started();
        let mut now = start + ms(2000);
        let mut waits = Vec::new();
        for _ in 0..4 {
            pace.began(now);
            pace.ended(Found::Bad, now);
            let next = pace.due();
            waits.push(next - now);
            now = next;
        }
        assert_eq!(waits, [ms(100), ms(500), ms(2000), ms(2000)]);
        pace.began(now);
        pace.ended(Found::Good, now);
        pace.began(now);
        pace.ended(Found::Bad, now);
        assert_eq!(pace.due(), now + ms(100));
    }

    #[test]
    fn a_file_that_says_less_is_looked_at_when_the_doubt_ends() {
        let (mut pace, start) = started();
        pace.began(start + ms(500));
        pace.ended(Found::Less(start + ms(500)), start + ms(501));
        assert_eq!(pace.due(), start + ms(750));
    }
}
