//! A host with one sidecar, its files, and an emulated provider.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use vonage_sidecar::emulator::{Control, Options, Running};

use crate::support::caller::Caller;
use crate::support::process::{Ended, Home, Process, free_ports_and, instead_of_vonage, vonage};

pub const KEY: &str = "abcd1234";
pub const OLD: &str = "OldSecret1aaa";

pub struct Host {
    pub home: Home,
    pub emulator: Running,
    pub sidecar: Process,
}

impl Host {
    /// One account with one secret, which the file holds, and a sidecar that serves it. A rotation is as quick as it can be.
    pub async fn new() -> Self {
        Self::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "").await
    }

    /// The same with `rotation` settings beside those that make it quick.
    pub async fn with(options: Options, credentials: &str, rotation: &str) -> Self {
        let host = Self::serving(options, credentials, "").await;
        host.rotates("", rotation, &format!("members = [\"http://{}\"]", host.sidecar.admin[0]));
        host
    }

    /// A sidecar with settings of its own, and none yet for those who rotate.
    pub async fn serving(options: Options, credentials: &str, settings: &str) -> Self {
        let emulator = vonage(options).await;
        let home = Home::new();
        home.write("credentials.toml", credentials);
        let sidecar = home.with_settings(&format!("{}{settings}", free_ports_and(emulator.address()))).await;
        Self { home, emulator, sidecar }
    }

    /// Settings for those who rotate: at the top, of `[rotation]` beside those that make it quick, and of its fleet.
    pub fn rotates(&self, top: &str, rotation: &str, fleet: &str) {
        let hosts = instead_of_vonage(self.emulator.address());
        let quick = "prove_for = \"0s\"\nsoak = \"0s\"\ngive_up = \"2s\"\noverlap = \"0s\"\n";
        self.home.write("sidecar.toml", &format!("{hosts}{top}\n[rotation]\n{quick}{rotation}\n[rotation.fleet]\n{fleet}\n"));
    }

    pub fn vonage(&self) -> &Control {
        self.emulator.control()
    }

    pub async fn run(&self, arguments: &str) -> Ended {
        self.home.run(&arguments.split(' ').collect::<Vec<_>>()).await
    }

    /// Runs to a good end.
    pub async fn does(&self, arguments: &str) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments}: {}{}", ended.out, ended.err);
        ended
    }

    /// Runs to a no with these words and a remedy.
    pub async fn refuses(&self, arguments: &str, words: &str) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(words) && ended.err.contains("\nhint: "), "{words}: {}{}", ended.out, ended.err);
        ended
    }

    /// The ids of the live secrets of an account.
    pub fn ids(&self, key: &str) -> Vec<String> {
        let state = self.vonage().state();
        state["accounts"][key]["secrets"].as_array().unwrap().iter().map(|secret| secret["id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn old_id(&self) -> String {
        self.vonage().secret_id(KEY, OLD).unwrap()
    }

    /// Writes a credentials file with these values and the ids that the provider gave them.
    pub fn holds(&self, values: &[&str]) {
        let id = |value: &str| self.vonage().secret_id(KEY, value).unwrap();
        let items: Vec<String> = values.iter().map(|value| format!("{{ value = \"{value}\", id = \"{}\" }}", id(value))).collect();
        self.home.write("credentials.toml", &format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\n", items.join(", ")));
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.file(name)).unwrap()
    }

    /// The values that the credentials file holds of an account, with their ids.
    pub fn held(&self, key: &str) -> Vec<(String, Option<String>)> {
        use vonage_sidecar::credentials::file;
        let (parsed, problems) = file::parse(&self.home.file("credentials.toml"), &self.text("credentials.toml"), &file::Referenced::new());
        let parsed = parsed.unwrap_or_else(|| panic!("{problems}"));
        let entry = parsed.accounts.iter().find(|entry| entry.key.as_str() == key).unwrap();
        entry.secrets.iter().map(|item| (item.value.written().to_string(), item.label.id.as_ref().map(ToString::to_string))).collect()
    }

    /// The file holds one secret, and it is the only one of the account.
    pub fn is_rotated(&self, key: &str, old: &str) {
        let held = self.held(key);
        let [(value, Some(id))] = held.as_slice() else { panic!("{} secrets are held", held.len()) };
        assert_ne!(value, old);
        assert_eq!(self.ids(key), std::slice::from_ref(id));
        assert_eq!(self.vonage().secret_id(key, value).as_ref(), Some(id));
    }

    /// The reports that were written, oldest first.
    pub fn reports(&self) -> Vec<Value> {
        let Ok(entries) = std::fs::read_dir(self.home.file("state/reports")) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().unwrap() == "json").collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

/// A credentials file with one account.
pub fn one_account(secrets: &[&str]) -> String {
    let items: Vec<String> = secrets.iter().map(|value| format!("\"{value}\"")).collect();
    format!("# ours\n[[account]]\napi_key = \"{KEY}\"\nsecrets = [{}]\n", items.join(", "))
}

/// Callers that send all the time.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    callers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Several callers of a sidecar, one request after the other each.
    pub fn through(sidecar: &Process, callers: usize) -> Self {
        let path = |number: usize| if number.is_multiple_of(2) { "/account/get-balance" } else { "/v2/applications" };
        Self::of(sidecar, &(0..callers).map(path).collect::<Vec<_>>())
    }

    /// A caller for each of these paths.
    pub fn of(sidecar: &Process, paths: &[&'static str]) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers = paths
            .iter()
            .map(|path| {
                let (stop, sent, data, path) = (Arc::clone(&stop), Arc::clone(&sent), sidecar.data[0], *path);
                tokio::spawn(async move {
                    let mut app = Caller::new(data);
                    let mut failed = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let answer = app.get(path).await;
                        if answer.status != 200 {
                            failed.push(format!("{path}: {} {}", answer.status, answer.code()));
                        }
                        sent.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    failed
                })
            })
            .collect();
        Self { stop, sent, callers }
    }

    /// Ends it. Every request was answered well, and there were some.
    pub async fn was_served(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            assert_eq!(caller.await.unwrap(), Vec::<String>::new());
        }
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(sent > 0);
        sent
    }
}
