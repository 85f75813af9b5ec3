//! RSA keys of applications: what a public key verifies, which one counts where while a change spreads, a fresh pair.
//!
//! A replaced key is good until a host's lag for revoked values has passed, the new one after its lag for new values.
//! How long the provider takes is not stated.
//!
//! Facts: application.v2 2.4.1 (one public key per application), "JWT" guide (RS256).

use std::time::Instant;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::lag::Lag;

/// Characters of base64 on a line of PEM.
const LINE: usize = 64;

/// A public key as it was written, and the key itself unless it cannot be read.
pub(in crate::emulator) struct PublicKey {
    pub(super) pem: String,
    parsed: Option<ParsedPublicKey>,
}

impl PublicKey {
    pub(in crate::emulator) fn new(pem: &str) -> Self {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok();
        let parsed = der.and_then(|der| ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).ok());
        Self { pem: pem.to_owned(), parsed }
    }

    /// Whether it is an RSA key of 2048 bits or more; one that is not verifies nothing.
    pub(in crate::emulator) fn is_usable(&self) -> bool {
        self.parsed.is_some()
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.as_ref().is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

struct Held {
    key: PublicKey,
    accepted: u64,
    /// None: there from the start, so good everywhere.
    born: Option<Instant>,
    replaced: Option<Instant>,
}

impl Held {
    fn is_accepted(&self, lag: Lag, now: Instant) -> bool {
        let arrived = self.born.is_none_or(|born| now.duration_since(born) >= lag.new);
        let gone = self.replaced.is_some_and(|replaced| now.duration_since(replaced) >= lag.revoked);
        arrived && !gone
    }
}

/// The keys that an application had, the newest last.
#[derive(Default)]
pub(in crate::emulator) struct Keyring(Vec<Held>);

/// Replaced keys that are remembered, so that a long test does not grow.
const REMEMBERED: usize = 64;

impl Keyring {
    /// One that is good everywhere at once.
    pub(in crate::emulator) fn of(key: PublicKey) -> Self {
        Self(vec![Held { key, accepted: 0, born: None, replaced: None }])
    }

    /// Puts a key in the place of the newest. The same key again changes nothing.
    pub(in crate::emulator) fn replace(&mut self, key: PublicKey, now: Instant) -> bool {
        if self.current() == Some(key.pem.as_str()) {
            return false;
        }
        if let Some(last) = self.0.last_mut() {
            last.replaced = Some(now);
        }
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Held { key, accepted: 0, born: Some(now), replaced: None });
        true
    }

    /// The key that the resource shows.
    pub(in crate::emulator) fn current(&self) -> Option<&str> {
        self.0.last().map(|held| held.key.pem.as_str())
    }

    /// Whether a signature is good now where changes take this long. Without any key, every signature is. Counts the use.
    pub(in crate::emulator) fn verify(&mut self, message: &[u8], signature: &[u8], lag: Lag, now: Instant) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let good = self.0.iter_mut().find(|held| held.is_accepted(lag, now) && held.key.verifies(message, signature));
        good.map(|held| held.accepted += 1).is_some()
    }

    /// How often a key was good.
    pub(in crate::emulator) fn accepted(&self, pem: &str) -> u64 {
        self.0.iter().filter(|held| held.key.pem == pem).map(|held| held.accepted).sum()
    }
}

/// A pair that the provider made.
pub(in crate::emulator) struct Pair {
    pub(in crate::emulator) public: String,
    pub(in crate::emulator) private: String,
}

/// Makes a pair of 2048 bits; nothing if the system has no randomness.
pub(in crate::emulator) fn make_pair() -> Option<Pair> {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    Some(Pair { public: pem("PUBLIC KEY", public.as_ref()), private: pem("PRIVATE KEY", private.as_ref()) })
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(LINE).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    /// The example of RFC 7515, appendix A.2: its key, what is signed, the signature.
    const EXAMPLE_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n\
        NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n\
        P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n\
        9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n\
        EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n\
        FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n\
        oQIDAQAB\n-----END PUBLIC KEY-----\n";
    const EXAMPLE_MESSAGE: &str = "eyJhbGciOiJSUzI1NiJ9.\
         eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const EXAMPLE_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ\
        jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt\
        FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    fn example() -> (&'static str, Vec<u8>) {
        (EXAMPLE_MESSAGE, URL_SAFE_NO_PAD.decode(EXAMPLE_SIGNATURE).unwrap())
    }

    #[test]
    fn the_example_of_the_standard_verifies_and_a_changed_one_does_not() {
        let (message, signature) = example();
        let key = PublicKey::new(EXAMPLE_KEY);
        assert!(key.is_usable() && key.verifies(message.as_bytes(), &signature));
        assert!(!key.verifies(format!("{message}x").as_bytes(), &signature));
        assert!(!key.verifies(message.as_bytes(), &signature[1..]));
    }

    #[test]
    fn what_is_no_public_key_verifies_nothing() {
        let pair = make_pair().unwrap();
        for text in ["", "PEM", pair.private.as_str(), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert!(!PublicKey::new(text).is_usable(), "{text}");
        }
        assert!(PublicKey::new(&pair.public).is_usable());
    }

    #[test]
    fn a_replaced_key_counts_until_its_lag_has_passed_and_the_new_one_after_its_own() {
        let (message, signature) = example();
        let mut keys = Keyring::of(PublicKey::new(EXAMPLE_KEY));
        let begun = crate::clock::now();
        let lag = Lag { new: Duration::from_secs(2), revoked: Duration::from_secs(5) };
        let other = make_pair().unwrap().public;
        assert!(keys.replace(PublicKey::new(&other), begun));
        assert!(!keys.replace(PublicKey::new(&other), begun), "the same again");
        assert_eq!(keys.current(), Some(other.as_str()));
        let mut good = |seconds| keys.verify(message.as_bytes(), &signature, lag, begun + Duration::from_secs(seconds));
        assert_eq!([good(0), good(4), good(5)], [true, true, false]);
        assert_eq!(keys.accepted(EXAMPLE_KEY), 2);
        let mut back = Keyring::of(PublicKey::new(&other));
        back.replace(PublicKey::new(EXAMPLE_KEY), begun);
        let mut good = |seconds| back.verify(message.as_bytes(), &signature, lag, begun + Duration::from_secs(seconds));
        assert_eq!([good(1), good(2)], [false, true]);
    }
}
