//! A caller's path as it may be written down.
//!
//! Invariants: no query, no credential, nothing that ends a line or moves a cursor, never more than [`LONGEST`]
//! bytes. A row that carries its credential in the path shows its template instead.

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

/// Displays a path safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafePath<'a>(&'a str);

impl<'a> SafePath<'a> {
    /// Of a request: its path, or the template of its row (`Endpoint::path`) when the row has its credential there.
    pub fn new(path: &'a str, template: Option<&'static str>) -> Self {
        match template {
            Some(template) if template.contains(SECRET) => Self(template),
            Some(_) | None => Self(before_parameters(path)),
        }
    }
}

fn before_parameters(path: &str) -> &str {
    let end = PARAMETERS.iter().filter_map(|mark| path.find(mark)).min().unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

impl fmt::Display for SafePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::with_capacity(self.0.len().min(LONGEST));
        for byte in self.0.bytes() {
            let before = shown.len();
            if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\') {
                shown.push(char::from(byte));
            } else {
                write!(shown, "\\x{byte:02x}")?;
            }
            if shown.len() > LONGEST {
                shown.truncate(before.min(LONGEST - CUT.len()));
                shown.push_str(CUT);
                break;
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
    fn line_breaks_quotes_and_escapes_are_spelt_out() {
        assert_eq!(shown("/a\r\n\u{1b}[31m\"b\\c\u{e9}", None), r"/a\x0d\x0a\x1b[31m\x22b\x5cc\xc3\xa9");
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
