//! Text to a tree: TOML and JSON become the same shapes, each with its place.
//!
//! Invariants: text that is not whole, and a name that appears twice, is no tree; the words for why are ours alone,
//! since both parsers quote what they read; nesting is bounded, so that no text can exhaust the stack.
//!
//! Not here: what names and values mean (`entries`, `items`). Facts: TOML 1.0, RFC 8259.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;
use zeroize::Zeroizing;

/// Deeper than any file of ours.
const DEEPEST: usize = 16;

/// A value and the byte at which it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub at: usize,
    pub shape: Shape,
}

impl Node {
    /// The text of a value that is text, without the line break at its end.
    pub(super) fn text(&self) -> Option<&str> {
        if let Shape::Text(text) = &self.shape { Some(cut_newline(text)) } else { None }
    }
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Shape {
    Text(Zeroizing<String>),
    Whole(i64),
    Flag(bool),
    Date(Datetime),
    List(Vec<Node>),
    Table(Table),
    /// JSON's `null`.
    Nothing,
    /// A fraction, or a number that is too large.
    Other,
}

/// The members of a table: each name at most once.
pub(super) type Table = Vec<Member>;

/// A name, the byte at which to point for it, and its value.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    pub at: usize,
    pub node: Node,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub at: usize,
    pub what: &'static str,
    pub hint: &'static str,
}

impl Unreadable {
    fn twice(at: usize) -> Self {
        Self { at, what: "has a name that appears twice", hint: "keep one of the two" }
    }

    fn too_deep(at: usize) -> Self {
        Self { at, what: "is nested too deeply", hint: "see credentials.example.toml for the format" }
    }
}

/// Reads a whole text, JSON when its first byte that is not space is `{`.
pub(super) fn tree(text: &str) -> Result<Table, Unreadable> {
    if text.trim_start().starts_with('{') { json(text) } else { toml(text) }
}

fn toml(text: &str) -> Result<Table, Unreadable> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        match error.message() {
            "duplicate key" => Unreadable::twice(at),
            _ => Unreadable { at, what: "is not TOML from here on", hint: "close every quote and bracket, and write values in quotes" },
        }
    })?;
    toml_table(table.into_inner(), 0)
}

fn toml_table(table: DeTable<'_>, depth: usize) -> Result<Table, Unreadable> {
    let mut members = table
        .into_iter()
        .map(|(name, value)| {
            let at = name.span().start;
            let node = toml_node(value.span().start, value.into_inner(), depth + 1)?;
            Ok(Member { name: name.into_inner().into_owned(), at, node })
        })
        .collect::<Result<Table, _>>()?;
    // The parser orders by name; the owner's order is the one to report in.
    members.sort_by_key(|member| member.at);
    Ok(members)
}

fn toml_node(at: usize, value: DeValue<'_>, depth: usize) -> Result<Node, Unreadable> {
    if depth > DEEPEST {
        return Err(Unreadable::too_deep(at));
    }
    let shape = match value {
        DeValue::String(text) => Shape::Text(Zeroizing::new(text.into_owned())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or(Shape::Other, Shape::Whole),
        DeValue::Float(_) => Shape::Other,
        DeValue::Boolean(flag) => Shape::Flag(flag),
        DeValue::Datetime(date) => Shape::Date(date),
        DeValue::Array(items) => {
            Shape::List(items.into_iter().map(|item| toml_node(item.span().start, item.into_inner(), depth + 1)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => Shape::Table(toml_table(table, depth)?),
    };
    Ok(Node { at, shape })
}

fn json(text: &str) -> Result<Table, Unreadable> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let at = offset(text, error.line(), error.column());
        Unreadable {
            at,
            what: "is not JSON from here on",
            hint: "close every quote and bracket, and escape quotes and backslashes in values",
        }
    })?;
    match json_node(text, raw, 0)?.shape {
        Shape::Table(table) => Ok(table),
        // A text that begins with a brace and is JSON is a table.
        _ => Err(Unreadable { at: 0, what: "is not a table", hint: "" }),
    }
}

/// Each level is read with its values left as text, which tells where they are.
fn json_node<'t>(text: &'t str, raw: &'t RawValue, depth: usize) -> Result<Node, Unreadable> {
    let at = raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    if depth > DEEPEST {
        return Err(Unreadable::too_deep(at));
    }
    let wrong = |_| Unreadable { at, what: "is a value that is not JSON", hint: "escape quotes, backslashes and line breaks" };
    let shape = match raw.get().as_bytes().first() {
        Some(b'{') => Shape::Table(json_table(text, serde_json::from_str(raw.get()).map_err(wrong)?, depth)?),
        Some(b'[') => {
            let items: Vec<&'t RawValue> = serde_json::from_str(raw.get()).map_err(wrong)?;
            Shape::List(items.into_iter().map(|item| json_node(text, item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Shape::Text(Zeroizing::new(serde_json::from_str(raw.get()).map_err(wrong)?)),
        Some(b't' | b'f') => Shape::Flag(serde_json::from_str(raw.get()).map_err(wrong)?),
        Some(b'n') => Shape::Nothing,
        Some(_) | None => serde_json::from_str(raw.get()).map_or(Shape::Other, Shape::Whole),
    };
    Ok(Node { at, shape })
}

fn json_table<'t>(text: &'t str, pairs: Pairs<'t>, depth: usize) -> Result<Table, Unreadable> {
    let mut seen = BTreeSet::new();
    let mut members = Table::new();
    for (name, raw) in pairs.0 {
        let node = json_node(text, raw, depth + 1)?;
        if !seen.insert(name.clone()) {
            return Err(Unreadable::twice(node.at));
        }
        members.push(Member { name, at: node.at, node });
    }
    Ok(members)
}

/// The members of a JSON object in their order, doubled ones included.
pub(in crate::credentials) struct Pairs<'t>(pub Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The byte at a line and a column of bytes, both from 1, moved to the begin of its character.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let mut at = (lines + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Cuts one line break at the end: editors, heredocs and `kubectl create secret --from-file` add one.
pub(super) fn cut_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
