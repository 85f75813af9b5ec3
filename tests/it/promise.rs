//! The promise: no request of an app fails because a secret was rotated, and none is sent twice.
//!
//! Continuous load while secrets rotate in every order. `SIDECAR_PROMISE_ROTATIONS` makes it longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;

use crate::support::caller::{Answer, Caller, message, request, sms, verify};
use crate::support::sidecar::{KEY, Setup, Sidecar};

/// Requests in flight at once: enough to overlap every step of a rotation.
const CALLERS: u64 = 8;

/// What a load did so far.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    sent: AtomicU64,
    posts: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
}

/// Callers that send mixed calls without a pause until they are told to stop.
struct Callers {
    load: Arc<Load>,
    tasks: JoinSet<()>,
    since: Instant,
}

impl Callers {
    fn start(sidecar: &Sidecar) -> Self {
        let load = Arc::new(Load::default());
        let mut tasks = JoinSet::new();
        for number in 0..CALLERS {
            tasks.spawn(call(Arc::clone(&load), sidecar.data, number));
        }
        #[expect(clippy::disallowed_methods, reason = "the test's own stop-watch")]
        Self { load, tasks, since: Instant::now() }
    }

    /// Waits until so many more requests were served.
    async fn more(&self, requests: u64) {
        let target = self.load.sent.load(Ordering::Relaxed) + requests;
        while self.load.sent.load(Ordering::Relaxed) < target && self.load.failures.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Stops and counts.
    async fn end(mut self, sidecar: &Sidecar, rotations: u64) {
        self.load.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let (sent, posts) = (self.load.sent.load(Ordering::Relaxed), self.load.posts.load(Ordering::Relaxed));
        let failures = self.load.failures.lock().unwrap().clone();
        let rate = sent / self.since.elapsed().as_secs().max(1);
        println!("{sent} requests ({rate}/s, {posts} that execute), {rotations} rotations, {} failed", failures.len());
        assert!(failures.is_empty(), "{} of {sent} failed, the first: {}", failures.len(), failures[0]);
        let duplicates = sidecar.vonage().duplicates();
        assert!(duplicates.is_empty(), "executed twice: {duplicates:?}");
        assert_eq!(u64::try_from(sidecar.vonage().executions().messages).unwrap(), posts, "each was executed exactly once");
    }
}

async fn call(load: Arc<Load>, to: std::net::SocketAddr, caller: u64) {
    let mut client = Caller::new(to);
    for number in 0_u64.. {
        if load.stop.load(Ordering::Relaxed) {
            return;
        }
        let identity = format!("c{caller}n{number}");
        let (kind, request) = match number % 4 {
            0 => ("sms", sms(&identity)),
            1 => ("message", message(&identity)),
            2 => ("verify", verify(&identity)),
            _ => ("balance", request(Method::GET, "/account/get-balance", "", bytes::Bytes::new())),
        };
        let outcome = client.send(request).await.and_then(|answer| served(kind, &answer));
        if let Err(failure) = outcome {
            load.failures.lock().unwrap().push(format!("{kind} {identity}: {failure}"));
        } else if kind != "balance" {
            load.posts.fetch_add(1, Ordering::Relaxed);
        }
        load.sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the provider did what was asked for.
fn served(kind: &str, answer: &Answer) -> Result<(), String> {
    let text: String = answer.text().split_whitespace().collect();
    let done = match kind {
        "sms" | "verify" => answer.status == 200 && text.contains("\"status\":\"0\""),
        "message" => answer.status == 202 && text.contains("message_uuid"),
        _ => answer.status == 200 && text.contains("value"),
    };
    if done { Ok(()) } else { Err(format!("{} {:?} {text}", answer.status, answer.headers)) }
}

fn rotations(default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is asked of the environment")]
    std::env::var("SIDECAR_PROMISE_ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A value that meets the provider's policy.
fn secret(number: u64) -> String {
    format!("Secret{number}aB3")
}

/// One rotation under load, in the order that the round names. Ends with a file that holds the new secret only.
async fn rotate(sidecar: &Sidecar, callers: &Callers, round: u64) {
    let vonage = sidecar.vonage();
    let (old, new) = (secret(round), secret(round + 1));
    let create = || vonage.create_secret(KEY, &new).unwrap();
    let revoke = || assert!(vonage.revoke_value(KEY, &old));
    let deploy = async |secrets: &[&str]| {
        let generation = sidecar.generation();
        sidecar.write(secrets);
        sidecar.newer_than(generation).await;
    };
    match round % ORDERS {
        // By the book.
        0 => {
            create();
            deploy(&[&new, &old]).await;
            callers.more(60).await;
            revoke();
        }
        // Revoked before the file says so.
        1 => {
            create();
            deploy(&[&old, &new]).await;
            callers.more(20).await;
            revoke();
        }
        // The new one is first in the file before it exists.
        2 => {
            deploy(&[&new, &old]).await;
            callers.more(60).await;
            create();
            callers.more(20).await;
            revoke();
        }
        // The file is torn on the way.
        3 => {
            create();
            sidecar.write_text("[[account]]\napi_key = \"abcd1234\"\nsecrets = [\"Sec");
            callers.more(40).await;
            deploy(&[&new, &old]).await;
            revoke();
        }
        // File and revoke at one instant.
        4 => {
            create();
            sidecar.write(&[&new, &old]);
            revoke();
        }
        // The slots are swapped in between.
        _ => {
            create();
            deploy(&[&new, &old]).await;
            callers.more(20).await;
            sidecar.write(&[&old, &new]);
            callers.more(20).await;
            revoke();
        }
    }
    callers.more(60).await;
    sidecar.write(&[&new]);
    callers.more(20).await;
}

/// How many orders [`rotate`] knows.
const ORDERS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_none_is_sent_twice_while_two_secrets_rotate_in_every_order() {
    let sidecar = Setup::new(&[&secret(0)], &[&secret(0)]).start().await;
    let callers = Callers::start(&sidecar);
    let rounds = rotations(54);
    for round in 0..rounds {
        rotate(&sidecar, &callers, round).await;
    }
    callers.end(&sidecar, rounds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_secret_file_may_name_a_secret_that_is_live_two_seconds_later() {
    in_one_slot(async |sidecar, callers, old, new| {
        let generation = sidecar.generation();
        sidecar.write(&[new]);
        sidecar.newer_than(generation).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        sidecar.vonage().create_secret(KEY, new).unwrap();
        callers.more(50).await;
        assert!(sidecar.vonage().revoke_value(KEY, old));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_secret_of_a_file_may_be_revoked_two_seconds_before_the_next_file() {
    in_one_slot(async |sidecar, _callers, old, new| {
        sidecar.vonage().create_secret(KEY, new).unwrap();
        assert!(sidecar.vonage().revoke_value(KEY, old));
        tokio::time::sleep(Duration::from_secs(2)).await;
        sidecar.write(&[new]);
    })
    .await;
}

/// Rotates the only secret of a file in this way, again and again, while callers are at work.
async fn in_one_slot(rotate: impl AsyncFn(&Sidecar, &Callers, &str, &str)) {
    let sidecar = Setup::new(&[&secret(0)], &[&secret(0)]).start().await;
    let callers = Callers::start(&sidecar);
    let rounds = rotations(2).min(20);
    for round in 0..rounds {
        callers.more(100).await;
        rotate(&sidecar, &callers, &secret(round), &secret(round + 1)).await;
        callers.more(100).await;
    }
    callers.end(&sidecar, rounds).await;
}
