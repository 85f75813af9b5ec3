//! One read after the other: when it is due, on a blocking thread, and what becomes of what it saw.
//!
//! Invariants: one read at a time; the watched directories are settled before the file is read; only this task
//! publishes, so generations and names of values are given in one place.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};

use super::{Outcome, Progress, Shared, TARGET};
use crate::clock;
use crate::config::{Credentials, Modes};
use crate::credentials::change::{Change, Event, Subject};
use crate::credentials::file::{self, Parsed};
use crate::credentials::pace::{DOUBT, Found, Pace};
use crate::credentials::read::{self, Picture, Unreadable};
use crate::credentials::store::Store;
use crate::credentials::watch::{Followed, Source, Watch, Watching};
use crate::credentials::{Generation, Snapshot, linger};
use crate::files::Identity;
use crate::problem::{Problem, Problems};

/// Most changes that a log line tells.
const TOLD: usize = 20;

/// What goes to the blocking thread and comes back with what it saw.
struct Eyes {
    path: PathBuf,
    modes: Modes,
    watch: Watch,
    /// The files of the last picture, whose ways are watched.
    paths: BTreeSet<PathBuf>,
}

/// What a read saw.
enum Sight {
    Nothing(Unreadable),
    Same(Picture),
    New(Picture, Option<Parsed>, Problems),
}

impl Eyes {
    /// Watches first and reads then, so that no change falls in between; again when the picture names other files.
    fn look(&mut self, published: Option<&Picture>) -> Sight {
        self.watch.follow(&self.paths);
        let mut picture = read::picture(&self.path, self.modes);
        if let Ok(first) = &picture
            && first.paths != self.paths
        {
            self.paths.clone_from(&first.paths);
            if self.watch.follow(&self.paths) == Followed::Anew {
                picture = read::picture(&self.path, self.modes);
            }
        }
        match picture {
            Err(why) => Sight::Nothing(why),
            Ok(picture) if published.is_some_and(|published| published.same_as(&picture)) => Sight::Same(picture),
            Ok(picture) => {
                let (parsed, problems) = file::parse(&self.path, picture.text(), &picture.referenced);
                Sight::New(picture, parsed, problems)
            }
        }
    }
}

/// A file that says less than before or is being written, and since when.
struct Doubt {
    picture: Picture,
    since: Instant,
}

struct Reading {
    began: Instant,
    thread: JoinHandle<(Eyes, Sight)>,
}

pub(super) struct Task {
    settings: Credentials,
    watching: Watching,
    store: Arc<Store>,
    shared: Arc<Shared>,
    events: Arc<Notify>,
    demand: watch::Receiver<Option<Instant>>,
    pace: Pace,
    /// None while they look.
    eyes: Option<Eyes>,
    reading: Option<Reading>,
    published: Option<Arc<Picture>>,
    /// What the file that was published has to be looked at for.
    remarks: Vec<Problem>,
    /// Which file was read last.
    seen: Option<Identity>,
    doubt: Option<Doubt>,
    next_uid: u64,
}

impl Task {
    pub(super) fn new(settings: &Credentials, watching: Watching, store: Arc<Store>, shared: Arc<Shared>) -> Self {
        let demand = shared.demand.subscribe();
        Self {
            settings: settings.clone(),
            watching,
            store,
            shared,
            events: Arc::default(),
            demand,
            pace: Pace::new(clock::now()),
            eyes: None,
            reading: None,
            published: None,
            remarks: Vec::new(),
            seen: None,
            doubt: None,
            next_uid: 1,
        }
    }

    /// Which file was read, and whether it is the one of the last read.
    fn saw(&mut self, identity: Identity) -> bool {
        self.shared.record().identity = Some(identity);
        self.seen.replace(identity) == Some(identity)
    }

    /// Waits for one thing and does it. Loses nothing when it is dropped while it waits.
    pub(super) async fn turn(&mut self) {
        let due = self.pace.due();
        let retired = linger::next_end(&self.store.load());
        tokio::select! {
            () = self.events.notified() => self.pace.event(clock::now()),
            _changed = self.demand.changed() => {
                if let Some(since) = *self.demand.borrow_and_update() {
                    self.pace.demand(since);
                }
            }
            () = self.shared.prune.notified() => self.prune(),
            () = until(retired) => self.prune(),
            (began, seen) = end(&mut self.reading) => self.ended(began, seen),
            () = until(Some(due)), if self.reading.is_none() => self.begin(),
        }
    }

    fn begin(&mut self) {
        let mut eyes = self.eyes.take().unwrap_or_else(|| self.new_eyes());
        let published = self.published.clone();
        let began = clock::now();
        self.pace.began(began);
        self.shared.record().reading_since = Some(began);
        let thread = tokio::task::spawn_blocking(move || {
            let sight = eyes.look(published.as_deref());
            (eyes, sight)
        });
        self.reading = Some(Reading { began, thread });
    }

    fn new_eyes(&self) -> Eyes {
        let path = self.settings.file.clone();
        let paths = BTreeSet::from([path.clone()]);
        Eyes { path, modes: self.settings.modes, watch: Watch::new(self.watching, Arc::clone(&self.events)), paths }
    }

    fn ended(&mut self, began: Instant, seen: Result<(Eyes, Sight), JoinError>) {
        self.reading = None;
        let now = clock::now();
        let outcome = if let Ok((eyes, sight)) = seen {
            self.source(eyes.watch.source());
            self.eyes = Some(eyes);
            self.judge(sight, began, now)
        } else {
            // The thread is gone with its eyes; the next read gets new ones.
            let mut problems = Problems::of(&self.settings.file);
            problems.error(None, "", "could not be read: the reading stopped", "this is a bug of the sidecar");
            self.keep(problems, |problems| Outcome::Kept { problems })
        };
        let found = match &outcome {
            Outcome::Published { .. } | Outcome::Unchanged => Found::Good,
            Outcome::Doubted => Found::Less(self.doubt.as_ref().map_or(now, |doubt| doubt.since)),
            Outcome::Kept { .. } | Outcome::Missing { .. } | Outcome::Unfinished => Found::Bad,
        };
        self.pace.ended(found, now);
        let mut record = self.shared.record();
        record.reading_since = None;
        record.ended(&outcome, self.store.load().generation, now);
        drop(record);
        self.shared.progress.send_replace(Progress { began: Some(began), outcome: Arc::new(outcome) });
    }

    fn source(&self, source: &Source) {
        let mut record = self.shared.record();
        if record.source == *source {
            return;
        }
        record.source = source.clone();
        drop(record);
        match source {
            Source::Events => tracing::debug!(target: TARGET, "changes of the credentials file are seen by events"),
            Source::Polling(why) => tracing::warn!(target: TARGET, why, "changes of the credentials file are seen by polling only"),
        }
    }

    fn judge(&mut self, sight: Sight, began: Instant, now: Instant) -> Outcome {
        let (picture, parsed, problems) = match sight {
            Sight::Nothing(why) => {
                self.doubt = None;
                self.seen = why.file().or(self.seen);
                let outcome =
                    if why.is_missing() { |problems| Outcome::Missing { problems } } else { |problems| Outcome::Kept { problems } };
                return self.keep(why.problem(&self.settings.file), outcome);
            }
            Sight::Same(picture) => {
                self.saw(picture.facts.identity);
                self.doubt = None;
                self.good(picture.warnings, now);
                return Outcome::Unchanged;
            }
            Sight::New(picture, parsed, problems) => (picture, parsed, problems),
        };
        let is_same_file = self.saw(picture.facts.identity);
        let Some(parsed) = parsed else {
            self.doubt = None;
            return self.keep(problems, |problems| Outcome::Kept { problems });
        };
        let may_be_half = is_same_file && linger::loses(&self.store.load(), &parsed) || self.drops_for_a_value_being_written(&picture);
        if may_be_half && !self.is_confirmed(&picture, began) {
            let since = self.doubt.take().filter(|doubt| doubt.picture.same_as(&picture)).map_or(now, |doubt| doubt.since);
            self.doubt = Some(Doubt { picture, since });
            tracing::debug!(target: TARGET, "the credentials file may be half written; it is read again before it is believed");
            return Outcome::Doubted;
        }
        self.accept(picture, parsed, problems, now)
    }

    /// Half of a value that stands in a file of its own looks like another value. That costs an attempt, unless what it
    /// takes the place of is gone at once.
    fn drops_for_a_value_being_written(&self, picture: &Picture) -> bool {
        self.settings.retire.is_zero() && self.published.as_ref().is_some_and(|published| picture.is_written_into_since(published))
    }

    fn is_confirmed(&self, picture: &Picture, began: Instant) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| began >= doubt.since + DOUBT && doubt.picture.same_as(picture))
    }

    fn accept(&mut self, picture: Picture, parsed: Parsed, problems: Problems, now: Instant) -> Outcome {
        self.doubt = None;
        self.remarks = problems.sorted();
        self.good(picture.warnings.clone(), now);
        self.published = Some(Arc::new(picture));
        let previous = self.store.load();
        let (snapshot, changes) = linger::succeed(&previous, parsed, self.settings.retire, now, &mut self.next_uid);
        self.publish(snapshot, changes, now)
    }

    fn good(&self, warnings: Problems, now: Instant) {
        let all = self.remarks.iter().cloned().chain(warnings.sorted()).collect();
        let unsaid = self.shared.record().good(all, now);
        for warning in unsaid {
            tracing::warn!(target: TARGET, "{warning}");
        }
    }

    /// The last good snapshot stays.
    fn keep(&self, problems: Problems, outcome: fn(Vec<Problem>) -> Outcome) -> Outcome {
        let problems = problems.sorted();
        let held = if self.store.load().accounts.is_empty() { "there are no credentials yet" } else { "the last good credentials stay" };
        let unsaid = self.shared.record().bad(&problems);
        for problem in unsaid {
            tracing::warn!(target: TARGET, "{problem}; {held}");
        }
        outcome(problems)
    }

    fn prune(&mut self) {
        let now = clock::now();
        if let Some((snapshot, changes)) = linger::prune(&self.store.load(), now) {
            self.publish(snapshot, changes, now);
        }
    }

    fn publish(&self, snapshot: Snapshot, changes: Vec<Change>, now: Instant) -> Outcome {
        let generation = snapshot.generation;
        self.store.publish(snapshot);
        linger::forget(&self.store.load());
        tell(generation, &changes);
        let outcome = Outcome::Published { generation, changes };
        self.shared.record().published(outcome.clone(), generation, now);
        outcome
    }
}

/// One line a publication; an account or application that lingers is an alarm.
fn tell(generation: Generation, changes: &[Change]) {
    let mut words: Vec<String> = changes.iter().take(TOLD).map(ToString::to_string).collect();
    if changes.len() > TOLD {
        words.push(format!("and {} more", changes.len() - TOLD));
    }
    let changes_in_words = words.join(", ");
    let lingers = changes.iter().any(|change| change.subject == Subject::Itself && change.event == Event::Retires);
    if lingers {
        tracing::warn!(target: TARGET, generation = generation.0, changes = changes_in_words, "credentials published; something is gone from the file");
    } else {
        tracing::info!(target: TARGET, generation = generation.0, changes = changes_in_words, "credentials published");
    }
}

/// Comes back at the instant, or never.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Comes back with the read that runs, or never when none does.
async fn end(reading: &mut Option<Reading>) -> (Instant, Result<(Eyes, Sight), JoinError>) {
    match reading {
        Some(reading) => (reading.began, (&mut reading.thread).await),
        None => std::future::pending().await,
    }
}
