//! What was begun goes to its end, whatever the schedule says, and what waits for a person says with which command it goes
//! on.

use std::path::Path;

use vonage_sidecar::emulator::Options;

use crate::rotate::rig::{Host, KEY, OLD, one_account};

const DUE: &str = "[[rotation.policy]]\nmax_age = \"1ms\"\n";

/// What is printed to be pasted, run by a shell in a directory in which nothing is.
async fn pasted(text: &str) -> std::process::Output {
    let line = text.lines().find_map(|line| line.strip_prefix("      it goes on with: ")).unwrap_or_else(|| panic!("no command: {text}"));
    let programs = Path::new(env!("CARGO_BIN_EXE_vonage-sidecar")).parent().unwrap();
    let elsewhere = tempfile::TempDir::new().unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", line]).env_clear().env("PATH", programs).current_dir(elsewhere.path());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    drop(elsewhere);
    output
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_was_due_and_waits_for_an_approval_prints_the_command_that_ends_it() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "").await;
    let settings = format!("{}{DUE}", host.text("sidecar.toml"));
    std::fs::create_dir(host.home.file("my files")).unwrap();
    host.home.write("my files/sidecar.toml", &settings);
    let file = |name: &str| host.home.file(name).to_str().unwrap().to_owned();
    let places = [file("my files/sidecar.toml"), file("credentials.toml"), file("its state")];
    let [config, credentials, state] = places.each_ref().map(String::as_str);
    let line = ["rotate", "--if-due", "--config", config, "--credentials", credentials, "--state-dir", state, "--soak", "0s"];
    let waits = host.home.run(&line).await;
    assert_eq!(waits.code, Some(1), "{}", waits.err);
    assert!(waits.err.contains("was not made by this tool") && !waits.err.contains("same command"), "{}", waits.err);
    let ended = pasted(&waits.err).await;
    assert!(ended.status.success(), "{}{}", waits.err, String::from_utf8_lossy(&ended.stderr));
    host.is_rotated(KEY, OLD);
}
