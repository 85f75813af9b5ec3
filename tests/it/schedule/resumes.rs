//! What was begun goes to its end, whatever the schedule says, and what waits for a person says with which command it goes
//! on.

use std::path::Path;

use http::Method;
use rustix::process::Signal;
use vonage_sidecar::emulator::{AccountSpec, Options};
use vonage_sidecar::jwt::SigningKey;

use super::looks::until_it_says;
use crate::fallback::rig::rule;
use crate::rotate::keys::{self, keys};
use crate::rotate::rig::{Host, KEY, OLD, one_account};
use crate::schemes::rig::{APPLICATION, PAIRS};
use crate::support::process::free_ports_and;

const DUE: &str = "[[rotation.policy]]\nmax_age = \"1ms\"\n";
const NOT_DUE: &str = "[[rotation.policy]]\nmax_age = \"30d\"\n";
const OF_OTHERS: &str = "[[rotation.policy]]\nmatch = \"other*\"\nmax_age = \"1ms\"\n";

/// More settings behind those that are there.
fn more(host: &Host, settings: &str) {
    host.home.write("sidecar.toml", &format!("{}{settings}", host.text("sidecar.toml")));
}

/// A rotation that stops right before its end, since nothing is revoked now, and a provider that is well again.
async fn begun(rotation: &str) -> Host {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), &format!("approve = \"never\"\n{rotation}")).await;
    host.vonage().add_fault(rule("status=503").on_path("/accounts").on_method(Method::DELETE));
    host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "revoking a secret keeps failing").await;
    host.vonage().clear_faults();
    assert_eq!(host.ids(KEY).len(), 2);
    host
}

/// The same with the key pair of an application, at the moment when its public key is replaced.
async fn begun_key_pair() -> Host {
    let host = keys::host().await;
    let path = format!("/v2/applications/{APPLICATION}");
    host.vonage().add_fault(rule("status=503").on_path(&path).on_method(Method::PUT));
    host.refuses(&format!("rotate --application {APPLICATION} --now --give-up 1ms"), "replacing the public key").await;
    host.vonage().clear_faults();
    assert_eq!(keys(&host).len(), 2);
    host
}

/// The new key is in force and alone.
fn has_new_key(host: &Host) -> bool {
    let held = keys(host);
    held.len() == 1 && !held[0].0.same_as(&SigningKey::parse(&PAIRS[0].private).unwrap())
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_pause_what_was_begun_goes_to_its_end_and_nothing_begins() {
    let host = begun("").await;
    let other = AccountSpec::new("other567", &["Other1Secret"]);
    host.vonage().put_account(&other);
    let file = format!("{}[[account]]\napi_key = \"other567\"\nsecrets = [\"Other1Secret\"]\n", host.text("credentials.toml"));
    host.home.write("credentials.toml", &file);
    more(&host, DUE);
    host.does("schedule pause").await;
    let done = host.does("rotate --if-due").await;
    assert!(done.err.contains("paused, so nothing is begun") && done.out.contains("goes on at revoke"), "{}{}", done.out, done.err);
    host.is_rotated(KEY, OLD);
    let rest = host.does("rotate --if-due").await;
    assert!(rest.err.contains("nothing is due") && rest.out.is_empty(), "{}{}", rest.out, rest.err);
    assert_eq!((host.held("other567").len(), host.ids("other567").len()), (1, 1));
    assert!(host.vonage().secret_id("other567", "Other1Secret").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_rotates_by_itself_ends_in_a_pause_and_without_a_policy_what_was_begun() {
    let host = begun("").await;
    host.does("schedule pause").await;
    let here = "[rotation]\nsoak = \"0s\"\noverlap = \"0s\"\nschedule = \"here\"\nstate_dir_persists = true\n";
    // A policy of milliseconds that is about others: looks are frequent.
    let sidecar = host.home.with_settings(&format!("{}{here}{OF_OTHERS}", free_ports_and(host.emulator.address()))).await;
    until_it_says(&sidecar, "/metrics", "vonage_sidecar_rotations_total{outcome=\"done\"} 1\n").await;
    host.is_rotated(KEY, OLD);
    until_it_says(&sidecar, "/status", "\"state\":\"paused\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_goes_on_by_the_timer_whatever_policies_say_and_one_that_waits_for_a_person_is_asked_about_once_a_run() {
    for policy in [NOT_DUE, OF_OTHERS] {
        let host = begun("").await;
        more(&host, policy);
        host.does("rotate --if-due").await;
        host.is_rotated(KEY, OLD);
    }
    let host = begun("").await;
    let failed = host.refuses("rotate --if-due", "no policy says").await;
    assert!(failed.out.contains("done: "), "{}", failed.out);
    host.is_rotated(KEY, OLD);

    let waits = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "").await;
    more(&waits, OF_OTHERS);
    waits.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    for _run in 0..2 {
        let again = waits.refuses("rotate --if-due", "was not made by this tool").await;
        assert!(again.err.contains(&format!("--approve {}\n", waits.old_id())), "{}", again.err);
    }
    assert_eq!(
        waits.vonage().count(|seen| seen.method == Method::DELETE || seen.method == Method::POST && seen.target.ends_with("/secrets")),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_found_no_room_is_nothing_that_was_begun() {
    let other = "OtherSecret1a";
    let host = Host::with(Options::with_account(KEY, &[OLD, other]), &one_account(&[OLD, other]), "approve = \"never\"\n").await;
    host.holds(&[OLD, other]);
    more(&host, NOT_DUE);
    host.refuses(&format!("drill --account {KEY}"), "both slots of the account are taken").await;
    let nothing = host.does("rotate --if-due").await;
    assert!(nothing.err.contains("nothing is due") && nothing.out.is_empty(), "{}{}", nothing.out, nothing.err);
    assert_eq!(host.ids(KEY).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_that_was_begun_goes_on_by_the_timer_in_a_pause_too() {
    for pause in [false, true] {
        let host = begun_key_pair().await;
        more(&host, NOT_DUE);
        if pause {
            host.does("schedule pause").await;
        }
        host.does("rotate --if-due").await;
        assert!(has_new_key(&host));
        assert!(host.does("rotate --if-due").await.err.contains("nothing is due"));
    }
    let host = begun_key_pair().await;
    let journal = format!("state/journals/application.{APPLICATION}.json");
    let whole = host.text(&journal);
    host.home.write(&journal, "{");
    let unread = host.run("rotate --if-due").await;
    assert!(unread.code == Some(2) && unread.err.contains("the rotation of a key pair does not go on"), "{}", unread.err);
    host.home.write(&journal, &whole);
    host.refuses("rotate --if-due", "no policy says").await;
    assert!(has_new_key(&host));
}

/// The window of whoever began it counts, and nobody else waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_whose_window_is_closed_waits_for_it_by_the_timer_behind_what_is_due() {
    let host = keys::host().await;
    let now = std::fs::metadata(host.home.file("sidecar.toml")).unwrap().modified().unwrap();
    let hour = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 3600;
    let (opens, closes) = ((hour + 6) % 24, (hour + 7) % 24);
    let window = format!("{opens:02}:00-{closes:02}:00");
    let words = format!("the window opens at {opens:02}:00");
    let by_hand = host.home.start(&["rotate", "--application", APPLICATION, "--window", &window]);
    by_hand.prints(&words).await;
    let settings = host.text("sidecar.toml");
    more(&host, NOT_DUE);
    let beside = host.does("rotate --if-due").await;
    assert!(beside.err.contains(&format!("{APPLICATION}: another process is at it")), "{}", beside.err);
    by_hand.signal(Signal::KILL);
    by_hand.ends().await;
    let settings = settings.replace("[rotation]\n", "[rotation]\napprove = \"never\"\n");
    host.home.write("sidecar.toml", &format!("{settings}{DUE}"));
    let timer = host.home.start(&["rotate", "--if-due"]);
    timer.prints(&words).await;
    host.is_rotated(KEY, OLD);
    assert_eq!(keys(&host).len(), 2);
    timer.signal(Signal::KILL);
    timer.ends().await;
}
