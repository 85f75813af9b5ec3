//! What earlier releases wrote is read for ever: `tests/compat/RELEASE/` holds a file of each kind, as it was written.
//!
//! A release adds a directory with the files that it writes (a journal in each step, `/status`, a report); none is ever
//! changed. Ids and addresses of the provider and the sidecar of a test take the place of those that were recorded.
#![expect(clippy::disallowed_methods, reason = "the files are read as they are, and those under test go away")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::task::JoinSet;
use vonage_sidecar::admin::status::Status;
use vonage_sidecar::rotation::keypair::Journal as KeyJournal;
use vonage_sidecar::rotation::machine::State as _;
use vonage_sidecar::rotation::report;
use vonage_sidecar::rotation::secrets::Journal;

use crate::rotate::rig::{Host, KEY, OLD};

/// The secret that the recorded rotations made.
const NEW: &str = "xpgvqHiANjbfdZUQdHvZTr3G5";
/// The sidecar that they knew.
const MEMBER: &str = "http://127.0.0.1:19787";
/// Every state of a journal.
const STEPS: [&str; 11] = ["check", "create", "prove", "deploy", "converge", "soak", "revoke", "tidy", "verify", "report", "ended"];

fn releases() -> Vec<PathBuf> {
    let all = std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat")).unwrap();
    let found: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
    assert!(found.iter().any(|path| path.ends_with("0.1.0")), "the first release is missing");
    found
}

fn text(release: &Path, name: &str) -> String {
    std::fs::read_to_string(release.join(name)).unwrap_or_else(|error| panic!("{} {name}: {error}", release.display()))
}

#[test]
fn every_release_left_a_file_of_each_kind_and_each_is_read() {
    for release in &releases() {
        for step in STEPS {
            let journal = Journal::parse(&text(release, &format!("journal-{step}.json"))).unwrap();
            assert_eq!((journal.state.word(), journal.plan.account.as_str()), (step, KEY));
        }
        let status: Status = serde_json::from_str(&text(release, "status.json")).unwrap();
        assert!(status.revision.is_some() && status.accounts[0].secrets.iter().all(|secret| secret.id.is_some()));
        let report = report::parse(text(release, "report.json").as_bytes()).unwrap();
        assert!(report.secrets.len() == 2 && !report.proofs.is_empty() && report.members[0].converged, "{report:?}");
    }
}

/// Recorded while it waited for its window, with a throw-away key on either side of the change.
#[test]
fn a_rotation_of_a_key_pair_that_an_older_release_began_is_read_and_written_back_whole() {
    for release in &releases() {
        let text = text(release, "journal-keypair-put.json");
        let journal = KeyJournal::parse(&text).unwrap();
        assert_eq!((journal.state.word(), journal.plan.account.as_str()), ("put", KEY));
        let (was, is): (Value, Value) = (serde_json::from_str(&text).unwrap(), serde_json::from_str(&journal.to_text()).unwrap());
        for member in ["schema", "kind", "rotation", "state", "plan"] {
            assert_eq!(was[member], is[member], "{member}");
        }
    }
}

/// What a journal of this release says of the recorded world.
fn recorded(journal: &str, path: &str) -> String {
    serde_json::from_str::<Value>(journal).unwrap().pointer(path).and_then(Value::as_str).unwrap().to_owned()
}

/// The world as it was when that journal was the last that was written, and the rotation goes on in it.
async fn goes_on(release: PathBuf, step: &'static str) {
    let host = Host::new().await;
    let soak = text(&release, "journal-soak.json");
    let (was_new, was_old) = (recorded(&soak, "/state/stays/id"), recorded(&soak, "/state/goes/used/id"));
    let revision = recorded(&soak, "/state/revision");
    let old = host.old_id();
    let made = !matches!(step, "check" | "create");
    let new = if made { host.vonage().create_secret(KEY, NEW).unwrap() } else { was_new.clone() };
    let item = |value: &str, id: &str| format!("{{ value = \"{value}\", id = \"{id}\" }}");
    let file =
        |items: &[String]| format!("revision = \"{revision}\"\n[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\n", items.join(", "));
    match step {
        "converge" | "soak" | "revoke" | "tidy" => host.home.write("credentials.toml", &file(&[item(NEW, &new), item(OLD, &old)])),
        "verify" | "report" => host.home.write("credentials.toml", &file(&[item(NEW, &new)])),
        _before_the_deploy => {}
    }
    if matches!(step, "tidy" | "verify" | "report") {
        assert!(host.vonage().revoke_secret(KEY, &old));
    }
    let member = format!("http://{}", host.sidecar.admin[0]);
    let journal = text(&release, &format!("journal-{step}.json")).replace(&was_new, &new).replace(&was_old, &old).replace(MEMBER, &member);
    std::fs::create_dir_all(host.home.file("state/journals")).unwrap();
    std::fs::write(host.home.file(&format!("state/journals/{KEY}.json")), journal).unwrap();
    let ended = host.does(&format!("rotate --account {KEY} --resume")).await;
    assert!(ended.out.contains("done: the new secret is in use"), "{step}: {}{}", ended.out, ended.err);
    host.is_rotated(KEY, OLD);
    assert!(step == "check" || host.held(KEY)[0].0 == NEW, "{step}: another secret was made");
}

#[tokio::test]
async fn a_rotation_that_an_older_release_began_is_finished_from_each_step() {
    for release in releases() {
        let mut going = JoinSet::new();
        for step in STEPS.into_iter().filter(|step| *step != "ended") {
            going.spawn(goes_on(release.clone(), step));
        }
        while let Some(ended) = going.join_next().await {
            ended.unwrap();
        }
    }
}
