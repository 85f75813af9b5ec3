//! What is written down between two steps, so that any process can go on from there.
//!
//! The text is JSON with a `schema`. It only grows within a number: readers ignore what they do not know, and refuse a
//! later number rather than guess. It holds values of secrets, since one that is not in the credentials file yet is
//! nowhere else; [`mod@value`] is the one way in and out, and [`pem`](super::keypair::pem) that of private keys.
//!
//! Not here: keeping it on a disk ([`disk`]), what follows from it (`machine`).

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::machine::{Kind, State as _};
use super::plan::Plan;
use crate::secret::Revision;

pub mod disk;

#[cfg(test)]
mod tests;

/// The number of the format.
pub const SCHEMA: u32 = 1;

/// One rotation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Journal<K: Kind> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of the rotation: random, not secret.
    pub rotation: Revision,
    /// When it began.
    #[serde(with = "date_always")]
    pub began_at: SystemTime,
    /// What it is asked to do.
    pub plan: Plan<K::Task>,
    /// Where it is.
    pub state: K::State,
    /// What its kind has to know for longer.
    #[serde(flatten)]
    pub memory: K::Memory,
    /// The sidecars seen, by name: a run that resumes must not forget one.
    pub members: Vec<String>,
    /// What happened, in order: the substance of the report.
    pub trail: Vec<Entry<K::Fact>>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<F> {
    /// When.
    #[serde(with = "date_always")]
    pub at: SystemTime,
    /// What.
    #[serde(flatten)]
    pub fact: F,
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

impl<K: Kind> Journal<K> {
    /// Whether there is nothing left to do: what is kept is for the next rotation.
    pub fn is_over(&self) -> bool {
        self.state.is_over()
    }

    /// Whether nothing was decided yet.
    pub fn is_at_the_beginning(&self) -> bool {
        self.state.is_first() && self.trail.is_empty()
    }

    /// Whether it is decided anew what comes next, after something was done.
    pub fn is_between(&self) -> bool {
        self.state.is_first() && !self.trail.is_empty()
    }

    /// As text.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Every part has a form in JSON: keys are words, dates are after 1970.
        Zeroizing::new(serde_json::to_string_pretty(self).unwrap_or_default())
    }

    /// From text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
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
