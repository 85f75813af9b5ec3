//! What is written down of a rotation for those who ask a year later: who, when, which ids, what was proven, by whom it
//! was seen. Never a value, and never a digest of one.
//!
//! The text is JSON with a `schema`, and Markdown for people. It only grows within a number: what a reader does not know
//! it ignores, and what is missing has a default. Dates are RFC 3339 in UTC.
//!
//! Not here: keeping it below `state_dir/reports` (whoever ends a rotation).

use std::fmt::Write as _;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::secret::{ApiKey, SecretId};

/// The number of the format.
pub const SCHEMA: u32 = 1;

/// One rotation, from its begin to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The random name of the rotation.
    pub rotation: String,
    /// The account.
    #[serde(with = "key")]
    pub account: ApiKey,
    /// What it was for.
    pub purpose: Purpose,
    /// Who ran it.
    pub who: Who,
    /// When it began.
    #[serde(with = "date")]
    pub began_at: SystemTime,
    /// When it ended.
    #[serde(with = "date")]
    pub ended_at: SystemTime,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when it did not end as it should; empty otherwise.
    #[serde(default)]
    pub reason: String,
    /// What became of each secret that took part.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// What was asked of the provider about secrets, and what it said.
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// The sidecars whose evidence counted.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Where the new file went.
    #[serde(default)]
    pub sinks: Vec<String>,
    /// What happened, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// What a rotation was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A new secret took the place of the old one.
    Rotate,
    /// A secret was known to others.
    Emergency,
    /// A secret was made, measured and revoked.
    Drill,
    /// A key pair of an application was replaced.
    Application,
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Done,
    /// Taken back.
    Aborted,
    /// Something failed for longer than it is tried again; it can be resumed.
    Parked,
    /// A person must look.
    Stuck,
    /// A person must say yes.
    AwaitingApproval,
}

/// Who ran it, as far as the machine says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The user of the process.
    pub user: String,
    /// The name of the machine.
    pub machine: String,
    /// Of this program.
    pub version: String,
}

/// A secret that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The provider's id.
    #[serde(with = "id")]
    pub id: SecretId,
    /// When the provider made it; none when it did not say.
    #[serde(default, with = "maybe_date")]
    pub created_at: Option<SystemTime>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was made.
    Created,
    /// It was revoked.
    Revoked,
    /// It stays, since others depend on it.
    Kept,
    /// It stays as it was.
    Untouched,
}

/// Answers of the provider about one secret at one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When the last of them came.
    #[serde(with = "date")]
    pub at: SystemTime,
    /// The secret.
    #[serde(with = "id")]
    pub secret: SecretId,
    /// The host.
    pub host: String,
    /// What it said, in one word.
    pub result: String,
    /// How often in a row.
    pub times: u32,
    /// From the first of them to the last.
    pub over_seconds: u64,
}

/// A sidecar whose evidence counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Whether it had the new file and had the new secret accepted.
    pub converged: bool,
    /// How long it had not used the old secret when that was revoked.
    pub quiet_seconds: u64,
    /// Requests that it had served with the new one.
    pub served: u64,
    /// What else is to be known: left the list, left behind.
    pub note: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    #[serde(with = "date")]
    pub at: SystemTime,
    /// What, in words.
    pub what: String,
}

/// Why a text is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAReport {
    /// It is not the JSON of one.
    #[error("is not a report")]
    Malformed,
    /// It is of a later version.
    #[error("is a report of schema {0}, and this version reads {SCHEMA}")]
    Later(u32),
}

/// Reads one.
pub fn parse(text: &[u8]) -> Result<Report, NotAReport> {
    #[derive(Deserialize)]
    struct Numbered {
        schema: u32,
    }
    let Numbered { schema } = serde_json::from_slice(text).map_err(|_| NotAReport::Malformed)?;
    if schema > SCHEMA {
        return Err(NotAReport::Later(schema));
    }
    serde_json::from_slice(text).map_err(|_| NotAReport::Malformed)
}

impl Report {
    /// The name of its file below `state_dir/reports`, without an ending: in the order of time.
    pub fn file_name(&self) -> String {
        let at = humantime::format_rfc3339_seconds(self.ended_at).to_string().replace([':', '-'], "");
        format!("{at}-{}-{}", self.account, self.rotation)
    }

    /// For machines.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let written = self.write_markdown(&mut text);
        debug_assert!(written.is_ok(), "a String takes everything");
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        let day = humantime::format_rfc3339_seconds;
        writeln!(text, "# {} of {}: {}\n", self.purpose, self.account, self.outcome)?;
        if !self.reason.is_empty() {
            writeln!(text, "{}\n", self.reason)?;
        }
        writeln!(text, "- Rotation {}, from {} to {}", self.rotation, day(self.began_at), day(self.ended_at))?;
        writeln!(text, "- Run by {} on {}, vonage-sidecar {}", self.who.user, self.who.machine, self.who.version)?;
        for sink in &self.sinks {
            writeln!(text, "- Delivered to {sink}")?;
        }
        writeln!(text, "\n## Secrets\n\n| id | made | what became of it |\n|---|---|---|")?;
        for secret in &self.secrets {
            let made = secret.created_at.map_or_else(|| "unknown".to_owned(), |at| day(at).to_string());
            writeln!(text, "| {} | {made} | {} |", secret.id, secret.fate)?;
        }
        writeln!(text, "\n## Proofs\n\n| at | secret | host | result | times | over |\n|---|---|---|---|---|---|")?;
        for proof in &self.proofs {
            let Proof { at, secret, host, result, times, over_seconds } = proof;
            writeln!(text, "| {} | {secret} | {host} | {result} | {times} | {over_seconds} s |", day(*at))?;
        }
        writeln!(text, "\n## Members\n\n| member | converged | quiet | served | note |\n|---|---|---|---|---|")?;
        for member in &self.members {
            let Member { name, converged, quiet_seconds, served, note } = member;
            writeln!(text, "| {name} | {} | {quiet_seconds} s | {served} | {note} |", if *converged { "yes" } else { "no" })?;
        }
        writeln!(text, "\n## Steps\n")?;
        self.steps.iter().try_for_each(|step| writeln!(text, "- {} {}", day(step.at), step.what))
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rotate => "Rotation",
            Self::Emergency => "Emergency rotation",
            Self::Drill => "Drill",
            Self::Application => "Rotation of a key pair",
        })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Aborted => "aborted",
            Self::Parked => "parked",
            Self::Stuck => "stuck",
            Self::AwaitingApproval => "awaiting approval",
        })
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Revoked => "revoked",
            Self::Kept => "kept",
            Self::Untouched => "untouched",
        })
    }
}

macro_rules! as_text {
    ($name:ident, $kind:ty, $write:expr, $read:expr) => {
        mod $name {
            use super::*;

            pub(super) fn serialize<S: serde::Serializer>(value: &$kind, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$kind) -> String = $write;
                serializer.serialize_str(&write(value))
            }

            pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<$kind, D::Error> {
                let read: fn(&str) -> Option<$kind> = $read;
                let text = String::deserialize(deserializer)?;
                read(&text).ok_or_else(|| serde::de::Error::custom("of another form"))
            }
        }
    };
}

as_text!(key, ApiKey, ToString::to_string, |text| ApiKey::parse(text).ok());
as_text!(id, SecretId, ToString::to_string, |text| SecretId::parse(text).ok());
as_text!(date, SystemTime, |at| humantime::format_rfc3339_seconds(*at).to_string(), |text| humantime::parse_rfc3339(text).ok());
as_text!(maybe_date, Option<SystemTime>, |at| at.map(|at| humantime::format_rfc3339_seconds(at).to_string()).unwrap_or_default(), |text| {
    if text.is_empty() { Some(None) } else { humantime::parse_rfc3339(text).ok().map(Some) }
});

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report() -> Report {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let id = || SecretId::parse("id-2").unwrap();
        Report {
            schema: SCHEMA,
            rotation: "r-1".to_owned(),
            account: ApiKey::parse("abcd1234").unwrap(),
            purpose: Purpose::Rotate,
            who: Who { user: "ops".to_owned(), machine: "host-1".to_owned(), version: "0.1.0".to_owned() },
            began_at: at,
            ended_at: at + Duration::from_mins(2),
            outcome: Outcome::Done,
            reason: String::new(),
            secrets: vec![Secret { id: id(), created_at: Some(at), fate: Fate::Created }],
            proofs: vec![Proof { at, secret: id(), host: "h".to_owned(), result: "accepted".to_owned(), times: 20, over_seconds: 10 }],
            members: vec![Member { name: "m".to_owned(), converged: true, quiet_seconds: 30, served: 7, note: String::new() }],
            sinks: vec!["credentials.toml".to_owned()],
            steps: vec![Step { at, what: "created id-2".to_owned() }],
        }
    }

    #[test]
    fn a_report_is_read_as_it_was_written_and_its_names_sort_by_time() {
        let report = report();
        assert_eq!(parse(report.json().as_bytes()), Ok(report.clone()));
        assert_eq!(report.file_name(), "20270115T080200Z-abcd1234-r-1");
    }

    #[test]
    fn what_is_missing_has_a_default_and_what_is_new_is_ignored() {
        let text = r#"{"schema":1,"rotation":"r","account":"a","purpose":"drill","who":{},"began_at":"2027-01-15T08:00:00Z",
            "ended_at":"2027-01-15T08:00:00Z","outcome":"stuck","later":1}"#;
        assert_eq!(parse(text.as_bytes()).map(|report| (report.outcome, report.steps.len())), Ok((Outcome::Stuck, 0)));
        assert_eq!(parse(br#"{"schema":2}"#), Err(NotAReport::Later(2)));
        assert_eq!(parse(b"{}"), Err(NotAReport::Malformed));
    }

    #[test]
    fn people_read_the_same_in_a_page() {
        let page = report().markdown();
        for words in
            ["# Rotation of abcd1234: done", "Run by ops on host-1", "| id-2 | 2027-01-15T08:00:00Z | created |", "| m | yes | 30 s | 7 |"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}
