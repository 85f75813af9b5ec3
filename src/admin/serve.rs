//! The admin listeners: binding, connections, answers.
//!
//! Invariants: one request a connection and a deadline for all of it, so that a slow peer holds nothing for long; a
//! body is never read; every answer that is not the thing asked for is a problem document with a stable code and a
//! remedy. The listeners answer until the process ends, also while it drains.
//!
//! A request arrives as head only; who may ask what is decided in `guard`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::guard::{ADMIN_HEADER, Call, Denied, Surface, admit};
use super::status::{Binding, Listener, Proofs, Role, SCHEMA};
use super::{Backend, page};
use crate::bind::{self, BindError};
use crate::config;
use crate::work::work;
use crate::{clock, metrics};

/// Connections at once on one listener; more wait in the kernel.
const CONNECTIONS: usize = 256;
/// For the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// For everything a connection does: a proof makes a few calls to Vonage.
const DEADLINE: Duration = Duration::from_mins(1);
/// Proofs at once: they cost calls to Vonage.
const PROOFS: usize = 2;
/// The pause after an accept that failed (no file descriptors): trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Names the code of an answer that we made.
const ERROR_HEADER: HeaderName = HeaderName::from_static("x-sidecar-error");

type Answer = Response<Full<Bytes>>;

/// The admin listeners, bound.
#[derive(Debug)]
pub struct Admin {
    listeners: Vec<(Surface, Role, TcpListener)>,
}

impl Admin {
    /// Binds them all, or none.
    pub fn bind(settings: &config::Admin) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for listener in bind::listeners(settings.address)? {
            listeners.push((Surface::Operators, Role::Admin, listener));
        }
        if let Some(observe) = &settings.observe {
            for listener in bind::listeners(observe.address)? {
                listeners.push((Surface::Observers, Role::Observe, listener));
            }
        }
        Ok(Self { listeners })
    }

    /// Where they are, for [`super::Operations::listeners`] and for people.
    pub fn listeners(&self) -> Vec<Listener> {
        let bound = |(_, role, listener): &(Surface, Role, TcpListener)| {
            let address = listener.local_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
            Listener { role: *role, address, binding: Binding::Bound, serves: None, certificate_left_seconds: None }
        };
        self.listeners.iter().map(bound).collect()
    }

    /// Answers until it is dropped, and every connection with it.
    pub async fn run(self, backend: Arc<Backend>) {
        let shared = Arc::new(Shared { backend, proofs: Semaphore::new(PROOFS) });
        let mut loops = JoinSet::new();
        for (surface, _, listener) in self.listeners {
            loops.spawn(work(accept(listener, surface, Arc::clone(&shared))));
        }
        while loops.join_next().await.is_some() {}
    }
}

#[derive(Debug)]
struct Shared {
    backend: Arc<Backend>,
    proofs: Semaphore,
}

async fn accept(listener: TcpListener, surface: Surface, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(work(serve(stream, surface, Arc::clone(&shared))))),
                Err(error) => {
                    tracing::warn!(%error, "the admin listener cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, surface: Surface, shared: Arc<Shared>) {
    let Ok(local) = stream.local_addr() else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(surface, local, request, &shared).await) }
    });
    let mut http = http1::Builder::new();
    let _builder = http.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
    // A peer that breaks off or is too slow gets no answer; there is nobody to tell.
    let _ended = tokio::time::timeout(DEADLINE, http.serve_connection(TokioIo::new(stream), service)).await;
}

async fn answer(surface: Surface, local: SocketAddr, request: Request<Incoming>, shared: &Shared) -> Answer {
    let (head, _unread) = request.into_parts();
    let mut answer = match admit(surface, &shared.backend.operations.observe_tokens(), local.ip(), &head) {
        Ok(call) => perform(call, shared).await,
        Err(denied) => deny(denied),
    };
    answer.headers_mut().insert(ADMIN_HEADER, HeaderValue::from_static("1"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

async fn perform(call: Call, shared: &Shared) -> Answer {
    let backend = &shared.backend;
    match call {
        Call::Page => html(page::render(&backend.status(clock::now()))),
        Call::Live => json(StatusCode::OK, &serde_json::json!({ "live": true })),
        Call::Ready => health(backend.health().unready(), "ready", "not_ready"),
        Call::Started => health(backend.health().unstarted(), "started", "not_started"),
        Call::Metrics => body(StatusCode::OK, metrics::CONTENT_TYPE, backend.metrics_page(clock::now())),
        Call::Status => json(StatusCode::OK, &backend.status(clock::now())),
        Call::Reload => json(StatusCode::OK, &backend.operations.reload().await),
        Call::Prove(whose) => match shared.proofs.try_acquire() {
            Ok(_permit) => match backend.operations.prove(whose).await {
                Some(proofs) => json(StatusCode::OK, &Proofs { schema: SCHEMA, proofs }),
                None => deny(NOT_HELD),
            },
            Err(_) => deny(BUSY),
        },
        Call::Quit => {
            tracing::info!("asked to end by the admin listener");
            backend.shutdown.request();
            json(StatusCode::ACCEPTED, &serde_json::json!({ "draining": true }))
        }
    }
}

const NOT_HELD: Denied = Denied {
    status: StatusCode::NOT_FOUND,
    code: "not_held",
    detail: "the credentials file holds no such account or application",
    remedy: "see accounts and applications in /status",
    header: None,
};

const BUSY: Denied = Denied {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "busy",
    detail: "as many proofs as allowed are running",
    remedy: "ask again in a few seconds",
    header: None,
};

fn health(missing: Option<&'static str>, word: &'static str, code: &'static str) -> Answer {
    match missing {
        None => json(StatusCode::OK, &serde_json::json!({ word: true })),
        Some(detail) => deny(Denied {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code,
            detail,
            remedy: "wait, or look at /status on the admin listener",
            header: None,
        }),
    }
}

/// What we say when we do not do what was asked (RFC 9457).
#[derive(Serialize)]
struct ProblemDocument {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
    remedy: &'static str,
}

fn deny(denied: Denied) -> Answer {
    let Denied { status, code, detail, remedy, header } = denied;
    let title = status.canonical_reason().unwrap_or("Error");
    let document = ProblemDocument { kind: "about:blank", title, status: status.as_u16(), detail, code, remedy };
    let mut answer = body(status, "application/problem+json", serde_json::to_vec(&document).unwrap_or_default());
    answer.headers_mut().insert(ERROR_HEADER, HeaderValue::from_static(code));
    if let Some((name, value)) = header {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn json(status: StatusCode, document: &impl Serialize) -> Answer {
    body(status, "application/json", serde_json::to_vec(document).unwrap_or_default())
}

fn html(page: String) -> Answer {
    let mut answer = body(StatusCode::OK, "text/html; charset=utf-8", page);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
    answer
}

fn body(status: StatusCode, media_type: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
