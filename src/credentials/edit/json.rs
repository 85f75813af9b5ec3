//! The edits in JSON: the order, and every text and number that stays, are kept.

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Change, FLAT, Field, NotEdited, Order, PAIR, Wanted, resolved};
use crate::credentials::file::{Pairs, Referenced};
use crate::secret::ApiKey;

/// A document whose texts and numbers are as they were written.
#[derive(Clone)]
enum Node {
    Table(Vec<(String, Self)>),
    List(Vec<Self>),
    Raw(Zeroizing<String>),
}

/// The text with the changes.
pub(super) fn edit(text: &str, order: &Order<'_>) -> Result<Zeroizing<String>, NotEdited> {
    let Order { referenced, changes, revision, only } = *order;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| NotEdited::Unusable)?;
    let mut root = Node::read(raw).ok_or(NotEdited::Unusable)?;
    for change in changes {
        match change {
            Change::Secrets { account, items, primary } => {
                let wanted = Wanted::secrets(items);
                if let Some(table) = root.find(["account", "accounts"], "api_key", account.as_str()) {
                    table.set_secrets(&wanted, referenced);
                } else {
                    root.name_owner(only);
                    root.add(account, &wanted, primary.as_ref());
                }
            }
            Change::Keys { application, items } => {
                let table = root.find(["application", "applications"], "id", application.as_str());
                let table = table.ok_or_else(|| NotEdited::NoSuchApplication(application.clone()))?;
                table.set_list("private_keys", &Wanted::keys(items), referenced);
            }
        }
    }
    root.put("revision", Node::text(revision.as_str()));
    let mut written = Zeroizing::new(String::with_capacity(text.len() * 2 + 1024));
    let layout = if text.trim().contains('\n') { Layout::Lines(0) } else { Layout::OneLine };
    root.write(&mut written, layout);
    if text.ends_with('\n') {
        written.push('\n');
    }
    Ok(written)
}

/// How a document is laid out.
#[derive(Clone, Copy)]
enum Layout {
    OneLine,
    /// So many levels deep.
    Lines(usize),
}

impl Layout {
    fn deeper(self) -> Self {
        match self {
            Self::OneLine => Self::OneLine,
            Self::Lines(depth) => Self::Lines(depth + 1),
        }
    }

    fn break_line(self, out: &mut String) {
        if let Self::Lines(depth) = self {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn separate(self, out: &mut String, index: usize) {
        match (index, self) {
            (0, Self::OneLine | Self::Lines(_)) => {}
            (_, Self::OneLine) => out.push_str(", "),
            (_, Self::Lines(_)) => out.push(','),
        }
        self.break_line(out);
    }
}

impl Node {
    fn read(raw: &RawValue) -> Option<Self> {
        match raw.get().as_bytes().first()? {
            b'{' => {
                let pairs: Pairs<'_> = serde_json::from_str(raw.get()).ok()?;
                pairs.0.into_iter().map(|(name, raw)| Some((name, Self::read(raw)?))).collect::<Option<_>>().map(Self::Table)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
                items.into_iter().map(Self::read).collect::<Option<_>>().map(Self::List)
            }
            _ => Some(Self::Raw(Zeroizing::new(raw.get().to_owned()))),
        }
    }

    fn text(text: &str) -> Self {
        Self::Raw(Zeroizing::new(serde_json::Value::from(text).to_string()))
    }

    fn as_text(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Raw(raw) => serde_json::from_str(raw).ok().map(Zeroizing::new),
            Self::Table(_) | Self::List(_) => None,
        }
    }

    fn write(&self, out: &mut String, layout: Layout) {
        match self {
            Self::Raw(raw) => out.push_str(raw),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    layout.deeper().separate(out, index);
                    item.write(out, layout.deeper());
                }
                if !items.is_empty() {
                    layout.break_line(out);
                }
                out.push(']');
            }
            Self::Table(members) => {
                out.push('{');
                for (index, (name, node)) in members.iter().enumerate() {
                    layout.deeper().separate(out, index);
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push_str(": ");
                    node.write(out, layout.deeper());
                }
                if !members.is_empty() {
                    layout.break_line(out);
                }
                out.push('}');
            }
        }
    }

    fn members(&mut self) -> Option<&mut Vec<(String, Self)>> {
        if let Self::Table(members) = self { Some(members) } else { None }
    }

    fn get(&self, name: &str) -> Option<&Self> {
        let Self::Table(members) = self else { return None };
        // A field that is null is not there.
        let found = members.iter().find(|(member, _)| member == name).map(|(_, node)| node);
        found.filter(|node| !matches!(node, Self::Raw(raw) if raw.as_str() == "null"))
    }

    fn put(&mut self, name: &str, node: Self) {
        let Some(members) = self.members() else { return };
        match members.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = node,
            None => members.push((name.to_owned(), node)),
        }
    }

    fn take(&mut self, name: &str) -> Option<Self> {
        let members = self.members()?;
        let at = members.iter().position(|(member, _)| member == name)?;
        Some(members.remove(at).1)
    }

    /// The table whose field says this: one of a list under either name, or for accounts the file itself.
    fn find(&mut self, names: [&str; 2], field: &str, text: &str) -> Option<&mut Self> {
        let says = |table: &Self| table.get(field).and_then(Self::as_text).is_some_and(|found| found.trim_end() == text);
        if field == "api_key" && says(self) {
            return Some(self);
        }
        let name = names.into_iter().find(|name| self.get(name).is_some())?;
        match self.members()?.iter_mut().find(|(member, _)| member == name).map(|(_, node)| node)? {
            Self::List(items) => items.iter_mut().find(|table| says(table)),
            table => Some(table).filter(|table| says(table)),
        }
    }

    fn set_secrets(&mut self, wanted: &[Wanted], referenced: &Referenced) {
        if !PAIR.iter().any(|name| self.get(name).is_some()) {
            self.set_list("secrets", wanted, referenced);
        } else if wanted.iter().all(Wanted::is_bare) {
            for (index, name) in PAIR.into_iter().enumerate() {
                match wanted.get(index) {
                    Some(wanted) => self.put(name, Self::text(&wanted.text)),
                    None => drop(self.take(name)),
                }
            }
        } else {
            let held: Vec<Self> = PAIR.iter().filter_map(|name| self.take(name)).flat_map(Self::into_items).collect();
            self.put("secrets", Self::arranged(&held, wanted, referenced));
        }
    }

    fn set_list(&mut self, name: &str, wanted: &[Wanted], referenced: &Referenced) {
        let held = self.get(name).cloned().map(Self::into_items).unwrap_or_default();
        self.put(name, Self::arranged(&held, wanted, referenced));
    }

    fn into_items(self) -> Vec<Self> {
        match self {
            Self::List(items) => items,
            one @ (Self::Raw(_) | Self::Table(_)) => vec![one],
        }
    }

    fn arranged(held: &[Self], wanted: &[Wanted], referenced: &Referenced) -> Self {
        let item = |wanted: &Wanted| {
            let old = held.iter().find(|node| node.stands_for(referenced).is_some_and(|text| wanted.is(&text)));
            Self::element(old, wanted)
        };
        Self::List(wanted.iter().map(item).collect())
    }

    fn stands_for(&self, referenced: &Referenced) -> Option<Zeroizing<String>> {
        let field = |name| self.get(name).and_then(Self::as_text);
        match self {
            Self::Raw(_) => resolved(self.as_text().as_ref().map(|text| text.as_str()), None, referenced),
            Self::Table(_) => {
                let (value, file) = (field("value"), field("file"));
                resolved(value.as_ref().map(|text| text.as_str()), file.as_ref().map(|text| text.as_str()), referenced)
            }
            Self::List(_) => None,
        }
    }

    /// An item for a value: the one that stood for it with what is to be said about it, or a new one.
    fn element(old: Option<&Self>, wanted: &Wanted) -> Self {
        let mut table = match old {
            Some(table @ Self::Table(_)) => table.clone(),
            Some(text) if wanted.is_bare() => return text.clone(),
            None if wanted.is_bare() => return Self::text(&wanted.text),
            Some(_) | None => Self::Table(vec![("value".to_owned(), Self::text(&wanted.text))]),
        };
        for (name, field) in wanted.fields() {
            match field {
                None => drop(table.take(name)),
                Some(Field::Text(text) | Field::Date(text)) => table.put(name, Self::text(&text)),
                Some(Field::True) => table.put(name, Self::Raw(Zeroizing::new("true".to_owned()))),
            }
        }
        table
    }

    /// Lets applications that name no account name the only one.
    fn name_owner(&mut self, only: Option<&ApiKey>) {
        let (Some(only), Some(members)) = (only, self.members()) else { return };
        for (_, node) in members.iter_mut().filter(|(name, _)| ["application", "applications"].contains(&name.as_str())) {
            let tables = if let Self::List(items) = node { items.as_mut_slice() } else { std::slice::from_mut(node) };
            for table in tables.iter_mut().filter(|table| table.get("account").is_none()) {
                table.put("account", Self::text(only.as_str()));
            }
        }
    }

    /// Adds an account after those that are there.
    fn add(&mut self, key: &ApiKey, wanted: &[Wanted], primary: Option<&ApiKey>) {
        let mut new =
            vec![("api_key".to_owned(), Self::text(key.as_str())), ("secrets".to_owned(), Self::arranged(&[], wanted, &Referenced::new()))];
        new.extend(primary.map(|primary| ("primary".to_owned(), Self::text(primary.as_str()))));
        let new = Self::Table(new);
        let name = if self.get("accounts").is_some() { "accounts" } else { "account" };
        let mut listed = match self.take(name) {
            Some(Self::Raw(_)) | None => {
                let flat: Vec<(String, Self)> = FLAT.iter().filter_map(|field| Some(((*field).to_owned(), self.take(field)?))).collect();
                if flat.is_empty() { Vec::new() } else { vec![Self::Table(flat)] }
            }
            Some(node) => node.into_items(),
        };
        listed.push(new);
        self.put(name, Self::List(listed));
    }
}
