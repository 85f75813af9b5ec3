//! What is written down between two steps of the rotation of a key pair.
//!
//! Of the same schema as the journal of secrets, and of another kind: `kind` is `keypair`, the file another one. It holds
//! private keys, since one that is not in the credentials file yet is nowhere else; [`pem`] is the one way in and out.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::halt::Ending;
use super::plan::Plan;
use super::state::State;
use crate::rotation::journal::{self, Kept, Unusable, date_always};
use crate::secret::{Revision, SecretId};

/// What kind of journal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// That of a key pair.
    Keypair,
}

/// One rotation of the key pair of one application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journal {
    /// [`journal::SCHEMA`].
    pub schema: u32,
    /// Its kind.
    pub kind: Kind,
    /// The name of the rotation: random, not secret.
    pub rotation: Revision,
    /// When it began.
    #[serde(with = "date_always")]
    pub began_at: SystemTime,
    /// What it is asked to do.
    pub plan: Plan,
    /// Where it is.
    pub state: State,
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
    /// A key was made.
    Staged {
        /// Its name.
        id: SecretId,
    },
    /// The credentials file was written with both and read back.
    Deployed {
        /// Its mark.
        revision: Revision,
    },
    /// Every sidecar holds both.
    Spread {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// The public key is this one's.
    Put {
        /// Its name.
        id: SecretId,
        /// So many tokens for clients, made by the sidecars that were seen, ended with it; none without a fleet.
        client_tokens: Option<u64>,
    },
    /// A host accepted it steadily.
    Proven {
        /// The host.
        host: String,
        /// Milliseconds from the first try to the first acceptance of the row.
        after_ms: u64,
    },
    /// Every sidecar had it accepted.
    Converged {
        /// So many were asked; none without a fleet.
        members: Option<usize>,
    },
    /// A sidecar that is gone does not count any more.
    Dropped {
        /// Its name.
        member: String,
    },
    /// The file has one key.
    Tidied,
    /// A person asked to go back.
    AbortAsked,
    /// It is over.
    Ended {
        /// How.
        ending: Ending,
    },
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Staged { id } => write!(f, "the key {id} is made, and staged on this machine"),
            Self::Deployed { revision } => write!(f, "the credentials file has both keys and is read back, revision {revision}"),
            Self::Spread { members: Some(members) } => write!(f, "both keys are with every sidecar: {members}"),
            Self::Spread { members: None } => f.write_str("whether sidecars hold both keys was not asked"),
            Self::Put { id, client_tokens: Some(tokens) } => {
                write!(f, "the public key is that of {id}; tokens for clients that ended with the other one: at least {tokens}")
            }
            Self::Put { id, client_tokens: None } => {
                write!(f, "the public key is that of {id}; tokens for clients ended with the other one, and nobody counted them")
            }
            Self::Proven { host, after_ms } => write!(f, "{host} accepts tokens of it steadily, for the first time after {after_ms} ms"),
            Self::Converged { members: Some(members) } => write!(f, "it was accepted from every sidecar: {members}"),
            Self::Converged { members: None } => f.write_str("no sidecar was asked"),
            Self::Dropped { member } => {
                write!(f, "{member} left the list and has refused connections for five minutes; it does not count any more")
            }
            Self::Tidied => f.write_str("the credentials file has the key in force alone"),
            Self::AbortAsked => f.write_str("a person asked to go back"),
            Self::Ended { ending } => write!(f, "{}", super::halt::End::Ended(*ending)),
        }
    }
}

impl Kept for Journal {
    fn to_text(&self) -> Zeroizing<String> {
        journal::text_of(self)
    }

    fn parse(text: &str) -> Result<Self, Unusable> {
        journal::parsed(text)
    }
}

/// The one way of a private key into a journal and out of it.
pub mod pem {
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser};
    use zeroize::Zeroizing;

    use crate::jwt::SigningKey;
    use crate::secret::PrivateKeyPem;

    /// Writes it.
    pub fn serialize<S: Serializer>(key: &SigningKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&key.written().ok_or_else(|| ser::Error::custom("a key that cannot be written"))?)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SigningKey, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        let key = PrivateKeyPem::parse(&text).and_then(|pem| SigningKey::parse(&pem));
        key.map_err(|malformed| D::Error::custom(format_args!("a key {malformed}")))
    }

    /// A list of them.
    pub mod list {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::jwt::SigningKey;

        #[derive(Serialize, Deserialize)]
        struct One(#[serde(with = "super")] SigningKey);

        /// Writes it.
        pub fn serialize<S: Serializer>(keys: &[SigningKey], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(keys.iter().map(|key| One(key.clone())))
        }

        /// Reads it.
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SigningKey>, D::Error> {
            Ok(Vec::<One>::deserialize(from)?.into_iter().map(|one| one.0).collect())
        }
    }
}
