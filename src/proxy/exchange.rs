//! The attempts of one request: pick, inject, send, judge; deliver, or try another credential, or wait for one.
//!
//! What comes after a refusal is decided by [`super::course`]; here is what it takes to find out. The first answer is
//! held while a second is sought: its head, what was read of it, and its still open body.
//!
//! | file | duty |
//! |---|---|
//! | `ask` | the request, and whether it may be sent again |
//! | `attempt`, `failure` | one attempt, and why it may have no answer |
//! | `next`, `pick` | which secret goes first, and what comes after a refusal; the one that was chosen |
//! | `present` | what the chosen value looks like on the request |
//! | `lessons` | what is learnt from it all |
//! | `told` | the log line |

use std::error::Error;
use std::fmt::Write as _;

use http::{HeaderValue, Response};

use super::answer::{AnswerBody, End, Opened, Patience};
use super::caller::Caller;
use super::course::{After, Course};
use super::fault::Fault;
use super::route::Treatment;
use super::whose::Wanted;
use super::{Proxy, headers, is_safe};
use crate::clock;
use crate::inject::Credential;
use crate::metrics::FallbackOutcome;
use crate::upstream::SendError;
use crate::vonage::refusal::Verdict;

mod ask;
mod attempt;
mod failure;
mod lessons;
mod next;
mod pick;
mod present;
mod told;

pub(super) use ask::{Ask, AskBody};
use attempt::{FIRST_PIECE, Judged};
use failure::Failure;
use lessons::Lessons;
use next::{Next, may_mint_afresh};
pub(super) use told::Told;

impl Proxy {
    /// Sends a request with the values of a keyring until one is accepted, by the rules.
    pub(super) async fn exchange(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        caller: &Caller,
        told: &mut Told,
    ) -> Result<Response<AnswerBody>, Fault> {
        let mut course = Course::default();
        let mut lessons = Lessons::new(self, ask.host);
        let mut held: Option<Judged> = None;
        let mut pick = self.first(ask, wanted, &mut course).await.ok_or(Fault::NoCredentials)?;
        loop {
            told.attempt(&pick);
            let sent = clock::now();
            let judged = match self.attempt(ask, wanted, &pick, caller).await {
                Ok(judged) => judged,
                Err(failure) => return self.give_up(ask, failure, held),
            };
            lessons.take(&pick, judged.verdict, sent);
            let first = match course.answered(pick.uid, judged.verdict, sent) {
                After::Deliver => {
                    self.count_delivery(&course, &pick, judged.verdict);
                    return self.deliver(ask, judged, None);
                }
                // The same key signs again: the next attempt finds no token and makes one.
                After::MintAfresh if may_mint_afresh(ask, caller) => {
                    held = Some(held.take().unwrap_or(judged));
                    continue;
                }
                After::MintAfresh => return self.deliver(ask, held.take().unwrap_or(judged), None),
                After::Refused => held.take().unwrap_or(judged),
            };
            match self.next(ask, wanted, caller, &mut course, &lessons, told).await {
                Next::Send(next) => {
                    held = Some(first);
                    pick = next;
                }
                Next::Stop(why) => {
                    self.count_refusal(ask, &pick, &course, why);
                    return self.deliver(ask, first, mark(&course, why));
                }
            }
        }
    }

    /// Sends a request that gets no credential of ours.
    pub(super) async fn pass(&self, ask: &Ask, caller: &Caller) -> Result<Response<AnswerBody>, Fault> {
        let credential = if ask.treatment == Treatment::PassThrough { Credential::CallersOwn } else { Credential::Nothing };
        let (answer, under_way) = self.send(ask, credential, caller).await.map_err(Failure::into_fault)?;
        let (head, body) = answer.into_parts();
        let opened = Opened::read(body, under_way, 1, FIRST_PIECE).await;
        self.deliver(ask, Judged { head, opened, verdict: Verdict::NoEvidence }, None)
    }

    /// An attempt failed without an answer. The held refusal goes back only if nothing was begun since: the app would
    /// take it for "nothing happened" and send again.
    fn give_up(&self, ask: &Ask, failure: Failure, held: Option<Judged>) -> Result<Response<AnswerBody>, Fault> {
        let Some(first) = held else { return Err(failure.into_fault()) };
        self.metrics.fallback(FallbackOutcome::Failed);
        match failure {
            Failure::Unsent(_) => self.deliver(ask, first, Some("fallback-failed")),
            Failure::NotReplayable => self.deliver(ask, first, Some("not-replayable")),
            Failure::Begun(error) => Err(Fault::OutcomeUnknown(error)),
            Failure::Broken(error) => Err(Fault::OutcomeUnknown(SendError::Failed(Box::new(error)))),
            Failure::Caller(fault) => Err(fault),
        }
    }

    /// Makes the answer that goes back of one that came.
    fn deliver(&self, ask: &Ask, judged: Judged, mark: Option<&'static str>) -> Result<Response<AnswerBody>, Fault> {
        if matches!(judged.opened.end, End::Broken(_)) {
            return Err(Fault::AnswerBroken);
        }
        let mut headers = judged.head.headers;
        headers::to_caller(&mut headers);
        if let Some(mark) = mark {
            headers.insert(headers::REFUSED, HeaderValue::from_static(mark));
        }
        let mut answer = Response::new(judged.opened.into_body(Patience::new(self.rules.idle, ask.deadline)));
        *answer.status_mut() = judged.head.status;
        *answer.headers_mut() = headers;
        Ok(answer)
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
