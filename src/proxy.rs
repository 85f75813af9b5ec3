//! The way of a request: listen, admit, route, strip, inject, attempt, judge, answer.
//!
//! [`Proxy::handle`] is that picture in order. Decisions: [`guard`], [`path`], [`route`], [`whose`], [`headers`],
//! [`course`]. Effects: [`listen`], [`socket`], [`exchange`], [`answer`].
//!
//! Invariants: nothing is sent again unless the provider refused it, or provably processed nothing; a caller that
//! has received a byte is never answered twice; a fault of ours is always marked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::clock;
use crate::config::{Access, Serves, Settings};
use crate::credentials::reload::Reload;
use crate::credentials::store::Store;
use crate::inject::strip::{self, Claims};
use crate::metrics::Metrics;
use crate::prove::flight::Flights;
use crate::prove::prober::Alarm;
use crate::telemetry::safe_path::SafePath;
use crate::upstream::Upstream;
use crate::upstream::body::{self, Arrived, MemoryFull, ReplayMemory, Share};
use crate::vonage::endpoints::Endpoint;
use crate::vonage::hosts::Region;
use crate::vonage::{parameters, refusal};

pub mod answer;
pub mod caller;
pub mod connect;
pub mod course;
pub mod entrance;
pub mod exchange;
pub mod fault;
pub mod guard;
pub mod headers;
pub mod listen;
pub mod mint;
mod minting;
pub mod path;
pub mod route;
pub mod socket;
pub mod token;
pub mod whose;

use answer::AnswerBody;
use caller::Caller;
use entrance::{Entrance, Peer};
use exchange::{Ask, AskBody, Told};
use fault::{Fault, Source};
use headers::JudgedAnswers;
use route::{Routed, Treatment};
use whose::Whose;

/// Requests that may wait for a newer file at once.
const MOST_HELD: usize = 256;

/// Everything a request needs; one for the process.
#[derive(Debug)]
pub struct Proxy {
    /// What we hold.
    pub store: Arc<Store>,
    /// How a newer file is asked for.
    pub reload: Reload,
    /// The way to Vonage.
    pub upstream: Arc<Upstream>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who asks about fallen standings.
    pub alarm: Arc<Alarm>,
    /// Requests under way on all listeners.
    pub in_flight: Arc<AtomicUsize>,
    rules: Rules,
    memory: Arc<ReplayMemory>,
    proofs: Flights,
    held: AtomicUsize,
}

/// The settings a request looks at.
#[derive(Debug, Clone)]
struct Rules {
    region: Option<Region>,
    hold: Duration,
    replay: usize,
    idle: Duration,
    total: Option<Duration>,
    access: Access,
}

impl Proxy {
    /// A proxy with these parts and settings.
    pub fn new(
        settings: &Settings,
        store: Arc<Store>,
        reload: Reload,
        upstream: Arc<Upstream>,
        metrics: Arc<Metrics>,
        alarm: Arc<Alarm>,
    ) -> Self {
        let rules = Rules {
            region: settings.upstream.region,
            hold: settings.fallback.hold,
            replay: settings.limits.replay,
            idle: settings.timeouts.idle,
            total: settings.timeouts.total,
            access: settings.log.access,
        };
        let memory = Arc::new(ReplayMemory::new(settings.limits.replay_memory));
        let (in_flight, held) = (Arc::default(), AtomicUsize::new(0));
        Self { store, reload, upstream, metrics, alarm, in_flight, rules, memory, proofs: Flights::default(), held }
    }

    /// One request, end to end.
    pub async fn handle(&self, request: Request<Incoming>, entrance: &Entrance, caller: &Arc<Caller>) -> Response<AnswerBody> {
        let started = clock::now();
        let serving = caller.serve();
        let mut told = Told::default();
        let outcome = match self.rules.total {
            None => self.serve(request, entrance, caller, started, &mut told).await,
            Some(total) => {
                let work = Box::pin(self.serve(request, entrance, caller, started, &mut told));
                tokio::time::timeout(total, work).await.unwrap_or(Err(Fault::Total))
            }
        };
        let answer = outcome.unwrap_or_else(|fault| self.refuse(&fault, &mut told));
        self.tell(&told, &answer, started);
        answer.map(|body| body.while_serving(serving))
    }

    /// Admit, route, strip, find the account; then the attempts.
    async fn serve(
        &self,
        request: Request<Incoming>,
        entrance: &Entrance,
        caller: &Arc<Caller>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Response<AnswerBody>, Fault> {
        let (head, body) = request.into_parts();
        told.request(&head);
        let framing = raw_framing(&head, caller);
        let listen = &*entrance.listen;
        if entrance.peer == Peer::Stranger {
            return Err(Fault::PeerRefused);
        }
        let admitted = guard::admit(head, listen, entrance.via, framing)?;
        if let Serves::Mint(mint) = &listen.serves {
            return self.mint(admitted.into_head(), body, mint, entrance).await;
        }
        let routed = route::route(admitted, listen, self.rules.region)?;
        told.routed(&routed);
        let (ask, claims) = self.prepare(routed, body, entrance, started).await?;
        match ask.treatment {
            Treatment::Ours => {
                let Whose { account, wanted } = whose::whose(&claims, ask.endpoint, listen, &self.store.load())?;
                self.metrics.caller_secret(whose::caller_secret(&claims, &account));
                told.account(&account.key);
                self.exchange(&ask, &wanted, caller, told).await
            }
            Treatment::PassThrough | Treatment::Open => self.pass(&ask, caller).await,
        }
    }

    /// Strips the caller's credentials. Only the rows that may carry one in the body have their body read first.
    async fn prepare(&self, routed: Routed, body: Incoming, entrance: &Entrance, started: Instant) -> Result<(Ask, Claims), Fault> {
        let Routed { mut head, endpoint, host, repeat, treatment } = routed;
        let bodiless = body.is_end_stream();
        let tokens = entrance.tokens.current();
        let presence = token::in_head(&head.headers, entrance.via, &tokens);
        token::take_off(&mut head.headers, &tokens);
        if treatment == Treatment::PassThrough {
            token::take_off_query(&mut head.uri, &tokens);
        }
        // Claims are read before hop-by-hop headers go: a caller may name `Authorization` in `Connection`.
        let (mut stripped, mut claims) = strip::head(head, endpoint)?;
        headers::to_upstream(stripped.headers_mut());
        if treatment == Treatment::Ours {
            headers::accept_encoding(stripped.headers_mut(), judged(endpoint));
        }
        let in_body = !bodiless && treatment == Treatment::Ours && parameters::in_body(endpoint);
        if !in_body {
            token::settle(presence, &claims, &tokens)?;
        }
        let body = if bodiless {
            AskBody::None
        } else if in_body {
            let (whole, share) = self.read_whole(body).await?;
            let clean = strip::body(&whole, &stripped.head().headers, endpoint, &mut claims)?;
            token::settle(presence, &claims, &tokens)?;
            if let Some(clean) = &clean {
                stripped.set_length(clean.len());
            }
            AskBody::Whole(share.hold(clean.unwrap_or(whole)))
        } else {
            match body::arrived(body, self.rules.replay, self.rules.idle, &self.memory).await {
                Arrived::Whole(bytes) => AskBody::Whole(bytes),
                Arrived::Partly(tee) => AskBody::Teed(tee),
            }
        };
        let deadline = self.rules.total.map(|total| started + total);
        Ok((Ask { endpoint, host, repeat, treatment, stripped, body, carried: claims.carried, deadline }, claims))
    }

    /// Reads a body that must be looked at, up to the replay limit, and takes the memory for it.
    async fn read_whole(&self, mut body: Incoming) -> Result<(Bytes, Share), Fault> {
        let (mut whole, mut share) = (BytesMut::new(), self.memory.share());
        loop {
            let frame = match tokio::time::timeout(self.rules.idle, body.frame()).await {
                Ok(None) => return Ok((whole.freeze(), share)),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_broken))) => return Err(Fault::BodyBroken),
                Err(_elapsed) => return Err(Fault::BodyStalled),
            };
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > self.rules.replay {
                return Err(Fault::BodyTooLongToRead);
            }
            if whole.is_empty() && body.is_end_stream() && data.len() <= body::SMALL {
                return Ok((data, share));
            }
            share.grow_to(whole.len() + data.len()).map_err(|MemoryFull| Fault::MemoryFull)?;
            whole.extend_from_slice(&data);
        }
    }

    /// Answers a request that is not looked at.
    pub fn turn_away(&self, fault: &Fault) -> Response<AnswerBody> {
        self.metrics.own_error(fault.description().code);
        answer::of_fault(fault)
    }

    fn refuse(&self, fault: &Fault, told: &mut Told) -> Response<AnswerBody> {
        let code = fault.description().code;
        self.metrics.own_error(code);
        told.code = Some(code);
        match fault.source_of_it() {
            Source::Caller => tracing::debug!(code, "request refused"),
            Source::Upstream => tracing::warn!(code, cause = %exchange::causes(fault), "upstream failed"),
            Source::Sidecar => tracing::warn!(code, "request not served"),
        }
        answer::of_fault(fault)
    }

    /// One line a request, and its figures.
    fn tell(&self, told: &Told, answer: &Response<AnswerBody>, started: Instant) {
        let took = clock::now().saturating_duration_since(started);
        let status = answer.status().as_u16();
        self.metrics.request(told.endpoint.map_or("none", |endpoint| endpoint.name), status, took);
        if self.rules.access == Access::Off {
            return;
        }
        let path = SafePath::new(&told.path, told.endpoint.map(|endpoint| endpoint.path));
        let secret = told.secret.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::info!(
            target: "vonage_sidecar::access",
            method = guard::name(&told.method),
            path = %path,
            endpoint = told.endpoint.map_or("none", |endpoint| endpoint.name),
            host = told.host.map_or("", crate::vonage::hosts::Host::name),
            account = told.account.as_ref().map_or("", crate::secret::ApiKey::as_str),
            application = told.application.as_ref().map_or("", crate::secret::ApplicationId::as_str),
            secret,
            generation = told.generation.0,
            attempts = told.attempts,
            held_ms = u64::try_from(told.held.as_millis()).unwrap_or(u64::MAX),
            status,
            code = told.code.unwrap_or(""),
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }

    /// A place among the requests that wait for a newer file.
    fn hold_place(&self) -> Option<HoldPlace<'_>> {
        let taken = self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, |held| (held < MOST_HELD).then_some(held + 1));
        // Lazily: a place that was made and dropped would give back what was never taken.
        taken.is_ok().then(|| HoldPlace(&self.held))
    }
}

/// Given back when the wait ends, however it ends.
struct HoldPlace<'a>(&'a AtomicUsize);

impl Drop for HoldPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Only a request with `Transfer-Encoding` can conflict, so only then is the raw head looked at.
fn raw_framing(head: &Parts, caller: &Caller) -> guard::RawFraming {
    if head.headers.contains_key(http::header::TRANSFER_ENCODING) { caller.raw_framing(head) } else { guard::RawFraming::Plain }
}

fn judged(endpoint: &Endpoint) -> JudgedAnswers {
    if refusal::judged_by_body(endpoint) { JudgedAnswers::All } else { JudgedAnswers::Refusals }
}

/// Whether the method has no effect by its definition; at this provider a GET may still send, which the table knows.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
