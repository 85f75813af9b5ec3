//! What `[rotation]` may say.

use serde::Deserialize;
use toml::Spanned;

use super::{Flag, Measure, Text, Token};

/// Several texts, each with its place.
pub type Texts = Vec<Spanned<String>>;

/// `[rotation]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Rotation {
    /// Where journals and reports are.
    pub state_dir: Text,
    /// The host of Secret Management.
    pub host: Text,
    /// How long a new secret is proven.
    pub prove_for: Measure,
    /// How long an old one must rest.
    pub soak: Measure,
    /// How much older the file of a new member may be.
    pub overlap: Measure,
    /// How long a step is tried again.
    pub give_up: Measure,
    /// How long an emergency waits for members.
    pub deadline: Measure,
    /// Which revokes a person approves.
    pub approve: Text,
    /// Who rotates what is due.
    pub schedule: Text,
    /// Whether `state_dir` survives a restart whatever it looks like.
    pub state_dir_persists: Flag,
    /// `[[rotation.policy]]`
    pub policy: Vec<Spanned<Policy>>,
    /// `[rotation.sinks]`
    pub sinks: Sinks,
    /// `[rotation.fleet]`
    pub fleet: Option<Spanned<Fleet>>,
    /// `[rotation.notify]`
    pub notify: Option<Spanned<Notify>>,
}

/// `[[rotation.policy]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Policy {
    /// Which accounts.
    pub r#match: Text,
    /// The oldest that a secret may be.
    pub max_age: Measure,
    /// How often it is rotated.
    pub every: Measure,
    /// The hours in which that may begin.
    pub window: Text,
    /// How far beginnings are spread.
    pub jitter: Measure,
}

/// `[rotation.sinks]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Sinks {
    /// `[[rotation.sinks.file]]`
    pub file: Vec<Spanned<FileSink>>,
    /// `[[rotation.sinks.command]]`
    pub command: Vec<Spanned<CommandSink>>,
}

/// `[[rotation.sinks.file]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct FileSink {
    /// The file.
    pub path: Text,
    /// The only accounts.
    pub accounts: Option<Texts>,
    /// The only applications.
    pub applications: Option<Texts>,
}

/// `[[rotation.sinks.command]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct CommandSink {
    /// The program and its arguments.
    pub run: Texts,
    /// The same for trying it out.
    pub check: Option<Texts>,
    /// How long it may take.
    pub timeout: Measure,
    /// The only accounts.
    pub accounts: Option<Texts>,
    /// The only applications.
    pub applications: Option<Texts>,
}

/// `[rotation.fleet]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Fleet {
    /// Addresses.
    pub members: Texts,
    /// A name with all their addresses.
    pub dns: Text,
    /// What prints their status.
    pub command: Texts,
    /// How many there are.
    pub expect: Option<Spanned<i64>>,
    /// What opens their status.
    pub token: Option<Spanned<Token>>,
}

/// `[rotation.notify]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Notify {
    /// The program and its arguments.
    pub command: Texts,
    /// Where to post.
    pub webhook: Text,
    /// How long either may take.
    pub timeout: Measure,
}
