//! Files that cannot be used, and files that are not there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use vonage_sidecar::config::{Credentials, Modes};
use vonage_sidecar::credentials::reload::Outcome;
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::files;

use crate::support::caller::raw;
use crate::support::process::{Home, Process};

use super::rig::{Rig, application, first_is, in_place, one, settings, skipped};

/// Puts something in the place of a file.
type Replace = fn(&Path);

const IN_ITS_PLACE: [(Replace, &str); 9] = [
    (|path| drop(fs::remove_file(path)), "does not exist"),
    (|path| in_place(path, ""), "is empty"),
    (|path| in_place(path, " \n\n"), "is empty"),
    (|path| in_place(path, "[[account]\n"), ""),
    (|path| in_place(path, &"#".repeat((1 << 20) + 1)), "is larger than 1048576 bytes"),
    (|path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).unwrap(), "is a directory, not a regular file"),
    (fifo, "is a FIFO, not a regular file"),
    (|path| relink(path, "nowhere"), "does not exist (it is a symlink that points to nothing)"),
    (|path| relink(path, "credentials.toml"), "Too many levels of symbolic links"),
];

fn fifo(path: &Path) {
    fs::remove_file(path).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}

fn relink(path: &Path, target: &str) {
    fs::remove_file(path).unwrap();
    symlink(target, path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_used_is_told_and_changes_nothing() {
    for (index, (replace, words)) in IN_ITS_PLACE.into_iter().enumerate() {
        let rig = Rig::with(&one("secret0"), Watching::Events).await;
        replace(&rig.path);
        let status = rig.until_status(|status| status.error.as_ref().is_some_and(|error| error.contains(words))).await;
        assert!(first_is(&rig.store.load(), "secret0"), "case {index}");
        assert_eq!(rig.generation(), 1, "case {index}");
        assert!(status.good_ago.is_some() && status.history.len() >= 2, "case {index}: {status:?}");
        if rig.path.is_dir() {
            fs::remove_dir(&rig.path).unwrap();
        }
        files::replace(&rig.path, one("secret1").as_bytes(), 0o600).unwrap();
        let took = rig.until_secret("secret1").await;
        assert!(took < Duration::from_secs(1), "case {index}: {took:?}");
        assert_eq!(rig.reload.status().error, None, "case {index}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_comes_late_is_used_when_it_comes() {
    for watching in [Watching::Events, Watching::Polling] {
        let rig = Rig::prepared(watching, |root| root.join("not/yet/credentials.toml")).await;
        assert!(rig.store.load().accounts.is_empty());
        assert!(matches!(rig.reload.now().await, Outcome::Missing { .. }));
        assert!(rig.reload.status().error.unwrap().contains("does not exist"));
        fs::create_dir_all(rig.path.parent().unwrap()).unwrap();
        in_place(&rig.path, &one("late"));
        let took = rig.until_secret("late").await;
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert_eq!(rig.generation(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_deleted_and_made_again_is_found_again() {
    let rig = Rig::prepared(Watching::Events, |root| {
        fs::create_dir(root.join("inside")).unwrap();
        in_place(&root.join("inside/credentials.toml"), &one("secret0"));
        root.join("inside/credentials.toml")
    })
    .await;
    for round in 1..=3 {
        fs::remove_dir_all(rig.root().join("inside")).unwrap();
        rig.until_status(|status| status.error.is_some()).await;
        assert!(first_is(&rig.store.load(), &format!("secret{}", round - 1)));
        fs::create_dir(rig.root().join("inside")).unwrap();
        in_place(&rig.path, &one(&format!("secret{round}")));
        let took = rig.until_secret(&format!("secret{round}")).await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_read_changes_nothing_and_recovers() {
    if rustix::process::geteuid().is_root() {
        skipped("a file of mode 000", "root may read it");
        return;
    }
    let rig = Rig::with(&one("secret0"), Watching::Events).await;
    fs::set_permissions(&rig.path, fs::Permissions::from_mode(0o000)).unwrap();
    rig.until_status(|status| status.error.as_ref().is_some_and(|error| error.contains("Permission denied"))).await;
    fs::set_permissions(&rig.path, fs::Permissions::from_mode(0o600)).unwrap();
    rig.until_status(|status| status.error.is_none()).await;
    assert_eq!(rig.generation(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_others_may_read_is_told_or_refused() {
    let rig = Rig::with(&one("secret"), Watching::Polling).await;
    fs::set_permissions(&rig.path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(rig.reload.now().await, Outcome::Unchanged);
    let warnings = rig.reload.status().warnings;
    assert_eq!(warnings[0].what, "has mode 0644, which is wider than 0640");
    fs::set_permissions(&rig.path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(rig.reload.now().await, Outcome::Unchanged);
    assert!(rig.reload.status().warnings.is_empty());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials.toml");
    files::replace(&path, one("secret").as_bytes(), 0o644).unwrap();
    let strict = Credentials { modes: Modes::Strict, ..settings(&path) };
    let rig = Rig::at(directory, strict, Watching::Polling).await;
    assert!(rig.store.load().accounts.is_empty());
    assert!(rig.reload.status().error.unwrap().contains("has mode 0644"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(rig.reload.now().await, Outcome::Published { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_file_disables_the_key_and_not_the_file() {
    let rig = Rig::with(&(one("secret") + &application("app", "abcd1234", "absent.pem")), Watching::Polling).await;
    assert!(first_is(&rig.store.load(), "secret"));
    assert!(rig.store.load().application("app").unwrap().keys.is_empty());
    let warnings = rig.reload.status().warnings;
    assert!(warnings.iter().any(|warning| warning.hint == "it does not exist"), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_read_again_soon_without_an_event() {
    let rig = Rig::with("[[account]\n", Watching::Polling).await;
    // The last content came without an event: after 100 and 500 ms the file is looked at again.
    in_place(&rig.path, &one("secret"));
    let took = rig.until_secret("secret").await;
    assert!(took < Duration::from_millis(1500), "{took:?} is the poll");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_is_in_what_is_told() {
    let rig = Rig::with(&one("T0pSecretValue"), Watching::Polling).await;
    in_place(&rig.path, "[[account]]\napi_key = \"abcd1234\"\nsecrets = [\"T0pSecretValue\", 0x]\n");
    let outcome = rig.reload.now().await;
    let told = format!("{outcome:?} {:?} {:?} {:?}", rig.reload, rig.reload.status(), rig.store.load());
    assert!(matches!(outcome, Outcome::Kept { .. }) && !told.contains("T0pSecretValue"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_text_is_told_with_its_place() {
    let rig = Rig::with(&one("secret"), Watching::Polling).await;
    files::replace(&rig.path, b"[[account]]\napi_key = \"\xff\"\n", 0o600).unwrap();
    let Outcome::Kept { problems } = rig.reload.now().await else { panic!("not kept") };
    assert!(problems[0].to_string().ends_with("credentials.toml:2:12 is not UTF-8 text"), "{}", problems[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_too_large_together_are_refused() {
    let rig = Rig::with(&one("secret0"), Watching::Polling).await;
    let mut text = one("secret1");
    for number in 0..5 {
        let name = format!("{number}.pem");
        in_place(&rig.root().join(&name), &"x".repeat((1 << 20) - 1));
        text += &application(&format!("app{number}"), "abcd1234", &name);
    }
    in_place(&rig.path, &text);
    let Outcome::Kept { problems } = rig.reload.now().await else { panic!("not kept") };
    assert!(problems[0].to_string().ends_with("are larger than 4194304 bytes together"), "{}", problems[0]);
    assert!(first_is(&rig.store.load(), "secret0"));
}

/// In a process of its own: a test that listens to its own thread's events alone may lose them. While there is but one
/// subscriber, an event that another thread comes by first is switched off for everybody (tracing-core, `callsite.rs`).
#[tokio::test]
async fn one_problem_is_one_line_however_often_it_is_read() {
    let home = Home::new();
    let file = home.file("credentials.toml");
    in_place(&file, &one("secret0"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let nobody = "127.0.0.1:9".parse().unwrap();
    let process = home.sidecar(nobody, "").await;
    for _ in 0..3 {
        in_place(&file, "");
        for _ in 0..2 {
            assert!(reloaded(&process).await.contains("is empty"));
        }
        in_place(&file, &one("secret1"));
        assert!(!reloaded(&process).await.contains("is empty"));
    }
    process.signal(Signal::TERM);
    assert_eq!(process.ends().await, Some(0));
    let told = String::from_utf8(process.written().1).unwrap();
    let count = |words: &str| told.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("is empty; the last good credentials stay"), 3, "once each time that it became bad: {told}");
    assert_eq!(count("mode 0644"), 1, "{told}");
    assert_eq!(count("credentials published"), 2, "{told}");
    let change = "\"generation\":2,\"changes\":\"account abcd1234: secret number 1 added";
    assert!(told.contains(change) && !told.contains("secret1"), "{told}");
}

/// Has the file read again, and returns what came of it.
async fn reloaded(process: &Process) -> String {
    let request = "POST /reload HTTP/1.1\r\nhost: localhost\r\nx-sidecar-admin: 1\r\ncontent-length: 0\r\n\r\n";
    String::from_utf8(raw(process.admin[0], request.as_bytes()).await).unwrap()
}
