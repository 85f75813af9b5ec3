//! The edits in TOML: the layout and the comments of everything that stays are kept.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};
use zeroize::Zeroizing;

use super::{Change, FLAT, Field, NotEdited, Order, PAIR, Wanted, resolved};
use crate::credentials::SignatureMethod;
use crate::credentials::file::{Parsed, Referenced};
use crate::secret::ApiKey;

/// The text with the changes.
pub(super) fn edit(text: &str, order: &Order<'_>) -> Result<Zeroizing<String>, NotEdited> {
    let Order { referenced, changes, revision, only } = *order;
    let mut document: DocumentMut = text.parse().map_err(|_| NotEdited::Unusable)?;
    for change in changes {
        match change {
            Change::Secrets { account, items, primary } => {
                let wanted = Wanted::secrets(items);
                if let Some(table) = find(&mut document, ["account", "accounts"], "api_key", account.as_str()) {
                    set_secrets(table, &wanted, referenced);
                } else {
                    name_owner(&mut document, only);
                    add(&mut document, account, &wanted, primary.as_ref());
                }
            }
            Change::Keys { application, items } => {
                let table = find(&mut document, ["application", "applications"], "id", application.as_str());
                let table = table.ok_or_else(|| NotEdited::NoSuchApplication(application.clone()))?;
                set_list(table, "private_keys", &Wanted::keys(items), referenced);
            }
        }
    }
    put(document.as_table_mut(), "revision", revision.as_str().into());
    Ok(Zeroizing::new(document.to_string()))
}

/// A whole file.
pub(super) fn whole(parsed: &Parsed) -> Zeroizing<String> {
    let mut document = DocumentMut::new();
    document.insert("format", toml_edit::value(1));
    if let Some(revision) = &parsed.revision {
        document.insert("revision", toml_edit::value(revision.as_str()));
    }
    let accounts = parsed.accounts.iter().map(|entry| {
        let mut table = account(&entry.key, &Wanted::secrets(&entry.secrets), entry.primary.as_ref());
        if !entry.signatures.is_empty() {
            table.insert("signature_secrets", list(&Wanted::signatures(&entry.signatures)));
            table.insert("signature_method", toml_edit::value(word(entry.signature_method)));
        }
        table
    });
    document.insert("account", Item::ArrayOfTables(accounts.collect()));
    let applications: ArrayOfTables = parsed
        .applications
        .iter()
        .map(|entry| {
            let mut table = Table::new();
            table.insert("id", toml_edit::value(entry.id.as_str()));
            table.insert("account", toml_edit::value(entry.account.as_str()));
            table.insert("private_keys", list(&Wanted::keys(&entry.keys)));
            table
        })
        .collect();
    if !applications.is_empty() {
        document.insert("application", Item::ArrayOfTables(applications));
    }
    Zeroizing::new(document.to_string())
}

fn word(method: SignatureMethod) -> &'static str {
    match method {
        SignatureMethod::Md5Hash => "md5hash",
        SignatureMethod::Md5 => "md5",
        SignatureMethod::Sha1 => "sha1",
        SignatureMethod::Sha256 => "sha256",
        SignatureMethod::Sha512 => "sha512",
    }
}

/// The table whose field says this: one of a list under either name, or for accounts the file itself.
fn find<'d>(document: &'d mut DocumentMut, names: [&str; 2], field: &str, text: &str) -> Option<&'d mut dyn TableLike> {
    let says = |table: &dyn TableLike| table.get(field).and_then(Item::as_str).is_some_and(|found| found.trim_end() == text);
    let root = document.as_table_mut();
    if field == "api_key" && says(root) {
        return Some(root);
    }
    let name = names.into_iter().find(|name| root.contains_key(name))?;
    tables(root.get_mut(name)?).into_iter().find(|table| says(*table))
}

/// One table, or a list of them, in each of the forms that TOML has for them.
fn tables(item: &mut Item) -> Vec<&mut dyn TableLike> {
    match item {
        Item::Table(table) => vec![table],
        Item::ArrayOfTables(list) => list.iter_mut().map(|table| -> &mut dyn TableLike { table }).collect(),
        Item::Value(Value::InlineTable(table)) => vec![table],
        Item::Value(Value::Array(list)) => {
            list.iter_mut().filter_map(Value::as_inline_table_mut).map(|table| -> &mut dyn TableLike { table }).collect()
        }
        Item::Value(_) | Item::None => Vec::new(),
    }
}

fn set_secrets(table: &mut dyn TableLike, wanted: &[Wanted], referenced: &Referenced) {
    if !PAIR.iter().any(|name| table.contains_key(name)) {
        set_list(table, "secrets", wanted, referenced);
    } else if wanted.iter().all(Wanted::is_bare) {
        for (index, name) in PAIR.into_iter().enumerate() {
            match wanted.get(index) {
                Some(wanted) => put(table, name, wanted.text.as_str().into()),
                None => drop(table.remove(name)),
            }
        }
    } else {
        let held: Vec<Value> = PAIR.iter().filter_map(|name| table.remove(name)).flat_map(|item| elements(&item)).collect();
        table.insert("secrets", Item::Value(Value::Array(arranged(Array::new(), &held, wanted, referenced))));
    }
}

/// Makes a list hold these, in its own layout.
fn set_list(table: &mut dyn TableLike, name: &str, wanted: &[Wanted], referenced: &Referenced) {
    let held = table.get(name).map(elements).unwrap_or_default();
    let layout = table.get(name).and_then(Item::as_array).cloned().unwrap_or_default();
    put(table, name, Value::Array(arranged(layout, &held, wanted, referenced)));
}

/// Sets a field and keeps the space and the comment around a value that was there.
fn put(table: &mut dyn TableLike, name: &str, mut value: Value) {
    match table.get_mut(name) {
        Some(Item::Value(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        Some(other) => *other = Item::Value(value),
        None => drop(table.insert(name, Item::Value(value))),
    }
}

/// The items of a field, in each of the forms that it may have.
fn elements(item: &Item) -> Vec<Value> {
    match item {
        Item::Value(Value::Array(list)) => list.iter().cloned().collect(),
        Item::Value(value) => vec![value.clone()],
        Item::Table(table) => vec![Value::InlineTable(table.clone().into_inline_table())],
        Item::ArrayOfTables(list) => list.iter().map(|table| Value::InlineTable(table.clone().into_inline_table())).collect(),
        Item::None => Vec::new(),
    }
}

fn arranged(mut layout: Array, held: &[Value], wanted: &[Wanted], referenced: &Referenced) -> Array {
    let space = layout.iter().next().and_then(|first| first.decor().prefix()?.as_str()).unwrap_or_default().to_owned();
    let in_lines = space.contains('\n');
    let fresh = space.rfind('\n').and_then(|at| space.get(at..)).unwrap_or_default().to_owned();
    layout.clear();
    for (index, wanted) in wanted.iter().enumerate() {
        let old = held.iter().find(|value| stands_for(value, referenced).is_some_and(|text| wanted.is(&text)));
        let mut value = element(old, wanted);
        if !in_lines {
            value.decor_mut().set_prefix(if index == 0 { "" } else { " " });
            value.decor_mut().set_suffix("");
        } else if old.is_none() {
            value.decor_mut().set_prefix(fresh.as_str());
        }
        layout.push_formatted(value);
    }
    layout
}

fn stands_for(value: &Value, referenced: &Referenced) -> Option<Zeroizing<String>> {
    match value {
        Value::String(text) => resolved(Some(text.value()), None, referenced),
        Value::InlineTable(table) => {
            resolved(table.get("value").and_then(Value::as_str), table.get("file").and_then(Value::as_str), referenced)
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => None,
    }
}

/// An item for a value: the one that stood for it with what is to be said about it, or a new one.
fn element(old: Option<&Value>, wanted: &Wanted) -> Value {
    let mut table = match old {
        Some(Value::InlineTable(table)) => table.clone(),
        Some(text) if wanted.is_bare() => return text.clone(),
        None if wanted.is_bare() => return wanted.text.as_str().into(),
        Some(_) | None => {
            let mut table = InlineTable::new();
            table.insert("value", wanted.text.as_str().into());
            if let Some(old) = old {
                *table.decor_mut() = old.decor().clone();
            }
            table
        }
    };
    for (name, field) in wanted.fields() {
        label(&mut table, name, field);
    }
    Value::InlineTable(table)
}

/// Makes one field of a label say what it should, and leaves one alone that does.
fn label(table: &mut InlineTable, name: &str, field: Option<Field>) {
    let value: Value = match field {
        None => {
            table.remove(name);
            return;
        }
        Some(Field::Text(text)) => text.into(),
        Some(Field::Date(text)) => text.parse::<toml_edit::Datetime>().map_or_else(|_| text.into(), Value::from),
        Some(Field::True) => true.into(),
    };
    let bare = |value: &Value| value.clone().decorated("", "").to_string();
    if table.get(name).is_none_or(|old| bare(old) != bare(&value)) {
        table.insert(name, value);
    }
}

fn list(wanted: &[Wanted]) -> Item {
    Item::Value(Value::Array(arranged(Array::new(), &[], wanted, &Referenced::new())))
}

fn account(key: &ApiKey, wanted: &[Wanted], primary: Option<&ApiKey>) -> Table {
    let mut table = Table::new();
    table.insert("api_key", toml_edit::value(key.as_str()));
    table.insert("secrets", list(wanted));
    if let Some(primary) = primary {
        table.insert("primary", toml_edit::value(primary.as_str()));
    }
    table
}

/// Lets applications that name no account name the only one.
fn name_owner(document: &mut DocumentMut, only: Option<&ApiKey>) {
    let root = document.as_table_mut();
    let Some(only) = only else { return };
    for name in ["application", "applications"] {
        for table in root.get_mut(name).map(tables).unwrap_or_default() {
            if !table.contains_key("account") {
                drop(table.insert("account", toml_edit::value(only.as_str())));
            }
        }
    }
}

/// Adds an account after those that are there.
fn add(document: &mut DocumentMut, key: &ApiKey, wanted: &[Wanted], primary: Option<&ApiKey>) {
    let new = account(key, wanted, primary);
    let root = document.as_table_mut();
    let name = if root.contains_key("accounts") { "accounts" } else { "account" };
    match root.get_mut(name) {
        Some(Item::ArrayOfTables(list)) => list.push(new),
        Some(Item::Value(Value::Array(list))) => list.push(new.into_inline_table()),
        Some(item @ (Item::Table(_) | Item::Value(_))) => {
            let mut first = std::mem::take(item).into_table().unwrap_or_default();
            // Written as `account.api_key = …` so far, which no member of a list can be.
            first.set_dotted(false);
            *item = Item::ArrayOfTables([first, new].into_iter().collect());
        }
        Some(Item::None) | None => {
            let flat: Vec<(&str, Item)> = FLAT.iter().filter_map(|field| Some((*field, root.remove(field)?))).collect();
            let first = (!flat.is_empty()).then(|| flat.into_iter().collect::<Table>());
            root.insert(name, Item::ArrayOfTables(first.into_iter().chain([new]).collect()));
        }
    }
}
