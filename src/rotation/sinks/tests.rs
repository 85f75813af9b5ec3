//! Files and programs as they go wrong: each failure has a reason and a remedy, and the old file is still there.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tempfile::TempDir;

use super::*;
use crate::credentials::Label;
use crate::credentials::file::Item;
use crate::jwt::generate;

const OLD: &str = "# ours\n[[account]]\napi_key = \"abcd1234\"\nsecrets = [\"OldSecret1\"]\nprimary = \"master01\"\n\n[[account]]\napi_key = \"master01\"\nsecrets = [\"Master1234\"]\n";

struct Desk {
    directory: TempDir,
    /// Apart, so that what stands beside the file can be counted.
    _state: TempDir,
    settings: Settings,
}

impl Desk {
    fn new(sinks: Vec<settings::Sink>) -> Self {
        let (directory, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut settings = Settings::default();
        settings.credentials.file = directory.path().join("credentials.toml");
        settings.rotation.state_dir = state.path().to_path_buf();
        settings.rotation.sinks = sinks;
        let desk = Self { directory, _state: state, settings };
        desk.write("credentials.toml", OLD, 0o640);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    async fn deliver(&self) -> Result<(), NotDelivered> {
        Sinks::of(&self.settings).deliver(&delivery(&["OldSecret1"])).await
    }
}

fn key(text: &str) -> ApiKey {
    ApiKey::parse(text).unwrap()
}

fn secret(text: &str) -> ApiSecret {
    ApiSecret::parse(text).unwrap()
}

fn delivery(expect: &[&str]) -> Delivery {
    let item = |text| Item { value: secret(text), label: Label::default() };
    let change = Change::Secrets { account: key("abcd1234"), items: vec![item("NewSecret2"), item("OldSecret1")], primary: None };
    let expect = expect.iter().map(|text| secret(text)).collect();
    Delivery {
        changes: vec![change],
        expect: vec![Expected::Secrets(key("abcd1234"), expect)],
        revision: Revision::parse("rev-2").unwrap(),
    }
}

fn program(script: &str, timeout: Duration, projection: Projection) -> settings::Sink {
    let words = |script: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
    settings::Sink::Command(settings::Command { run: words(script), check: words(script), timeout, projection })
}

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_file_is_changed_in_our_items_only_and_keeps_its_mode() {
    let desk = Desk::new(Vec::new());
    desk.deliver().await.unwrap();
    let new = desk.text("credentials.toml");
    assert_eq!(new, format!("revision = \"rev-2\"\n{}", OLD.replace("[\"OldSecret1\"]", "[\"NewSecret2\", \"OldSecret1\"]")));
    let first = std::fs::metadata(desk.path("credentials.toml")).unwrap();
    assert_eq!(first.mode() & 0o777, 0o640);
    // The same once more writes nothing.
    desk.deliver().await.unwrap();
    assert_eq!(std::fs::metadata(desk.path("credentials.toml")).unwrap().ino(), first.ino());
    assert_eq!(std::fs::read_dir(desk.directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn a_symlink_stays_one_and_the_file_behind_it_is_replaced() {
    let desk = Desk::new(Vec::new());
    std::fs::create_dir(desk.path("real")).unwrap();
    std::fs::rename(desk.path("credentials.toml"), desk.path("real/file")).unwrap();
    std::os::unix::fs::symlink("real/file", desk.path("credentials.toml")).unwrap();
    desk.deliver().await.unwrap();
    assert!(desk.path("credentials.toml").is_symlink() && desk.text("real/file").contains("NewSecret2"));
}

#[tokio::test]
async fn other_values_than_expected_are_somebody_elses_and_stay() {
    let desk = Desk::new(Vec::new());
    let error = Sinks::of(&desk.settings).deliver(&delivery(&["Another123"])).await.unwrap_err();
    assert!(matches!(error, NotDelivered::Moved(..)) && !error.remedy().is_empty(), "{error}");
    assert_eq!(desk.text("credentials.toml"), OLD);
}

#[tokio::test]
async fn other_keys_than_expected_are_somebody_elses_and_stay() {
    let desk = Desk::new(Vec::new());
    let pairs = [0; 3].map(|_| generate::key_pair().unwrap());
    let [held, new, another] = pairs.each_ref().map(|pair| SigningKey::parse(&pair.private).unwrap());
    let pem = held.written().unwrap();
    let file = format!("{OLD}\n[[application]]\nid = \"app-1\"\naccount = \"abcd1234\"\nprivate_keys = [\"\"\"{}\"\"\"]\n", *pem);
    desk.write("credentials.toml", &file, 0o640);
    let application = ApplicationId::parse("app-1").unwrap();
    let delivery = |expect: &SigningKey| Delivery {
        changes: vec![Change::Keys { application: application.clone(), items: vec![Item { value: new.clone(), label: Label::default() }] }],
        expect: vec![Expected::Keys(application.clone(), vec![expect.clone()])],
        revision: Revision::parse("rev-2").unwrap(),
    };
    let sinks = Sinks::of(&desk.settings);
    let error = sinks.deliver(&delivery(&another)).await.unwrap_err();
    assert!(matches!(error, NotDelivered::Moved(..)) && error.to_string().contains("keys of app-1"), "{error}");
    assert_eq!(desk.text("credentials.toml"), file);
    sinks.deliver(&delivery(&held)).await.unwrap();
    assert!(sinks.read().unwrap().parsed.applications[0].keys[0].value.same_as(&new));
}

#[tokio::test]
async fn a_file_that_cannot_take_a_secret_is_told_with_a_remedy_and_stays() {
    let desk = Desk::new(Vec::new());
    desk.write("credentials.toml", OLD, 0o644);
    let everybody = desk.deliver().await.unwrap_err();
    assert!(matches!(everybody, NotDelivered::Readable(..)) && everybody.remedy().contains("chmod"), "{everybody}");
    assert_eq!(desk.text("credentials.toml"), OLD);
    // As the kubelet lays a volume out.
    let volume = Desk::new(Vec::new());
    std::fs::create_dir(volume.path("..2026")).unwrap();
    std::fs::rename(volume.path("credentials.toml"), volume.path("..2026/credentials.toml")).unwrap();
    std::os::unix::fs::symlink("..2026", volume.path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/credentials.toml", volume.path("credentials.toml")).unwrap();
    for outcome in [volume.deliver().await, Sinks::of(&volume.settings).try_out().await.remove(0).1] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, NotDelivered::Projected(_)) && error.remedy().contains("command"), "{error}");
    }
    assert_eq!(volume.text("credentials.toml"), OLD);
}

#[tokio::test]
async fn one_writer_waits_for_another_and_a_change_in_between_is_kept() {
    let desk = Desk::new(Vec::new());
    let path = desk.path("credentials.toml");
    let lock = crate::files::lock(&path, Duration::ZERO).unwrap().unwrap();
    assert!(crate::files::lock(&path, Duration::ZERO).unwrap().is_none());
    let sinks = Sinks::of(&desk.settings);
    let waiting = tokio::spawn(async move { sinks.deliver(&delivery(&["OldSecret1"])).await });
    desk.write("credentials.toml", &OLD.replace("# ours", "# theirs"), 0o640);
    drop(lock);
    waiting.await.unwrap().unwrap();
    assert!(desk.text("credentials.toml").contains("# theirs") && desk.text("credentials.toml").contains("NewSecret2"));
}

#[tokio::test]
async fn another_file_gets_its_accounts_and_never_a_primary_unless_it_is_named() {
    let everything = settings::Sink::File { path: PathBuf::from("app.toml"), projection: Projection::Everything };
    let mut desk = Desk::new(vec![everything]);
    let named =
        |accounts: &[&str]| Projection::Named { accounts: accounts.iter().map(|text| key(text)).collect(), applications: Vec::new() };
    let of_primary = |desk: &Desk| {
        let change = Change::Secrets {
            account: key("master01"),
            items: vec![Item { value: secret("Master5678"), label: Label::default() }],
            primary: None,
        };
        let delivery = Delivery {
            changes: vec![change],
            expect: vec![Expected::Secrets(key("master01"), vec![secret("Master1234")])],
            revision: Revision::parse("rev-3").unwrap(),
        };
        (Sinks::of(&desk.settings), delivery)
    };
    desk.settings.rotation.sinks = vec![settings::Sink::File { path: desk.path("app.toml"), projection: Projection::Everything }];
    desk.deliver().await.unwrap();
    let text = desk.text("app.toml");
    assert!(text.contains("NewSecret2") && text.contains("primary = \"master01\"") && !text.contains("Master"), "{text}");
    let (sinks, delivery) = of_primary(&desk);
    sinks.deliver(&delivery).await.unwrap();
    assert_eq!(desk.text("app.toml"), text, "a primary is not for it");
    desk.settings.rotation.sinks = vec![settings::Sink::File { path: desk.path("app.toml"), projection: named(&["master01"]) }];
    let (sinks, delivery) = of_primary(&desk);
    sinks.deliver(&delivery).await.unwrap();
    assert!(desk.text("app.toml").contains("Master5678"));
}

#[tokio::test]
async fn a_program_gets_its_part_of_the_file_and_its_code_counts() {
    let mut desk = Desk::new(Vec::new());
    let into = |desk: &Desk, name: &str| format!("cat > '{}'", desk.path(name).display());
    desk.settings.rotation.sinks = vec![program(&into(&desk, "out"), LONG, Projection::Everything)];
    desk.deliver().await.unwrap();
    let text = desk.text("out");
    assert!(text.contains("NewSecret2") && text.contains("rev-2") && !text.contains("Master"), "{text}");
    desk.settings.rotation.sinks = vec![program("cat >&2; exit 3", LONG, Projection::Everything)];
    let error = desk.deliver().await.unwrap_err();
    let words = error.to_string();
    assert!(words.contains("exit status: 3") && words.contains("[hidden]") && words.contains("api_key"), "{words}");
    assert!(!words.contains("NewSecret2") && !words.contains("OldSecret1"), "{words}");
    assert_eq!(desk.text("credentials.toml"), OLD);
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_everything_that_it_started() {
    let mut desk = Desk::new(Vec::new());
    let pid = desk.path("pid");
    let script = format!("echo busy >&2; sleep 600 & echo $! > '{}'; wait", pid.display());
    desk.settings.rotation.sinks = vec![program(&script, SHORT, Projection::Everything)];
    let error = desk.deliver().await.unwrap_err();
    assert!(matches!(error, NotDelivered::Hung(..)) && error.to_string().contains("busy"), "{error}");
    let child: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero())).unwrap_or_default();
    let is_over = || state().is_empty() || state().contains(") Z ");
    let wait = async {
        while !is_over() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap();
}

#[tokio::test]
async fn every_sink_is_tried_and_nothing_is_changed_by_it() {
    let mut desk = Desk::new(Vec::new());
    desk.settings.rotation.sinks = vec![
        settings::Sink::File { path: desk.path("credentials.toml"), projection: Projection::Everything },
        settings::Sink::File { path: desk.path("no/such/place.toml"), projection: Projection::Everything },
        program("exit 4", LONG, Projection::Everything),
        program("cat", LONG, Projection::Everything),
        settings::Sink::Command(settings::Command {
            run: vec!["/no/such/program".to_owned()],
            check: vec!["/no/such/program".to_owned()],
            timeout: LONG,
            projection: Projection::Everything,
        }),
    ];
    let tried: Vec<bool> = Sinks::of(&desk.settings).try_out().await.into_iter().map(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(tried, [false, false, true, false, true]);
    assert_eq!((desk.text("credentials.toml").as_str(), std::fs::read_dir(desk.directory.path()).unwrap().count()), (OLD, 1));
}
