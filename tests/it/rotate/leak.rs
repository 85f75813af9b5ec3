//! A secret leaked, and its id is known: it goes within the deadline, another one is in use, and no request fails.

use vonage_sidecar::emulator::Options;

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
    assert!(began.elapsed() < std::time::Duration::from_secs(15), "every sidecar had followed, so nobody was to be waited for");
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
        assert!(refused.err.contains("`secrets list`"), "{}", refused.err);
        assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file, ids));
        // What was refused does not stand in the way of the next command.
        let next = host.run(&format!("rotate --account {KEY} --approve {}", host.old_id())).await;
        assert!(!format!("{}{}", next.out, next.err).contains(unknown), "{}{}", next.out, next.err);
    }
}
