//! What a secret must look like, and how one is made from random bytes.
//!
//! Facts: Vonage, "Secret Management": 8 to 25 characters with a lower case letter, an upper case letter and a digit.
//! Which special characters are taken is not stated, and each is a trap in a form, a query or a shell: made secrets
//! have letters and digits alone, as many as there may be.

use zeroize::Zeroizing;

use crate::secret::ApiSecret;

/// Characters of a secret that is made here: the most that the provider takes.
pub const LENGTH: usize = 25;
/// The fewest that the provider takes.
const SHORTEST: usize = 8;
/// Random bytes that [`make`] is given. A byte is used with a chance of 248 in 256, so that fewer than 25 of 128
/// are used once in far more tries than there will ever be.
pub const RANDOM: usize = 128;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The largest multiple of the alphabet's length in a byte: what is not below it would favour the first letters.
const FAIR: u8 = 248;

/// Why the provider would not take a value. Never carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Shorter or longer than the provider takes.
    #[error("has fewer than {SHORTEST} or more than {LENGTH} characters")]
    Length,
    /// One of the three classes is missing.
    #[error("lacks a lower case letter, an upper case letter or a digit")]
    Classes,
}

/// Whether the provider would take a value.
pub fn check(secret: &ApiSecret) -> Result<(), Breach> {
    let text = secret.written();
    if !(SHORTEST..=LENGTH).contains(&text.chars().count()) {
        return Err(Breach::Length);
    }
    if has_every_class(text.as_bytes()) { Ok(()) } else { Err(Breach::Classes) }
}

/// Makes a secret from random bytes, every possible one equally likely. None when these bytes make none: a class is
/// missing (about one try in seventy), so the caller tries others.
pub fn make(random: &Zeroizing<[u8; RANDOM]>) -> Option<ApiSecret> {
    let fair = random.iter().filter(|byte| **byte < FAIR);
    let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
    let value = Zeroizing::new(letters.take(LENGTH).map(|letter| char::from(*letter)).collect::<String>());
    let is_one = value.len() == LENGTH && has_every_class(value.as_bytes());
    if is_one { ApiSecret::parse(&value).ok() } else { None }
}

fn has_every_class(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase) && text.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_made_meets_the_policy_and_survives_any_encoding(bytes in prop::collection::vec(any::<u8>(), RANDOM)) {
            let random = Zeroizing::new(<[u8; RANDOM]>::try_from(bytes).unwrap());
            if let Some(secret) = make(&random) {
                prop_assert_eq!(check(&secret), Ok(()));
                let text = secret.written();
                prop_assert!(text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
        }
    }

    #[test]
    fn every_letter_is_equally_likely() {
        let mut counts = [0_usize; 256];
        for byte in (0..=u8::MAX).filter(|byte| *byte < FAIR) {
            counts[usize::from(ALPHABET[usize::from(byte) % ALPHABET.len()])] += 1;
        }
        assert!(ALPHABET.iter().all(|letter| counts[usize::from(*letter)] == usize::from(FAIR) / ALPHABET.len()));
    }

    #[test]
    fn bytes_without_a_class_or_too_few_of_use_make_nothing() {
        assert!(make(&Zeroizing::new([0; RANDOM])).is_none());
        assert!(make(&Zeroizing::new([255; RANDOM])).is_none());
    }

    #[test]
    fn the_policy_is_length_and_three_classes() {
        let of = |text: &str| check(&ApiSecret::parse(text).unwrap());
        for good in ["Abcdefg1", "example-4PI-secret", "aB3aB3aB3aB3aB3aB3aB3aB3a"] {
            assert_eq!(of(good), Ok(()), "{good}");
        }
        for bad in ["Abcdef1", "aB3aB3aB3aB3aB3aB3aB3aB3aB"] {
            assert_eq!(of(bad), Err(Breach::Length), "{bad}");
        }
        for bad in ["abcdefg1", "ABCDEFG1", "Abcdefgh"] {
            assert_eq!(of(bad), Err(Breach::Classes), "{bad}");
        }
    }
}
