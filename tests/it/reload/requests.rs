//! Who asks for a read: a refusal, a person, a retiring value.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use vonage_sidecar::clock;
use vonage_sidecar::config::Credentials;
use vonage_sidecar::credentials::reload::{Outcome, Reload};
use vonage_sidecar::credentials::standing::Lesson;
use vonage_sidecar::credentials::store::Store;
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::credentials::{Generation, Place};
use vonage_sidecar::metrics::Metrics;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{Rig, first_is, in_place, one, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_sees_what_was_written_before_it() {
    let rig = Rig::with(&one("secret0"), Watching::Polling).await;
    let mut late = 0;
    for round in 1..=50 {
        let secret = format!("secret{round}");
        in_place(&rig.path, &one(&secret));
        let refused = clock::now();
        rig.reload.refreshed(refused).await;
        if refused.elapsed() < Duration::from_millis(100) {
            assert!(first_is(&rig.store.load(), &secret), "round {round}");
        } else {
            late += 1;
            rig.until_secret(&secret).await;
        }
    }
    assert!(late < 25, "{late} of 50 reads took longer than 100 ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_refusals_share_few_reads() {
    let rig = Rig::with(&one("secret"), Watching::Polling).await;
    let (began, before) = (clock::now(), rig.reload.status().counts.reads);
    let waits: Vec<_> = (0..5000)
        .map(|_| {
            let reload = rig.reload.clone();
            tokio::spawn(async move { reload.refreshed(clock::now()).await })
        })
        .collect();
    for wait in waits {
        wait.await.unwrap();
    }
    let reads = u128::from(rig.reload.status().counts.reads - before);
    let most = began.elapsed().as_millis() / 50 + 1;
    println!("5000 refusals: {reads} reads in {:?}", began.elapsed());
    assert!((1..=most).contains(&reads), "{reads} reads, at most {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_told_what_came_of_it() {
    let rig = Rig::with(&one("secret0"), Watching::Polling).await;
    assert_eq!(rig.reload.now().await, Outcome::Unchanged);
    in_place(&rig.path, &one("secret1"));
    let Outcome::Published { generation, changes } = rig.reload.now().await else { panic!("not published") };
    assert_eq!(generation, Generation(2));
    assert_eq!(
        changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["account abcd1234: secret number 1 added", "account abcd1234: secret number 1 is gone from the file and kept for a while"]
    );
    in_place(&rig.path, "[[account]");
    assert!(matches!(rig.reload.now().await, Outcome::Kept { .. }));
    std::fs::remove_file(&rig.path).unwrap();
    assert!(matches!(rig.reload.now().await, Outcome::Missing { .. }));
    let history: Vec<_> = rig.reload.status().history.into_iter().map(|past| (past.generation.0, past.outcome)).collect();
    assert!(
        matches!(
            history.as_slice(),
            [(1, Outcome::Published { .. }), (2, Outcome::Published { .. }), (2, Outcome::Kept { .. }), (2, Outcome::Missing { .. })]
        ),
        "{history:?}"
    );
}

#[test]
fn a_read_that_hangs_holds_nobody_up() {
    // One blocking thread that is taken is a file system that hangs.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let rig = Rig::with(&one("secret0"), Watching::Polling).await;
        let (release, hang) = channel::<()>();
        let thread = tokio::task::spawn_blocking(move || hang.recv().is_err());
        in_place(&rig.path, &one("secret1"));
        let began = clock::now();
        rig.reload.refreshed(began).await;
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(1), "{waited:?}");
        assert!(first_is(&rig.store.load(), "secret0"));
        rig.until_status(|status| status.reading_for.is_some_and(|age| age > Duration::from_millis(10))).await;
        drop(release);
        assert!(thread.await.unwrap(), "released by dropping the other end");
        rig.until_secret("secret1").await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_retired_is_dropped_when_its_time_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials.toml");
    in_place(&path, &one("old"));
    let brief = Credentials { retire: Duration::from_millis(300), ..settings(&path) };
    let rig = Rig::at(directory, brief, Watching::Polling).await;
    in_place(&path, &one("new"));
    rig.reload.now().await;
    assert_eq!(rig.store.load().accounts[0].secrets.len(), 2);
    let took = rig.until_snapshot(|snapshot| snapshot.accounts[0].secrets.len() == 1).await;
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(first_is(&rig.store.load(), "new"));
    assert_eq!(rig.generation(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retiring_value_that_is_refused_is_dropped_when_somebody_says_so() {
    let rig = Rig::with(&one("old"), Watching::Polling).await;
    in_place(&rig.path, &one("new"));
    rig.reload.now().await;
    let account = Arc::clone(&rig.store.load().accounts[0]);
    let retiring = &account.secrets[1];
    assert!(matches!(retiring.place, Place::Retiring { .. }));
    let now = clock::now();
    account.opinion.lock().learn(retiring.uid, Host::API, Lesson::RefusedPaired, now, &[], now);
    rig.reload.prune();
    rig.until_snapshot(|snapshot| snapshot.accounts[0].secrets.len() == 1).await;
    // What is not held is forgotten, right after it is gone.
    rig.until_status(|_| account.opinion.lock().hosts(retiring.uid).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standing_and_use_of_a_value_that_stays_survive_the_reload() {
    let rig = Rig::with(&one("stays"), Watching::Polling).await;
    let before = Arc::clone(&rig.store.load().accounts[0]);
    before.secrets[0].usage.served();
    in_place(&rig.path, &super::rig::account("abcd1234", &["new", "stays"]));
    rig.reload.now().await;
    let after = Arc::clone(&rig.store.load().accounts[0]);
    assert_eq!(after.secrets[1].uid, before.secrets[0].uid);
    assert_eq!(after.secrets[1].usage.figures(clock::now()).served, 1);
    assert!(Arc::ptr_eq(&after.opinion, &before.opinion));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handle_outlives_its_task() {
    let (reload, task) =
        Reload::start(&settings("absent.toml".as_ref()), Watching::Polling, Arc::new(Store::default()), Arc::new(Metrics::new())).await;
    drop(task);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), reload.now()).await.unwrap(), Outcome::Unfinished);
}
