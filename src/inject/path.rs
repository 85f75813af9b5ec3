//! Key and secret as segments of a path: take them out, put others in, leave every other byte alone.
//!
//! Positions count segments that are not empty, as the table of endpoints does.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stands in a stripped path. It is no credential.
const NOTHING: &str = "-";

/// Takes key and secret out of a path. Returns what is left, and the two as they were meant; none when there are none.
pub fn take(path: &str, at: (usize, usize)) -> Option<(String, [String; 2])> {
    let segment = |wanted: usize| path.split('/').filter(|segment| !segment.is_empty()).nth(wanted);
    let meant = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let taken = [meant(segment(at.0)?), meant(segment(at.1)?)];
    Some((replace(path, at, [NOTHING, NOTHING]), taken))
}

/// Puts key and secret into a path, escaped.
pub fn put(path: &str, at: (usize, usize), key: &str, secret: &str) -> String {
    replace(path, at, [&escaped(key), &escaped(secret)])
}

/// A text as it stands in a path.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn replace(path: &str, at: (usize, usize), with: [&str; 2]) -> String {
    let mut text = String::with_capacity(path.len() + with[0].len() + with[1].len());
    let mut position = 0;
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            text.push('/');
        }
        if segment.is_empty() {
            continue;
        }
        text.push_str(match position {
            here if here == at.0 => with[0],
            here if here == at.1 => with[1],
            _other => segment,
        });
        position += 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: (usize, usize) = (2, 3);

    #[test]
    fn only_the_two_segments_change() {
        let (rest, taken) = take("/number/buy/abcd1234/se%2Bcret/GB/4477%20", AT).unwrap();
        assert_eq!((rest.as_str(), taken), ("/number/buy/-/-/GB/4477%20", ["abcd1234".to_owned(), "se+cret".to_owned()]));
        assert_eq!(put(&rest, AT, "key", "a/b c"), "/number/buy/key/a%2Fb%20c/GB/4477%20");
        assert_eq!(take("/number/buy/abcd1234", AT), None);
        assert_eq!(put("//number/buy/-/-", AT, "k", "s"), "//number/buy/k/s");
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_what_is_read(secret in "\\PC{1,40}") {
            let path = put("/number/buy/-/-/GB/1", AT, "abcd1234", &secret);
            prop_assert!(path.parse::<http::uri::PathAndQuery>().is_ok());
            let (_, taken) = take(&path, AT).unwrap();
            prop_assert_eq!(taken, ["abcd1234".to_owned(), secret]);
        }
    }
}
