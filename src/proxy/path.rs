//! The one normal form in which a path is decided on (decoded until nothing changes, doubled slashes, `;` parameters,
//! backslashes and a trailing slash resolved, case folded), and what else a server may read in it.
//!
//! The path that is sent stays as the caller wrote it (but for slashes before it), and how its server reads it is not ours to know. So nothing is
//! guessed: a path with a dot segment has no normal form, since servers differ in what `..` takes away, nor has one
//! with an escape that is none. Where another reading would meet a rule that the normal form does not, the request is
//! refused, so no spelling opens what another one closes.
//!
//! Facts: RFC 3986 §2.1 (escapes), §3.3 (`;`), §4.2 (`//` begins a host), §5.2.4 (`..` takes an empty segment, too;
//! nginx merges slashes first, Tomcat cuts parameters first).

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hostile;

/// More layers of escaping than anyone means.
const MOST_LAYERS: usize = 8;

/// What parts segments.
type Separators = &'static [char];

const SLASH: Separators = &['/'];
const SLASHES: Separators = &['/', '\\'];

/// What a server does about `;`.
#[derive(Debug, Clone, Copy)]
enum Parameters {
    /// It is a letter like any other.
    Kept,
    /// A segment ends there.
    CutOffSegments,
    /// The path ends there.
    CutOffPath,
}

/// The normal form of a raw path.
pub fn normal(raw: &str) -> Result<Cow<'_, str>, Hostile> {
    if is_normal(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let layers = layers(raw)?;
    let decoded = layers.last().map_or(raw, String::as_str);
    let segments = segments(decoded, SLASHES, Parameters::CutOffSegments);
    if segments.iter().any(|segment| is_dots(segment)) {
        return Err(Hostile);
    }
    Ok(Cow::Owned(path(&named(&segments))))
}

/// What servers may take a raw path for that has a normal form: decoded fewer times, with `\` as a letter, with `;` as a
/// letter or the end of the path, or with a host behind two slashes.
pub fn readings(raw: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if !raw.contains(['%', '\\', ';']) && !raw.contains("//") {
        return found;
    }
    for text in layers(raw).unwrap_or_default() {
        for separators in [SLASH, SLASHES] {
            for parameters in [Parameters::Kept, Parameters::CutOffSegments, Parameters::CutOffPath] {
                let segments = segments(&text, separators, parameters);
                let names = named(&segments);
                // The first segment is what stands before the first slash.
                if segments.iter().take_while(|segment| segment.is_empty()).count() > 1 {
                    found.insert(path(names.get(1..).unwrap_or_default()));
                }
                found.insert(path(&names));
            }
        }
    }
    found
}

fn segments<'t>(text: &'t str, separators: Separators, parameters: Parameters) -> Vec<&'t str> {
    let before = |text: &'t str| text.split_once(';').map_or(text, |(before, _)| before);
    match parameters {
        Parameters::Kept => text.split(separators).collect(),
        Parameters::CutOffSegments => text.split(separators).map(before).collect(),
        Parameters::CutOffPath => before(text).split(separators).collect(),
    }
}

fn named<'t>(segments: &[&'t str]) -> Vec<&'t str> {
    segments.iter().copied().filter(|segment| !segment.is_empty()).collect()
}

fn path(names: &[&str]) -> String {
    format!("/{}", names.join("/").to_ascii_lowercase())
}

/// A dot segment, or what some servers trim to one.
fn is_dots(segment: &str) -> bool {
    segment.contains('.') && segment.bytes().all(|byte| matches!(byte, b'.' | b' '))
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

/// The path as it is written, then decoded once, twice, until nothing changes.
fn layers(raw: &str) -> Result<Vec<String>, Hostile> {
    if !has_whole_escapes(raw) {
        return Err(Hostile);
    }
    let mut layers = vec![raw.to_owned()];
    while let Some(text) = layers.last() {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| Hostile)?.into_owned();
        // A server that decodes before it splits would see a query or a fragment begin here.
        if decoded.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'?' | b'#')) {
            return Err(Hostile);
        }
        if decoded == *text {
            return Ok(layers);
        }
        layers.push(decoded);
        if layers.len() > MOST_LAYERS {
            return Err(Hostile);
        }
    }
    Err(Hostile)
}

/// Servers differ in what they make of `%zz` and `%u002e`.
fn has_whole_escapes(raw: &str) -> bool {
    raw.split('%').skip(1).all(|rest| matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
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
            "/accounts;v=1/abcd/secrets",
            "/accounts%2fabcd/secrets",
            "/\\accounts\\abcd\\secrets",
        ] {
            assert_eq!(normal(raw).unwrap(), "/accounts/abcd/secrets", "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_meant_has_none() {
        for raw in [
            "/a%00b",
            "/%ff",
            "/%252525252525252525252541",
            "/a%0d%0ab",
            "/accounts%3fa=b",
            "/accounts%2523",
            "/accounts%3f",
            "/a%",
            "/a%2",
            "/%zz",
            "/%u002e%u002e/a",
        ] {
            assert_eq!(normal(raw), Err(Hostile), "{raw}");
        }
    }

    #[test]
    fn a_dot_segment_has_none_whatever_it_would_take_away() {
        for raw in [
            "/x/../accounts",
            "/x/..",
            "/./accounts",
            "/x/.",
            "/x/%2e%2e/accounts",
            "/x/%252e./accounts",
            "/%61ccounts/;/../abcd/secrets",
            "/%61ccounts/x%5c../../abcd/secrets",
            "/sms/..;/accounts",
            "/sms/.;a/accounts",
            "/sms%2f..%2faccounts",
            "/sms\\..\\accounts",
            "/x/..%20/accounts",
            "/x/.../accounts",
        ] {
            assert_eq!(normal(raw), Err(Hostile), "{raw}");
        }
        assert_eq!(normal("/v1/a..b/.well-known/c.").unwrap(), "/v1/a..b/.well-known/c.");
    }

    #[test]
    fn what_else_a_server_may_read_is_known() {
        for (raw, reading) in [
            ("//sms/accounts/abcd", "/accounts/abcd"),
            ("/;a/sms/accounts/abcd", "/accounts/abcd"),
            ("/accounts/abcd;/secrets", "/accounts/abcd"),
            ("/accounts/a%2fb/secrets", "/accounts/a%2fb/secrets"),
            ("/accounts/a%2fb/secrets", "/accounts/a/b/secrets"),
            ("/accounts/a\\b/secrets", "/accounts/a\\b/secrets"),
            ("/accounts/a;b/secrets", "/accounts/a;b/secrets"),
        ] {
            assert!(readings(raw).contains(reading), "{raw}: {:?}", readings(raw));
        }
        assert!(readings("/v1/calls/ABC").is_empty(), "only its case is not the normal one");
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
