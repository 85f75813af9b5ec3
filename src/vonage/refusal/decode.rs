//! From the bytes of an answer to what can be compared: encoding, text, JSON members, XML elements. Everything is bounded.
//!
//! A body that is cut anywhere, has two documents, a member twice, a document type, or text around the document is no
//! document. `Content-Type` is not looked at: the provider's own is sometimes wrong.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use flate2::bufread::GzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::LONGEST_JUDGED;

/// Elements inside each other that are followed. The provider nests four.
const DEEPEST: usize = 16;

/// An encoding that we can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

/// The encoding of an answer, if we can read it.
pub(super) fn coding(headers: &HeaderMap) -> Option<Coding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Some(Coding::Identity) };
    let name = value.to_str().ok()?.trim();
    if values.next().is_some() {
        None
    } else if name.is_empty() || name.eq_ignore_ascii_case("identity") {
        Some(Coding::Identity)
    } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
        Some(Coding::Gzip)
    } else {
        None
    }
}

/// The text of a complete body; none if it cannot be decoded, is not UTF-8, or is longer than we judge.
pub(super) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Cow<'a, str>> {
    if body.len() > LONGEST_JUDGED {
        return None;
    }
    match coding(headers)? {
        Coding::Identity => std::str::from_utf8(body).ok().map(Cow::Borrowed),
        Coding::Gzip => String::from_utf8(gunzip(body)?).ok().map(Cow::Owned),
    }
}

/// One gzip member with a right check sum and nothing after it.
fn gunzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = GzDecoder::new(body);
    let mut plain = Vec::new();
    let limit = u64::try_from(LONGEST_JUDGED).ok()?.checked_add(1)?;
    decoder.by_ref().take(limit).read_to_end(&mut plain).ok()?;
    let rest = decoder.into_inner();
    (plain.len() <= LONGEST_JUDGED && rest.is_empty()).then_some(plain)
}

/// How a text is written, from its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Json,
    Xml,
}

/// The shape of a text, if it can be a document at all.
pub(super) fn shape(text: &str) -> Option<Shape> {
    match text.trim_start().bytes().next() {
        Some(b'{') => Some(Shape::Json),
        Some(b'<') => Some(Shape::Xml),
        Some(_) | None => None,
    }
}

/// The value of a member. The provider writes the same one as a string here and as an integer there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Word<'a> {
    /// There is no such member.
    #[default]
    Absent,
    /// A string, or an integer as its digits.
    Text(Cow<'a, str>),
    /// Null, a fraction, true or false, a list, an object.
    Other,
}

impl Word<'_> {
    /// Its text; empty if it has none, which equals nothing that is known.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Absent | Self::Other => "",
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

struct WordVisitor;

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Word<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Word::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Word::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Word::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Word::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Word::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Word::Other)
    }
}

/// The members at the top of an error document that any family looks at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Members<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Word<'a>,
    #[serde(borrow, default)]
    pub(super) title: Word<'a>,
    #[serde(borrow, default)]
    pub(super) detail: Word<'a>,
    #[serde(borrow, default)]
    pub(super) error_title: Word<'a>,
    #[serde(borrow, default)]
    pub(super) error: Word<'a>,
    #[serde(borrow, default)]
    pub(super) message: Word<'a>,
    #[serde(borrow, default)]
    pub(super) code: Word<'a>,
    #[serde(borrow, default, rename = "error-code")]
    pub(super) error_code: Word<'a>,
    #[serde(borrow, default, rename = "error-code-label")]
    pub(super) error_code_label: Word<'a>,
}

impl<'a> Members<'a> {
    /// Those of a complete JSON object, or of the root of a complete XML document; none for anything else.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        match shape(text)? {
            Shape::Json => serde_json::from_str(text).ok(),
            Shape::Xml => Self::read_xml(text),
        }
    }

    fn read_xml(text: &str) -> Option<Self> {
        let mut members = Self::default();
        let mut twice = false;
        walk(text, |open| {
            let [_, child] = open else { return };
            let member = match child.name.as_str() {
                "error-code" => &mut members.error_code,
                "error-code-label" => &mut members.error_code_label,
                "code" => &mut members.code,
                _ => return,
            };
            twice |= *member != Word::Absent;
            *member = Word::Text(Cow::Owned(child.text.trim().to_owned()));
        })?;
        (!twice).then_some(members)
    }
}

/// An open element with the text right inside it and its `code` attribute, empty if it has none.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) code: String,
}

impl Element {
    fn open(start: &BytesStart<'_>) -> Option<Self> {
        let code = start.try_get_attribute("code").ok()?.map_or_else(String::new, |attribute| attribute.value.into_owned());
        Some(Self { name: start.name().as_ref().to_owned(), text: String::new(), code })
    }
}

/// Calls `ended` at the end of every element with all open ones, the root first, itself last. None if the text is not
/// one complete document; what `ended` collected is then worth nothing.
pub(super) fn walk(text: &str, mut ended: impl FnMut(&[Element])) -> Option<()> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut rooted = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) if open.len() >= DEEPEST || (open.is_empty() && rooted) => return None,
            Event::Start(start) => {
                rooted = true;
                open.push(Element::open(&start)?);
            }
            Event::End(_) => {
                ended(&open);
                open.pop()?;
            }
            Event::Text(text) => add(&mut open, &text.into_inner())?,
            Event::CData(text) => add(&mut open, &text.into_inner())?,
            // A reference is not resolved: no known text has one, and nothing equals this character.
            Event::GeneralRef(_) => add(&mut open, "\u{fffd}")?,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            // The end of an empty element comes as an event of its own; a document type can hold anything.
            Event::Empty(_) | Event::DocType(_) => return None,
            Event::Eof => return (rooted && open.is_empty()).then_some(()),
        }
    }
}

fn add(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}
