//! One attempt: inject, send, read what must be read, judge.

use std::time::Duration;

use http::{Response, response};
use http_body::Body as _;

use super::Ask;
use super::ask::Resend;
use super::failure::Failure;
use super::pick::Pick;
use super::present::present;
use crate::clock;
use crate::inject::{self, Credential, echo};
use crate::prove::clocks;
use crate::proxy::Proxy;
use crate::proxy::answer::{End, Opened};
use crate::proxy::caller::Caller;
use crate::proxy::fault::Fault;
use crate::proxy::whose::Wanted;
use crate::upstream::body::Body;
use crate::upstream::received::Received;
use crate::upstream::{Connection, InFlight, SendError};
use crate::vonage::endpoints::Scheme;
use crate::vonage::refusal::{self, Need, Seen, Verdict};

/// The body of a 401 is waited for so long: without it the 401 is doubtful, which is enough for a second attempt.
const DOUBTING: Duration = Duration::from_secs(2);
/// An answer that dies right after its head is seen within this time; a slow one is passed on without its body.
pub(super) const FIRST_PIECE: Duration = Duration::from_millis(20);

/// How often a request whose stream is refused is sent again. By the first time it is known how many streams the peer
/// allows, so more than that takes a peer that has no room for another reason.
const MOST_REFUSED: u32 = 5;
/// What is added to the pause before each but the first of them.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// An answer with its verdict, held or about to go back.
#[derive(Debug)]
pub(super) struct Judged {
    pub head: response::Parts,
    pub opened: Opened,
    pub verdict: Verdict,
}

/// How often an attempt was sent again so far.
#[derive(Debug, Default)]
struct Resends {
    fresh: u32,
    refused: u32,
}

impl Proxy {
    /// One attempt with a value of ours.
    pub(super) async fn attempt(&self, ask: &Ask, wanted: &Wanted, pick: &Pick, caller: &Caller) -> Result<Judged, Failure> {
        let Some(usage) = pick.usage() else { return Err(Failure::Unsent(Fault::NoCredentials)) };
        let in_use = usage.in_use();
        let presented = present(ask, wanted, pick).await?;
        let answer = self.send(ask, presented.credential(), caller).await?;
        let mut judged = judge(ask, wanted.scheme(), answer, self.rules.idle).await?;
        drop(in_use);
        echo::take_out(&mut judged.head.headers, presented.credential());
        let verdict = clocks::weigh(&pick.keyring, pick.uid, judged.verdict, &judged.head.headers);
        let judged = Judged { verdict, ..judged };
        self.metrics.attempt(ask.host, judged.verdict);
        match judged.verdict {
            Verdict::Accepted => usage.accepted(clock::now()),
            Verdict::Stale => presented.discard(),
            Verdict::Refused | Verdict::Doubtful | Verdict::NoEvidence => {}
        }
        Ok(judged)
    }

    /// Sends once, and again as far as [`Self::resend`] allows.
    pub(super) async fn send(
        &self,
        ask: &Ask,
        credential: Credential<'_>,
        caller: &Caller,
    ) -> Result<(Response<Received>, InFlight), Failure> {
        let mut connection = self.upstream.connection(ask.host).await.map_err(Failure::unsent)?;
        let mut resends = Resends::default();
        let mut body = ask.body.body().ok_or(Failure::NotReplayable)?;
        loop {
            if caller.is_gone() {
                return Err(Failure::Caller(Fault::CallerGone));
            }
            if !ask.only_reads() {
                caller.must_finish();
            }
            let outgoing = inject::inject(&ask.stripped, ask.host, credential, body);
            let under_way = connection.in_flight();
            let error = match connection.send(outgoing).await {
                Ok(answer) => return Ok((answer, under_way)),
                Err(error) => error,
            };
            if let Some(fault) = ask.body.fault() {
                return Err(Failure::Caller(fault));
            }
            (connection, body) = Box::pin(self.resend(ask, error, caller, &mut resends)).await?;
        }
    }

    /// What it takes to send once more: on a fresh connection, once, if the peer provably processed nothing, or if a call
    /// that only reads met a reused connection that closed before any answer; on any, a few times, if it refused the
    /// stream. The failure is the peer's if the body cannot be had again.
    async fn resend(&self, ask: &Ask, error: SendError, caller: &Caller, so_far: &mut Resends) -> Result<(Connection, Body), Failure> {
        let connection = match ask.resend(&error) {
            Resend::Fresh if so_far.fresh == 0 => {
                so_far.fresh += 1;
                self.upstream.fresh(ask.host).await
            }
            Resend::InAMoment if so_far.refused < MOST_REFUSED => {
                caller.may_cancel();
                tokio::time::sleep(REFUSED_PAUSE * so_far.refused).await;
                so_far.refused += 1;
                self.upstream.connection(ask.host).await
            }
            Resend::Never | Resend::Fresh | Resend::InAMoment => return Err(Failure::of(error)),
        };
        let body = ask.body.body().ok_or_else(|| Failure::of(error))?;
        Ok((connection.map_err(Failure::unsent)?, body))
    }
}

/// Reads what must be read of an answer, and judges it. An answer about the request that broke off is a failure; a
/// 401 that broke off is a 401 all the same.
async fn judge(ask: &Ask, scheme: Scheme, (answer, under_way): (Response<Received>, InFlight), idle: Duration) -> Result<Judged, Failure> {
    let (head, body) = answer.into_parts();
    let method = &ask.stripped.head().method;
    let (opened, verdict) = match refusal::need(ask.endpoint, scheme, method, head.status, &head.headers) {
        Need::Nothing(verdict) => (Opened::read(body, under_way, 1, FIRST_PIECE).await, verdict),
        Need::Body(otherwise) => {
            let (limit, patience) = worth_reading(&body, otherwise, idle);
            let opened = Opened::read(body, under_way, limit, patience).await;
            let bytes = opened.bytes();
            let seen = match opened.end {
                End::Complete => Seen::Complete(&bytes),
                End::More | End::Broken(_) => Seen::Partial(&bytes),
            };
            let verdict = refusal::judge(ask.endpoint, scheme, head.status, &head.headers, seen);
            (opened, verdict)
        }
    };
    match opened {
        Opened { end: End::Broken(error), .. } if matches!(verdict, Verdict::Accepted | Verdict::NoEvidence) => Err(Failure::Broken(error)),
        opened => Ok(Judged { head, opened, verdict }),
    }
}

/// How much of a body is waited for, and for how long, so that it can be judged. A doubt is enough for a second attempt.
/// Anything else would be passed on unjudged, refused or not, so its body gets as long as any may be silent, unless it is
/// larger than what is judged.
fn worth_reading(body: &Received, otherwise: Verdict, idle: Duration) -> (usize, Duration) {
    let is_judged = usize::try_from(body.size_hint().lower()).is_ok_and(|length| length <= refusal::LONGEST_JUDGED);
    match otherwise {
        _ if !is_judged => (1, FIRST_PIECE),
        Verdict::Doubtful => (refusal::LONGEST_JUDGED, DOUBTING),
        Verdict::Accepted | Verdict::Refused | Verdict::Stale | Verdict::NoEvidence => (refusal::LONGEST_JUDGED, idle),
    }
}
