//! Does a request present one of the tokens of its listener? Pure.
//!
//! A token is presented in a header of its own, as `Proxy-Authorization`, or in the place of the secret: as the
//! password of Basic, as a parameter, or as a bearer token. Every token is compared, in constant time, so that the
//! time does not tell which one was close.
//!
//! Invariants: where a token is needed, nothing is sent before one was presented; a token never goes upstream: what
//! presents it is taken off, also where a caller's own credential would pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};

use super::entrance::{Via, Vouched};
use super::fault::Fault;
use crate::inject::authorization::{self, Authorization};
use crate::inject::strip::Claims;
use crate::inject::{self, form};
use crate::secret::AccessToken;

/// The header of its own.
pub const HEADER: HeaderName = HeaderName::from_static("x-sidecar-token");

/// Whether a token was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// None is needed.
    NotNeeded,
    /// A good one.
    Good,
    /// None so far.
    Absent,
    /// One that is none of ours.
    Wrong,
}

/// In these values of `Proxy-Authorization`.
pub fn of_values<'v>(values: impl Iterator<Item = &'v HeaderValue>, tokens: &[AccessToken]) -> Presence {
    if tokens.is_empty() {
        return Presence::NotNeeded;
    }
    let mut presence = Presence::Absent;
    for value in values {
        presence = match (presence, presents(value, tokens)) {
            (Presence::Good, _) | (_, true) => Presence::Good,
            (Presence::NotNeeded | Presence::Absent | Presence::Wrong, false) => Presence::Wrong,
        };
    }
    presence
}

/// In the head of a request.
pub fn in_head(headers: &HeaderMap, via: Via, tokens: &[AccessToken]) -> Presence {
    if tokens.is_empty() {
        return Presence::NotNeeded;
    }
    if let Via::Connect { vouched: Vouched::Yes, .. } = via {
        return Presence::Good;
    }
    let own = headers.get_all(&HEADER).iter().map(|value| known(value.as_bytes(), tokens));
    let own = own.fold(None, |seen: Option<bool>, good| Some(seen.unwrap_or(false) | good));
    let proxy = of_values(headers.get_all(PROXY_AUTHORIZATION).iter(), tokens);
    let in_place_of_a_credential = headers.get_all(AUTHORIZATION).iter().fold(false, |seen, value| seen | presents(value, tokens));
    match (own, proxy) {
        (Some(true), _) | (_, Presence::Good) => Presence::Good,
        _ if in_place_of_a_credential => Presence::Good,
        (Some(false), _) | (_, Presence::Wrong) => Presence::Wrong,
        (None, Presence::Absent | Presence::NotNeeded) => Presence::Absent,
    }
}

/// Takes a token off that stands in the place of a caller's own credential, where that would pass. A key that stands
/// beside it is not lost: it is left, as Basic with an empty password.
pub fn take_off(headers: &mut HeaderMap, tokens: &[AccessToken]) {
    if tokens.is_empty() || !headers.get_all(AUTHORIZATION).iter().any(|value| presents(value, tokens)) {
        return;
    }
    let keys: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().filter_map(|value| without_token(value, tokens)).collect();
    headers.remove(AUTHORIZATION);
    for key in keys {
        headers.append(AUTHORIZATION, key);
    }
}

/// The same for parameters of the query: on rows that pass a caller's own credential, no parameter is taken off otherwise.
pub fn take_off_query(target: &mut Uri, tokens: &[AccessToken]) {
    if let Some(rest) = target.query().and_then(|query| form::without(query.as_bytes(), |value| known(value.as_bytes(), tokens))) {
        *target = inject::target(target.path(), std::str::from_utf8(&rest).ok());
    }
}

/// A value that presents no token, or the key alone of one that does; none of a bearer, which has no key.
fn without_token(value: &HeaderValue, tokens: &[AccessToken]) -> Option<HeaderValue> {
    if !presents(value, tokens) {
        return Some(value.clone());
    }
    let Authorization::Basic { user, .. } = authorization::read(value) else { return None };
    let user = Some(user).filter(|user| !user.is_empty() && !known(user.as_bytes(), tokens))?;
    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:")))).ok()
}

/// Settles it once everything that may hold a token was looked at.
pub fn settle(presence: Presence, claims: &Claims, tokens: &[AccessToken]) -> Result<(), Fault> {
    match presence {
        Presence::NotNeeded | Presence::Good => Ok(()),
        Presence::Absent | Presence::Wrong if claims.secrets.iter().fold(false, |seen, secret| seen | known(secret.as_bytes(), tokens)) => {
            Ok(())
        }
        Presence::Absent => Err(Fault::TokenMissing),
        Presence::Wrong => Err(Fault::TokenWrong),
    }
}

/// Whether a value of `Authorization` or its kin presents a token: as a bearer or as the password of Basic. A user
/// name alone counts as well: `http://TOKEN@localhost:8789` is how some write a proxy with a token.
fn presents(value: &HeaderValue, tokens: &[AccessToken]) -> bool {
    match authorization::read(value) {
        Authorization::Bearer(token) => known(token.as_bytes(), tokens),
        Authorization::Basic { user, password } => known(if password.is_empty() { user.as_bytes() } else { password.as_bytes() }, tokens),
        Authorization::BrokenBasic | Authorization::Other => false,
    }
}

fn known(presented: &[u8], tokens: &[AccessToken]) -> bool {
    tokens.iter().fold(false, |known, token| known | token.equals(presented))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn tokens() -> Vec<AccessToken> {
        ["the-new-token-1234", "the-old-token-1234"].map(|text| AccessToken::parse(text).unwrap()).to_vec()
    }

    fn head(headers: &[(&'static str, String)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn either_token_is_good_in_every_place_of_a_head() {
        for token in ["the-new-token-1234", "the-old-token-1234"] {
            for (name, value) in [
                ("x-sidecar-token", token.to_owned()),
                ("proxy-authorization", format!("bearer {token}")),
                ("proxy-authorization", basic(&format!("user:{token}"))),
                ("proxy-authorization", basic(token)),
                ("authorization", basic(&format!("abcd1234:{token}"))),
                ("authorization", format!("Bearer {token}")),
            ] {
                assert_eq!(in_head(&head(&[(name, value)]), Via::Front, &tokens()), Presence::Good, "{name}");
            }
        }
    }

    #[test]
    fn another_token_is_wrong_and_a_placeholder_is_none() {
        let presence = |headers: &[(&'static str, String)]| in_head(&head(headers), Via::Front, &tokens());
        assert_eq!(presence(&[]), Presence::Absent);
        assert_eq!(presence(&[("authorization", basic("abcd1234:placeholder"))]), Presence::Absent);
        assert_eq!(presence(&[("x-sidecar-token", "the-new-token-123".to_owned())]), Presence::Wrong);
        assert_eq!(presence(&[("proxy-authorization", basic("user:"))]), Presence::Wrong);
        assert_eq!(in_head(&head(&[]), Via::Front, &[]), Presence::NotNeeded);
    }

    #[test]
    fn a_token_in_the_body_settles_it() {
        let mut claims = Claims::default();
        assert!(matches!(settle(Presence::Absent, &claims, &tokens()), Err(Fault::TokenMissing)));
        claims.secrets.push(Zeroizing::new("placeholder".to_owned()));
        assert!(matches!(settle(Presence::Wrong, &claims, &tokens()), Err(Fault::TokenWrong)));
        claims.secrets.push(Zeroizing::new("the-old-token-1234".to_owned()));
        assert!(settle(Presence::Absent, &claims, &tokens()).is_ok());
    }

    #[test]
    fn what_presents_a_token_is_taken_off_and_the_callers_own_credential_stays() {
        let mut own = head(&[("authorization", "Bearer of-the-caller".to_owned())]);
        take_off(&mut own, &tokens());
        assert!(own.contains_key(AUTHORIZATION));
        let unpadded = basic(":the-old-token-1234").trim_end_matches('=').replace(' ', "\t");
        for token in ["Bearer the-new-token-1234".to_owned(), basic("the-old-token-1234:"), basic(":the-old-token-1234"), unpadded] {
            let mut token = head(&[("authorization", token)]);
            take_off(&mut token, &tokens());
            assert!(!token.contains_key(AUTHORIZATION));
        }
        let mut key = head(&[("authorization", basic("abcd1234:the-old-token-1234"))]);
        take_off(&mut key, &tokens());
        assert_eq!(key[AUTHORIZATION], basic("abcd1234:"));
    }

    #[test]
    fn a_token_in_a_query_is_taken_off_whatever_its_name_and_the_rest_stays() {
        for (query, left) in [
            ("/camara/x?a=%20b&api_secret=the-old-token-1234&&c", "/camara/x?a=%20b&&c"),
            ("/camara/x?token=the%2Dnew%2Dtoken%2D1234", "/camara/x"),
            ("/camara/x?api_secret=of-the-caller&", "/camara/x?api_secret=of-the-caller&"),
            ("/camara/x?", "/camara/x?"),
        ] {
            let mut target: Uri = query.parse().unwrap();
            take_off_query(&mut target, &tokens());
            assert_eq!(target.to_string(), left);
        }
    }
}
