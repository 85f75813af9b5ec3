//! A private key that signs the tokens of an application: parsed once, never printed.
//!
//! RSA in PKCS#8 or PKCS#1 PEM, which is what the provider hands out and what `openssl` writes. Signing is RS256:
//! deterministic, so it takes no randomness. Two keys are the same when their public halves are, whatever form they
//! were written in.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use super::claims::Claims;
use crate::secret::{Malformed, PrivateKeyPem};

/// `{"alg":"RS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9";

/// A key that is ready to sign.
#[derive(Clone)]
pub struct SigningKey(Arc<Pair>);

struct Pair {
    pair: KeyPair,
    /// The public half as `SubjectPublicKeyInfo`.
    public: Vec<u8>,
}

/// The signature could not be made; no key that was parsed is known to do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key does not sign")]
pub struct DoesNotSign;

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

impl SigningKey {
    /// Parses one.
    pub fn parse(pem: &PrivateKeyPem) -> Result<Self, Malformed> {
        if pem.as_pem().contains("ENCRYPTED") {
            return Err(Malformed::Key("is encrypted: store it without a passphrase"));
        }
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_pem().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()),
            Ok(_elliptic) => return Err(Malformed::Key("is not an RSA key, and the provider takes no other")),
            Err(_) => return Err(Malformed::Key("is not a readable PEM block of a private key")),
        };
        let pair = pair.map_err(|_| Malformed::Key("is not an RSA private key of at least 2048 bits"))?;
        Self::of(pair).ok_or(Malformed::Key("has no public half"))
    }

    /// Of a pair that was parsed or made.
    pub(super) fn of(pair: KeyPair) -> Option<Self> {
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
        let public = public.as_ref().to_vec();
        Some(Self(Arc::new(Pair { pair, public })))
    }

    /// Whether two are the same pair.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.public == other.0.public
    }

    /// The public half, as the provider wants it in `keys.public_key` of an application.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.public)
    }

    /// Whether this PEM block is its public half, however it is laid out.
    pub fn is_half_of(&self, public_pem: &str) -> bool {
        SubjectPublicKeyInfoDer::from_pem_slice(public_pem.as_bytes()).is_ok_and(|der| der.as_ref() == self.0.public.as_slice())
    }

    /// The private half as PKCS#8 PEM, for a file of ours; wiped when dropped. None when it cannot be written.
    pub fn written(&self) -> Option<Zeroizing<String>> {
        let der: Pkcs8V1Der<'_> = self.0.pair.as_der().ok()?;
        Some(Zeroizing::new(pem("PRIVATE KEY", der.as_ref())))
    }

    /// A token with these claims. Takes about a millisecond.
    pub fn sign(&self, claims: &Claims) -> Result<Token, DoesNotSign> {
        let mut text = Zeroizing::new(format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims.text())));
        let mut signature = vec![0; self.0.pair.public_modulus_len()];
        let signed = self.0.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| DoesNotSign)?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(Token(text))
    }
}

/// A signed token. Whoever has it is the application while it lives.
pub struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl Token {
    /// The text, for the app that asked for a token.
    pub fn hand_out(&self) -> &str {
        &self.0
    }

    /// The value of an `Authorization` header that presents it, marked sensitive.
    pub fn bearer(&self) -> HeaderValue {
        let header = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        // Base64 and dots are always a legal header value; an empty one would be refused by the provider, never leak.
        let mut value = HeaderValue::from_str(&header).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }
}

/// A PEM block (RFC 7468): lines of 64 characters.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let digits = Zeroizing::new(STANDARD.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + "-----END " + label + "-----\n"
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Map;

    use super::*;
    use crate::jwt::claims::LIFE;
    use crate::jwt::generate;
    use crate::secret::ApplicationId;

    /// The inner key of a PKCS#8 document of an RSA-2048 key, as a PKCS#1 document.
    fn as_pkcs1(pem: &PrivateKeyPem) -> PrivateKeyPem {
        let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(pem.as_pem().as_bytes()).unwrap() else { panic!("PKCS#8") };
        PrivateKeyPem::parse(&super::pem("RSA PRIVATE KEY", &der.secret_pkcs8_der()[26..])).unwrap()
    }

    #[test]
    fn both_forms_of_a_key_are_the_same_key_and_sign_what_its_public_half_verifies() {
        let made = generate::key_pair().unwrap();
        let (pkcs8, pkcs1) = (SigningKey::parse(&made.private).unwrap(), SigningKey::parse(&as_pkcs1(&made.private)).unwrap());
        assert!(pkcs8.same_as(&pkcs1));
        assert_eq!(pkcs8.public_pem(), made.public);
        assert!(pkcs1.is_half_of(&made.public.replace('\n', "\r\n")) && !pkcs1.is_half_of(&generate::key_pair().unwrap().public));
        let application = ApplicationId::parse("app-1").unwrap();
        let claims = Claims::new(&application, Map::new(), LIFE, UNIX_EPOCH + LIFE, [7; 16]).unwrap();
        let token = pkcs1.sign(&claims).unwrap();
        assert_eq!(token.hand_out(), pkcs8.sign(&claims).unwrap().hand_out());
        let (signed, signature) = token.hand_out().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &pkcs8.0.public);
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
        assert_eq!(URL_SAFE_NO_PAD.decode(HEADER).unwrap(), br#"{"alg":"RS256","typ":"JWT"}"#);
        let bearer = token.bearer();
        assert!(bearer.is_sensitive() && bearer.as_bytes().starts_with(b"Bearer eyJ"));
        assert_eq!(format!("{token:?} {pkcs8:?}"), "Token(hidden) SigningKey(hidden)");
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_when_it_is_read() {
        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let cut = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
        for bad in [elliptic.as_str(), cut, encrypted] {
            let refused = SigningKey::parse(&PrivateKeyPem::parse(bad).unwrap());
            assert!(matches!(refused, Err(Malformed::Key(_))), "{bad}");
        }
    }
}
