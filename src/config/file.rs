//! What `sidecar.toml` may say: its mirror in types, every value with its place in the text.
//!
//! Invariants: every setting is here exactly once and optional; nothing is decided here; `Debug` shows no token.
//! A problem of shape names the setting and what was expected, never the value that was given.
//!
//! Not here: what the values mean and which of them are sound (`validate`). Facts: TOML 1.0.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::problem::{Position, Problems, nearest};

mod listen;
pub mod rotation;

pub use listen::{Listen, Mint, MintLimits, Paths, ProxyMode, Tls, Tunnel};

/// What is said of a name that is none.
const NO_SETTING: &str = "is not a setting";

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct File {
    /// `[[listen]]`
    pub listen: Option<Spanned<Vec<Listen>>>,
    /// `[admin]`
    pub admin: Admin,
    /// `[credentials]`
    pub credentials: Credentials,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[fallback]`
    pub fallback: Fallback,
    /// `[limits]`
    pub limits: Limits,
    /// `[timeouts]`
    pub timeouts: Timeouts,
    /// `[runtime]`
    pub runtime: Runtime,
    /// `[log]`
    pub log: Log,
    /// `[rotation]`
    pub rotation: rotation::Rotation,
}

/// Text with its place.
pub type Text = Option<Spanned<String>>;
/// Something that is measured, with its place.
pub type Measure = Option<Spanned<Scalar>>;
/// A switch with its place.
pub type Flag = Option<Spanned<bool>>;

/// `[admin]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Admin {
    /// Where.
    pub address: Text,
    /// `[admin.observe]`
    pub observe: Option<Spanned<Observe>>,
}

/// `[admin.observe]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Observe {
    /// Where.
    pub address: Text,
    /// Who may read more.
    pub tokens: Vec<Spanned<Token>>,
}

/// `[credentials]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Credentials {
    /// The file.
    pub file: Text,
    /// How long what left it is kept.
    pub retire: Measure,
    /// Whether a wide mode refuses it.
    pub strict_modes: Flag,
}

/// `[upstream]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Upstream {
    /// The region.
    pub region: Text,
    /// Whether HTTP/2 is offered.
    pub http2: Flag,
    /// The way out.
    pub proxy: Text,
    /// More roots.
    pub ca_file: Text,
    /// Replaced hosts.
    pub hosts: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// `[fallback]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Fallback {
    /// The longest wait for a newer file.
    pub hold: Measure,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Limits {
    /// One kept body.
    pub replay: Measure,
    /// All kept bodies.
    pub replay_memory: Measure,
    /// A request head.
    pub head: Measure,
    /// Callers' connections.
    pub connections: Option<Spanned<i64>>,
}

/// `[timeouts]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Timeouts {
    /// Until connected.
    pub connect: Measure,
    /// Until TLS stands.
    pub handshake: Measure,
    /// Until a caller's head is there.
    pub caller_head: Measure,
    /// Until an answer's head is there.
    pub answer_head: Measure,
    /// Without a byte.
    pub idle: Measure,
    /// For everything.
    pub total: Measure,
    /// At the end of the process.
    pub drain: Measure,
}

/// `[runtime]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Runtime {
    /// Threads.
    pub workers: Option<Spanned<i64>>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Log {
    /// How lines look.
    pub format: Text,
    /// A line a request.
    pub access: Flag,
    /// What is written.
    pub filter: Text,
}

/// A number, or text that holds one and a unit.
#[derive(Debug)]
pub enum Scalar {
    /// Without a unit.
    Integer(i64),
    /// With one.
    Text(String),
}

/// A token, or where it is.
pub enum Token {
    /// In the file itself.
    Value(Zeroizing<String>),
    /// In another file.
    File(Spanned<String>),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(hidden)"),
            Self::File(path) => f.debug_tuple("File").field(path.get_ref()).finish(),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text with a number and a unit, such as \"5s\" or \"64KiB\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table with `file`")]
        struct Named {
            file: Spanned<String>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Token;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token or { file = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Token, E> {
                Ok(Token::Value(Zeroizing::new(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Token, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(|named| Token::File(named.file))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads the text into the mirror, with the names in it that are no settings. When it is not TOML, or a value is of the
/// wrong type, these are all the problems of that sort.
pub fn read(path: &Path, text: &str) -> Result<(File, Problems), Problems> {
    let mut problems = Problems::of(path);
    let at = |span: Option<Range<usize>>| span.map(|span| Position::of(text, span.start));
    let mut table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            problems.error(at(error.span()), "", format!("is not TOML: {}", error.message()), "");
            return Err(problems);
        }
    };
    // An item that was taken out of a list must not change the numbers of the others.
    let names = table.get_ref().clone();
    let mut is_whole = true;
    loop {
        let error = match File::deserialize(toml::Deserializer::from(table.clone())) {
            Ok(file) if is_whole => return Ok((file, problems)),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let field = error.span().and_then(|span| field_at(&names, span.start)).unwrap_or_default();
        let (what, hint) = words(error.message(), &field);
        is_whole &= what == NO_SETTING;
        problems.error(at(error.span()), field, what, hint);
        // What is wrong is taken out, and the rest is read again.
        if !error.span().is_some_and(|span| take_out(table.get_mut(), span.start)) {
            return Err(problems);
        }
    }
}

/// Takes out the innermost entry whose name or value is at this byte; whether there was one.
fn take_out(table: &mut DeTable<'_>, offset: usize) -> bool {
    if table.iter_mut().any(|(_, value)| take_out_below(value.get_mut(), offset)) {
        return true;
    }
    let is_here = |name: &Spanned<_>, value: &Spanned<_>| name.span().contains(&offset) || value.span().contains(&offset);
    let found = table.iter().find(|(name, value)| is_here(name, value)).map(|(name, _)| name.clone());
    found.and_then(|name| table.remove(&name)).is_some()
}

fn take_out_below(value: &mut DeValue<'_>, offset: usize) -> bool {
    match value {
        DeValue::Table(table) => take_out(table, offset),
        DeValue::Array(items) => {
            if items.iter_mut().any(|item| take_out_below(item.get_mut(), offset)) {
                return true;
            }
            let before = items.len();
            *items = items.iter().filter(|item| !item.span().contains(&offset)).cloned().collect();
            items.len() < before
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => false,
    }
}

/// The path of the field whose name or value is at this byte.
fn field_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(name, value)| {
        let here = || (name.span().contains(&offset) || value.span().contains(&offset)).then(String::new);
        below(value.get_ref(), offset).or_else(here).map(|rest| format!("{}{rest}", name.get_ref()))
    })
}

/// What follows the name of a field in the path to this byte, when the byte is below it.
fn below(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => field_at(table, offset).map(|field| format!(".{field}")),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let here = || item.span().contains(&offset).then(String::new);
            below(item.get_ref(), offset).or_else(here).map(|rest| format!("[{index}]{rest}"))
        }),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => None,
    }
}

/// Our words for what serde says. Its message may hold the value that was given, so only what comes after its last
/// `expected`, which is ours, is taken over.
fn words(message: &str, field: &str) -> (String, String) {
    let expected = message.rfind("expected ").and_then(|at| message.get(at + "expected ".len()..)).unwrap_or_default();
    if message.starts_with("missing field") {
        return ("lacks a field that it must have".to_owned(), String::new());
    }
    if message.starts_with("unknown field") {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let name = field.rsplit('.').next().unwrap_or_default();
        let hint = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        return (NO_SETTING.to_owned(), hint);
    }
    let expected = match expected {
        "" => return ("has the wrong type".to_owned(), String::new()),
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "i64" => "a whole number",
        "a map" => "a table",
        "a string" => "text in quotes",
        other => other,
    };
    (format!("must be {expected}"), String::new())
}
