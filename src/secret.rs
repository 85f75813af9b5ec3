//! Identifiers that may be shown and values that may not.
//!
//! Invariants: a value type has no `Display`, no `Serialize`, no `PartialEq` with text; its `Debug` prints a fixed
//! word; it is wiped when dropped; the only ways out are named for what they are for. There is no digest of a
//! value anywhere, since a short secret is found from its digest.
//!
//! Not here: what the provider accepts as a new secret (`rotation`), how a value is put on a request (`inject`).
//! Facts: Vonage, "Secret Management" (8-25 characters) and RFC 7617 §2 (no colon in a Basic user name).

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// Why a text is not an identifier or a value. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing, or nothing but white space.
    #[error("is empty")]
    Empty,
    /// More bytes than any provider value has.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// A byte that cannot be part of it.
    #[error("has {0}")]
    Character(&'static str),
    /// A private key that cannot sign, and why.
    #[error("{0}")]
    Key(&'static str),
}

/// Longest identifier accepted, in bytes. Vonage's API keys have 8 characters, its ids 36.
const LONGEST_ID: usize = 128;
/// Longest secret accepted, in bytes. The provider's limit is 25; more is held so that a change there does not stop us.
const LONGEST_SECRET: usize = 512;

fn identifier(text: &str) -> Result<Arc<str>, Malformed> {
    if text.is_empty() {
        return Err(Malformed::Empty);
    }
    if text.len() > LONGEST_ID {
        return Err(Malformed::TooLong(LONGEST_ID));
    }
    match text.bytes().find(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.')) {
        Some(_) => Err(Malformed::Character("a character other than letters, digits, '-', '_' and '.'")),
        None => Ok(Arc::from(text)),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads one. Letters, digits, `-`, `_` and `.`, at most 128 bytes.
            pub fn parse(text: &str) -> Result<Self, Malformed> {
                identifier(text).map(Self)
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::parse(&text).map_err(|malformed| serde::de::Error::custom(format_args!("{} {malformed}", stringify!($name))))
            }
        }
    };
}

identifier!(
    /// A Vonage API key: the name of an account. May be shown.
    ApiKey
);
identifier!(
    /// The provider's id of a secret: returned by create and shown by list. May be shown.
    SecretId
);
identifier!(
    /// The id of a Vonage application. May be shown.
    ApplicationId
);
identifier!(
    /// The random, non-secret mark that a deploy writes into the credentials file. May be shown.
    Revision
);

macro_rules! value {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<SecretString>);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }

        impl $name {
            /// Whether two are the same, in a time that does not depend on where they differ.
            pub fn same_as(&self, other: &Self) -> bool {
                self.equals(other.text().as_bytes())
            }

            /// The text, for a file of ours or for the body of the call that makes it; wiped when dropped.
            pub fn written(&self) -> zeroize::Zeroizing<String> {
                zeroize::Zeroizing::new(self.text().to_owned())
            }

            /// Text of somebody else, with every occurrence of the value taken out.
            pub fn taken_out_of(&self, text: &str) -> String {
                text.replace(self.text(), "[hidden]")
            }

            /// Whether it is this, in a time that does not depend on where they differ.
            pub fn equals(&self, other: &[u8]) -> bool {
                self.text().as_bytes().ct_eq(other).into()
            }

            #[expect(clippy::disallowed_methods, reason = "the one private way to the text; every public method says what it is for")]
            fn text(&self) -> &str {
                self.0.expose_secret()
            }
        }
    };
}

value!(
    /// An API secret: the password of an account.
    ApiSecret
);
value!(
    /// A signature secret: signs SMS requests.
    SignatureSecret
);
value!(
    /// A private key in PEM: signs the tokens of an application.
    PrivateKeyPem
);
value!(
    /// A token that callers or operators of the sidecar itself present.
    AccessToken
);

/// Printable ASCII without spaces around or inside, which is what every form of injection can carry unchanged.
fn password(text: &str) -> Result<Arc<SecretString>, Malformed> {
    if text.trim().is_empty() {
        return Err(Malformed::Empty);
    }
    if text.len() > LONGEST_SECRET {
        return Err(Malformed::TooLong(LONGEST_SECRET));
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Malformed::Character("a control character or a line break"));
    }
    if text.bytes().any(|byte| byte == b' ') {
        return Err(Malformed::Character("a space"));
    }
    if !text.is_ascii() {
        return Err(Malformed::Character("a character outside ASCII"));
    }
    Ok(Arc::new(SecretString::from(text)))
}

impl ApiSecret {
    /// Reads one: printable ASCII without spaces, at most 512 bytes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        password(text).map(Self)
    }

    /// The text, for a request that carries it as a parameter or in its path.
    pub fn as_parameter(&self) -> &str {
        self.text()
    }

    /// The value of an `Authorization` header that presents this secret for `key` (RFC 7617), marked sensitive so
    /// that HTTP/2 never indexes it and `Debug` never shows it.
    pub fn basic(&self, key: &ApiKey) -> HeaderValue {
        let pair = zeroize::Zeroizing::new(format!("{key}:{}", self.text()));
        let header = zeroize::Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        // Base64 is always a legal header value; an empty one would be refused by the provider, never leak.
        let mut value = HeaderValue::from_str(&header).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

impl SignatureSecret {
    /// Reads one: printable ASCII without spaces, at most 512 bytes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        password(text).map(Self)
    }

    /// The text, for signing with it.
    pub fn as_signing_key(&self) -> &str {
        self.text()
    }
}

impl AccessToken {
    /// A shorter one can be guessed.
    pub const SHORTEST: usize = 16;

    /// Reads one: printable ASCII without spaces, at most 512 bytes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        password(text).map(Self)
    }
}

impl PrivateKeyPem {
    /// Reads one: text with a PEM block of a private key. Whether there is a key in it, `jwt` finds out.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.trim().is_empty() {
            return Err(Malformed::Empty);
        }
        if !text.contains("-----BEGIN ") || !text.contains("PRIVATE KEY-----") {
            return Err(Malformed::Character("no PEM block of a private key"));
        }
        Ok(Self(Arc::new(SecretString::from(text))))
    }

    /// The text, for reading the key out of it and for writing it into a file.
    pub fn as_pem(&self) -> &str {
        self.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_prints_itself() {
        let secret = ApiSecret::parse("Sup3rSecretValue").unwrap();
        assert_eq!(format!("{secret:?}"), "ApiSecret(hidden)");
        assert!(!format!("{:?}", secret.basic(&ApiKey::parse("abcd1234").unwrap())).contains("Basic"));
    }

    #[test]
    fn basic_is_the_pair_in_base64() {
        let secret = ApiSecret::parse("open:sesame").unwrap();
        let header = secret.basic(&ApiKey::parse("Aladdin").unwrap());
        assert_eq!(header.as_bytes(), b"Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==");
    }

    #[test]
    fn what_no_header_or_form_could_carry_is_not_a_secret() {
        for bad in ["", "  ", "two words", "line\nbreak", "na\u{ef}ve", "tab\t"] {
            assert!(ApiSecret::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ApiSecret::parse("a&b+c%d\"e:f\\g").is_ok());
    }

    #[test]
    fn a_key_with_a_colon_is_not_a_key() {
        assert!(ApiKey::parse("abc:def").is_err());
    }
}
