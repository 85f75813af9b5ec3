//! One attempt: inject, send, read what must be read, judge.

use std::time::Duration;

use http::{Response, response};

use super::Ask;
use super::failure::Failure;
use super::pick::Pick;
use super::present::present;
use crate::clock;
use crate::inject::{self, Credential};
use crate::prove::clocks;
use crate::proxy::Proxy;
use crate::proxy::answer::{End, Opened};
use crate::proxy::caller::Caller;
use crate::proxy::fault::Fault;
use crate::proxy::whose::Wanted;
use crate::upstream::InFlight;
use crate::upstream::received::Received;
use crate::vonage::endpoints::Scheme;
use crate::vonage::refusal::{self, Need, Seen, Verdict};

/// An answer that is judged by its body is read for so long at most.
const JUDGING: Duration = Duration::from_secs(2);
/// An answer that dies right after its head is seen within this time; a slow one is passed on without its body.
pub(super) const FIRST_PIECE: Duration = Duration::from_millis(20);

/// An answer with its verdict, held or about to go back.
#[derive(Debug)]
pub(super) struct Judged {
    pub head: response::Parts,
    pub opened: Opened,
    pub verdict: Verdict,
}

/// Whether the one resend was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Allowed,
    Spent,
}

impl Proxy {
    /// One attempt with a value of ours.
    pub(super) async fn attempt(&self, ask: &Ask, wanted: &Wanted, pick: &Pick, caller: &Caller) -> Result<Judged, Failure> {
        let Some(usage) = pick.usage() else { return Err(Failure::Unsent(Fault::NoCredentials)) };
        let in_use = usage.in_use();
        let presented = present(ask, wanted, pick).await?;
        let answer = self.send(ask, presented.credential(), caller).await?;
        let judged = judge(ask, wanted.scheme(), answer).await?;
        drop(in_use);
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

    /// Sends once; once more on a fresh connection if the peer provably processed nothing, or if a call that only
    /// reads met a reused connection that closed before any answer.
    pub(super) async fn send(
        &self,
        ask: &Ask,
        credential: Credential<'_>,
        caller: &Caller,
    ) -> Result<(Response<Received>, InFlight), Failure> {
        let mut connection = self.upstream.connection(ask.host).await.map_err(Failure::unsent)?;
        let mut again = Again::Allowed;
        loop {
            if caller.is_gone() {
                return Err(Failure::Caller(Fault::CallerGone));
            }
            let body = ask.body.body().ok_or(Failure::NotReplayable)?;
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
            if again == Again::Spent || !ask.may_be_sent_again(&error) {
                return Err(Failure::of(error));
            }
            again = Again::Spent;
            connection = self.upstream.fresh(ask.host).await.map_err(Failure::unsent)?;
        }
    }
}

/// Reads what must be read of an answer, and judges it. An answer about the request that broke off is a failure; a
/// 401 that broke off is a 401 all the same.
async fn judge(ask: &Ask, scheme: Scheme, (answer, under_way): (Response<Received>, InFlight)) -> Result<Judged, Failure> {
    let (head, body) = answer.into_parts();
    let method = &ask.stripped.head().method;
    let (opened, verdict) = match refusal::need(ask.endpoint, scheme, method, head.status, &head.headers) {
        Need::Nothing(verdict) => (Opened::read(body, under_way, 1, FIRST_PIECE).await, verdict),
        Need::Body => {
            let opened = Opened::read(body, under_way, refusal::LONGEST_JUDGED, JUDGING).await;
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
