//! Mounts and missing events, inside namespaces of their own: each test starts this test binary again under `unshare`, for
//! itself alone, and there does what its name says. Where the system allows no namespaces they are skipped, and say so.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vonage_sidecar::credentials::watch::{Source, Watching};
use vonage_sidecar::files;

use super::rig::{Rig, first_is, in_place, one, skipped};

/// Set where a test runs inside its namespaces.
const INSIDE: &str = "MOUNTS_INSIDE";

/// Runs a test once more, after `setup`, a shell command, in new namespaces; nothing is left to do then. False there.
fn is_run_inside(test: &str, setup: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let namespaces = [["-m", "--propagation=private"].as_slice(), ["-r", "-m", "--propagation=private"].as_slice()];
    let possible = |arguments: &&[&str]| {
        let script = format!("{setup} && true");
        Command::new("unshare").args(*arguments).args(["sh", "-c", &script]).output().is_ok_and(|output| output.status.success())
    };
    let wants_user = setup.contains("/proc/sys/user");
    let Some(arguments) = namespaces.iter().filter(|arguments| arguments.contains(&"-r") || !wants_user).copied().find(|a| possible(a))
    else {
        skipped(test, "no namespaces here");
        return true;
    };
    let name = format!("reload::mounts::{test}");
    let script = format!("{setup} && exec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(arguments)
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{told}\n{errors}");
    assert!(output.status.success() && told.contains("1 passed"), "{test} failed inside its namespace");
    true
}

fn mount(arguments: &[&str], paths: &[&Path]) -> bool {
    Command::new("mount").args(arguments).args(paths).status().unwrap().success()
}

fn prepare(root: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (host, guest) = (root.join("host"), root.join("guest"));
    fs::create_dir(&host).unwrap();
    fs::create_dir(&guest).unwrap();
    in_place(&host.join("credentials.toml"), &one("secret0"));
    (host, guest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_mount_is_told_with_its_remedy() {
    if is_run_inside("a_replaced_file_mount_is_told_with_its_remedy", "true") {
        return;
    }
    let rig = Rig::prepared(Watching::Events, |root| {
        let (host, guest) = prepare(root);
        let path = guest.join("credentials with space.toml");
        in_place(&path, "");
        assert!(mount(&["--bind"], &[&host.join("credentials.toml"), &path]));
        path
    })
    .await;
    let host = rig.root().join("host/credentials.toml");
    in_place(&host, &one("secret1"));
    rig.until_secret("secret1").await;
    assert!(!rig.reload.status().warnings.iter().any(|warning| warning.what.contains("mount")));
    files::replace(&host, one("secret2").as_bytes(), 0o600).unwrap();
    let told = rig.until_status(|status| status.warnings.iter().any(|warning| warning.what.contains("mount"))).await;
    assert!(told.warnings.iter().any(|warning| warning.hint.starts_with("mount the directory")), "{told:?}");
    assert!(first_is(&rig.store.load(), "secret1") && told.error.is_none());
    assert!(Command::new("umount").arg(&rig.path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mounted_directory_is_seen_by_events() {
    if is_run_inside("a_mounted_directory_is_seen_by_events", "true") {
        return;
    }
    let rig = Rig::prepared(Watching::Events, |root| {
        let (host, guest) = prepare(root);
        assert!(mount(&["--bind"], &[&host, &guest]));
        guest.join("credentials.toml")
    })
    .await;
    for round in 1..=3 {
        let secret = format!("secret{round}");
        files::replace(&rig.root().join("host/credentials.toml"), one(&secret).as_bytes(), 0o600).unwrap();
        let took = rig.until_secret(&secret).await;
        assert!(took < Duration::from_secs(1), "{took:?} is the poll");
    }
    assert!(Command::new("umount").arg(rig.root().join("guest")).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_mounted_over_changes_nothing_and_recovers() {
    if is_run_inside("a_directory_that_is_mounted_over_changes_nothing_and_recovers", "true") {
        return;
    }
    let rig = Rig::prepared(Watching::Events, |root| prepare(root).0.join("credentials.toml")).await;
    let host = rig.root().join("host");
    assert!(mount(&["-t", "tmpfs", "none"], &[&host]));
    rig.until_status(|status| status.error.is_some()).await;
    assert!(first_is(&rig.store.load(), "secret0"));
    assert!(Command::new("umount").arg(&host).status().unwrap().success());
    rig.until_status(|status| status.error.is_none()).await;
    assert_eq!(rig.generation(), 1);
    in_place(&rig.path, &one("secret1"));
    let took = rig.until_secret("secret1").await;
    assert!(took < Duration::from_secs(1), "{took:?}: the directory is not watched again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overlay_that_changes_underneath_is_seen_by_the_poll() {
    if is_run_inside("an_overlay_that_changes_underneath_is_seen_by_the_poll", "true") {
        return;
    }
    let mut is_mounted = false;
    let rig = Rig::prepared(Watching::Events, |root| {
        let (host, guest) = prepare(root);
        assert!(mount(&["-t", "tmpfs", "none"], &[&guest]));
        for part in ["upper", "work", "merged"] {
            fs::create_dir(guest.join(part)).unwrap();
        }
        let layers =
            format!("lowerdir={},upperdir={},workdir={}", host.display(), guest.join("upper").display(), guest.join("work").display());
        is_mounted = mount(&["-t", "overlay", "overlay", "-o", &layers], &[&guest.join("merged")]);
        guest.join("merged/credentials.toml")
    })
    .await;
    if is_mounted {
        in_place(&rig.root().join("host/credentials.toml"), &one("secret1"));
        let took = rig.until_secret("secret1").await;
        assert!(took < Duration::from_secs(4), "{took:?}");
        in_place(&rig.path, &one("secret2"));
        let took = rig.until_secret("secret2").await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    } else {
        skipped("an overlay", "it cannot be mounted here");
    }
    assert!(Command::new("umount").arg("-R").arg(rig.root().join("guest")).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_inotify_the_sidecar_polls_and_says_so() {
    if is_run_inside("without_inotify_the_sidecar_polls_and_says_so", "echo 0 > /proc/sys/user/max_inotify_instances") {
        return;
    }
    let rig = Rig::with(&one("secret0"), Watching::Events).await;
    let Source::Polling(why) = rig.reload.status().source else { panic!("events without inotify") };
    assert!(why.starts_with("the system gives no events: Too many open files"), "{why}");
    in_place(&rig.path, &one("secret1"));
    let took = rig.until_secret("secret1").await;
    assert!(took < Duration::from_secs(4), "{took:?}");
}
