//! Asks the provider about one held secret with a free call.
//!
//! A proof is harmless: it reads, costs nothing and changes nothing. It is used by the background prober, before
//! bodies too large to be sent twice, by `check --online` and by `POST /prove`.

use std::time::{Duration, Instant};

use http::Method;
use http_body_util::{BodyExt, Limited};

use crate::clock;
use crate::credentials::standing::{Lesson, Moved, Standing};
use crate::credentials::{Account, Basic, Place, Slot, Uid};
use crate::inject;
use crate::upstream::Upstream;
use crate::vonage::endpoints::{self, Scheme};
use crate::vonage::hosts::Host;
use crate::vonage::probe;
use crate::vonage::refusal::{self, Need, Seen, Verdict};

pub mod prober;

/// A proof that takes longer says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the provider says about a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// It takes it.
    Accepted,
    /// It refuses it.
    Refused,
    /// It answered 401 in a way that we do not know.
    Doubtful,
    /// It answered something that says nothing about the secret.
    Unclear,
    /// It could not be asked; the code says why.
    Unreachable(&'static str),
    /// No free call is known at this host.
    NoFreeCall,
}

impl Proof {
    /// One word for logs, metrics and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Doubtful => "doubtful",
            Self::Unclear => "unclear",
            Self::Unreachable(_) => "unreachable",
            Self::NoFreeCall => "no_free_call",
        }
    }
}

/// Asks at `host` whether the secret in `slot` is accepted.
pub async fn ask(upstream: &std::sync::Arc<Upstream>, slot: &Slot<Basic>, host: Host) -> Proof {
    let _in_use = slot.usage.in_use();
    ask_about(upstream, &slot.value, host).await
}

/// The same about a secret that may not be held yet.
pub async fn ask_about(upstream: &std::sync::Arc<Upstream>, secret: &Basic, host: Host) -> Proof {
    let Some(call) = probe::free_call(host) else { return Proof::NoFreeCall };
    let proof = tokio::time::timeout(PATIENCE, exchange(upstream, secret, host, call)).await;
    proof.unwrap_or(Proof::Unreachable("probe_timeout"))
}

async fn exchange(upstream: &std::sync::Arc<Upstream>, secret: &Basic, host: Host, call: &'static str) -> Proof {
    let connection = match upstream.connection(host).await {
        Ok(connection) => connection,
        Err(error) => return Proof::Unreachable(error.code()),
    };
    let answer = match connection.send(inject::own_get(host, call, &secret.header)).await {
        Ok(answer) => answer,
        Err(error) => return Proof::Unreachable(error.code()),
    };
    let path = call.split('?').next().unwrap_or(call);
    let endpoint = endpoints::lookup(Some(host.set()), &Method::GET, path).endpoint;
    let (head, body) = answer.into_parts();
    let verdict = match refusal::need(endpoint, Scheme::Basic, &Method::GET, head.status, &head.headers) {
        Need::Nothing(verdict) => verdict,
        Need::Body => match Limited::new(body, refusal::LONGEST_JUDGED).collect().await {
            Ok(whole) => refusal::judge(endpoint, Scheme::Basic, head.status, &head.headers, Seen::Complete(&whole.to_bytes())),
            Err(_) => refusal::judge(endpoint, Scheme::Basic, head.status, &head.headers, Seen::Partial(&[])),
        },
    };
    match verdict {
        Verdict::Accepted => Proof::Accepted,
        Verdict::Refused => Proof::Refused,
        Verdict::Doubtful => Proof::Doubtful,
        Verdict::NoEvidence => Proof::Unclear,
    }
}

/// Asks and learns from the answer.
pub async fn prove(upstream: &std::sync::Arc<Upstream>, account: &Account, slot: &Slot<Basic>, host: Host) -> Proof {
    let sent = clock::now();
    let proof = ask(upstream, slot, host).await;
    let lesson = match proof {
        Proof::Accepted => Lesson::Accepted,
        Proof::Refused => Lesson::ProbeRefused,
        Proof::Doubtful | Proof::Unclear | Proof::Unreachable(_) | Proof::NoFreeCall => return proof,
    };
    if lesson == Lesson::Accepted {
        slot.usage.accepted(clock::now());
    }
    learn(account, slot.uid, host, lesson, sent);
    proof
}

/// Lets an account learn from one attempt, and says so when a standing moves.
pub fn learn(account: &Account, uid: Uid, host: Host, lesson: Lesson, sent: Instant) -> Learnt {
    let now = clock::now();
    let file: Vec<Uid> = account.secrets.iter().filter(|slot| matches!(slot.place, Place::File(_))).map(|slot| slot.uid).collect();
    let (moved, was_good) = {
        let mut standings = account.opinion.lock();
        let was_good = standings.standing(uid, host) == Standing::Good;
        (standings.learn(uid, host, lesson, sent, &file, now), was_good)
    };
    if lesson == Lesson::Accepted {
        account.opinion.hope();
        if !was_good {
            account.opinion.accepted_anew();
        }
    }
    if let Moved::To { from, to } = moved {
        let slot = account.secrets.iter().find(|slot| slot.uid == uid);
        let place = slot.map_or_else(|| "gone".to_owned(), crate::credentials::name_of);
        tracing::info!(account = %account.key, secret = %place, host = %host, from = from.word(), to = to.word(), "standing moved");
    }
    let retires = account.secrets.iter().any(|slot| slot.uid == uid && matches!(slot.place, Place::Retiring { .. }));
    if retires && lesson != Lesson::Accepted { Learnt::RetiringRefused } else { Learnt::Noted }
}

/// What follows from a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// Nothing more.
    Noted,
    /// A value that retires was refused: it may be wiped.
    RetiringRefused,
}
