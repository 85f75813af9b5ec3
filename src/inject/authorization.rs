//! Reads a value of `Authorization` or its kin, as leniently as any server does: what was meant for Basic names an
//! account, and must not count as nothing. Pure.
//!
//! Facts: RFC 9110 §11.4; RFC 7617 §2 (no character set is defined: UTF-8, else Latin-1); RFC 4648 §3.2 and §5 (padding may
//! be left out, and there is a second alphabet).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use zeroize::Zeroizing;

/// With padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a value says.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorization<'v> {
    /// Basic.
    Basic {
        /// The user, which is the key.
        user: String,
        /// The password, which is the secret; empty if there is none.
        password: Zeroizing<String>,
    },
    /// Basic that cannot be decoded.
    BrokenBasic,
    /// A bearer token, as it stands there.
    Bearer(&'v str),
    /// Another scheme, or none.
    Other,
}

/// Reads a value.
pub fn read(value: &HeaderValue) -> Authorization<'_> {
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        Authorization::Bearer(std::str::from_utf8(rest).unwrap_or_default())
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        basic(rest)
    } else {
        Authorization::Other
    }
}

fn basic(encoded: &[u8]) -> Authorization<'static> {
    let standard = |byte: &u8| match *byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let encoded = Zeroizing::new(encoded.iter().map(standard).collect::<Vec<u8>>());
    let Ok(pair) = LENIENT.decode(encoded.as_slice()).map(Zeroizing::new) else { return Authorization::BrokenBasic };
    let mut parts = pair.splitn(2, |byte| *byte == b':').map(text);
    let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Authorization::Basic { user, password: Zeroizing::new(password) }
}

fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static [u8]) -> Authorization<'static> {
        // Leaked, so that what is read may be kept.
        read(Box::leak(Box::new(HeaderValue::from_bytes(value).unwrap())))
    }

    fn pair(user: &str, password: &str) -> Authorization<'static> {
        Authorization::Basic { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) }
    }

    #[test]
    fn basic_is_read_however_it_is_encoded() {
        for value in [
            &b"Basic b3RoZXI1Njc6cGxhY2Vob2xkZXI="[..],
            b"Basic b3RoZXI1Njc6cGxhY2Vob2xkZXI",
            b" basic\tb3RoZXI1Njc6cGxhY2Vob2xkZXI= ",
            b"BASIC   b3RoZXI1Njc6cGxhY2Vob2xkZXI",
        ] {
            assert_eq!(of(value), pair("other567", "placeholder"), "{value:?}");
        }
        assert_eq!(of(b"Basic b3RoZXI1Njc6w7_Dvg"), pair("other567", "\u{ff}\u{fe}"), "the other alphabet");
        assert_eq!(of(b"Basic b3RoZXI1Njc6cGzkdHo="), pair("other567", "pl\u{e4}tz"), "Latin-1");
        assert_eq!(of(b"Basic b3RoZXI1Njc"), pair("other567", ""), "no colon");
    }

    #[test]
    fn what_cannot_be_decoded_is_not_nothing() {
        for value in [&b"Basic %%%"[..], b"Basic b3RoZXI1Njc6 x", b"Basic \xe4", b"Basic b3RoZXI1Njc6=cGw"] {
            assert_eq!(of(value), Authorization::BrokenBasic, "{value:?}");
        }
        assert_eq!(of(b"Bearer\ta.b.c"), Authorization::Bearer("a.b.c"));
        assert_eq!((of(b"Digest x"), of(b"")), (Authorization::Other, Authorization::Other));
    }
}
