//! What a caller's token says about itself. Pure.
//!
//! An SDK makes a token with a throw-away key; it names the application, and its signature is not looked at. What it
//! claims beside (`sub`, `acl`) limits what a token may do, so it is either carried over or the request is refused:
//! a token of ours without the limit would do more than the app asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The claims that say what a token may do.
const RIGHTS: [&str; 2] = ["sub", "acl"];

/// What a caller's token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Placeholder {
    /// The application that it names.
    pub application: Option<String>,
    /// What it may do.
    pub rights: Rights,
}

/// Claims that limit what a token may do: `sub` and `acl`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rights(Map<String, Value>);

/// A bearer token that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bearer token is not a JSON web token")]
pub struct Broken;

impl Rights {
    /// Whether it claims none: a token for everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without `acl`, which the token endpoints of the Network APIs do not take.
    #[must_use]
    pub fn without_acl(mut self) -> Self {
        self.0.remove("acl");
        self
    }

    /// As claims.
    pub fn claims(&self) -> Map<String, Value> {
        self.0.clone()
    }

    /// As text that is the same for the same rights.
    pub fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

impl Placeholder {
    /// Reads a token: three parts, of which the first two are objects. What is not asked for is skipped and not kept,
    /// since every request with a token comes this way.
    pub fn read(token: &str) -> Result<Self, Broken> {
        let mut parts = token.trim().split('.');
        let (Some(header), Some(claims), Some(_signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Broken);
        };
        let Anything {} = object(&decoded(header)?)?;
        let claims = decoded(claims)?;
        let Said { application_id, sub, acl } = object(&claims)?;
        let mut rights = Map::new();
        for (name, said) in RIGHTS.into_iter().zip([sub, acl]) {
            if let Some(value) = said {
                rights.insert(name.to_owned(), serde_json::from_str(value.get()).map_err(|_| Broken)?);
            }
        }
        Ok(Self { application: application_id, rights: Rights(rights) })
    }
}

/// The claims that matter here. One that is there and null is there.
#[derive(serde::Deserialize)]
struct Said<'a> {
    #[serde(default, deserialize_with = "present")]
    application_id: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    sub: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    acl: Option<&'a RawValue>,
}

/// An object of which nothing is asked.
#[derive(serde::Deserialize)]
struct Anything {}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn decoded(part: &str) -> Result<Vec<u8>, Broken> {
    URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| Broken)
}

fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Broken> {
    // serde would take a list for a struct.
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(bytes).map_err(|_| Broken),
        Some(_) | None => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_names_its_application_whoever_signed_it() {
        let read = Placeholder::read(&token(&json!({"application_id": "app-1", "iat": 1, "jti": "x"}))).unwrap();
        assert_eq!((read.application.as_deref(), read.rights.is_empty()), (Some("app-1"), true));
        assert_eq!(Placeholder::read(&token(&json!({}))).unwrap().application, None);
    }

    #[test]
    fn what_limits_a_token_is_seen() {
        let read = Placeholder::read(&token(&json!({"acl": {"paths": {}}, "sub": "alice", "other": 1}))).unwrap();
        assert_eq!(read.rights.text(), r#"{"acl":{"paths":{}},"sub":"alice"}"#);
        assert_eq!(read.rights.without_acl().text(), r#"{"sub":"alice"}"#);
    }

    #[test]
    fn what_is_no_token_is_not_read_as_one() {
        let whole = token(&json!({"application_id": "a"}));
        let (head, _) = whole.rsplit_once('.').unwrap();
        let array = format!("{}.{}.x", URL_SAFE_NO_PAD.encode("[]"), URL_SAFE_NO_PAD.encode("{}"));
        let number = token(&json!({"application_id": 7}));
        for bad in ["", "placeholder", "a.b.c", head, &whole[..20], &array, &number, &format!("{whole}.more")] {
            assert_eq!(Placeholder::read(bad), Err(Broken), "{bad}");
        }
    }
}
