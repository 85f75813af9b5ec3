//! Which credentials are on a request, and whether they are good.
//!
//! This is the emulator's own reading of the provider's rules; it shares nothing with the code that injects.
//!
//! Facts: exactly one method of authentication per request (error catalogue, `#multiple-auth-methods`; SMS status 32
//! for a signature together with a secret). `username` and `password` are aliases on SMS (gateway tests). A lone
//! `api_key` parameter beside a Basic header is let through (not verified; some SDKs send it).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;

use super::endpoints::{Family, Row, Scheme};
use crate::clock;
use crate::emulator::checks::admission::Admission;
use crate::emulator::checks::token::{Token, Untimely};
use crate::emulator::exchange::call::Call;
use crate::emulator::world::state::World;

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No credential at all.
    Missing,
    /// A key without a secret.
    MissingSecret,
    /// A pair that is not good, as parameters or in the path.
    Wrong,
    /// A pair that is not good, in a Basic header.
    WrongBasic,
    /// An `Authorization` header that is neither Basic nor Bearer, or not readable.
    MalformedHeader,
    /// A token that is not good.
    WrongToken,
    /// A scheme that this path does not take.
    WrongScheme,
    /// A token whose time is over.
    ExpiredToken,
    /// More than one method of authentication.
    Multiple,
    /// A signature and a secret.
    SignatureAndSecret,
    /// A signature that is not right, of an account that is not known, or too old.
    InvalidSignature,
}

enum Header {
    Absent,
    Basic(String, String),
    Bearer(String),
    Malformed,
}

/// Pairs of key and secret outside the header, and the signature.
#[derive(Default)]
struct Parameters<'a> {
    key: Option<Cow<'a, str>>,
    secrets: Vec<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
}

fn header(call: &Call) -> Result<Header, Refusal> {
    let mut values = call.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Header::Absent) };
    if values.next().is_some() {
        return Err(Refusal::Multiple);
    }
    let Some((scheme, rest)) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')) else {
        return Ok(Header::Malformed);
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Header::Bearer(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(Header::Malformed);
    }
    let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    Ok(pair.map_or(Header::Malformed, |(key, secret)| Header::Basic(key.to_owned(), secret.to_owned())))
}

fn parameters<'a>(call: &'a Call, row: &Row) -> Parameters<'a> {
    let (keys, secrets): (&[&str], &[&str]) = match row.family {
        Family::Sms => (&["api_key", "username"], &["api_secret", "password"]),
        _ => (&["api_key"], &["api_secret"]),
    };
    let body = |names: &[&str]| {
        let found = names.iter().find_map(|name| call.in_body(name));
        found.filter(|_| row.accepts(Scheme::Parameters))
    };
    let query = |names: &[&str]| names.iter().find_map(|name| call.in_query(name).map(Cow::from));
    let in_path = row.key_segment().map(|index| (call.segment(index), call.segment(index + 1)));
    let all = [query(secrets), body(secrets), in_path.map(|(_, secret)| Cow::from(secret))];
    Parameters {
        key: in_path.map(|(key, _)| Cow::from(key)).or_else(|| body(keys)).or_else(|| query(keys)),
        secrets: all.into_iter().flatten().collect(),
        signature: body(&["sig"]).or_else(|| query(&["sig"])).filter(|_| row.accepts(Scheme::Signature)),
    }
}

/// Judges a request on the host with this name.
pub(super) fn judge(world: &mut World, call: &Call, row: &Row, host: &str) -> Result<Admission, Refusal> {
    if row.accepts(Scheme::Nothing) {
        return Ok(Admission::default());
    }
    let header = header(call)?;
    let found = parameters(call, row);
    let signed = found.signature.is_some();
    let has_header = !matches!(header, Header::Absent);
    if has_header && (signed || !found.secrets.is_empty()) || found.secrets.len() > 1 {
        return Err(Refusal::Multiple);
    }
    match header {
        Header::Basic(key, secret) if row.accepts(Scheme::Basic) => pair(world, call, host, &key, &secret).ok_or(Refusal::WrongBasic),
        Header::Bearer(token) if row.accepts(Scheme::Jwt) => bearer(world, call, row, host, &token),
        Header::Bearer(_) if row.accepts(Scheme::Access) => Ok(Admission::default()),
        Header::Basic(..) | Header::Bearer(_) => Err(Refusal::WrongScheme),
        Header::Malformed => Err(Refusal::MalformedHeader),
        Header::Absent => without_header(world, call, row, host, &found),
    }
}

fn without_header(world: &mut World, call: &Call, row: &Row, host: &str, found: &Parameters<'_>) -> Result<Admission, Refusal> {
    match (found.key.as_deref(), found.secrets.first().map(AsRef::as_ref), found.signature.as_deref()) {
        (Some(key), _, Some(signature)) if !is_signed(world, call, key, signature) => Err(Refusal::InvalidSignature),
        (_, Some(_), Some(_)) => Err(Refusal::SignatureAndSecret),
        (Some(key), None, Some(_)) => Ok(Admission { account: key.to_owned(), ..Admission::default() }),
        (Some(key), Some(secret), None) if row.accepts(Scheme::Parameters) || row.key_segment().is_some() => {
            pair(world, call, host, key, secret).ok_or(Refusal::Wrong)
        }
        (Some(_), None, None) if row.accepts(Scheme::Parameters) => Err(Refusal::MissingSecret),
        (Some(_) | None, Some(_) | None, Some(_) | None) => Err(Refusal::Missing),
    }
}

fn pair(world: &mut World, call: &Call, host: &str, key: &str, secret: &str) -> Option<Admission> {
    let id = world.check(key, secret, host, call.at)?;
    Some(Admission { account: key.to_owned(), secret: Some(id), application: None })
}

/// The signature first: what a token says is worth nothing before. The network APIs take no token with an `acl`.
fn bearer(world: &mut World, call: &Call, row: &Row, host: &str, text: &str) -> Result<Admission, Refusal> {
    let token = Token::read(text).ok_or(Refusal::WrongToken)?;
    let (lag, wall) = (world.lag(host), world.wall());
    let application = world.applications.get_mut(&token.application).ok_or(Refusal::WrongToken)?;
    if !application.keys.verify(token.signed.as_bytes(), &token.signature, lag, call.at) {
        return Err(Refusal::WrongToken);
    }
    token.check_time(wall).map_err(|untimely| match untimely {
        Untimely::Implausible => Refusal::WrongToken,
        Untimely::Expired => Refusal::ExpiredToken,
    })?;
    if token.has_acl && row.family == Family::OAuth {
        return Err(Refusal::WrongToken);
    }
    Ok(Admission { account: application.account.clone(), secret: None, application: Some(token.application) })
}

fn is_signed(world: &World, call: &Call, key: &str, signature: &str) -> bool {
    world.accounts.get(key).is_some_and(|account| account.signing.verifies(call, signature, clock::wall()))
}
