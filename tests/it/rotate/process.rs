//! The rotator is killed at every step and at any moment, with callers at work: whoever starts it again goes on, and no
//! request fails.
//!
//! `ROTATE_KILLS` is another number of kills.

use std::time::Duration;

use rustix::process::Signal;
use vonage_sidecar::emulator::Options;

use super::rig::{Host, KEY, Load, OLD, one_account};

const KILLS: usize = 40;
/// Events of one run, up to which it is killed: a run that was resumed has few left.
const DEEPEST: usize = 14;

fn kills() -> usize {
    std::env::var_os("ROTATE_KILLS").and_then(|text| text.to_str()?.parse().ok()).unwrap_or(KILLS)
}

/// Each number once in a while, never the same order.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

/// When a rotator is killed.
enum When {
    /// As soon as it says this: a step is on the disk, or something is about to be done.
    Says(&'static str),
    /// After so many events.
    Events(usize),
    /// After so many milliseconds.
    Moment(u64),
}

/// Every step of a rotation and everything that it does, in order.
const EVERYWHERE: [&str; 16] = [
    "\"step\":\"check\"",
    "\"doing\":\"list\"",
    "\"step\":\"create\"",
    "\"doing\":\"create\"",
    "\"step\":\"prove\"",
    "\"step\":\"deploy\"",
    "\"doing\":\"deploy\"",
    "\"step\":\"converge\"",
    "\"doing\":\"look\"",
    "\"step\":\"soak\"",
    "\"step\":\"revoke\"",
    "\"doing\":\"revoke\"",
    "\"step\":\"tidy\"",
    "\"step\":\"verify\"",
    "\"doing\":\"report\"",
    "\"step\":\"report\"",
];

/// The one after so many kills. Who ended too soon, since the one before had come further than it had said, is followed by
/// another that is to be killed at the same place.
fn when(kills: usize, luck: &mut u64) -> When {
    match (EVERYWHERE.get(kills), next(luck) % 3) {
        (Some(words), _) => When::Says(words),
        (None, 0) => When::Moment(u64::try_from(next(luck) % 900).unwrap()),
        (None, _) => When::Events(1 + next(luck) % DEEPEST),
    }
}

/// Starts the rotator and kills it then. True when it was killed, false when it ended before.
async fn killed(host: &Host, when: When) -> bool {
    let process = host.home.start(&["rotate", "--account", KEY, "--json"]);
    match when {
        When::Says(words) => process.prints_words_or_ends(words).await,
        When::Events(count) => process.prints_lines_or_ends(count).await,
        When::Moment(milliseconds) => drop(tokio::time::timeout(Duration::from_millis(milliseconds), process.ends()).await),
    }
    if process.runs() {
        process.signal(Signal::KILL);
    }
    let code = process.ends().await;
    assert!(matches!(code, None | Some(0)), "it ended with {code:?}: {}", String::from_utf8_lossy(&process.written().1));
    code.is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotator_that_is_killed_at_any_moment_is_finished_by_the_next_one_and_no_request_fails() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "approve = \"never\"").await;
    let load = Load::through(&host.sidecar, 2);
    let (mut luck, mut dead, mut ended) = (0x5eed_u64, 0, 0);
    while dead < kills() {
        if killed(&host, when(dead, &mut luck)).await {
            dead += 1;
        } else {
            ended += 1;
        }
        // The last one known good is never revoked, and no more than one is under way.
        let (live, held) = (host.ids(KEY), host.held(KEY));
        assert!(matches!(live.len(), 1 | 2));
        assert!(held.iter().any(|(value, _)| host.vonage().secret_id(KEY, value).is_some()), "nothing that is held is live");
    }
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
    load.was_served().await;
    assert_eq!(host.vonage().duplicates(), []);

    let reports = host.reports();
    assert!(reports.len() > ended, "{} reports of {ended} rotations and the last", reports.len());
    for report in &reports {
        let steps: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
        let at = |words: &str| steps.iter().position(|step| step.contains(words)).unwrap_or_else(|| panic!("no {words}: {steps:?}"));
        assert!(
            at("had the new secret accepted") < at("left the old secret unused") && at("left the old secret unused") < at("is revoked")
        );
    }
    // Nobody but the rotations has made or revoked anything, and nothing is left behind.
    let journals = std::fs::read_dir(host.home.file("state/journals")).unwrap().count();
    assert_eq!(journals, 2, "a journal and its lock");
}
