//! Takes every credential of the caller off a request: headers, query, path, and the body on the rows that may carry one.
//!
//! What was taken is kept as [`Claims`], since it says whose request this is. The values themselves are only
//! compared, never forwarded and never shown.

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use zeroize::Zeroizing;

use super::authorization::{self, Authorization};
use super::body::{self, Kind};
use super::{Unreadable, form, json, path};
use crate::jwt::Placeholder;
use crate::jwt::placeholder::Broken;
use crate::vonage::endpoints::{Endpoint, Scheme};
use crate::vonage::parameters;

/// A request head without any credential of the caller, with path and query only in its target.
#[derive(Debug, Clone)]
pub struct Stripped {
    head: Parts,
}

impl Stripped {
    /// The head.
    pub fn head(&self) -> &Parts {
        &self.head
    }

    /// Its headers, for taking more of them away.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.head.headers
    }

    /// The body was rewritten and has this length now.
    pub fn set_length(&mut self, bytes: usize) {
        super::set_length(&mut self.head.headers, bytes);
    }
}

/// What the caller said about itself.
#[derive(Debug, Default)]
pub struct Claims {
    /// The keys it named, Basic user first, then parameters, then the path.
    pub keys: Vec<String>,
    /// The secrets it presented.
    pub secrets: Vec<Zeroizing<String>>,
    /// The bearer token that it sent.
    pub bearer: Bearer,
    /// What its body carries, where that was looked at.
    pub carried: Carried,
}

/// What a body carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carried {
    /// Nothing, or it was not looked at.
    #[default]
    Nothing,
    /// Parameters of a form.
    Form,
    /// A JSON object.
    Object,
    /// Something that has no parameters.
    Other,
    /// Parameters, under a `Content-Type` that says otherwise: a provider that believes it would not find a credential
    /// that we write into them.
    Lying,
}

/// The bearer token that came with a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Bearer {
    /// None.
    #[default]
    Absent,
    /// One that says what it is for.
    Token(Placeholder),
    /// One that is no token, or two that differ.
    Broken,
}

impl Bearer {
    /// Whether it limits what it may do.
    pub fn is_limited(&self) -> bool {
        match self {
            Self::Token(token) => !token.rights.is_empty(),
            Self::Absent | Self::Broken => false,
        }
    }
}

/// Cleans the head. On a pass-through row the caller's own credential stays.
pub fn head(mut head: Parts, endpoint: &Endpoint) -> Result<(Stripped, Claims), Unreadable> {
    let mut claims = Claims::default();
    if endpoint.schemes.contains(&Scheme::PassThrough) {
        return Ok((Stripped { head }, claims));
    }
    take_authorization(&mut head.headers, &mut claims)?;
    if let Some(query) = head.uri.query() {
        if form::hides(query.as_bytes(), parameters::of(endpoint)) {
            return Err(Unreadable::Ambiguous);
        }
        let (rest, taken) = form::take(query.as_bytes(), parameters::of(endpoint));
        for (name, value) in taken {
            claims.parameter(name, value);
        }
        if let Some(rest) = rest {
            head.uri = super::target(head.uri.path(), Some(std::str::from_utf8(&rest).unwrap_or_default()));
        }
    }
    if let Some(at) = endpoint.credential_segments()
        && let Some((path, [key, secret])) = path::take(head.uri.path(), at)
    {
        claims.keys.push(key);
        claims.secrets.push(Zeroizing::new(secret));
        head.uri = super::target(&path, head.uri.query());
    }
    Ok((Stripped { head }, claims))
}

/// Cleans a whole body of a row that may carry a credential in it. Returns the new body when something was taken.
pub fn body(body: &Bytes, headers: &HeaderMap, endpoint: &Endpoint, claims: &mut Claims) -> Result<Option<Bytes>, Unreadable> {
    let names = parameters::of(endpoint);
    let text = body::unmarked(body);
    let (rest, taken) = match body::kind(&text, headers, names)? {
        Kind::Nothing => return Ok(None),
        Kind::Other => {
            claims.carried = Carried::Other;
            (None, Vec::new())
        }
        Kind::Object => {
            claims.carried = if body::says_json(headers) { Carried::Object } else { Carried::Lying };
            // JSON is UTF-8, but who is lenient about that would find a credential.
            let object = std::str::from_utf8(&text).map_err(|_| Unreadable::Opaque)?;
            let (rest, taken) = json::take(object, names).map_err(|json::NotAnObject| Unreadable::Json)?;
            (rest.map(String::into_bytes), taken)
        }
        Kind::Form => {
            claims.carried = if body::says_form(headers) { Carried::Form } else { Carried::Lying };
            form::take(&text, names)
        }
    };
    for (name, value) in taken {
        claims.parameter(name, value);
    }
    let without_mark = (text.len() < body.len()).then_some(text);
    Ok(rest.map(Bytes::from).or(without_mark))
}

impl Claims {
    fn token(&mut self, read: Result<Placeholder, Broken>) {
        let token = read.map_or(Bearer::Broken, Bearer::Token);
        let is_first = self.bearer == Bearer::Absent || self.bearer == token;
        self.bearer = if is_first { token } else { Bearer::Broken };
    }

    fn parameter(&mut self, name: &'static str, value: String) {
        match name {
            parameters::KEY | parameters::KEY_ALIAS => self.keys.push(value),
            parameters::SECRET | parameters::SECRET_ALIAS => self.secrets.push(Zeroizing::new(value)),
            // A signature names nobody.
            _signature => {}
        }
    }
}

fn take_authorization(headers: &mut HeaderMap, claims: &mut Claims) -> Result<(), Unreadable> {
    for value in headers.get_all(AUTHORIZATION) {
        match authorization::read(value) {
            Authorization::Basic { user, password } => {
                claims.keys.push(user);
                claims.secrets.push(password);
            }
            Authorization::BrokenBasic => return Err(Unreadable::Basic),
            Authorization::Bearer(token) => claims.token(Placeholder::read(token)),
            Authorization::Other => {}
        }
    }
    headers.remove(AUTHORIZATION);
    Ok(())
}
