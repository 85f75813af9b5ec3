//! What reloading did so far, for `/status` and metrics, and what was already said in the log.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Outcome;
use crate::credentials::Generation;
use crate::credentials::watch::Source;
use crate::files::Identity;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// Most entries of the history.
const HISTORY: usize = 20;

/// What reloading did so far. Ages, never instants: it is shown to others.
#[derive(Debug, Clone)]
pub struct Status {
    /// How changes are seen now.
    pub source: Source,
    /// Why the file as it is now is not used, in words; none when it is.
    pub error: Option<String>,
    /// How long since the file was last read and good; none if never.
    pub good_ago: Option<Duration>,
    /// What somebody should look at though the file is used.
    pub warnings: Vec<Problem>,
    /// How long the read that runs now has been running: long when the file system hangs.
    pub reading_for: Option<Duration>,
    /// What happened last, newest last, without reads that found nothing new.
    pub history: Vec<Past>,
    /// How often.
    pub counts: Counts,
    /// Which file was read last, for telling whether two processes read the same one.
    pub identity: Option<Identity>,
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub struct Past {
    /// How long ago.
    pub ago: Duration,
    /// What was current afterwards.
    pub generation: Generation,
    /// What happened.
    pub outcome: Outcome,
}

/// How often each outcome was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Reads that ended.
    pub reads: u64,
    /// Snapshots published, those that only drop what has retired included.
    pub published: u64,
    /// Reads that found the same bytes.
    pub unchanged: u64,
    /// Reads that found less than before in the same file, and waited.
    pub doubted: u64,
    /// Reads that found a file that cannot be used.
    pub kept: u64,
    /// Reads that found no file.
    pub missing: u64,
}

/// The same with instants.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) source: Source,
    pub(super) reading_since: Option<Instant>,
    /// Which file was read last.
    pub(super) identity: Option<Identity>,
    error: Option<String>,
    good: Option<Instant>,
    warnings: Vec<Problem>,
    history: VecDeque<(Instant, Generation, Outcome)>,
    counts: Counts,
    said_errors: HashSet<Problem>,
    said_warnings: HashSet<Problem>,
    metrics: Arc<Metrics>,
}

impl Record {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            source: Source::Polling("nothing is watched yet".to_owned()),
            reading_since: None,
            error: None,
            good: None,
            warnings: Vec::new(),
            history: VecDeque::new(),
            counts: Counts::default(),
            said_errors: HashSet::new(),
            said_warnings: HashSet::new(),
            metrics,
            identity: None,
        }
    }

    /// The file is used. Comes back with the warnings that were not said yet.
    pub(super) fn good(&mut self, warnings: Vec<Problem>, now: Instant) -> Vec<Problem> {
        self.good = Some(now);
        self.error = None;
        self.said_errors.clear();
        self.warnings = warnings;
        newly_said(&mut self.said_warnings, &self.warnings)
    }

    /// The file is not used. Comes back with the problems that were not said since it was last good.
    pub(super) fn bad(&mut self, problems: &[Problem]) -> Vec<Problem> {
        self.error = Some(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        newly_said(&mut self.said_errors, problems)
    }

    /// A read ended.
    pub(super) fn ended(&mut self, outcome: &Outcome, generation: Generation, now: Instant) {
        self.counts.reads += 1;
        self.metrics.reload(outcome.word());
        let count = match outcome {
            Outcome::Unchanged => &mut self.counts.unchanged,
            Outcome::Doubted => &mut self.counts.doubted,
            Outcome::Kept { .. } => &mut self.counts.kept,
            Outcome::Missing { .. } => &mut self.counts.missing,
            // Counted where it is published; the other one does not end a read.
            Outcome::Published { .. } | Outcome::Unfinished => return,
        };
        *count += 1;
        let is_repeated = self.history.back().is_some_and(|(_, _, last)| last == outcome);
        if !is_repeated && matches!(outcome, Outcome::Kept { .. } | Outcome::Missing { .. }) {
            self.remember(outcome.clone(), generation, now);
        }
    }

    /// A snapshot was published.
    pub(super) fn published(&mut self, outcome: Outcome, generation: Generation, now: Instant) {
        self.counts.published += 1;
        self.remember(outcome, generation, now);
    }

    fn remember(&mut self, outcome: Outcome, generation: Generation, now: Instant) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((now, generation, outcome));
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        let age = |since: Instant| now.saturating_duration_since(since);
        let past = |(at, generation, outcome): &(Instant, Generation, Outcome)| Past {
            ago: age(*at),
            generation: *generation,
            outcome: outcome.clone(),
        };
        Status {
            source: self.source.clone(),
            error: self.error.clone(),
            good_ago: self.good.map(age),
            warnings: self.warnings.clone(),
            reading_for: self.reading_since.map(age),
            history: self.history.iter().map(past).collect(),
            counts: self.counts,
            identity: self.identity,
        }
    }
}

/// Those that were not said yet; what is no longer so may be said again.
fn newly_said(said: &mut HashSet<Problem>, problems: &[Problem]) -> Vec<Problem> {
    let new = problems.iter().filter(|problem| !said.contains(problem)).cloned().collect();
    *said = problems.iter().cloned().collect();
    new
}
