//! The attempts of one request: pick, inject, send, judge; deliver, or try another credential, or wait for one.
//!
//! What comes after a refusal is decided by [`super::course`]; here is what it takes to find out. The first answer is
//! held while a second is sought: its head, what was read of it, and its still open body.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, response};
use hyper::body::Incoming;

use super::answer::{AnswerBody, End, Opened, Patience, REFUSED};
use super::course::{After, Course};
use super::fault::Fault;
use super::route::{Routed, Treatment};
use super::socket::Caller;
use super::{Proxy, headers, is_safe};
use crate::clock;
use crate::credentials::restraint::Allowance;
use crate::credentials::standing::{Lesson, Standing, Trial};
use crate::credentials::{Account, Basic, Generation, Slot, Uid, candidates, name_of};
use crate::inject::{self, Credential, Stripped};
use crate::metrics::{FallbackOutcome, HoldOutcome};
use crate::prove::{self, Learnt, Proof};
use crate::secret::ApiKey;
use crate::upstream::body::{Body, Source, Tee};
use crate::upstream::{InFlight, SendError};
use crate::vonage::endpoints::{Endpoint, Repeat, Scheme};
use crate::vonage::hosts::Host;
use crate::vonage::probe;
use crate::vonage::refusal::{self, Need, Seen, Verdict};

/// An answer that is judged by its body is read for so long at most.
const JUDGING: Duration = Duration::from_secs(2);
/// An answer that dies right after its head is seen within this time; a slow one is passed on without its body.
const FIRST_PIECE: Duration = Duration::from_millis(20);
/// An account that was accepted this lately is worth waiting for.
const WORTH_WAITING: Duration = Duration::from_mins(1);
/// A body that cannot be sent twice is sent only with a secret accepted this lately.
const PROVEN_LATELY: Duration = Duration::from_secs(5);

/// A request ready for its attempts.
#[derive(Debug)]
pub(super) struct Ask {
    pub endpoint: &'static Endpoint,
    pub host: Host,
    pub repeat: Repeat,
    pub treatment: Treatment,
    pub stripped: Stripped,
    pub body: AskBody,
    pub deadline: Option<Instant>,
}

/// The body of a request, as far as sending it again goes.
#[derive(Debug)]
pub(super) enum AskBody {
    /// None.
    None,
    /// All of it, read before.
    Whole(Bytes),
    /// The caller's stream with a copy beside it.
    Teed(Tee),
}

impl AskBody {
    fn body(&self) -> Body {
        match self {
            Self::None => Body::Empty,
            Self::Whole(bytes) => Body::Whole(bytes.clone()),
            Self::Teed(tee) => Body::Teed(tee.reader()),
        }
    }

    fn can_replay(&self) -> bool {
        match self {
            Self::None | Self::Whole(_) => true,
            Self::Teed(tee) => tee.can_replay(),
        }
    }

    /// Whether it will certainly still be there for a second attempt.
    fn surely_replays(&self) -> bool {
        match self {
            Self::None | Self::Whole(_) => true,
            Self::Teed(tee) => tee.can_replay() && tee.length_is_known(),
        }
    }

    /// The caller's fault, if that is why an exchange failed.
    fn fault(&self) -> Option<Fault> {
        match self {
            Self::None | Self::Whole(_) => None,
            Self::Teed(tee) => match tee.source() {
                Source::Broken => Some(Fault::BodyBroken),
                Source::Stalled => Some(Fault::BodyStalled),
                Source::Open | Source::Complete => None,
            },
        }
    }
}

/// What the log line of a request tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub method: Method,
    pub path: String,
    pub endpoint: Option<&'static Endpoint>,
    pub host: Option<Host>,
    pub account: Option<ApiKey>,
    pub secret: Option<String>,
    pub generation: Generation,
    pub attempts: u32,
    pub held: Duration,
    pub code: Option<&'static str>,
}

impl Told {
    pub(super) fn request(&mut self, head: &Parts) {
        self.method = head.method.clone();
        head.uri.path().clone_into(&mut self.path);
    }

    pub(super) fn routed(&mut self, routed: &Routed) {
        self.endpoint = Some(routed.endpoint);
        self.host = Some(routed.host);
    }

    pub(super) fn account(&mut self, key: &ApiKey) {
        self.account = Some(key.clone());
    }
}

/// The secret chosen for an attempt.
#[derive(Debug)]
struct Pick {
    account: Arc<Account>,
    index: usize,
    generation: Generation,
    standing: Standing,
}

impl Pick {
    fn slot(&self) -> Option<&Slot<Basic>> {
        self.account.secrets.get(self.index)
    }
}

/// An answer with its verdict, held or about to go back.
#[derive(Debug)]
struct Judged {
    head: response::Parts,
    opened: Opened,
    verdict: Verdict,
}

/// Why an attempt has no answer.
#[derive(Debug)]
enum Failure {
    /// Nothing was written, or the peer provably processed nothing.
    Unsent(Fault),
    /// It was begun: what the peer did is not known.
    Begun(SendError),
    /// The answer broke off.
    Broken,
    /// The caller broke it.
    Caller(Fault),
}

/// What follows a refusal.
#[derive(Debug)]
enum Next {
    Send(Pick),
    Stop(FallbackOutcome),
}

/// The lessons of one request, learnt when its end is known.
#[derive(Debug, Default)]
struct Lessons(Vec<(Arc<Account>, Uid, Verdict, Instant)>);

impl Proxy {
    /// Sends a request with the account's secrets until one is accepted, by the rules.
    pub(super) async fn exchange(&self, ask: &Ask, key: &ApiKey, caller: &Caller, told: &mut Told) -> Result<Response<AnswerBody>, Fault> {
        let mut course = Course::default();
        let mut lessons = Lessons::default();
        let mut first: Option<Judged> = None;
        let mut pick = self.pick(ask, key, &mut course).ok_or(Fault::NoCredentials)?;
        if !ask.body.surely_replays() {
            pick = Box::pin(self.proven(ask, key, pick)).await;
        }
        loop {
            told.attempt(&pick);
            let sent = clock::now();
            let judged = match self.attempt(ask, &pick, caller).await {
                Ok(judged) => judged,
                Err(failure) => return self.give_up(ask, failure, first, &lessons),
            };
            let Some(uid) = pick.slot().map(|slot| slot.uid) else { return Err(Fault::NoCredentials) };
            lessons.0.push((Arc::clone(&pick.account), uid, judged.verdict, sent));
            match course.answered(uid, judged.verdict) {
                After::Deliver => {
                    self.learn(ask, &lessons);
                    self.count_delivery(&course, &pick);
                    return self.deliver(ask, judged, None);
                }
                After::Refused => {
                    first.get_or_insert(judged);
                }
            }
            match self.next(ask, key, caller, &mut course, told).await {
                Next::Send(next) => pick = next,
                Next::Stop(why) => {
                    self.learn(ask, &lessons);
                    self.count_refusal(ask, &pick, &course, why);
                    let first = first.ok_or(Fault::NoCredentials)?;
                    return self.deliver(ask, first, mark(&course, why));
                }
            }
        }
    }

    /// Sends a request that gets no credential of ours.
    pub(super) async fn pass(&self, ask: &Ask, caller: &Caller) -> Result<Response<AnswerBody>, Fault> {
        let credential = if ask.treatment == Treatment::PassThrough { Credential::CallersOwn } else { Credential::Nothing };
        let (answer, under_way) = match self.send(ask, credential, caller).await {
            Ok(answer) => answer,
            Err(failure) => return Err(failure.into_fault()),
        };
        let (head, body) = answer.into_parts();
        let opened = Opened::read(body, under_way, 1, FIRST_PIECE).await;
        self.deliver(ask, Judged { head, opened, verdict: Verdict::NoEvidence }, None)
    }

    /// The best secret that the rules allow now, from the newest snapshot.
    fn pick(&self, ask: &Ask, key: &ApiKey, course: &mut Course) -> Option<Pick> {
        let snapshot = self.store.load();
        let account = Arc::clone(snapshot.account(key.as_str())?);
        let trial = if ask.body.can_replay() && probe::free_call(ask.host).is_none() { Trial::Allowed } else { Trial::No };
        let candidates = candidates(&account.secrets);
        let mut standings = account.opinion.lock();
        let order = standings.order(&candidates, ask.host, trial, clock::now());
        let uid = course.choose(&order, &candidates)?;
        let standing = standings.standing(uid, ask.host);
        drop(standings);
        let index = account.secrets.iter().position(|slot| slot.uid == uid)?;
        Some(Pick { account, index, generation: snapshot.generation, standing })
    }

    /// For a body that cannot be sent twice: the first secret, in order, that is proven now.
    async fn proven(&self, ask: &Ask, key: &ApiKey, pick: Pick) -> Pick {
        let mut course = Course::default();
        while let Some(candidate) = self.pick(ask, key, &mut course) {
            let Some(slot) = candidate.slot() else { break };
            let now = clock::now();
            let since = self.store.load().published.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
            let lately = candidate.account.opinion.lock().accepted_within(slot.uid, ask.host, since.min(PROVEN_LATELY), now);
            if lately {
                return candidate;
            }
            match prove::prove(&self.upstream, &candidate.account, slot, ask.host).await {
                Proof::Accepted => return candidate,
                Proof::Refused | Proof::Doubtful => {
                    course.answered(slot.uid, Verdict::Refused);
                }
                Proof::Unclear | Proof::Unreachable(_) | Proof::NoFreeCall => break,
            }
        }
        pick
    }

    /// One attempt: inject, send, judge.
    async fn attempt(&self, ask: &Ask, pick: &Pick, caller: &Caller) -> Result<Judged, Failure> {
        let Some(slot) = pick.slot() else { return Err(Failure::Unsent(Fault::NoCredentials)) };
        let in_use = InUse::begin(slot);
        let answer = self.send(ask, Credential::Basic(&slot.value.header), caller).await?;
        let judged = judge(ask, answer).await?;
        drop(in_use);
        self.metrics.attempt(ask.host, judged.verdict);
        match judged.verdict {
            Verdict::Accepted => slot.usage.accepted(clock::now()),
            Verdict::Refused | Verdict::Doubtful | Verdict::NoEvidence => {}
        }
        Ok(judged)
    }

    /// Sends once; once more on a fresh connection if the peer provably processed nothing, or if a call that only
    /// reads met a reused connection that closed before any answer.
    async fn send(&self, ask: &Ask, credential: Credential<'_>, caller: &Caller) -> Result<(Response<Incoming>, InFlight), Failure> {
        let mut connection = self.upstream.connection(ask.host).await.map_err(Failure::unsent)?;
        let mut again = Again::Allowed;
        loop {
            if caller.is_gone() {
                return Err(Failure::Caller(Fault::CallerGone));
            }
            if !(is_safe(&ask.stripped.head().method) && ask.repeat == Repeat::Repeatable) {
                caller.must_finish();
            }
            let under_way = connection.in_flight();
            let error = match connection.send(inject::inject(&ask.stripped, ask.host, credential, ask.body.body())).await {
                Ok(answer) => return Ok((answer, under_way)),
                Err(error) => error,
            };
            if let Some(fault) = ask.body.fault() {
                return Err(Failure::Caller(fault));
            }
            if again == Again::Spent || !ask.may_be_sent_again(&error) {
                return Err(Failure::of(error));
            }
            again = Again::Spent;
            connection = self.upstream.fresh(ask.host).await.map_err(Failure::unsent)?;
        }
    }

    /// After a refusal: a newer file, another secret, or a wait for one.
    async fn next(&self, ask: &Ask, key: &ApiKey, caller: &Caller, course: &mut Course, told: &mut Told) -> Next {
        caller.may_cancel();
        if !ask.body.can_replay() {
            return Next::Stop(FallbackOutcome::NotReplayable);
        }
        if caller.is_gone() {
            return Next::Stop(FallbackOutcome::CallerGone);
        }
        if self.allowance(ask, key) == Allowance::Single {
            return Next::Stop(FallbackOutcome::BackedOff);
        }
        self.reload.refreshed(clock::now()).await;
        if let Some(pick) = self.pick(ask, key, course) {
            let hopeful = matches!(pick.standing, Standing::Good | Standing::Untested);
            let paid =
                hopeful || course.tries().len() > 1 || pick.account.opinion.restraint(|restraint| restraint.has_budget(clock::now()));
            return if paid { Next::Send(pick) } else { Next::Stop(FallbackOutcome::Budget) };
        }
        Box::pin(self.hold(ask, key, caller, course, told)).await
    }

    fn allowance(&self, ask: &Ask, key: &ApiKey) -> Allowance {
        let snapshot = self.store.load();
        let Some(account) = snapshot.account(key.as_str()) else { return Allowance::Full };
        if !account.opinion.is_restrained() {
            return Allowance::Full;
        }
        let newest = account.secrets.iter().map(|slot| slot.uid).max().unwrap_or(Uid(0));
        account.opinion.restraint(|restraint| restraint.allowance(ask.endpoint.name, ask.host, newest, clock::now()))
    }

    /// Everything held is refused: waits for a newer file, if it is worth it.
    async fn hold(&self, ask: &Ask, key: &ApiKey, caller: &Caller, course: &mut Course, told: &mut Told) -> Next {
        let mut published = self.store.subscribe();
        let snapshot = self.store.load();
        let worth = snapshot.account(key.as_str()).is_some_and(|account| {
            course.all_refused()
                && account.opinion.lock().any_accepted_within(WORTH_WAITING, clock::now())
                && account.opinion.restraint(|restraint| restraint.may_hold(snapshot.generation))
        });
        if !worth || self.rules.hold.is_zero() {
            return Next::Stop(FallbackOutcome::NoOther);
        }
        let Some(_place) = self.hold_place() else {
            self.metrics.hold(HoldOutcome::Full);
            return Next::Stop(FallbackOutcome::NoOther);
        };
        let since = clock::now();
        let deadline = tokio::time::Instant::from_std(since + self.rules.hold);
        let next = loop {
            if let Some(pick) = self.pick(ask, key, course) {
                break Some(pick);
            }
            match tokio::time::timeout_at(deadline, published.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => break None,
                Err(_elapsed) => break None,
            }
        };
        told.held += clock::now().saturating_duration_since(since);
        match next {
            Some(_) if caller.is_gone() => {
                self.metrics.hold(HoldOutcome::CallerGone);
                Next::Stop(FallbackOutcome::CallerGone)
            }
            Some(pick) => {
                self.metrics.hold(HoldOutcome::Served);
                Next::Send(pick)
            }
            None => {
                self.metrics.hold(HoldOutcome::InVain);
                if let Some(account) = self.store.load().account(key.as_str()) {
                    account.opinion.restraint(|restraint| restraint.held_in_vain(snapshot.generation));
                }
                Next::Stop(FallbackOutcome::NoOther)
            }
        }
    }

    /// An attempt failed without an answer. The held refusal goes back only if nothing was begun since.
    fn give_up(&self, ask: &Ask, failure: Failure, first: Option<Judged>, lessons: &Lessons) -> Result<Response<AnswerBody>, Fault> {
        self.learn(ask, lessons);
        let Some(first) = first else { return Err(failure.into_fault()) };
        self.metrics.fallback(FallbackOutcome::Failed);
        match failure {
            Failure::Unsent(_) => self.deliver(ask, first, Some("fallback-failed")),
            Failure::Begun(error) => Err(Fault::OutcomeUnknown(error)),
            Failure::Broken => Err(Fault::AnswerBroken),
            Failure::Caller(fault) => Err(fault),
        }
    }

    /// A refusal that was followed by an acceptance is paired evidence. Refusals are learnt first, so that the value
    /// that works is not held back by one that was just found out.
    fn learn(&self, ask: &Ask, lessons: &Lessons) {
        let accepted = lessons.0.iter().any(|(_, _, verdict, _)| *verdict == Verdict::Accepted);
        let mut fell = false;
        for (account, uid, verdict, sent) in &lessons.0 {
            let lesson = match (verdict, accepted) {
                (Verdict::Refused, true) => Lesson::RefusedPaired,
                (Verdict::Refused, false) | (Verdict::Doubtful, _) => Lesson::RefusedAlone,
                (Verdict::Accepted, _) => Lesson::Accepted,
                (Verdict::NoEvidence, _) => continue,
            };
            if prove::learn(account, *uid, ask.host, lesson, *sent) == Learnt::RetiringRefused {
                self.reload.prune();
            }
            fell |= lesson != Lesson::Accepted;
        }
        if fell {
            self.alarm.ring();
        }
    }

    fn count_delivery(&self, course: &Course, pick: &Pick) {
        if let Some(slot) = pick.slot() {
            slot.usage.served();
        }
        if course.tries().len() > 1 {
            self.metrics.fallback(FallbackOutcome::Accepted);
        }
    }

    fn count_refusal(&self, ask: &Ask, pick: &Pick, course: &Course, why: FallbackOutcome) {
        let useless = course.tries().len() > 1;
        self.metrics.fallback(if useless { FallbackOutcome::Refused } else { why });
        pick.account.opinion.restraint(|restraint| {
            if useless {
                restraint.spend();
            }
            if course.all_refused() && why != FallbackOutcome::NotReplayable {
                restraint.all_refused(ask.endpoint.name, ask.host, clock::now());
            }
        });
    }

    /// Makes the answer that goes back of one that came.
    fn deliver(&self, ask: &Ask, judged: Judged, mark: Option<&'static str>) -> Result<Response<AnswerBody>, Fault> {
        if matches!(judged.opened.end, End::Broken(_)) {
            return Err(Fault::AnswerBroken);
        }
        let mut headers = judged.head.headers;
        headers::to_caller(&mut headers);
        if let Some(mark) = mark {
            headers.insert(REFUSED, HeaderValue::from_static(mark));
        }
        let mut answer = Response::new(judged.opened.into_body(Patience::new(self.rules.idle, ask.deadline)));
        *answer.status_mut() = judged.head.status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Whether the one resend was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Allowed,
    Spent,
}

impl Ask {
    fn may_be_sent_again(&self, error: &SendError) -> bool {
        match error {
            SendError::NotProcessed(_) => self.body.can_replay(),
            SendError::ClosedBeforeAnswer(_) => {
                let reads = matches!(self.stripped.head().method, Method::GET | Method::HEAD) && matches!(self.body, AskBody::None);
                reads && self.repeat == Repeat::Repeatable
            }
            SendError::Timeout | SendError::Failed(_) => false,
        }
    }
}

impl Told {
    fn attempt(&mut self, pick: &Pick) {
        self.attempts += 1;
        self.generation = pick.generation;
        self.secret = pick.slot().map(name_of);
    }
}

impl Failure {
    fn unsent(error: crate::upstream::ConnectError) -> Self {
        Self::Unsent(Fault::Connect(error))
    }

    fn of(error: SendError) -> Self {
        match error {
            SendError::NotProcessed(_) => Self::Unsent(Fault::Send(error)),
            SendError::ClosedBeforeAnswer(_) | SendError::Timeout | SendError::Failed(_) => Self::Begun(error),
        }
    }

    fn into_fault(self) -> Fault {
        match self {
            Self::Unsent(fault) | Self::Caller(fault) => fault,
            Self::Begun(error) => Fault::Send(error),
            Self::Broken => Fault::AnswerBroken,
        }
    }
}

/// A secret is in use while an attempt with it is under way, however that ends.
struct InUse<'a>(&'a Slot<Basic>);

impl<'a> InUse<'a> {
    fn begin(slot: &'a Slot<Basic>) -> Self {
        slot.usage.begin();
        Self(slot)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.usage.end(clock::now());
    }
}

/// Reads what must be read of an answer, and judges it. An answer about the request that broke off is a failure; a
/// 401 that broke off is a 401 all the same.
async fn judge(ask: &Ask, (answer, under_way): (Response<Incoming>, InFlight)) -> Result<Judged, Failure> {
    let (head, body) = answer.into_parts();
    let method = &ask.stripped.head().method;
    let (opened, verdict) = match refusal::need(ask.endpoint, Scheme::Basic, method, head.status, &head.headers) {
        Need::Nothing(verdict) => (Opened::read(body, under_way, 1, FIRST_PIECE).await, verdict),
        Need::Body => {
            let opened = Opened::read(body, under_way, refusal::LONGEST_JUDGED, JUDGING).await;
            let bytes = opened.bytes();
            let seen = match opened.end {
                End::Complete => Seen::Complete(&bytes),
                End::More | End::Broken(_) => Seen::Partial(&bytes),
            };
            let verdict = refusal::judge(ask.endpoint, Scheme::Basic, head.status, &head.headers, seen);
            (opened, verdict)
        }
    };
    match (&opened.end, verdict) {
        (End::Broken(_), Verdict::Accepted | Verdict::NoEvidence) => Err(Failure::Broken),
        (End::Broken(_) | End::Complete | End::More, _) => Ok(Judged { head, opened, verdict }),
    }
}

/// Why no other credential could help, for the answer that goes back.
fn mark(course: &Course, why: FallbackOutcome) -> Option<&'static str> {
    match why {
        FallbackOutcome::NotReplayable => Some("not-replayable"),
        FallbackOutcome::BackedOff => Some("backed-off"),
        FallbackOutcome::Budget => Some("budget"),
        FallbackOutcome::Accepted | FallbackOutcome::CallerGone => None,
        FallbackOutcome::Refused | FallbackOutcome::Failed | FallbackOutcome::NoOther => course.all_refused().then_some("all"),
    }
}

/// An error with what caused it, in one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _infallible = write!(line, ": {error}");
        cause = error.source();
    }
    line
}
