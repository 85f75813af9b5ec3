//! What changed behind our back, how old secrets are, and when they are due, in `status`, metrics and `schedule`.

use vonage_sidecar::emulator::Options;

use crate::secrets::rig::{Desk, KEY, OLD};
use crate::support::caller::Caller;
use crate::support::process::{Process, free_ports_and};
use crate::support::sidecar::PATIENCE;

/// A sidecar with these settings of rotation beside a desk, and what it says once that holds a text.
pub async fn sidecar(desk: &Desk, rotation: &str) -> Process {
    let settings = format!("{}[rotation]\nprove_for = \"0s\"\n{rotation}", free_ports_and(desk.emulator.address()));
    desk.home.with_settings(&settings).await
}

pub async fn until_it_says(process: &Process, path: &str, words: &str) -> String {
    let mut last = String::new();
    let looking = async {
        loop {
            last = Caller::new(process.admin[0]).get(path).await.text();
            if last.contains(words) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "never said {words}: {last}");
    last
}

pub const POLICY: &str = "[[rotation.policy]]\nmax_age = \"10s\"\n";

#[tokio::test]
async fn a_sidecar_with_a_policy_shows_age_due_and_what_changed_behind_our_back() {
    let desk = Desk::with(Options::with_account(KEY, &[OLD]), "").await;
    let held = format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{{ value = \"{OLD}\", id = \"{}\" }}]\n", desk.id(OLD));
    desk.home.write("credentials.toml", &held);
    let process = sidecar(&desk, POLICY).await;
    until_it_says(&process, "/status", "\"oldest_secret_seconds\":").await;
    desk.vonage().create_secret(KEY, "Dashboard1").unwrap();
    let foreign = format!("foreign: {}", desk.id("Dashboard1"));
    let status = until_it_says(&process, "/status", &foreign).await;
    assert!(status.contains("\"schedule\":{\"state\":\"off\""), "{status}");
    until_it_says(&process, "/metrics", &format!("vonage_sidecar_secret_drift{{account=\"{KEY}\"}} 1\n")).await;
    until_it_says(&process, "/metrics", &format!("vonage_sidecar_rotation_overdue{{account=\"{KEY}\"}} 1\n")).await;
    let shown = desk.run(&format!("status --admin {}", process.admin[0])).await;
    assert!(shown.out.contains("overdue") && shown.out.contains(&format!("changed behind our back: {foreign}")), "{}", shown.out);
    process.says("secrets changed behind our back").await;
    // Nothing was mended by a guess.
    assert_eq!((desk.ids(KEY).len(), desk.text("credentials.toml")), (2, held));
}

#[tokio::test]
async fn a_sidecar_without_a_policy_asks_nobody_about_secrets() {
    let desk = Desk::new().await;
    let process = sidecar(&desk, "").await;
    let status = until_it_says(&process, "/status", KEY).await;
    assert!(!status.contains("\"schedule\"") && !status.contains("\"listing\""), "{status}");
    assert_eq!(desk.vonage().count(|seen| seen.target.contains("/accounts/")), 0);
}

#[tokio::test]
async fn the_schedule_says_who_is_due_when_and_pauses() {
    let desk = Desk::new().await;
    desk.refuses("schedule", "no policy").await;
    let settings = desk.text("sidecar.toml");
    desk.home.write("sidecar.toml", &format!("{settings}[[rotation.policy]]\nmax_age = \"30d\"\n"));
    let shown = desk.does("schedule").await;
    assert!(shown.contains(KEY) && shown.contains("(in 23days") && !shown.contains("paused"), "{shown}");
    desk.does("schedule pause").await;
    assert!(desk.does("schedule").await.contains("paused"));
    desk.does("schedule resume").await;
    assert!(!desk.does("schedule").await.contains("paused"));
    assert!(desk.does("schedule resume").await.contains("it does not pause"));
}
