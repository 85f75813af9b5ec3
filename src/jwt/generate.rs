//! A fresh RSA key pair: for a new key of an application, and for placeholders.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use zeroize::Zeroizing;

use super::key::{self, SigningKey};
use crate::secret::PrivateKeyPem;

/// A key pair as text. The public half may be shown.
#[derive(Debug, Clone)]
pub struct Generated {
    /// PKCS#8 PEM.
    pub private: PrivateKeyPem,
    /// `SubjectPublicKeyInfo` PEM.
    pub public: String,
}

/// No key could be made: the operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key pair could be made")]
pub struct NoKey;

/// Makes one of 2048 bits, which is what the provider makes. Takes a tenth of a second or so.
pub fn key_pair() -> Result<Generated, NoKey> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| NoKey)?;
    let text = Zeroizing::new(key::pem("PRIVATE KEY", der.as_ref()));
    let private = PrivateKeyPem::parse(&text).map_err(|_| NoKey)?;
    let public = SigningKey::of(pair).ok_or(NoKey)?.public_pem();
    Ok(Generated { private, public })
}
