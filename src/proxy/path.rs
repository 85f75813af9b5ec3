//! The one normal form in which a path is decided on: decoded until nothing changes, dot segments, doubled slashes,
//! `;` parameters, backslashes and a trailing slash resolved, case folded.
//!
//! The path that is sent stays as the caller wrote it. Where raw and normal form would meet different rules, the
//! request is refused, so no spelling opens what another one closes.

use std::borrow::Cow;

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hostile;

/// More layers of escaping than anyone means.
const MOST_LAYERS: usize = 8;

/// The normal form of a raw path.
pub fn normal(raw: &str) -> Result<Cow<'_, str>, Hostile> {
    if is_normal(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let decoded = decode(raw)?;
    let mut kept: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    Ok(Cow::Owned(format!("/{}", kept.join("/").to_ascii_lowercase())))
}

/// Most paths are: small letters, digits and marks, without a dot segment, an empty segment or a trailing slash.
fn is_normal(raw: &str) -> bool {
    let mut previous = b'/';
    let mut bytes = raw.bytes();
    if bytes.next() != Some(b'/') {
        return false;
    }
    for byte in bytes {
        let plain = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'~' | b':' | b'@' | b'.' | b'/');
        if !plain || (previous == b'/' && matches!(byte, b'/' | b'.')) {
            return false;
        }
        previous = byte;
    }
    previous != b'/' || raw == "/"
}

fn decode(raw: &str) -> Result<String, Hostile> {
    let mut text = raw.to_owned();
    for _layer in 0..MOST_LAYERS {
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8().map_err(|_| Hostile)?.into_owned();
        // A server that decodes before it splits would see a query or a fragment begin here.
        if decoded.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'?' | b'#')) {
            return Err(Hostile);
        }
        if decoded == text {
            return Ok(text);
        }
        text = decoded;
    }
    Err(Hostile)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_the_management_plane_has_its_normal_form() {
        for raw in [
            "/accounts/abcd/secrets",
            "/Accounts/abcd/secrets/",
            "//accounts//abcd/secrets",
            "/%61ccounts/abcd/secrets",
            "/%2561ccounts/abcd/secrets",
            "/x/../accounts/abcd/secrets",
            "/x/%2e%2e/accounts/abcd/secrets",
            "/./accounts/abcd/secrets",
            "/accounts;v=1/abcd/secrets",
            "/accounts%2fabcd/secrets",
            "/\\accounts\\abcd\\secrets",
            "/sms/..;/accounts/abcd/secrets",
        ] {
            assert_eq!(normal(raw).unwrap(), "/accounts/abcd/secrets", "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_meant_has_none() {
        for raw in ["/a%00b", "/%ff", "/%252525252525252541", "/a%0d%0ab", "/accounts%3fa=b", "/accounts%2523", "/accounts%3f/../x"] {
            assert_eq!(normal(raw), Err(Hostile), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(raw in "/[a-zA-Z0-9%./;\\\\_-]{0,40}") {
            if let Ok(once) = normal(&raw) {
                prop_assert_eq!(normal(&once).map(Cow::into_owned), Ok(once.clone().into_owned()));
            }
        }
    }
}
