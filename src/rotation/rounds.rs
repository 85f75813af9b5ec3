//! Looks at every account again and again, and rotates what is due where that is this sidecar's to do.
//!
//! Invariants: one rotation at a time; a look changes nothing; what is told once is told again only after it was well in
//! between; a sidecar that may not rotate says so and goes on looking. It looks as often as the policies need: a few
//! times between the age at which a secret is rotated and the one that it may not reach.
//!
//! Not here: who is due ([`schedule`]), how a rotation goes (whoever gave [`Rotate`]).

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::audit::{Progress, Seen};
use super::event::{Event, Kind};
use super::journal::disk::{Disk, journals};
use super::notify::Notifier;
use super::observed::{self, Observed, Stage};
use super::place;
use super::schedule::{self, Beginnings, Due, Subject, Timeliness, Tried, Turn};
use super::secrets::End;
use super::sinks::Sinks;
use super::survey::{Breadth, Survey};
use crate::clock;
use crate::config::Settings;
use crate::config::rotation::{self as settings, Policy};
use crate::credentials::store::Store;
use crate::credentials::{Account, Membership, Place};
use crate::secret::ApiKey;

/// Looks are this part of the shortest `every`, within these bounds.
const PART: u32 = 50;
const MOST_OFTEN: Duration = Duration::from_millis(200);
const LEAST_OFTEN: Duration = Duration::from_hours(1);
/// Sidecars that start together do not look together.
const LONGEST_FIRST_WAIT: Duration = Duration::from_secs(30);
/// How often the end of a pause is looked for.
const SOON: Duration = Duration::from_secs(5);
/// How often the journals are looked at.
const STAGES: Duration = Duration::from_secs(1);
/// How often it is seen whether everything is refused.
const REFUSALS: Duration = Duration::from_secs(1);

/// Rotates one account to the end of a run, or only goes on with what was begun; in words why there was no run.
pub type Rotate = Box<dyn Fn(ApiKey, Ask) -> Pin<Box<dyn Future<Output = Result<End, String>> + Send>> + Send + Sync>;

/// What is asked of [`Rotate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Begin a rotation, or go on with one.
    Begin,
    /// Go on with the one that was begun.
    GoOn,
}

/// What the schedule of this sidecar does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is not this sidecar's to rotate.
    Off,
    /// Nothing is due.
    Waiting,
    /// It rotates this account.
    Rotating(ApiKey),
    /// Somebody has told it to pause.
    Paused,
    /// It may not: why, and what to do.
    Unfit(String),
}

/// Everything that was seen, at one time.
#[derive(Debug, Clone)]
pub struct View {
    /// What the schedule does.
    pub standing: Standing,
    /// When the accounts were looked at; none before the first look.
    pub looked_at: Option<Instant>,
    /// What was seen of each.
    pub accounts: Vec<Observed>,
    /// Where those are that are under way.
    pub stages: BTreeMap<ApiKey, Stage>,
}

/// The rounds of one sidecar.
pub struct Rounds {
    settings: settings::Rotation,
    survey: Survey,
    sinks: Sinks,
    notifier: Notifier,
    known: Mutex<Known>,
}

impl std::fmt::Debug for Rounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rounds").finish_non_exhaustive()
    }
}

/// What is known between two looks.
struct Known {
    standing: Standing,
    looked_at: Option<Instant>,
    accounts: Vec<Observed>,
    tried: BTreeMap<ApiKey, Tried>,
    ended_at: Option<SystemTime>,
    told: BTreeSet<(ApiKey, Kind)>,
    stages: BTreeMap<ApiKey, Stage>,
}

impl Rounds {
    /// As the settings say.
    pub fn new(settings: &Settings, survey: Survey, notifier: Notifier) -> Self {
        let known = Known {
            standing: Standing::Off,
            looked_at: None,
            accounts: Vec::new(),
            tried: BTreeMap::new(),
            ended_at: None,
            told: BTreeSet::new(),
            stages: BTreeMap::new(),
        };
        Self { settings: settings.rotation.clone(), survey, sinks: Sinks::of(settings), notifier, known: Mutex::new(known) }
    }

    /// What is known now.
    pub fn view(&self) -> View {
        let known = self.known();
        View {
            standing: known.standing.clone(),
            looked_at: known.looked_at,
            accounts: known.accounts.clone(),
            stages: known.stages.clone(),
        }
    }

    /// Sees, for ever, where rotations under way are: those of this process and of others with the same `state_dir`.
    pub async fn watch_stages(self: Arc<Self>) {
        loop {
            let (directory, accounts) = (journals(&self.survey.state_dir), self.known().accounts.clone());
            let peek = move || {
                let stage = |observed: &Observed| {
                    let journal = Disk::peek(&directory, &observed.account).ok().flatten()?;
                    Some((observed.account.clone(), observed::stage(&journal)?))
                };
                accounts.iter().filter_map(stage).collect()
            };
            if let Ok(stages) = tokio::task::spawn_blocking(peek).await {
                self.known().stages = stages;
            }
            tokio::time::sleep(STAGES).await;
        }
    }

    /// Looks for ever.
    pub async fn look_on(self: Arc<Self>) {
        self.first_wait().await;
        loop {
            let _seen = self.look().await;
            tokio::time::sleep(look_every(&self.settings.policies)).await;
        }
    }

    /// Looks for ever and rotates what is due.
    pub async fn rotate_on(self: Arc<Self>, rotate: Rotate) {
        self.known().standing = Standing::Waiting;
        self.first_wait().await;
        loop {
            let seen = self.look().await;
            let beginnings = self.beginnings().await;
            let turn = self.turn(&seen, beginnings);
            match turn {
                Turn::Begin(account) => self.rotate(&rotate, account, Ask::Begin).await,
                Turn::GoOn(account) => self.rotate(&rotate, account, Ask::GoOn).await,
                Turn::Wait(_) | Turn::Nothing => {
                    let (standing, longest) = match beginnings {
                        Beginnings::Allowed => (Standing::Waiting, LEAST_OFTEN),
                        Beginnings::Paused => (Standing::Paused, SOON),
                    };
                    self.known().standing = standing;
                    let wait = until(&turn, clock::wall()).min(look_every(&self.settings.policies));
                    tokio::time::sleep(wait.max(MOST_OFTEN).min(longest)).await;
                }
            }
        }
    }

    /// Says that this sidecar may not rotate.
    pub fn unfit(&self, why: &place::Unfit) {
        let standing = Standing::Unfit(format!("{why}; {}", why.remedy()));
        let mut known = self.known();
        if known.standing != standing {
            tracing::error!(error = %why, remedy = why.remedy(), "this sidecar does not rotate by itself");
            known.standing = standing;
        }
    }

    async fn first_wait(&self) {
        tokio::time::sleep(clock::jitter(look_every(&self.settings.policies).min(LONGEST_FIRST_WAIT))).await;
    }

    async fn look(&self) -> Vec<Seen> {
        let sinks = self.sinks.clone();
        let read = tokio::task::spawn_blocking(move || sinks.read()).await;
        let parsed = match read.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
            Ok(current) => current.parsed,
            Err(error) => {
                tracing::warn!(%error, "accounts are not looked at, since the credentials cannot be read");
                return Vec::new();
            }
        };
        let seen = self.survey.look(&parsed, Breadth::Held, |_| true).await;
        let now = clock::wall();
        let observed: Vec<Observed> = {
            let mut known = self.known();
            let tried = |account: &ApiKey| known.tried.get(account).copied().unwrap_or_default();
            let observed: Vec<Observed> =
                seen.iter().map(|seen| Observed::of(seen, &self.settings.policies, tried(&seen.account), now)).collect();
            known.looked_at = Some(clock::now());
            log_drift(&known.accounts, &observed);
            known.accounts.clone_from(&observed);
            observed
        };
        for observed in &observed {
            let overdue = matches!(&observed.listing, Ok(listing) if listing.timeliness == Timeliness::Overdue);
            if self.is_news(&observed.account, Kind::Overdue, overdue) {
                self.notifier.tell_and_log(&Event::overdue(&observed.account, now)).await;
            }
        }
        seen
    }

    fn turn(&self, seen: &[Seen], beginnings: Beginnings) -> Turn {
        let (known, now) = (self.known(), clock::wall());
        let tried = |account: &ApiKey| known.tried.get(account).copied().unwrap_or_default();
        let subjects: Vec<Subject<'_>> =
            seen.iter().filter_map(|seen| Subject::of(seen, &self.settings.policies, tried(&seen.account), now)).collect();
        schedule::turn(&subjects, beginnings, known.ended_at, now)
    }

    async fn rotate(&self, rotate: &Rotate, account: ApiKey, ask: Ask) {
        self.known().standing = Standing::Rotating(account.clone());
        let came = rotate(account.clone(), ask).await;
        let ended_at = clock::wall();
        let mut known = self.known();
        known.ended_at = Some(ended_at);
        match came {
            Ok(End::Ended(_)) => drop(known.tried.insert(account, Tried::Well)),
            Ok(End::Parked(_) | End::Stuck(_) | End::Awaiting(_)) | Err(_) => {
                let before = match known.tried.get(&account) {
                    Some(Tried::InVain { times, .. }) => *times,
                    Some(Tried::Well) | None => 0,
                };
                known.tried.insert(account, Tried::InVain { times: before.saturating_add(1), ended_at });
            }
        }
    }

    async fn beginnings(&self) -> Beginnings {
        let directory = self.survey.state_dir.clone();
        let is_paused = tokio::task::spawn_blocking(move || place::is_paused(&directory)).await.unwrap_or(true);
        if is_paused { Beginnings::Paused } else { Beginnings::Allowed }
    }

    /// Whether this is to be told: it is so, and was not when it was last looked at.
    fn is_news(&self, account: &ApiKey, kind: Kind, is_so: bool) -> bool {
        let told = (account.clone(), kind);
        let mut known = self.known();
        if is_so {
            return known.told.insert(told);
        }
        known.told.remove(&told);
        false
    }

    /// Tells, for ever, when everything that is held of an account is refused.
    pub async fn watch_refusals(self: Arc<Self>, store: Arc<Store>) {
        loop {
            let snapshot = store.load();
            for account in snapshot.accounts.iter().filter(|account| account.place == Membership::Listed) {
                if self.is_news(&account.key, Kind::AllRefused, is_all_refused(account)) {
                    self.notifier.tell_and_log(&Event::all_refused(&account.key, clock::wall())).await;
                }
            }
            drop(snapshot);
            tokio::time::sleep(REFUSALS).await;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_all_refused(account: &Account) -> bool {
    let standings = account.opinion.lock();
    let in_file = || account.secrets.iter().filter(|slot| matches!(slot.place, Place::File(_)));
    in_file().next().is_some() && in_file().all(|slot| standings.refused_since(slot.uid).is_some())
}

/// How often accounts are looked at.
fn look_every(policies: &[Policy]) -> Duration {
    let shortest = policies.iter().map(|policy| policy.every).min().unwrap_or(LEAST_OFTEN);
    (shortest / PART).clamp(MOST_OFTEN, LEAST_OFTEN)
}

fn until(turn: &Turn, now: SystemTime) -> Duration {
    match turn {
        Turn::Begin(_) | Turn::GoOn(_) => Duration::ZERO,
        Turn::Wait(at) => at.duration_since(now).unwrap_or_default(),
        Turn::Nothing => LEAST_OFTEN,
    }
}

/// What changed behind our back is logged when it is new.
fn log_drift(before: &[Observed], now: &[Observed]) {
    for observed in now {
        let Ok(listing) = &observed.listing else { continue };
        let known = before.iter().find(|other| other.account == observed.account).and_then(|other| other.listing.as_ref().ok());
        let is_new = known.is_none_or(|known| known.drift != listing.drift);
        if is_new && !listing.drift.is_empty() {
            let drift: Vec<String> = listing.drift.iter().map(ToString::to_string).collect();
            tracing::warn!(account = %observed.account, drift = drift.join(", "), "secrets changed behind our back");
        }
    }
}

/// How a look at an account reads to people: whether it is under way, and when it is due.
pub fn due_in_words(observed: &Observed, now: SystemTime) -> String {
    match (&observed.listing, observed.progress) {
        (Err(why), _) => format!("not seen: {why}"),
        (Ok(_), Progress::Rotating | Progress::Beginning) => "under way".to_owned(),
        (Ok(listing), Progress::Resting | Progress::Staged) => match listing.due {
            Due::Now => "now".to_owned(),
            Due::At(at) => {
                let left = at.duration_since(now).unwrap_or_default();
                format!(
                    "{} (in {})",
                    humantime::format_rfc3339_seconds(at),
                    humantime::format_duration(Duration::from_secs(left.as_secs()))
                )
            }
            Due::Never(why) => format!("never: {why}"),
        },
    }
}
