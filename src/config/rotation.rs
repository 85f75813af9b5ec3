//! The settings of rotation: how patient it is, where the new file goes, who the members are, when it is due.
//!
//! Not here: what is done with them (`rotation`), how they are read ([`super::validate`]).

use std::path::PathBuf;
use std::time::Duration;

use super::Token;
use crate::secret::{ApiKey, ApplicationId};
use crate::vonage::hosts::Host;

/// `[rotation]`
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Where journals, staged values and reports are kept.
    pub state_dir: PathBuf,
    /// The host of Secret Management.
    pub host: Host,
    /// How long a new secret must be accepted without a refusal before it is deployed.
    pub prove_for: Duration,
    /// How long no member may have used an old secret before it is revoked.
    pub soak: Duration,
    /// How much older than the file of today the file of a sidecar may be that starts now: an old secret stays valid for
    /// at least as long after a deploy.
    pub overlap: Duration,
    /// How long a failing step is tried again before the rotation parks.
    pub give_up: Duration,
    /// How long an emergency waits for members.
    pub deadline: Duration,
    /// Which revokes wait for a person.
    pub approve: Approve,
    /// What is due when; the first that matches an account counts.
    pub policies: Vec<Policy>,
    /// Where a new credentials file goes; none means the credentials file itself.
    pub sinks: Vec<Sink>,
    /// Who else reads the file; none means the sidecar of these settings.
    pub fleet: Option<Fleet>,
    /// Who is told.
    pub notify: Notify,
    /// Whether the sidecar rotates what is due.
    pub schedule: Schedule,
    /// How it is known that `state_dir` survives a restart.
    pub persistence: Persistence,
}

/// Whether a sidecar of these settings rotates what is due by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// No: `rotate --if-due` does, or nobody.
    Off,
    /// Yes, if this is a place for it.
    Here,
}

/// How it is known that `state_dir` survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// By its file system.
    Checked,
    /// Somebody promises it.
    Promised,
}

/// Which revokes wait for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approve {
    /// Those of secrets that this tool did not make.
    First,
    /// All.
    Always,
    /// None.
    Never,
}

/// `[[rotation.policy]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which accounts: a key, in which `*` stands for any letters.
    pub accounts: String,
    /// The oldest that a secret may become.
    pub max_age: Duration,
    /// At which age it is rotated.
    pub every: Duration,
    /// When a rotation may begin.
    pub window: Window,
    /// How far beginnings are spread.
    pub jitter: Duration,
}

impl Policy {
    /// Whether it is about this account.
    pub fn is_for(&self, account: &ApiKey) -> bool {
        is_match(&self.accounts, account)
    }
}

/// Whether a pattern, in which `*` stands for any letters, matches a key.
pub fn is_match(pattern: &str, account: &ApiKey) -> bool {
    matches(pattern.as_bytes(), account.as_str().as_bytes())
}

/// Whether a pattern with `*` matches a text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text))),
        Some((letter, rest)) => text.split_first().is_some_and(|(first, text)| first == letter && matches(rest, text)),
    }
}

/// The hours of a day (UTC) in which a rotation may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// All of them.
    Always,
    /// From one minute of the day up to another, over midnight when the second is the smaller one.
    Between {
        /// Minutes after midnight.
        from: u32,
        /// Minutes after midnight.
        to: u32,
    },
}

impl Window {
    /// Whether a rotation may begin at this minute of the day.
    pub fn is_open(self, minute: u32) -> bool {
        match self {
            Self::Always => true,
            Self::Between { from, to } if from <= to => (from..to).contains(&minute),
            Self::Between { from, to } => minute >= from || minute < to,
        }
    }
}

/// Where a new credentials file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Into a file on this machine.
    File {
        /// The file.
        path: PathBuf,
        /// What it is to hold.
        projection: Projection,
    },
    /// To a program, on its standard input.
    Command(Command),
}

/// A program that takes a new credentials file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments. Never empty.
    pub run: Vec<String>,
    /// The same for trying it out without a change. Never empty.
    pub check: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What it is to get.
    pub projection: Projection,
}

/// What of the credentials a sink is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// Everything but accounts that manage others.
    Everything,
    /// These, and nothing else.
    Named {
        /// Keys of accounts.
        accounts: Vec<ApiKey>,
        /// Ids of applications.
        applications: Vec<ApplicationId>,
    },
}

/// `[rotation.fleet]`: everybody who is found in any of these ways is a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Origins that answer `/status`.
    pub members: Vec<String>,
    /// A name and port, all addresses of which are members.
    pub dns: Option<String>,
    /// Prints one status document a line; none is empty.
    pub command: Vec<String>,
    /// How many members there are at least.
    pub expect: usize,
    /// What opens the status of a member on its observe listener.
    pub token: Option<Token>,
}

/// `[rotation.notify]`: who is told how a rotation ended, and of what waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The program and its arguments, which gets the event on its standard input; none is empty.
    pub command: Vec<String>,
    /// The event is posted there.
    pub webhook: Option<String>,
    /// How long either may take.
    pub timeout: Duration,
}

impl Notify {
    /// Whether anybody is told.
    pub fn is_set(&self) -> bool {
        !self.command.is_empty() || self.webhook.is_some()
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self { command: Vec::new(), webhook: None, timeout: Duration::from_secs(10) }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("state"),
            host: Host::API,
            prove_for: Duration::from_secs(10),
            soak: Duration::from_secs(30),
            overlap: Duration::ZERO,
            give_up: Duration::from_mins(1),
            deadline: Duration::from_mins(2),
            approve: Approve::First,
            policies: Vec::new(),
            sinks: Vec::new(),
            fleet: None,
            notify: Notify::default(),
            schedule: Schedule::Off,
            persistence: Persistence::Checked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, key, is) in [
            ("*", "abcd", true),
            ("ab*", "abcd", true),
            ("*cd", "abcd", true),
            ("a*d", "abcd", true),
            ("ab", "abcd", false),
            ("b*", "abcd", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), key.as_bytes()), is, "{pattern}");
        }
    }

    #[test]
    fn a_window_may_lie_over_midnight() {
        let night = Window::Between { from: 23 * 60, to: 60 };
        assert!(night.is_open(23 * 60) && night.is_open(0) && night.is_open(59) && !night.is_open(60) && !night.is_open(720));
        let day = Window::Between { from: 540, to: 1020 };
        assert!(day.is_open(540) && !day.is_open(1020) && !day.is_open(0));
    }
}
