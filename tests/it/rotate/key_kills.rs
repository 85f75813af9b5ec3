//! The rotator of a key pair is killed at every step and at many moments, with callers at work: the same command goes on,
//! no request fails, and no key is left behind.

#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::keys::{host, keys};
use super::rig::{Host, KEY, Load};
use crate::schemes::rig::APPLICATION;
use crate::support::caller::Caller;
use crate::support::process::Process;

/// Every step and everything that it does, in order.
const EVERYWHERE: [&str; 13] = [
    "\"step\":\"check\"",
    "\"doing\":\"read_application\"",
    "\"step\":\"deploy\"",
    "\"doing\":\"deploy\"",
    "\"step\":\"spread\"",
    "\"doing\":\"look\"",
    "\"step\":\"put\"",
    "\"doing\":\"put_key\"",
    "\"step\":\"prove\"",
    "\"step\":\"converge\"",
    "\"step\":\"drop\"",
    "\"doing\":\"report\"",
    "\"step\":\"report\"",
];
/// Kills after a while, beyond those at a step.
const MOMENTS: [u64; 6] = [40, 120, 200, 320, 500, 800];

const COMMAND: [&str; 5] = ["rotate", "--application", APPLICATION, "--now", "--json"];

/// What became of the rotators so far.
#[derive(Default)]
struct Killed {
    /// How many were killed before their end.
    times: usize,
    /// The rotation that the next one must go on with.
    begun: Option<String>,
}

impl Killed {
    /// Starts the rotator and kills it once `moment` has come. True when that was before its end.
    async fn once_more(&mut self, host: &Host, moment: impl AsyncFnOnce(&Process)) -> bool {
        let process = host.home.start(&COMMAND);
        moment(&process).await;
        if process.runs() {
            process.signal(Signal::KILL);
        }
        let code = process.ends().await;
        let (out, err) = process.written();
        assert!(matches!(code, None | Some(0)), "it ended with {code:?}: {}", String::from_utf8_lossy(&err));
        let told = String::from_utf8_lossy(&out);
        let first: Option<Value> = told.lines().next().and_then(|line| serde_json::from_str(line).ok());
        if let (Some(begun), Some(first)) = (&self.begun, first) {
            assert_eq!((first["event"].as_str(), first["rotation"].as_str()), (Some("resumed"), Some(begun.as_str())), "{told}");
        }
        self.begun = under_way(host);
        let killed = code.is_none();
        self.times += usize::from(killed);
        killed
    }
}

/// The rotation that the disk has, unless it has not decided anything yet or is over.
fn under_way(host: &Host) -> Option<String> {
    let journals = std::fs::read_dir(host.home.file("state/journals")).ok()?;
    let mut paths = journals.map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|extension| extension == "json"))?;
    let journal: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let is_under_way = !matches!(journal["state"]["step"].as_str(), Some("check" | "ended"));
    is_under_way.then(|| journal["rotation"].as_str().unwrap().to_owned())
}

/// The key in force at the provider is one of the file's, of which there are no more than two.
async fn is_held(host: &Host) {
    let (held, public) = (keys(host), public_key(host).await);
    assert!(matches!(held.len(), 1 | 2), "{} keys are held", held.len());
    assert!(held.iter().any(|(key, _)| key.is_half_of(&public)), "the key in force is not held");
}

async fn public_key(host: &Host) -> String {
    let answer = Caller::new(host.sidecar.data[0]).get(&format!("/v2/applications/{APPLICATION}")).await;
    let resource: Value = serde_json::from_slice(&answer.body).unwrap();
    resource["keys"]["public_key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotator_of_key_pairs_that_is_killed_at_any_moment_is_finished_by_the_next_one_and_no_request_fails() {
    let host = host().await;
    let load = Load::of(&host.sidecar, &["/v1/calls", "/account/get-balance", "/v1/calls"]);
    let mut killed = Killed::default();
    for words in EVERYWHERE {
        // One that ends without having come by there was begun by one that had come further than it had said.
        while !killed.once_more(&host, async |process| process.prints_words_or_ends(words).await).await {
            is_held(&host).await;
        }
        is_held(&host).await;
    }
    for milliseconds in MOMENTS {
        let wait = Duration::from_millis(milliseconds);
        killed.once_more(&host, async |process| drop(tokio::time::timeout(wait, process.ends()).await)).await;
        is_held(&host).await;
    }
    assert!(killed.times > EVERYWHERE.len(), "none was killed at a moment of its own");
    host.does(&COMMAND.join(" ")).await;
    let held = keys(&host);
    let [(key, Some(_))] = held.as_slice() else { panic!("{} keys are held", held.len()) };
    assert!(key.is_half_of(&public_key(&host).await));
    load.was_served().await;
    assert_eq!(host.vonage().duplicates(), []);
    // Nothing is left behind: no journal that another run would go on with, no key beside the file.
    assert!(host.does(&format!("rotate --application {APPLICATION} --resume --now")).await.err.contains("no rotation to go on with"));
    assert_eq!(host.text("credentials.toml").matches("PRIVATE KEY-----").count(), 2, "one key has two such lines");
    assert_eq!(host.ids(KEY).len(), 1);
}
