//! The one way of a private key into a journal and out of it.

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
