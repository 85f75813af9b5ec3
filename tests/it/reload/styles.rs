//! Every way in which people and tools update a file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vonage_sidecar::clock;
use vonage_sidecar::config::Modes;
use vonage_sidecar::credentials::read::{self, Unreadable};
use vonage_sidecar::credentials::watch::{Source, Watching};
use vonage_sidecar::files::{self, Failure};
use vonage_sidecar::jwt::generate::{self, Generated};

use super::rig::{Rig, application, in_place, milliseconds, one, pem};

/// A way to update a file.
struct Style {
    name: &'static str,
    /// Lays out the directory with a first text; tells where the file is.
    prepare: fn(&Path, &str) -> PathBuf,
    /// Puts the text of a round there.
    update: fn(&Path, usize, &str),
}

fn plain(root: &Path, text: &str) -> PathBuf {
    let path = root.join("credentials.toml");
    in_place(&path, text);
    path
}

/// A volume as the kubelet lays it out, reached by its mount directory.
fn volume(root: &Path, text: &str) -> PathBuf {
    swap(root, 0, &[("credentials.toml", text)]);
    symlink("..data/credentials.toml", root.join("credentials.toml")).unwrap();
    root.join("credentials.toml")
}

/// What the kubelet does on an update: new directory, new link, rename over `..data`, old directory removed.
fn swap(root: &Path, round: usize, files: &[(&str, &str)]) {
    let new = format!("..2026_{round}");
    fs::create_dir(root.join(&new)).unwrap();
    for (name, text) in files {
        in_place(&root.join(&new).join(name), text);
    }
    symlink(&new, root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    if round > 0 {
        fs::remove_dir_all(root.join(format!("..2026_{}", round - 1))).unwrap();
    }
}

const STYLES: [Style; 9] = [
    Style { name: "rewrite in place", prepare: plain, update: |root, _, text| in_place(&root.join("credentials.toml"), text) },
    Style {
        name: "temp and rename over",
        prepare: plain,
        update: |root, _, text| files::replace(&root.join("credentials.toml"), text.as_bytes(), 0o600).unwrap(),
    },
    Style {
        name: "vim: rename away, create",
        prepare: plain,
        update: |root, _, text| {
            fs::rename(root.join("credentials.toml"), root.join("credentials.toml~")).unwrap();
            in_place(&root.join("credentials.toml"), text);
            fs::remove_file(root.join("credentials.toml~")).unwrap();
        },
    },
    Style {
        name: "sed -i",
        prepare: plain,
        update: |root, round, _| {
            let change = format!("s/secret{}/secret{round}/", round - 1);
            assert!(Command::new("sed").arg("-i").arg(change).arg(root.join("credentials.toml")).status().unwrap().success());
        },
    },
    Style {
        name: "delete, create",
        prepare: plain,
        update: |root, _, text| {
            fs::remove_file(root.join("credentials.toml")).unwrap();
            in_place(&root.join("credentials.toml"), text);
        },
    },
    Style { name: "Kubernetes ..data swap", prepare: volume, update: |root, round, text| swap(root, round, &[("credentials.toml", text)]) },
    Style {
        name: "symlink re-pointed to a file elsewhere",
        prepare: |root, text| {
            fs::create_dir(root.join("version0")).unwrap();
            in_place(&root.join("version0/file"), text);
            symlink("version0/file", root.join("credentials.toml")).unwrap();
            root.join("credentials.toml")
        },
        update: |root, round, text| {
            let version = format!("version{round}");
            fs::create_dir(root.join(&version)).unwrap();
            in_place(&root.join(&version).join("file"), text);
            symlink(format!("{version}/file"), root.join("new")).unwrap();
            fs::rename(root.join("new"), root.join("credentials.toml")).unwrap();
        },
    },
    Style {
        name: "symlink to a file elsewhere, rewritten there",
        prepare: |root, text| {
            fs::create_dir(root.join("elsewhere")).unwrap();
            fs::create_dir(root.join("here")).unwrap();
            in_place(&root.join("elsewhere/file"), text);
            symlink("../elsewhere/file", root.join("here/credentials.toml")).unwrap();
            root.join("here/credentials.toml")
        },
        update: |root, _, text| in_place(&root.join("elsewhere/file"), text),
    },
    Style {
        name: "directory moved away, another one moved in",
        prepare: |root, text| {
            symlink("current", root.join("link")).unwrap();
            fs::create_dir(root.join("current")).unwrap();
            plain(&root.join("current"), text);
            root.join("link/credentials.toml")
        },
        update: |root, round, text| {
            fs::create_dir(root.join("next")).unwrap();
            plain(&root.join("next"), text);
            fs::rename(root.join("current"), root.join(format!("old{round}"))).unwrap();
            fs::rename(root.join("next"), root.join("current")).unwrap();
        },
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_update_style_is_seen_by_events_three_times_in_a_row() {
    for style in &STYLES {
        let rig = Rig::prepared(Watching::Events, |root| (style.prepare)(root, &one("secret0"))).await;
        assert_eq!(rig.generation(), 1, "{}: the first read is done before the start comes back", style.name);
        for round in 1..=3 {
            let secret = format!("secret{round}");
            (style.update)(rig.root(), round, &one(&secret));
            let took = rig.until_secret(&secret).await;
            println!("{}: {} ms", style.name, took.as_millis());
            assert!(took < Duration::from_secs(1), "{}: {took:?} is the poll, not an event", style.name);
        }
        assert_eq!(rig.reload.status().source, Source::Events, "{}", style.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_update_style_is_seen_by_polling() {
    let runs: Vec<_> = STYLES
        .iter()
        .map(|style| {
            tokio::spawn(async move {
                let rig = Rig::prepared(Watching::Polling, |root| (style.prepare)(root, &one("secret0"))).await;
                (style.update)(rig.root(), 1, &one("secret1"));
                let took = rig.until_secret("secret1").await;
                assert!(took < Duration::from_secs(4), "{}: {took:?}", style.name);
                assert_eq!(rig.reload.status().source, Source::Polling("by choice".to_owned()));
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_is_in_use_within_a_tenth_of_a_second() {
    let rig = Rig::with(&one("secret0"), Watching::Events).await;
    let mut took = Vec::new();
    for round in 1..=100 {
        let secret = format!("secret{round}");
        // The rhythm of the writer: sometimes right after the last read, sometimes long after it.
        tokio::time::sleep(Duration::from_millis(round * 37 % 100)).await;
        files::replace(&rig.path, one(&secret).as_bytes(), 0o600).unwrap();
        took.push(rig.until_secret(&secret).await);
    }
    took.sort();
    println!("rename to use: p50 {:?}, p99 {:?}, max {:?}", took[49], took[98], took[99]);
    // The promise is 100 ms; the bound leaves room for a machine that is busy with other tests.
    assert!(took[98] <= Duration::from_millis(250), "{:?}", took[98]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_reading_is_not_an_event() {
    let rig = Rig::with(&one("secret"), Watching::Events).await;
    rig.read_once_more().await;
    let before = rig.reload.status().counts.reads;
    // Not a wait for something: the time in which a loop would show.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let reads = rig.reload.status().counts.reads - before;
    assert!(reads <= 2, "{reads} reads while nothing happened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_are_the_same_generation() {
    let rig = Rig::with(&one("secret"), Watching::Events).await;
    fs::set_permissions(&rig.path, fs::Permissions::from_mode(0o600)).unwrap();
    rig.read_once_more().await;
    in_place(&rig.path, &one("secret"));
    rig.read_once_more().await;
    files::replace(&rig.path, one("secret").as_bytes(), 0o600).unwrap();
    rig.read_once_more().await;
    let status = rig.reload.status();
    assert!(status.counts.unchanged >= 3, "{status:?}");
    assert_eq!((rig.generation(), status.counts.published, status.error), (1, 1, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_quick_rewrites_the_last_one_wins() {
    let rig = Rig::with(&one("secret0"), Watching::Events).await;
    for round in 1..=10 {
        in_place(&rig.path, &one("between"));
        in_place(&rig.path, &one(&format!("secret{round}")));
        rig.until_secret(&format!("secret{round}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rewrites_are_few_reads_and_the_last_one_wins() {
    let rig = Rig::with(&one("secret0"), Watching::Events).await;
    let (began, before) = (clock::now(), rig.reload.status().counts.reads);
    for round in 1..=1000 {
        files::replace(&rig.path, one(&format!("secret{round}")).as_bytes(), 0o600).unwrap();
    }
    let took = rig.until_secret("secret1000").await;
    let reads = u128::from(rig.reload.status().counts.reads - before);
    println!("1000 rewrites: {reads} reads, the last one in use after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(reads <= milliseconds(began) / 50 + 2, "{reads} reads in {} ms", milliseconds(began));
}

#[test]
fn a_picture_never_mixes_two_generations_of_a_volume() {
    let text = |round: usize| one(&format!("secret{round}")) + &application("app", "abcd1234", "key.pem");
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let path = volume(root, &text(0));
    in_place(&root.join("..2026_0/key.pem"), &pem("0"));
    let swaps = 1000;
    std::thread::scope(|scope| {
        let kubelet = scope.spawn(|| {
            for round in 1..=swaps {
                swap(root, round, &[("credentials.toml", &text(round)), ("key.pem", &pem(&round.to_string()))]);
            }
        });
        let (mut pictures, mut given_up) = (0, 0);
        while !kubelet.is_finished() {
            match read::picture(&path, Modes::Warn) {
                Ok(picture) => {
                    let key = picture.referenced[Path::new("key.pem")].as_ref().unwrap_or_else(|why| panic!("no key: {why}"));
                    let round = picture.text().split(['"', 't']).find_map(|word| word.parse::<usize>().ok()).unwrap();
                    assert_eq!(key.as_slice(), pem(&round.to_string()).as_bytes());
                    pictures += 1;
                }
                // At thousands of swaps a second a path may not hold still, or be gone at each look.
                Err(Unreadable::Restless | Unreadable::File(Failure::Missing)) => given_up += 1,
                Err(why) => panic!("{why}"),
            }
        }
        println!("{swaps} swaps: {pictures} pictures, {given_up} given up");
        assert!(pictures > 0);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_named_is_read_beside_the_real_file_and_watched_like_it() {
    let (first, second) = (generate::key_pair().unwrap(), generate::key_pair().unwrap());
    let rig = Rig::prepared(Watching::Events, |root| {
        fs::create_dir_all(root.join("real/keys")).unwrap();
        in_place(&root.join("real/keys/one.pem"), first.private.as_pem());
        plain(&root.join("real"), &(one("secret") + &application("app", "abcd1234", "keys/one.pem")));
        symlink("real/credentials.toml", root.join("linked.toml")).unwrap();
        root.join("linked.toml")
    })
    .await;
    let has = |pair: &Generated| rig.store.load().application("app").unwrap().keys[0].value.key.public_pem() == pair.public;
    assert!(has(&first));
    files::replace(&rig.root().join("real/keys/one.pem"), second.private.as_pem().as_bytes(), 0o600).unwrap();
    let took = rig.until_snapshot(|snapshot| snapshot.generation.0 == 2).await;
    assert!(took < Duration::from_secs(1) && has(&second), "{took:?}");
}
