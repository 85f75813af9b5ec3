//! Takes a credential of ours out of the headers of an answer: where it travelled in the query or the path, a server that
//! redirects repeats it (`Location`, `Content-Location`, `Link`, `Refresh`, …), and the caller would have the secret. Pure.
//!
//! Every header is looked at. As we wrote it, it is written over; in any other spelling, the header goes.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use super::{Credential, path};
use crate::vonage::parameters;

/// What stands in place of a secret. It is no credential.
const NOTHING: &str = "-";
/// More layers of escaping than any server adds.
const MOST_LAYERS: usize = 4;

/// Takes the secret parts of what was presented out of these headers.
pub fn take_out(headers: &mut HeaderMap, presented: Credential<'_>) {
    let secrets: Vec<&str> = match presented {
        Credential::Parameters(_, parameters) => {
            let is_secret = |name: &str| name == parameters::SECRET || name == parameters::SIGNATURE;
            parameters.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_str()).collect()
        }
        Credential::Path { secret, .. } => vec![secret.as_parameter()],
        // No server repeats `Authorization`.
        Credential::Header(_) | Credential::CallersOwn | Credential::Nothing => return,
    };
    if headers.values().all(|value| !secrets.iter().any(|secret| holds(&said(value), secret))) {
        return;
    }
    let before = std::mem::take(headers);
    for (name, value) in &before {
        if let Some(value) = without(value, &secrets) {
            headers.append(name, value);
        }
    }
}

fn said(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The value without these secrets; none when that cannot be had.
fn without(value: &HeaderValue, secrets: &[&str]) -> Option<HeaderValue> {
    let text = said(value);
    if !secrets.iter().any(|secret| holds(&text, secret)) {
        return Some(value.clone());
    }
    let clean = secrets.iter().fold(text.into_owned(), |text, secret| {
        let in_query: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        text.replace(&in_query, NOTHING).replace(&path::escaped(secret), NOTHING).replace(*secret, NOTHING)
    });
    if secrets.iter().any(|secret| holds(&clean, secret)) { None } else { HeaderValue::from_str(&clean).ok() }
}

/// Whether a secret stands in a text, however often it was escaped.
fn holds(text: &str, secret: &str) -> bool {
    let mut text = Cow::Borrowed(text);
    for _layer in 0..MOST_LAYERS {
        if text.contains(secret) {
            return true;
        }
        if !text.contains('%') {
            return false;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return false;
        }
        text = Cow::Owned(decoded);
    }
    text.contains(secret)
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LOCATION, LINK, LOCATION};

    use super::*;
    use crate::inject::Place;
    use crate::secret::{ApiKey, ApiSecret};

    const ODD: &str = "a&b+c%25/d";

    fn left(values: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LOCATION, HeaderValue::from_str(value).unwrap());
        }
        let parameters = [(parameters::KEY, "abcd1234".to_owned().into()), (parameters::SECRET, ODD.to_owned().into())];
        take_out(&mut headers, Credential::Parameters(Place::Query, &parameters));
        headers.get_all(LOCATION).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_secret_is_written_over_in_the_forms_that_we_write() {
        assert_eq!(left(&["/search?api_key=abcd1234&api_secret=a%26b%2Bc%2525%2Fd&x=1"]), ["/search?api_key=abcd1234&api_secret=-&x=1"]);
        assert_eq!(left(&["/search?x=a&b+c%25/d", "/other"]), ["/search?x=-", "/other"]);
    }

    #[test]
    fn a_header_that_holds_it_in_another_form_goes() {
        for other in ["/search?s=a%26b%2bc%2525%2fd", "/login?next=%2Fsearch%3Fs%3Da%2526b%252Bc%252525%252Fd"] {
            assert_eq!(left(&[other, "/other"]), ["/other"], "{other}");
        }
    }

    #[test]
    fn every_header_is_looked_at_and_the_others_stay() {
        let (key, secret) = (ApiKey::parse("abcd1234").unwrap(), ApiSecret::parse("LiveSecret1").unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_LOCATION, "/a/abcd1234/LiveSecret1"), (LINK, "</a/abcd1234/LiveSecret1>; rel=next")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("x-other", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        take_out(&mut headers, Credential::Path { at: (1, 2), key: &key, secret: &secret });
        assert_eq!(
            (&headers[CONTENT_LOCATION], &headers[LINK]),
            (&HeaderValue::from_static("/a/abcd1234/-"), &HeaderValue::from_static("</a/abcd1234/->; rel=next"))
        );
        assert_eq!(headers["x-other"].as_bytes(), b"caf\xe9");
    }
}
