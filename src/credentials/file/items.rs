//! The items of a list of secrets, signature secrets or private keys.
//!
//! Invariants: a list has at most two values and none twice; what is empty or cannot be fetched is left out with a
//! warning, because templates render empty values and must not cost the good one beside it; only a value that is
//! there and wrong, or a list of secrets with nothing left, refuses the file.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use toml::value::{Datetime, Offset};
use zeroize::Zeroizing;

use super::report::{Fields, Report};
use super::shape::{Node, Shape, Table, cut_newline};
use super::{Item, Referenced};
use crate::credentials::{Keep, Label};
use crate::jwt::SigningKey;
use crate::secret::{ApiSecret, Malformed, PrivateKeyPem, SecretId, SignatureSecret};

/// The fields that hold items, wherever they stand.
pub(super) const LISTS: &[&str] = &["secrets", "api_secret", "api_secret_previous", "signature_secrets", "private_keys"];
/// The provider holds two secrets of an account, and so do we of everything.
const MOST: usize = 2;

/// What becomes of the file when a value cannot be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A wrong value refuses the file, and so does an empty list.
    One,
    /// A wrong value refuses the file; an empty list does not.
    Any,
    /// A wrong value is left out with a warning.
    Usable,
}

/// A kind of value that a list can hold.
pub(super) trait Kind: Sized {
    const NEED: Need;
    fn read(text: &str) -> Result<Self, Malformed>;
    fn is_same(&self, other: &Self) -> bool;
}

impl Kind for ApiSecret {
    const NEED: Need = Need::One;

    fn read(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.same_as(other)
    }
}

impl Kind for SignatureSecret {
    const NEED: Need = Need::Any;

    fn read(text: &str) -> Result<Self, Malformed> {
        Self::parse(text)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.same_as(other)
    }
}

impl Kind for SigningKey {
    const NEED: Need = Need::Usable;

    fn read(text: &str) -> Result<Self, Malformed> {
        Self::parse(&PrivateKeyPem::parse(text)?)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.same_as(other)
    }
}

/// An item with the path of its field.
pub(super) type Placed<'n> = (String, &'n Node);

/// The items of a field: those of a list, or the one that stands there alone.
pub(super) fn placed(field: String, node: &Node) -> Vec<Placed<'_>> {
    match &node.shape {
        Shape::List(items) => items.iter().enumerate().map(|(index, item)| (format!("{field}[{index}]"), item)).collect(),
        _ => vec![(field, node)],
    }
}

/// Reads items of one kind; `list` is the field and the byte of the list itself.
pub(super) fn read<V: Kind>(report: &mut Report<'_>, referenced: &Referenced, list: (&str, usize), items: &[Placed<'_>]) -> Vec<Item<V>> {
    let errors = report.errors();
    let mut held: Vec<Item<V>> = Vec::new();
    for (field, node) in items {
        let Some((value, label)) = item(report, referenced, field, node) else { continue };
        let is_full = held.len() == MOST;
        match held.iter_mut().find(|other| other.value.is_same(&value)) {
            None if is_full => report.error(Some(node.at), field, "is a third value", "keep two: the new one and the one that it replaces"),
            None => held.push(Item { value, label }),
            Some(first) => {
                first.label = merged(&first.label, label);
                report.warning(Some(node.at), field, "is the value of another item and counts once", "");
            }
        }
    }
    if held.is_empty() && V::NEED == Need::One && report.errors() == errors {
        report.error(Some(list.1), list.0, "has no value that can be used", "write one or two");
    }
    held
}

/// Two items of one value: what either says is true, and what others depend on is kept.
fn merged(first: &Label, second: Label) -> Label {
    Label {
        id: first.id.clone().or(second.id),
        created_at: first.created_at.or(second.created_at),
        keep: if first.keep == Keep::Yes { Keep::Yes } else { second.keep },
        note: first.note.clone().or(second.note),
    }
}

fn item<V: Kind>(report: &mut Report<'_>, referenced: &Referenced, field: &str, node: &Node) -> Option<(V, Label)> {
    let (text, label) = match &node.shape {
        Shape::Text(text) => (text.clone(), Label::default()),
        Shape::Nothing => (Zeroizing::default(), Label::default()),
        Shape::Table(table) => tabled(report, referenced, field, table, node.at)?,
        Shape::Whole(_) | Shape::Flag(_) | Shape::Date(_) | Shape::List(_) | Shape::Other => {
            report.error(Some(node.at), field, "must be text in quotes or a table with `value` or `file`", "");
            return None;
        }
    };
    let text = cut_newline(&text);
    if text.trim().is_empty() {
        report.warning(Some(node.at), field, "is empty and left out", "");
        return None;
    }
    match V::read(text) {
        Ok(value) => Some((value, label)),
        Err(malformed) if V::NEED == Need::Usable => {
            report.warning(Some(node.at), field, format!("{malformed} and is left out"), "");
            None
        }
        Err(malformed) => {
            report.error(Some(node.at), field, malformed.to_string(), "");
            None
        }
    }
}

/// An item that says more than its value.
fn tabled(report: &mut Report<'_>, referenced: &Referenced, field: &str, table: &Table, at: usize) -> Option<(Zeroizing<String>, Label)> {
    let fields = Fields::new(report, field.to_owned(), table, &[&["value", "file", "id", "created_at", "keep", "note"]]);
    let label = label(report, &fields);
    let text = match (fields.find("value"), fields.find("file")) {
        (Some(_), Some(file)) => {
            report.error(Some(file.at), field, "has both `value` and `file`", "keep one of the two");
            None
        }
        (None, None) => {
            report.error(Some(at), field, "has neither `value` nor `file`", "write one of the two");
            None
        }
        (Some(_), None) => fields.text(report, "value").map(|(value, _)| Zeroizing::new(value.to_owned())),
        (None, Some(_)) => fields.text(report, "file").and_then(|(path, at)| fetched(report, referenced, field, path, at)),
    };
    Some((text?, label))
}

/// The text of a file that an item names. One that is not there is left out, whatever the kind.
fn fetched(report: &mut Report<'_>, referenced: &Referenced, field: &str, path: &str, at: usize) -> Option<Zeroizing<String>> {
    if path.trim().is_empty() {
        return Some(Zeroizing::default());
    }
    let why = match referenced.get(Path::new(path)) {
        Some(Ok(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => return Some(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())),
            Err(_) => "it is not text",
        },
        // What stands in place of a path may be a secret.
        Some(Err(why)) if why.contains(path) => "",
        Some(Err(why)) => why,
        None => "it was not read",
    };
    report.warning(Some(at), field, "names a file that cannot be used and is left out", why);
    None
}

/// What stands beside a value. It is for people and for rotation, so a mistake in it refuses nothing.
fn label(report: &mut Report<'_>, fields: &Fields<'_>) -> Label {
    let id = fields.find("id").and_then(|node| match &node.shape {
        Shape::Text(text) => {
            SecretId::parse(cut_newline(text)).ok().or_else(|| odd(report, fields, "id", node.at, "is not an id of the provider"))
        }
        _ => odd(report, fields, "id", node.at, "is not text"),
    });
    let created_at = fields.find("created_at").and_then(|node| {
        let date = if let Shape::Date(date) = node.shape { Some(date) } else { node.text().and_then(|text| text.parse().ok()) };
        date.and_then(calendar).or_else(|| odd(report, fields, "created_at", node.at, "is not a date with time and zone"))
    });
    let keep = fields.find("keep").map_or(Keep::No, |node| match node.shape {
        Shape::Flag(false) => Keep::No,
        Shape::Flag(true) => Keep::Yes,
        _ => {
            report.warning(Some(node.at), &fields.path("keep"), "is neither true nor false and counts as true", "");
            Keep::Yes
        }
    });
    let note =
        fields.find("note").and_then(|node| node.text().map(str::to_owned).or_else(|| odd(report, fields, "note", node.at, "is not text")));
    Label { id, created_at, keep, note }
}

fn odd<T>(report: &mut Report<'_>, fields: &Fields<'_>, name: &str, at: usize, what: &str) -> Option<T> {
    report.warning(Some(at), &fields.path(name), format!("{what} and is ignored"), "");
    None
}

/// A date with time and zone as an instant; none before 1970.
fn calendar(at: Datetime) -> Option<SystemTime> {
    let (date, time, zone) = (at.date?, at.time?, at.offset?);
    let second = time.second.unwrap_or_default();
    let utc = format!("{:04}-{:02}-{:02}T{:02}:{:02}:{second:02}Z", date.year, date.month, date.day, time.hour, time.minute);
    let utc = humantime::parse_rfc3339(&utc).ok()?.checked_add(Duration::from_nanos(time.nanosecond.unwrap_or_default().into()))?;
    let east = match zone {
        Offset::Z => 0,
        Offset::Custom { minutes } => minutes,
    };
    let shift = Duration::from_secs(u64::from(east.unsigned_abs()) * 60);
    if east < 0 { utc.checked_add(shift) } else { utc.checked_sub(shift) }
}

/// The paths that items anywhere in the tree name.
pub(super) fn files(table: &Table, found: &mut Vec<PathBuf>) {
    for member in table {
        let items = placed(String::new(), &member.node);
        for table in items.iter().filter_map(|(_, node)| if let Shape::Table(table) = &node.shape { Some(table) } else { None }) {
            if LISTS.contains(&member.name.as_str()) {
                found.extend(table.iter().filter(|field| field.name == "file").filter_map(|field| path_of(&field.node)));
            } else {
                files(table, found);
            }
        }
    }
}

fn path_of(node: &Node) -> Option<PathBuf> {
    node.text().filter(|text| !text.trim().is_empty()).map(PathBuf::from)
}
