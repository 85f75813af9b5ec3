//! A caller's path as it may be written down.
//!
//! Invariants: no query, no credential, nothing that ends a line or moves a cursor, never more than [`LONGEST`]
//! bytes. A row that carries its credential in the path shows its template instead. Of a path that no row describes
//! to its end, only words are shown: older calls of the provider take key and secret as segments almost anywhere.

use std::fmt::{self, Write};

/// The most that is shown of a path, in bytes.
pub const LONGEST: usize = 256;
/// Ends a path that was cut.
const CUT: &str = "...";
/// The segment of a template that stands for a secret.
const SECRET: &str = "{secret}";
/// What begins a part that may hold parameters: a query, its escaped form of a caller that escaped twice, path
/// parameters, a fragment.
const PARAMETERS: [&str; 5] = ["?", "%3f", "%3F", ";", "#"];

/// Ends a template that describes the beginning of a path only.
const REST: &str = "/*";
/// Stands for a segment that is not a word.
const NO_WORD: &str = "*";

/// Displays a path safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafePath<'a> {
    path: &'a str,
    known: Known,
}

/// How much is known about the segments of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// What each of them is, and that none is a secret.
    Whole,
    /// Not what each of them is.
    InPart,
}

impl<'a> SafePath<'a> {
    /// Of a request: its path, with the template of its row (`Endpoint::path`) when it has one.
    pub fn new(path: &'a str, template: Option<&'static str>) -> Self {
        match template {
            Some(template) if template.contains(SECRET) => Self { path: template, known: Known::Whole },
            Some(template) if !template.ends_with(REST) => Self { path: before_parameters(path), known: Known::Whole },
            Some(_) | None => Self { path: before_parameters(path), known: Known::InPart },
        }
    }

    /// The segments as they may be shown, before anything is spelt out.
    fn segments(&self) -> impl Iterator<Item = &'a str> {
        let known = self.known;
        self.path.split('/').map(move |segment| match known {
            Known::InPart if !is_word(segment) => NO_WORD,
            Known::Whole | Known::InPart => segment,
        })
    }
}

/// Whether a segment is a part of a name as paths have them: small letters, or a version. A secret that the provider
/// takes has a capital letter and a digit.
fn is_word(segment: &str) -> bool {
    let version = segment.strip_prefix('v').is_some_and(|number| number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit()));
    version || segment.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

fn before_parameters(path: &str) -> &str {
    let end = PARAMETERS.iter().filter_map(|mark| path.find(mark)).min().unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

impl fmt::Display for SafePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::with_capacity(self.path.len().min(LONGEST));
        for (index, segment) in self.segments().enumerate() {
            let slash = if index > 0 { "/" } else { "" };
            for byte in slash.bytes().chain(segment.bytes()) {
                let before = shown.len();
                if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') {
                    shown.push(char::from(byte));
                } else {
                    write!(shown, "\\x{byte:02x}")?;
                }
                if shown.len() > LONGEST {
                    shown.truncate(before.min(LONGEST - CUT.len()));
                    shown.push_str(CUT);
                    return f.write_str(&shown);
                }
            }
        }
        f.write_str(&shown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(path: &str, template: Option<&'static str>) -> String {
        SafePath::new(path, template).to_string()
    }

    #[test]
    fn parameters_are_never_shown() {
        for path in [
            "/sms/json?api_secret=Hidden",
            "/sms/json%3fapi_secret=Hidden",
            "/sms/json%3Fapi_secret=Hidden",
            "/sms/json;s=Hidden",
            "/sms/json#Hidden",
        ] {
            assert_eq!(shown(path, Some("/sms/{format}")), "/sms/json");
        }
    }

    #[test]
    fn a_path_with_a_credential_is_shown_as_its_template() {
        assert_eq!(
            shown("/account/get-balance/abcd/Hidden", Some("/account/get-balance/{key}/{secret}")),
            "/account/get-balance/{key}/{secret}"
        );
    }

    #[test]
    fn of_a_path_that_is_not_known_to_its_end_only_words_are_shown() {
        for (path, expected) in [
            ("/account/get-pricing/outbound/abcd1234/Hidden1/gb", "/account/get-pricing/outbound/*/*/gb"),
            ("/accounts/abcd1234/secrets", "/accounts/*/secrets"),
            ("/v1/new-thing/Hidden", "/v1/new-thing/*"),
            ("//x/%48idden/v12345/v2/", "//x/*/*/v2/"),
            ("*", "*"),
        ] {
            assert_eq!(shown(path, None), expected);
            assert_eq!(shown(path, Some("/*")), expected);
        }
        assert_eq!(shown("/v1/users/USR-1", Some("/v1/users/{id}")), "/v1/users/USR-1");
    }

    #[test]
    fn line_breaks_quotes_and_escapes_are_spelt_out() {
        assert_eq!(shown("/a\r\n\u{1b}[31m\"b\\c\u{e9}", Some("/{any}")), r"/a\x0d\x0a\x1b[31m\x22b\x5cc\xc3\xa9");
    }

    #[test]
    fn a_long_path_is_cut_and_says_so() {
        let path = format!("/{}", "a".repeat(300));
        assert_eq!(shown(&path, None).len(), LONGEST);
        assert!(shown(&path, None).ends_with(CUT));
        let fits = format!("/{}", "a".repeat(LONGEST - 1));
        assert_eq!(shown(&fits, None), fits);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_short_and_printable(path in "\\PC{0,400}|[\\x00-\\x20\\x7f]{0,100}") {
            let text = shown(&path, None);
            prop_assert!(text.len() <= LONGEST);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
