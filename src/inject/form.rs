//! Parameters joined by `&`, as in a query or a form body: read some, take some out, put some in, leave every other byte alone.
//!
//! Facts: WHATWG URL, "application/x-www-form-urlencoded parsing".

use std::borrow::Cow;

use super::Parameter;

/// A parameter's name as it is meant: decoded, lower case.
fn name(piece: &[u8]) -> Cow<'_, str> {
    let raw = piece.split(|byte| *byte == b'=').next().unwrap_or(piece);
    let plain = raw.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-' | b'.') || byte.is_ascii_digit());
    match (plain, std::str::from_utf8(raw)) {
        (true, Ok(text)) => Cow::Borrowed(text),
        (true | false, Ok(_) | Err(_)) => {
            form_urlencoded::parse(raw).next().map_or(Cow::Borrowed(""), |(name, _)| Cow::Owned(name.to_ascii_lowercase()))
        }
    }
}

/// The decoded value of a piece.
fn value(piece: &[u8]) -> String {
    form_urlencoded::parse(piece).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Takes out every parameter whose name is in `names` (lower case), in any case and escaping. Returns the remaining
/// bytes, or nothing if none was there, and the (name, value) pairs that were taken.
pub fn take(text: &[u8], names: &[&'static str]) -> (Option<Vec<u8>>, Vec<(&'static str, String)>) {
    let mut taken = Vec::new();
    let mut rest: Vec<u8> = Vec::new();
    let mut kept_any = false;
    for piece in text.split(|byte| *byte == b'&') {
        let meant = name(piece);
        if let Some(found) = names.iter().find(|wanted| **wanted == meant) {
            taken.push((*found, value(piece)));
            continue;
        }
        if kept_any {
            rest.push(b'&');
        }
        kept_any = true;
        rest.extend_from_slice(piece);
    }
    if taken.is_empty() { (None, taken) } else { (Some(rest), taken) }
}

/// The remaining bytes without every parameter of such a value, whatever its name; nothing if none was there.
pub fn without(text: &[u8], is_unwanted: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let (gone, kept): (Vec<&[u8]>, Vec<&[u8]>) = text.split(|byte| *byte == b'&').partition(|piece| is_unwanted(&value(piece)));
    (!gone.is_empty()).then(|| kept.join(&b'&'))
}

/// Whether a parameter with one of these names stands behind a `;`: for some readers that begins another one, for others it
/// is part of a value. (In the value of such a parameter it is taken out with it.)
pub fn hides(text: &[u8], names: &[&'static str]) -> bool {
    if !text.contains(&b';') {
        return false;
    }
    let is_wanted = |piece: &[u8]| names.contains(&name(piece).as_ref());
    let others = text.split(|byte| *byte == b'&').filter(|piece| !is_wanted(piece));
    others.flat_map(|piece| piece.split(|byte| *byte == b';').skip(1)).any(is_wanted)
}

/// All parameters as they are meant, in order.
pub fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Puts parameters behind those that are there, in place of any with the same name.
pub fn put(text: &[u8], parameters: &[Parameter]) -> Vec<u8> {
    let names: Vec<&'static str> = parameters.iter().map(|(name, _)| *name).collect();
    let mut rest = take(text, &names).0.unwrap_or_else(|| text.to_vec());
    for (name, value) in parameters {
        if !rest.is_empty() {
            rest.push(b'&');
        }
        rest.extend_from_slice(name.as_bytes());
        rest.push(b'=');
        form_urlencoded::byte_serialize(value.as_bytes()).for_each(|piece| rest.extend_from_slice(piece.as_bytes()));
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: &[&str] = &["api_key", "api_secret"];

    #[test]
    fn every_spelling_of_a_credential_is_taken_and_nothing_else_moves() {
        let (rest, taken) = take(b"to=1%20&API_Key=k&x=&api%5Fsecret=a%26b&&api_secret=two&text=a+b", NAMES);
        assert_eq!(rest.unwrap(), b"to=1%20&x=&&text=a+b");
        assert_eq!(taken, [("api_key", "k".to_owned()), ("api_secret", "a&b".to_owned()), ("api_secret", "two".to_owned())]);
    }

    #[test]
    fn a_credential_behind_a_semicolon_is_seen() {
        for text in ["to=1;api_secret=x", "to=1&a;b=1;API%5Fkey=x&c=1", ";api_key"] {
            assert!(hides(text.as_bytes(), NAMES), "{text}");
        }
        for text in ["to=1;x=api_secret&api_secret=a;b", "api_secret=a;api_key=b", "text=a%3Bapi_secret=x", "to=1;2"] {
            assert!(!hides(text.as_bytes(), NAMES), "{text}");
        }
    }

    #[test]
    fn without_a_credential_nothing_is_rewritten() {
        assert!(take(b"a=1&api_keys=2", NAMES).0.is_none());
        assert!(take(b"", NAMES).0.is_none());
    }

    #[test]
    fn parameters_stand_behind_the_others_and_in_place_of_their_like() {
        let parameters = [("api_key", "k".to_owned().into()), ("sig", "a&b".to_owned().into())];
        assert_eq!(put(b"sig=old&to=1%20", &parameters), b"to=1%20&api_key=k&sig=a%26b");
        assert_eq!(put(b"", &parameters), b"api_key=k&sig=a%26b");
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_what_is_read(secret in "\\PC{1,40}", other in "[a-z]{1,8}=[a-zA-Z0-9%+._]{0,12}") {
            let written = put(other.as_bytes(), &[("api_secret", secret.clone().into())]);
            let query = format!("/search?{}", String::from_utf8(written.clone()).unwrap());
            prop_assert!(query.parse::<http::uri::PathAndQuery>().is_ok());
            prop_assert!(written.starts_with(other.as_bytes()));
            prop_assert_eq!(take(&written, NAMES).1, [("api_secret", secret)]);
        }

        #[test]
        fn what_is_left_is_what_was_there(pieces in proptest::collection::vec("[a-zA-Z0-9%+=_.]{0,12}", 0..8)) {
            let clean: Vec<&String> = pieces.iter().filter(|piece| !NAMES.contains(&name(piece.as_bytes()).as_ref())).collect();
            let with = format!("api_key=k&{}&api_secret=s", clean.iter().map(|piece| piece.as_str()).collect::<Vec<_>>().join("&"));
            let (rest, taken) = take(with.as_bytes(), NAMES);
            prop_assert_eq!(taken.len(), 2);
            prop_assert_eq!(String::from_utf8(rest.unwrap()).unwrap(), clean.iter().map(|piece| piece.as_str()).collect::<Vec<_>>().join("&"));
        }
    }
}
