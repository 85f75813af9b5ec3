//! What is due rotates by itself: in the sidecar where that may be, and by `rotate --if-due`.

use std::time::Duration;

use vonage_sidecar::emulator::{AccountSpec, Options};

use super::looks::until_it_says;
use crate::rotate::rig::{Host, KEY, Load, OLD, one_account};
use crate::support::process::{Home, Process, free_ports_and, vonage};

const QUICK: &str = "prove_for = \"0s\"\nsoak = \"0s\"\ngive_up = \"2s\"\noverlap = \"0s\"\napprove = \"never\"\n";
const SECONDS: &str = "[[rotation.policy]]\nmax_age = \"3s\"\n";

/// Settings of a sidecar that rotates by itself; the file system of the test is whatever it is.
fn here(address: std::net::SocketAddr, more: &str) -> String {
    format!("{}[rotation]\n{QUICK}schedule = \"here\"\n{more}", free_ports_and(address))
}

#[tokio::test]
async fn a_sidecar_with_a_policy_of_seconds_rotates_again_and_again_under_load_and_no_request_fails() {
    let emulator = vonage(Options::with_account(KEY, &[OLD])).await;
    let home = Home::new();
    home.write("credentials.toml", &one_account(&[OLD]));
    let notify = "[rotation.notify]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told\"]\n";
    let sidecar = home.with_settings(&here(emulator.address(), &format!("state_dir_persists = true\n{SECONDS}{notify}"))).await;
    let load = Load::through(&sidecar, 4);
    until_it_says(&sidecar, "/metrics", "vonage_sidecar_rotations_total{outcome=\"done\"} 2\n").await;
    assert!(load.was_served().await > 50);
    assert_eq!(emulator.control().secret_id(KEY, OLD), None);
    assert!(crate::support::process::text_of(&home.file("told")).contains("\"event\":\"done\""));
    assert!(emulator.control().duplicates().is_empty());
}

#[tokio::test]
async fn a_sidecar_that_would_forget_its_journal_says_so_and_rotates_nothing() {
    let emulator = vonage(Options::with_account(KEY, &[OLD])).await;
    let home = Home::new();
    home.write("credentials.toml", &one_account(&[OLD]));
    let memory = tempfile::TempDir::new_in("/dev/shm").unwrap();
    let sidecar = home.with_settings(&here(emulator.address(), &format!("state_dir = {:?}\n{SECONDS}", memory.path()))).await;
    let status = until_it_says(&sidecar, "/status", "\"state\":\"unfit\"").await;
    assert!(status.contains("memory (tmpfs)") && status.contains("put rotation.state_dir on a disk"), "{status}");
    sidecar.says("this sidecar does not rotate by itself").await;
    until_it_says(&sidecar, "/status", "\"overdue\":true").await;
    assert!(emulator.control().changes().is_empty());
}

#[tokio::test]
async fn a_sidecar_that_waits_for_its_turn_to_deliver_ends_when_it_is_told_to() {
    let emulator = vonage(Options::with_account(KEY, &[OLD])).await;
    let home = Home::new();
    home.write("credentials.toml", &one_account(&[OLD]));
    let state = home.file("state");
    let _turn_of_another = vonage_sidecar::rotation::lineage::disk::turn(&state).unwrap().unwrap();
    let sidecar = home.with_settings(&here(emulator.address(), &format!("state_dir_persists = true\n{SECONDS}"))).await;
    until_it_says(&sidecar, "/status", "\"step\":\"deploy\"").await;
    sidecar.signal(rustix::process::Signal::TERM);
    assert_eq!(sidecar.ends().await, Some(0));
}

#[tokio::test]
async fn a_pause_is_kept_and_its_end_is_seen() {
    let emulator = vonage(Options::with_account(KEY, &[OLD])).await;
    let home = Home::new();
    home.write("credentials.toml", &one_account(&[OLD]));
    home.write("sidecar.toml", &here(emulator.address(), &format!("state_dir_persists = true\n{SECONDS}")));
    assert_eq!(home.run(&["schedule", "pause"]).await.code, Some(0));
    let sidecar: Process = home.with_settings(&here(emulator.address(), &format!("state_dir_persists = true\n{SECONDS}"))).await;
    until_it_says(&sidecar, "/status", "\"state\":\"paused\"").await;
    until_it_says(&sidecar, "/status", "\"due_seconds\":0.0").await;
    assert!(emulator.control().changes().is_empty());
    assert_eq!(home.run(&["schedule", "resume"]).await.code, Some(0));
    until_it_says(&sidecar, "/metrics", "vonage_sidecar_rotations_total{outcome=\"done\"} 1\n").await;
}

#[tokio::test]
async fn what_is_due_is_rotated_by_the_command_and_nothing_else_is() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "approve = \"never\"\n").await;
    host.refuses("rotate --if-due", "no policy says").await;
    let settings = host.text("sidecar.toml");
    let policy = |max_age: &str| format!("{settings}[[rotation.policy]]\nmax_age = \"{max_age}\"\n");
    host.home.write("sidecar.toml", &policy("30d"));
    assert!(host.does("rotate --if-due").await.err.contains("nothing is due"));
    let old = host.vonage().state()["accounts"][KEY]["secrets"][0]["id"].as_str().unwrap().to_owned();
    let month_ago = std::fs::metadata(host.home.file("sidecar.toml")).unwrap().modified().unwrap() - Duration::from_hours(24 * 25);
    assert!(host.vonage().date_secret(KEY, &old, month_ago));
    host.does("schedule pause").await;
    assert!(host.does("rotate --if-due").await.err.contains("paused"));
    assert_eq!(host.ids(KEY), [old]);
    host.does("schedule resume").await;
    host.does("rotate --if-due").await;
    host.is_rotated(KEY, OLD);
    assert!(host.does("rotate --if-due").await.err.contains("nothing is due"));
    // The audit knows what the rotation left.
    let audit = host.does("secrets audit --history 1y").await;
    assert!(audit.out.contains("1 rotations") && audit.out.contains(" done "), "{}", audit.out);
}

#[tokio::test]
async fn what_cannot_be_seen_is_exit_1_after_what_is_due_was_done() {
    let mut options = Options::with_account(KEY, &[OLD]);
    options.accounts.push(AccountSpec::new("dead1234", &["AnotherOne1"]));
    let dead = "[[account]]\napi_key = \"dead1234\"\nsecrets = [\"DeadSecret1\"]\n";
    let host = Host::with(options, &format!("{}{dead}", one_account(&[OLD])), "approve = \"never\"\n").await;
    let settings = host.text("sidecar.toml");
    host.home.write("sidecar.toml", &format!("{settings}[[rotation.policy]]\nmatch = \"{KEY}\"\nmax_age = \"1ms\"\n"));
    let told = host.refuses("rotate --if-due", "not every account can be seen").await;
    assert!(told.err.contains("caused by: dead1234"), "{}", told.err);
    host.is_rotated(KEY, OLD);
}
