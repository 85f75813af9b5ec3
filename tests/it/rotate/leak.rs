//! A secret leaked, and its id is known: it goes within the deadline, another one is in use, and no request fails.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use vonage_sidecar::emulator::{Lag, Options};

use super::many::killed_at;
use super::rig::{Host, KEY, Load, OLD, one_account};
use crate::support::caller::Caller;

const OTHER: &str = "OtherSecret1a";

/// The account has both of these secrets, and the file some of them, with their ids.
async fn host(held: &[&str]) -> Host {
    let host = Host::with(Options::with_account(KEY, &[OLD, OTHER]), &one_account(held), "").await;
    host.holds(held);
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_that_is_named_is_revoked_within_the_deadline_and_the_other_one_is_in_use() {
    let host = host(&[OLD, OTHER]).await;
    // Others depend on it; a leak that is named overrides that.
    let kept = host.text("credentials.toml").replacen(" }", ", keep = true }", 1);
    host.home.write("credentials.toml", &kept);
    let load = Load::through(&host.sidecar, 3);
    let (leaked, other) = (host.old_id(), host.vonage().secret_id(KEY, OTHER).unwrap());
    let began = vonage_sidecar::clock::now();
    let done = host.does(&format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s")).await;
    assert!(began.elapsed() < Duration::from_secs(15), "every sidecar had followed, so nobody was to be waited for");
    assert!(done.out.contains("the leaked secret is revoked, the other one in use") && !done.out.contains("left behind"), "{}", done.out);
    let accepted = host.vonage().accepted(KEY, OTHER);
    assert_eq!(Caller::new(host.sidecar.data[0]).get("/account/get-balance").await.status, 200);
    assert!(host.vonage().accepted(KEY, OTHER) > accepted);
    load.was_served().await;
    assert_eq!((host.ids(KEY), host.held(KEY)), (vec![other.clone()], vec![(OTHER.to_owned(), Some(other))]));
    assert_eq!(host.vonage().duplicates(), []);
    assert_eq!((&host.reports()[0]["purpose"], &host.reports()[0]["outcome"]), (&"emergency".into(), &"done".into()));

    // The last one is not just revoked: another one takes its place first.
    let load = Load::through(&host.sidecar, 3);
    let leaked = host.ids(KEY)[0].clone();
    host.does(&format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s")).await;
    host.is_rotated(KEY, OTHER);
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_the_account_does_not_have_is_refused_and_changes_nothing() {
    let unknown = "11111111-2222-3333-4444-555555555555";
    let command = format!("rotate --account {KEY} --emergency --leaked {unknown} --deadline 15s");
    // A secret that nobody holds would be taken for the thief's, but it was not named.
    for host in [host(&[OLD, OTHER]).await, host(&[OLD]).await] {
        let (file, ids) = (host.text("credentials.toml"), host.ids(KEY));
        let refused = host.refuses(&command, &format!("the account has no secret {unknown}")).await;
        assert!(refused.err.contains("`secrets list`") && !refused.err.contains("it goes on with"), "{}", refused.err);
        assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file, ids));
        assert!(!host.home.file(&format!("state/journals/{KEY}.json")).exists(), "nothing was begun");
        // What was refused does not stand in the way of the next command.
        let next = host.run(&format!("rotate --account {KEY} --approve {}", host.old_id())).await;
        assert!(!format!("{}{}", next.out, next.err).contains(unknown), "{}{}", next.out, next.err);
    }
}

/// One secret, and something begun that was killed on the way.
async fn begun(command: &str, words: &str) -> Host {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "approve = \"never\"").await;
    killed_at(&host, &format!("{command} --account {KEY} --json"), words).await;
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_is_met_whatever_was_begun_and_however_far_it_was() {
    let steps = [("drill", "prove"), ("drill", "revoke"), ("rotate", "create"), ("rotate", "converge"), ("rotate --soak 60s", "soak")];
    for (command, step) in steps {
        let host = begun(command, &format!("\"step\":\"{step}\"")).await;
        let load = Load::through(&host.sidecar, 2);
        let leaked = host.old_id();
        host.does(&format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s")).await;
        assert!(!host.ids(KEY).contains(&leaked), "{command}, {step}");
        host.is_rotated(KEY, OLD);
        load.was_served().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_new_secret_of_a_rotation_leaks_the_old_one_stays() {
    for (command, step) in [("rotate", "\"fact\":\"created\""), ("rotate --soak 60s", "\"step\":\"soak\"")] {
        let host = begun(command, step).await;
        let load = Load::through(&host.sidecar, 2);
        let old = host.old_id();
        let leaked = host.ids(KEY).into_iter().find(|id| *id != old).unwrap();
        let done = host.does(&format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s")).await;
        assert!(done.out.contains("the leaked secret is revoked, the other one in use"), "{step}: {}", done.out);
        assert_eq!((host.ids(KEY), host.held(KEY)[0].0.as_str()), (vec![old], OLD), "{step}");
        load.was_served().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nobody_knows_what_leaked_both_secrets_of_a_rotation_are_replaced() {
    let host = begun("rotate --soak 60s", "\"step\":\"soak\"").await;
    let load = Load::through(&host.sidecar, 2);
    let before = host.ids(KEY);
    host.does(&format!("rotate --account {KEY} --emergency --deadline 15s")).await;
    let after = host.ids(KEY);
    assert!(before.len() == 2 && after.len() == 1 && !before.contains(&after[0]), "{before:?} {after:?}");
    host.is_rotated(KEY, OLD);
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_id_does_not_turn_what_was_begun() {
    let host = begun("rotate --soak 60s", "\"step\":\"soak\"").await;
    let (file, ids, journal) = (host.text("credentials.toml"), host.ids(KEY), host.text(&format!("state/journals/{KEY}.json")));
    let unknown = "11111111-2222-3333-4444-555555555555";
    host.refuses(&format!("rotate --account {KEY} --emergency --leaked {unknown}"), &format!("the account has no secret {unknown}")).await;
    assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file, ids));
    assert_eq!(host.text(&format!("state/journals/{KEY}.json")), journal);
    host.does(&format!("rotate --account {KEY} --soak 0s")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_finishes_an_emergency_that_was_killed_after_the_revoke() {
    let host = Host::new().await;
    let leaked = host.old_id();
    host.vonage().set_lag(None, Lag { new: Duration::ZERO, revoked: Duration::from_secs(2) });
    let command = format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s");
    killed_at(&host, &format!("{command} --json"), "\"step\":\"verify\"").await;
    assert!(!host.ids(KEY).contains(&leaked));
    host.does(&command).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_ends_well_when_the_leaked_secret_was_revoked_by_hand_meanwhile() {
    let host = begun("rotate --soak 60s", "\"step\":\"soak\"").await;
    let old = host.old_id();
    let leaked = host.ids(KEY).into_iter().find(|id| *id != old).unwrap();
    let command = format!("rotate --account {KEY} --emergency --leaked {leaked} --deadline 15s");
    // A sink that cannot be written stops it where it is decided anew what goes.
    let file = host.home.file("credentials.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    host.refuses(&command, "0644").await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(host.vonage().revoke_secret(KEY, &leaked));
    let done = host.does(&command).await;
    assert!(done.out.contains("the leaked secret is revoked, the other one in use"), "{}", done.out);
    assert_eq!(host.ids(KEY), [old]);
}
