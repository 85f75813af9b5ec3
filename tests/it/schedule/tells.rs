//! Who is told of what waits for a person, and that nothing goes wrong when nobody can be.

use serde_json::Value;
use vonage_sidecar::emulator::Options;

use super::looks::{POLICY, sidecar};
use crate::rotate::rig::{Host, one_account};
use crate::secrets::rig::{Desk, KEY, OLD};
use crate::support::authority::Authority;
use crate::support::caller::Caller;
use crate::support::front::Front;
use crate::support::origin::Origin;
use crate::support::process::free_ports_and;
use crate::support::sidecar::PATIENCE;

/// The events that a program wrote into a file, once there is one.
async fn told(desk: &Desk) -> Value {
    let path = desk.home.file("told");
    let looking = async {
        loop {
            let text = crate::support::process::text_of(&path);
            if let Some(line) = text.lines().next().filter(|_| text.ends_with('\n')) {
                return serde_json::from_str(line).unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("nobody was told")
}

const PROGRAM: &str = "[rotation.notify]\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told\"]\n";

#[tokio::test]
async fn a_program_is_told_once_that_a_secret_is_overdue() {
    let desk = Desk::new().await;
    let process = sidecar(&desk, &format!("{POLICY}{PROGRAM}")).await;
    let event = told(&desk).await;
    assert_eq!((event["schema"].as_u64(), event["event"].as_str(), event["account"].as_str()), (Some(1), Some("overdue"), Some(KEY)));
    assert!(!event["remedy"].as_str().unwrap().is_empty(), "{event}");
    // It is looked at again and again, and told once.
    let listed = || desk.vonage().count(|seen| seen.target.ends_with("/secrets"));
    let before = listed();
    let again = async {
        while listed() < before + 3 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    assert_eq!(desk.text("told").lines().count(), 1);
    assert!(process.runs());
}

#[tokio::test]
async fn a_program_is_told_which_revoke_waits_for_an_approval() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "").await;
    let settings = host.text("sidecar.toml");
    host.home.write("sidecar.toml", &format!("{settings}{PROGRAM}"));
    host.refuses(&format!("rotate --account {KEY}"), "made by this tool").await;
    let told: Value = serde_json::from_str(&host.text("told")).unwrap();
    assert_eq!((told["event"].as_str(), told["account"].as_str()), (Some("awaiting_approval"), Some(KEY)));
    assert!(told["rotation"].is_string() && told["remedy"].as_str().unwrap().ends_with(&format!("--approve {}", host.old_id())), "{told}");
}

#[tokio::test]
async fn an_address_is_told_when_everything_that_is_held_is_refused() {
    let desk = Desk::with(Options::with_account(KEY, &["OtherSecret1"]), "").await;
    desk.home.write("credentials.toml", &format!("api_key = \"{KEY}\"\napi_secret = \"{OLD}\"\n"));
    let mut hook = Origin::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let webhook = format!("[rotation.notify]\nwebhook = \"http://{}/hooks/vonage\"\n", hook.address);
    let process = sidecar(&desk, &webhook).await;
    Caller::new(process.data[0]).get("/account/get-balance").await;
    let head = hook.heard().await;
    assert!(head.starts_with("POST /hooks/vonage HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\"event\":\"all_refused\"") && head.to_lowercase().contains("content-type: application/json"), "{head}");
    assert!(!head.contains(OLD) && !head.to_lowercase().contains("authorization"), "{head}");
}

#[tokio::test]
async fn an_address_is_told_over_tls_when_the_settings_trust_its_authority_and_hears_nothing_when_they_do_not() {
    let (authority, another) = (Authority::new(), Authority::new());
    let mut hook = Origin::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let front = Front::of(&authority, hook.address).await;
    let desk = Desk::with(Options::with_account(KEY, &["OtherSecret1"]), "").await;
    desk.home.write("credentials.toml", &format!("api_key = \"{KEY}\"\napi_secret = \"{OLD}\"\n"));
    let all_refused = async |trusted: &Authority| {
        let trust = format!("upstream.ca_file = \"{}\"\n", trusted.ca_file().display());
        let notify = format!("[rotation.notify]\nwebhook = \"{}/hooks/vonage\"\n", front.url());
        let process = desk.home.with_settings(&format!("{}{trust}{notify}", free_ports_and(desk.emulator.address()))).await;
        Caller::new(process.data[0]).get("/account/get-balance").await;
        process
    };
    let untrusting = all_refused(&another).await;
    let line = untrusting.says("the webhook was not told").await;
    assert!(line.contains("signed by nobody this machine trusts") && line.contains("upstream.ca_file"), "{line}");
    assert_eq!((hook.connections(), hook.heard_so_far()), (0, Vec::new()));

    let _trusting = all_refused(&authority).await;
    let head = hook.heard().await;
    assert!(head.starts_with("POST /hooks/vonage HTTP/1.1\r\n") && head.contains("\"event\":\"all_refused\""), "{head}");
    assert!(head.to_lowercase().contains(&format!("host: localhost:{}\r\n", front.address.port())), "{head}");
}

#[tokio::test]
async fn a_program_and_an_address_that_fail_are_logged_and_nothing_else_happens() {
    let desk = Desk::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failing =
        format!("[rotation.notify]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 60\"]\nwebhook = \"http://{closed}\"\ntimeout = \"200ms\"\n");
    let process = sidecar(&desk, &format!("{POLICY}{failing}")).await;
    process.says("did not end within").await;
    process.says("the webhook was not told").await;
    assert_eq!(Caller::new(process.data[0]).get("/account/get-balance").await.status, 200);
}
