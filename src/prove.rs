//! Asks the provider about one held secret or key with a free call.
//!
//! A proof is harmless: it reads, costs nothing and changes nothing. It is used by the background prober, before
//! bodies too large to be sent twice, by `check --online` and by `POST /prove`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt, Limited};

use crate::clock;
use crate::credentials::standing::{Few, Lesson, Moved, Standing};
use crate::credentials::{Basic, Keyring, Place, Uid};
use crate::inject;
use crate::jwt::{Rights, Signer, SigningKey};
use crate::secret::ApplicationId;
use crate::upstream::Upstream;
use crate::vonage::endpoints::{self, Scheme};
use crate::vonage::hosts::Host;
use crate::vonage::probe;
use crate::vonage::refusal::{self, Need, Seen, Verdict};

pub mod clocks;
pub mod flight;
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

/// Asks at `host` whether this value of the keyring is accepted.
pub async fn ask(upstream: &Arc<Upstream>, keyring: &Keyring, uid: Uid, host: Host) -> Proof {
    let (Some(call), Some(item)) = (free_call(keyring, host), keyring.item(uid)) else { return Proof::NoFreeCall };
    let _in_use = item.usage.in_use();
    tokio::time::timeout(PATIENCE, presented(upstream, keyring, uid, host, call)).await.unwrap_or(Proof::Unreachable("probe_timeout"))
}

/// A token whose time is over, or that was made by a clock that is wrong, is made again once.
async fn presented(upstream: &Arc<Upstream>, keyring: &Keyring, uid: Uid, host: Host, call: &'static str) -> Proof {
    let mut last = Proof::NoFreeCall;
    for _try in 0..2 {
        let Some(header) = header(keyring, uid).await else { break };
        let (verdict, headers) = match exchange(upstream, &header, scheme(keyring), host, call).await {
            Ok(answered) => answered,
            Err(proof) => return proof,
        };
        let verdict = clocks::weigh(keyring, uid, verdict, &headers);
        last = proof(verdict);
        if verdict != Verdict::Stale {
            break;
        }
        discard(keyring, uid, &header);
    }
    last
}

/// The same about a secret that may not be held yet.
pub async fn ask_about(upstream: &Arc<Upstream>, secret: &Basic, host: Host) -> Proof {
    let Some(call) = probe::free_call(host, Scheme::Basic) else { return Proof::NoFreeCall };
    match tokio::time::timeout(PATIENCE, exchange(upstream, &secret.header, Scheme::Basic, host, call)).await {
        Ok(Ok((verdict, _headers))) => proof(verdict),
        Ok(Err(proof)) => proof,
        Err(_) => Proof::Unreachable("probe_timeout"),
    }
}

/// The same about a private key that may not be held yet.
pub async fn ask_about_key(upstream: &Arc<Upstream>, application: &ApplicationId, key: &SigningKey, host: Host) -> Proof {
    let Some(call) = probe::free_call(host, Scheme::Jwt) else { return Proof::NoFreeCall };
    let signer = Signer::new(application, key.clone());
    let asked = async {
        let mut last = Proof::NoFreeCall;
        for _try in 0..2 {
            let Ok(header) = signer.bearer(&Rights::default()).await else { break };
            let (verdict, headers) = match exchange(upstream, &header, Scheme::Jwt, host, call).await {
                Ok(answered) => answered,
                Err(proof) => return proof,
            };
            last = proof(verdict);
            if !clocks::shifts(&signer, verdict, &headers) {
                break;
            }
        }
        last
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Proof::Unreachable("probe_timeout"))
}

/// A free call that tells whether a value of this kind is accepted at `host`.
pub fn free_call(keyring: &Keyring, host: Host) -> Option<&'static str> {
    probe::free_call(host, scheme(keyring))
}

/// The hosts at which a value of this kind is proven. There is no free call that takes a signature.
pub fn hosts(keyring: &Keyring) -> &'static [Host] {
    match keyring {
        Keyring::Secrets(_) => &probe::PROVING,
        Keyring::Keys(_) => &probe::PROVING_KEYS,
        Keyring::Signatures(_) => &[],
    }
}

/// How a proof presents a value of this kind.
fn scheme(keyring: &Keyring) -> Scheme {
    match keyring {
        Keyring::Secrets(_) => Scheme::Basic,
        Keyring::Signatures(_) => Scheme::Signature,
        Keyring::Keys(_) => Scheme::Jwt,
    }
}

/// The finished header that presents a value, where its kind travels in one.
async fn header(keyring: &Keyring, uid: Uid) -> Option<HeaderValue> {
    match keyring {
        Keyring::Secrets(account) => account.secrets.iter().find(|slot| slot.uid == uid).map(|slot| slot.value.header.clone()),
        Keyring::Signatures(_) => None,
        Keyring::Keys(application) => {
            let slot = application.keys.iter().find(|slot| slot.uid == uid)?;
            slot.value.bearer(&Rights::default()).await.ok()
        }
    }
}

fn discard(keyring: &Keyring, uid: Uid, header: &HeaderValue) {
    let Keyring::Keys(application) = keyring else { return };
    if let Some(slot) = application.keys.iter().find(|slot| slot.uid == uid) {
        slot.value.discard(&Rights::default(), header);
    }
}

/// The verdict on one free call and the headers of its answer; a proof that nobody could be asked when there is none.
async fn exchange(
    upstream: &Arc<Upstream>,
    header: &HeaderValue,
    scheme: Scheme,
    host: Host,
    call: &'static str,
) -> Result<(Verdict, HeaderMap), Proof> {
    let connection = upstream.connection(host).await.map_err(|error| Proof::Unreachable(error.code()))?;
    let answer = connection.send(inject::own_get(host, call, header)).await.map_err(|error| Proof::Unreachable(error.code()))?;
    let path = call.split('?').next().unwrap_or(call);
    let endpoint = endpoints::lookup(Some(host.set()), &Method::GET, path).endpoint;
    let (head, body) = answer.into_parts();
    let verdict = match refusal::need(endpoint, scheme, &Method::GET, head.status, &head.headers) {
        Need::Nothing(verdict) => verdict,
        Need::Body(_) => match Limited::new(body, refusal::LONGEST_JUDGED).collect().await {
            Ok(whole) => refusal::judge(endpoint, scheme, head.status, &head.headers, Seen::Complete(&whole.to_bytes())),
            Err(_) => refusal::judge(endpoint, scheme, head.status, &head.headers, Seen::Partial(&[])),
        },
    };
    Ok((verdict, head.headers))
}

fn proof(verdict: Verdict) -> Proof {
    match verdict {
        Verdict::Accepted => Proof::Accepted,
        Verdict::Refused => Proof::Refused,
        Verdict::Doubtful => Proof::Doubtful,
        Verdict::Stale | Verdict::NoEvidence => Proof::Unclear,
    }
}

/// Asks and learns from the answer.
pub async fn prove(upstream: &Arc<Upstream>, keyring: &Keyring, uid: Uid, host: Host) -> Proof {
    let sent = clock::now();
    let proof = ask(upstream, keyring, uid, host).await;
    let lesson = match proof {
        Proof::Accepted => Lesson::Accepted,
        Proof::Refused => Lesson::ProbeRefused,
        Proof::Doubtful | Proof::Unclear | Proof::Unreachable(_) | Proof::NoFreeCall => return proof,
    };
    if let (Lesson::Accepted, Some(item)) = (lesson, keyring.item(uid)) {
        item.usage.accepted(clock::now());
    }
    learn(keyring, uid, host, lesson, sent);
    proof
}

/// Lets a keyring learn from one attempt, and says so when a standing moves.
pub fn learn(keyring: &Keyring, uid: Uid, host: Host, lesson: Lesson, sent: Instant) -> Learnt {
    let now = clock::now();
    let opinion = keyring.opinion();
    let items = keyring.items();
    let file: Few<Uid> = items.clone().filter(|item| matches!(item.place, Place::File(_))).map(|item| item.uid).collect();
    let (moved, was_good) = {
        let mut standings = opinion.lock();
        let was_good = standings.standing(uid, host) == Standing::Good;
        (standings.learn(uid, host, lesson, sent, &file, now), was_good)
    };
    if lesson == Lesson::Accepted {
        opinion.hope();
        if !was_good {
            opinion.accepted_anew();
        }
    }
    if let Moved::To { from, to } = moved {
        tracing::info!(
            account = %keyring.account(),
            application = keyring.application().map_or("", ApplicationId::as_str),
            secret = %keyring.name(uid),
            host = %host,
            from = from.word(),
            to = to.word(),
            "standing moved"
        );
    }
    let retires = items.clone().any(|item| item.uid == uid && matches!(item.place, Place::Retiring { .. }));
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
