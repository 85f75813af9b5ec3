//! The apps of the demo: a few connections to the sidecar that are kept, a steady pace, a fresh message every time.
//!
//! A call is never repeated here: what an app would see as a failure is counted as one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::super::report::Failure;
use super::calls::Call;
use super::figures::Count;
use crate::clock;

/// Connections, each with one call at a time.
pub(super) const CONNECTIONS: u64 = 16;
/// Between two calls on a connection: 1000 calls a second in all.
const PACE: Duration = Duration::from_millis(CONNECTIONS);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Failures that are told in full.
const TOLD: usize = 5;
/// Characters of an answer that are told.
const ANSWER: usize = 300;

/// The calls of one kind.
#[derive(Debug, Default)]
struct Tally {
    requests: AtomicU64,
    failed: AtomicU64,
}

/// What the callers did so far.
#[derive(Debug, Default)]
pub(super) struct Load {
    stop: AtomicBool,
    sms: Tally,
    message: Tally,
    verify: Tally,
    balance: Tally,
    /// In microseconds, since it was last asked for.
    slowest: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    fn of(&self, call: Call) -> &Tally {
        match call {
            Call::Sms => &self.sms,
            Call::Message => &self.message,
            Call::Verify => &self.verify,
            Call::Balance => &self.balance,
        }
    }

    /// Calls that ended, by kind.
    pub(super) fn counts(&self) -> [Count; 4] {
        Call::ALL.map(|call| {
            let tally = self.of(call);
            Count { call, requests: tally.requests.load(Ordering::Relaxed), failed: tally.failed.load(Ordering::Relaxed) }
        })
    }

    /// The longest time that a call took since this was last asked.
    pub(super) fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest.swap(0, Ordering::Relaxed))
    }

    /// The first failures, with what came back.
    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ended(&self, call: Call, took: Duration, outcome: Result<(), String>) {
        let tally = self.of(call);
        tally.requests.fetch_add(1, Ordering::Relaxed);
        self.slowest.fetch_max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Err(failure) = outcome {
            tally.failed.fetch_add(1, Ordering::Relaxed);
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            if failures.len() < TOLD {
                failures.push(failure);
            }
        }
    }
}

/// All callers. Dropped, they stop where they are.
#[derive(Debug)]
pub(super) struct Callers {
    load: Arc<Load>,
    tasks: JoinSet<()>,
}

impl Callers {
    /// Starts to call.
    pub(super) fn start(sidecar: SocketAddr) -> Self {
        let load = Arc::new(Load::default());
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            tasks.spawn(call(Arc::clone(&load), sidecar, number));
        }
        Self { load, tasks }
    }

    /// What they did so far.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Lets every call under way come to its end.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        self.load.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(|broken| Failure::could_not_run("a caller broke off").caused_by(&broken))?;
        }
        Ok(())
    }
}

async fn call(load: Arc<Load>, sidecar: SocketAddr, caller: u64) {
    // Spread, so that they do not call all at once.
    tokio::time::sleep(Duration::from_millis(caller)).await;
    let mut pace = tokio::time::interval(PACE);
    // After a wait an app goes on; it does not make up for lost time.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = Connection { to: sidecar, sender: None };
    for (number, call) in Call::ALL.into_iter().cycle().enumerate() {
        pace.tick().await;
        if load.stop.load(Ordering::Relaxed) {
            return;
        }
        let identity = format!("c{caller}n{number}");
        let since = clock::now();
        let outcome = connection.send(call, &identity).await;
        let outcome = outcome.map_err(|failure| format!("{} {identity}: {failure}", call.name()));
        load.ended(call, clock::now().saturating_duration_since(since), outcome);
    }
}

/// One connection that is kept, and opened again when the peer closed it.
struct Connection {
    to: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    async fn send(&mut self, call: Call, identity: &str) -> Result<(), String> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(call, identity));
        exchange.await.map_err(|_elapsed| format!("no answer within {} s", PATIENCE.as_secs()))?
    }

    async fn exchange(&mut self, call: Call, identity: &str) -> Result<(), String> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => connect(self.to).await.map_err(|error| format!("not connected: {error}"))?,
        };
        let request = call.request(identity).map_err(|error| error.to_string())?;
        sender.ready().await.map_err(|error| format!("the connection was lost: {error}"))?;
        let answer = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let status = answer.status();
        let mark = ["x-sidecar-error", "x-sidecar-refused"].iter().find_map(|name| answer.headers().get(*name)).cloned();
        let body = answer.into_body().collect().await.map_err(|error| format!("{status}, then broken off: {error}"))?.to_bytes();
        self.sender = Some(sender);
        if call.is_done(status, &body) {
            return Ok(());
        }
        let mark = mark.as_ref().and_then(|mark| mark.to_str().ok()).unwrap_or("unmarked");
        Err(format!("{status} ({mark}) {}", String::from_utf8_lossy(&body).chars().take(ANSWER).collect::<String>()))
    }
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // What goes wrong on it is seen by the call.
    drop(tokio::spawn(connection));
    Ok(sender)
}
