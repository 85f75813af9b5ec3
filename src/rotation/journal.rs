//! What is written down between two steps, so that any process can go on from there.
//!
//! The text is JSON with a `schema`. It only grows within a number: readers ignore what they do not know, and refuse a
//! later number rather than guess. It holds values of secrets, since one that is not in the credentials file yet is
//! nowhere else; [`mod@value`] is the one way in and out.
//!
//! Not here: keeping it on a disk ([`disk`]), what follows from it (`machine`).

use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Item;
use super::machine::state::State;
use super::plan::Plan;
use crate::secret::{Revision, SecretId};
use crate::vonage::hosts::Host;

pub mod disk;
mod words;

#[cfg(test)]
mod tests;

/// The number of the format.
pub const SCHEMA: u32 = 1;

/// One rotation of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journal {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of the rotation: random, not secret.
    pub rotation: Revision,
    /// When it began.
    #[serde(with = "date_always")]
    pub began_at: SystemTime,
    /// What it is asked to do.
    pub plan: Plan,
    /// Where it is.
    pub state: State,
    /// The secrets that this tool made, this time or before.
    pub made: Vec<SecretId>,
    /// The last secret that was made. Kept after the end, until the file has held it long enough: a file that is
    /// put back from a copy can be mended with it.
    pub latest: Option<Item>,
    /// The secrets that a person said may be revoked.
    pub approved: Vec<SecretId>,
    /// The sidecars seen, by name: a run that resumes must not forget one.
    pub members: Vec<String>,
    /// What happened, in order.
    pub trail: Vec<Entry>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    #[serde(with = "date_always")]
    pub at: SystemTime,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened: the substance of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The account had so many secrets, of which we hold so many that are accepted.
    Checked {
        /// Listed by the provider.
        listed: usize,
        /// Held and accepted.
        live: usize,
    },
    /// A value was thought of.
    Staged,
    /// The provider made it.
    Created {
        /// Its id.
        id: SecretId,
    },
    /// A secret whose creation was never answered proved to be ours.
    Adopted {
        /// Its id.
        id: SecretId,
    },
    /// A host accepted it steadily.
    Proven {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the first acceptance of the row.
        after_ms: u64,
    },
    /// The credentials file was written and read back.
    Deployed {
        /// Its mark.
        revision: Revision,
    },
    /// Every sidecar can do without the old secret.
    Converged {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// The deadline passed with these behind.
    LeftBehind {
        /// Their names.
        members: Vec<String>,
    },
    /// Nobody used the old secret for the soak.
    Quiet {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// A sidecar that is gone does not count any more.
    Dropped {
        /// Its name.
        member: String,
    },
    /// A secret was revoked.
    Revoked {
        /// Its id.
        id: SecretId,
    },
    /// The file has no revoked secret.
    Tidied,
    /// A host refuses what was revoked.
    Refused {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the refusal.
        after_ms: u64,
    },
    /// A person asked to go back.
    AbortAsked,
    /// It is over.
    Ended {
        /// How.
        ending: super::halt::Ending,
    },
}

impl Fact {
    pub(super) fn proven(host: Host, after_ms: u64) -> Self {
        Self::Proven { host: host.to_string(), after_ms }
    }

    pub(super) fn refused(host: Host, after_ms: u64) -> Self {
        Self::Refused { host: host.to_string(), after_ms }
    }
}

/// A text that is no journal of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is of a later version.
    #[error("the journal has schema {0} and this program knows {SCHEMA}; finish the rotation with the newer program")]
    Newer(u32),
    /// It is no journal. Carries the place, not the words: they may hold a value.
    #[error(
        "the journal cannot be read at line {line}, column {column}; put it back from a copy, or move it away and look at `secrets list` for a secret that nobody holds"
    )]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// What is kept on a disk between two steps: one kind of journal. All kinds are of one schema.
pub trait Kept: Sized {
    /// As text.
    fn to_text(&self) -> Zeroizing<String>;
    /// From text.
    fn parse(text: &str) -> Result<Self, Unusable>;
}

impl Kept for Journal {
    fn to_text(&self) -> Zeroizing<String> {
        text_of(self)
    }

    fn parse(text: &str) -> Result<Self, Unusable> {
        parsed(text)
    }
}

impl Journal {
    /// Whether there is nothing left to do: what is kept is for the next rotation.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// Whether nothing was decided yet.
    pub fn is_at_the_beginning(&self) -> bool {
        matches!(self.state, State::Check)
    }

    /// As text.
    pub fn to_text(&self) -> Zeroizing<String> {
        text_of(self)
    }

    /// From text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        parsed(text)
    }
}

pub(super) fn text_of(journal: &impl Serialize) -> Zeroizing<String> {
    // Every part has a form in JSON: keys are words, dates are after 1970.
    Zeroizing::new(serde_json::to_string_pretty(journal).unwrap_or_default())
}

pub(super) fn parsed<J: DeserializeOwned>(text: &str) -> Result<J, Unusable> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let malformed = |error: serde_json::Error| Unusable::Malformed { line: error.line(), column: error.column() };
    let head: Head = serde_json::from_str(text).map_err(malformed)?;
    if head.schema > SCHEMA {
        return Err(Unusable::Newer(head.schema));
    }
    serde_json::from_str(text).map_err(malformed)
}

/// The one way of a value into a journal and out of it.
pub mod value {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use zeroize::Zeroizing;

    use crate::secret::ApiSecret;

    /// Writes it.
    pub fn serialize<S: Serializer>(value: &ApiSecret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.written())
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ApiSecret, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        ApiSecret::parse(&text).map_err(|malformed| D::Error::custom(format_args!("a value {malformed}")))
    }

    /// A list of them.
    pub mod list {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::secret::ApiSecret;

        #[derive(Serialize, Deserialize)]
        struct One(#[serde(with = "super")] ApiSecret);

        /// Writes it.
        pub fn serialize<S: Serializer>(values: &[ApiSecret], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(values.iter().map(|value| One(value.clone())))
        }

        /// Reads it.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ApiSecret>, D::Error> {
            Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
        }
    }
}

/// Spans as people write them: `1m 30s`.
pub mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes it.
    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*span))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Dates in RFC 3339, or none.
pub mod date {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Writes it.
    pub fn serialize<S: Serializer>(date: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
        date.map(|date| humantime::format_rfc3339(date).to_string()).serialize(to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| humantime::parse_rfc3339_weak(&text).map_err(D::Error::custom)).transpose()
    }
}

/// Dates in RFC 3339.
pub(super) mod date_always {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::rotation) fn serialize<S: Serializer>(date: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(*date))
    }

    pub(in crate::rotation) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        humantime::parse_rfc3339_weak(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}
