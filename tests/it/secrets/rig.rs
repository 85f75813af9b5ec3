//! A directory with settings and credentials, and an emulated provider.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::os::unix::fs::PermissionsExt;

use vonage_sidecar::emulator::{AccountSpec, Control, Options, Running};

use crate::support::process::{Ended, Home, instead_of_vonage, vonage};

pub const KEY: &str = "abcd1234";
pub const OLD: &str = "OldSecret1aaa";

pub struct Desk {
    pub home: Home,
    pub emulator: Running,
}

impl Desk {
    /// One account with one secret, which the file holds.
    pub async fn new() -> Self {
        let desk = Self::with(Options::with_account(KEY, &[OLD]), "").await;
        desk.home.write("credentials.toml", &format!("# ours\napi_key = \"{KEY}\"\napi_secret = \"{OLD}\"\n"));
        desk
    }

    /// With settings of its own; proofs take no longer than they must.
    pub async fn with(options: Options, settings: &str) -> Self {
        let emulator = vonage(options).await;
        let home = Home::new();
        let hosts = instead_of_vonage(emulator.address());
        home.write("sidecar.toml", &format!("{hosts}[rotation]\nprove_for = \"0s\"\ngive_up = \"15s\"\n{settings}"));
        Self { home, emulator }
    }

    pub fn vonage(&self) -> &Control {
        self.emulator.control()
    }

    pub async fn run(&self, arguments: &str) -> Ended {
        self.home.run(&arguments.split(' ').collect::<Vec<_>>()).await
    }

    /// Runs to a good end.
    pub async fn does(&self, arguments: &str) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments}: {}{}", ended.out, ended.err);
        ended.out
    }

    /// Runs to a no, with these words and a hint.
    pub async fn refuses(&self, arguments: &str, words: &str) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(words) && ended.err.contains("\nhint: "), "{arguments}: {}", ended.err);
        ended.err
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.file(name)).unwrap()
    }

    pub fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.home.file(name)).unwrap().permissions().mode() & 0o777
    }

    /// The files that are staged.
    pub fn staged(&self) -> Vec<std::path::PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.home.file("state/staged")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The ids of the live secrets of an account.
    pub fn ids(&self, key: &str) -> Vec<String> {
        let state = self.vonage().state();
        state["accounts"][key]["secrets"].as_array().unwrap().iter().map(|secret| secret["id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn id(&self, value: &str) -> String {
        self.vonage().secret_id(KEY, value).unwrap()
    }

    /// The values that a credentials file holds of an account, with their ids.
    pub fn held(&self, name: &str, key: &str) -> Vec<(String, Option<String>)> {
        use vonage_sidecar::credentials::file;
        let (parsed, problems) = file::parse(&self.home.file(name), &self.text(name), &file::Referenced::new());
        let parsed = parsed.unwrap_or_else(|| panic!("{problems}"));
        let entry = parsed.accounts.iter().find(|entry| entry.key.as_str() == key).unwrap();
        entry.secrets.iter().map(|item| (item.value.written().to_string(), item.label.id.as_ref().map(ToString::to_string))).collect()
    }
}

/// A primary account with one subaccount, of which the file holds the primary.
pub async fn family() -> Desk {
    let mut options = Options::with_account("master01", &["Master1234"]);
    options.accounts.push(AccountSpec::new("sub00001", &["SubSecret1"]).under("master01"));
    let desk = Desk::with(options, "").await;
    desk.home.write("credentials.toml", "[[account]]\napi_key = \"master01\"\nsecrets = [\"Master1234\"]\n");
    desk
}
