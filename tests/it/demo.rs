//! The demo keeps what it shows: no call fails and none is executed twice, and its exit code says so.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Runs the demo with a directory for temporary files of its own, which must be empty afterwards.
async fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let temporary = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonage-sidecar"));
    command.arg("demo").args(arguments).env_clear().env("TMPDIR", temporary.path());
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "something was left behind");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn a_short_demo_rotates_in_every_way_and_ends_with_nothing_failed() {
    let (code, out, err) = demo(&["--seconds", "3", "--plain"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let last = out.lines().last().unwrap();
    let words: Vec<&str> = last.split(' ').collect();
    let requests: u64 = words[1].parse().unwrap();
    let rotations: u64 = words[3].parse().unwrap();
    assert!(requests > 100 && rotations >= 7, "{out}");
    assert_eq!(last, format!("demo: {requests} requests, {rotations} rotations, failed 0, duplicated 0"));
    assert!(out.lines().all(|line| line.chars().count() <= 80 && !line.contains('\u{1b}')), "{out}");
    assert!(out.contains("only secret revoked") && out.contains("file torn") && out.contains("placeholder"), "{out}");
}

#[tokio::test]
async fn a_program_gets_one_document() {
    let (code, out, err) = demo(&["--seconds", "3", "--json"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((document["failed"].as_u64(), document["duplicated"].as_u64()), (Some(0), Some(0)), "{out}");
    assert!(document["fell_back"].as_u64() > Some(0) && document["held"].as_u64() > Some(0), "{out}");
    let mut kinds: Vec<&str> =
        document["rotations"].as_array().unwrap().iter().map(|rotation| rotation["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 7, "{out}");
}

#[tokio::test]
async fn an_interrupt_ends_it_early_with_a_verdict_and_leaves_nothing_behind() {
    let temporary = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonage-sidecar"));
    command.args(["demo", "--seconds", "600", "--plain"]).env_clear().env("TMPDIR", temporary.path()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let process = rustix::process::Pid::from_child(&child);
    // The directory is there: it runs, and its signals are handled since before that.
    let runs = async {
        while std::fs::read_dir(temporary.path()).unwrap().count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), runs).await.unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{out}");
    assert!(out.ends_with(" rotations, failed 0, duplicated 0\n"), "{out}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "something was left behind");
}
