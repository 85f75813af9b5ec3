//! Accounts and applications of a credentials file.
//!
//! Invariants: keys and ids appear once; every application belongs to an account of the file. Everything wrong is
//! found in one pass.

use std::collections::BTreeSet;

use super::items::{self, Placed};
use super::report::{Fields, Report};
use super::shape::{Node, Shape, Table};
use super::{AccountEntry, ApplicationEntry, Item, Parsed, Referenced};
use crate::credentials::SignatureMethod;
use crate::problem::nearest;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Malformed, Revision};

/// The format that this version reads.
const FORMAT: i64 = 1;
const FILE: &[&str] = &["format", "revision", "account", "accounts", "application", "applications"];
const ACCOUNT: &[&str] = &["api_key", "secrets", "api_secret", "api_secret_previous", "signature_secrets", "signature_method", "primary"];
const APPLICATION: &[&str] = &["id", "account", "private_keys"];
const METHODS: &[(&str, SignatureMethod)] = &[
    ("md5hash", SignatureMethod::Md5Hash),
    ("md5", SignatureMethod::Md5),
    ("sha1", SignatureMethod::Sha1),
    ("sha256", SignatureMethod::Sha256),
    ("sha512", SignatureMethod::Sha512),
];

/// Reads the whole tree. What comes back can be used only if no error was reported.
pub(super) fn read(report: &mut Report<'_>, root: &Table, referenced: &Referenced) -> Parsed {
    let fields = Fields::new(report, String::new(), root, &[FILE, ACCOUNT]);
    format(report, &fields);
    let revision = revision(report, &fields);
    let mut reader = Reader { referenced, keys: BTreeSet::new(), ids: BTreeSet::new() };
    let accounts = reader.accounts(report, &fields, root);
    let applications = reader.applications(report, &fields);
    Parsed { revision, accounts, applications }
}

fn format(report: &mut Report<'_>, fields: &Fields<'_>) {
    if let Some(node) = fields.find("format")
        && !matches!(node.shape, Shape::Whole(FORMAT))
    {
        report.error(Some(node.at), "format", "is a format that this version does not know", "write format = 1, or leave it out");
    }
}

/// Rotation misses a mark that cannot be read and says so; requests do not depend on it.
fn revision(report: &mut Report<'_>, fields: &Fields<'_>) -> Option<Revision> {
    let node = fields.find("revision")?;
    let revision = node.text().and_then(|text| Revision::parse(text).ok());
    if revision.is_none() {
        report.warning(Some(node.at), "revision", "is not a mark of a deploy and is ignored", "");
    }
    revision
}

/// The tables of a field, which may be one table or a list of them.
fn tables<'n>(report: &mut Report<'_>, field: String, node: &'n Node) -> Vec<(String, &'n Table, usize)> {
    let mut tables = Vec::new();
    for (field, node) in items::placed(field, node) {
        match &node.shape {
            Shape::Table(table) => tables.push((field, table, node.at)),
            _ => report.error(Some(node.at), &field, "must be a table", "see credentials.example.toml for the format"),
        }
    }
    tables
}

/// What has been met so far.
struct Reader<'r> {
    referenced: &'r Referenced,
    keys: BTreeSet<ApiKey>,
    ids: BTreeSet<ApplicationId>,
}

impl Reader<'_> {
    fn accounts(&mut self, report: &mut Report<'_>, fields: &Fields<'_>, root: &Table) -> Vec<AccountEntry> {
        let listed = fields.either(report, "account", "accounts");
        let short = root.iter().find(|member| ACCOUNT.contains(&member.name.as_str()));
        match (listed, short) {
            (Some(_), Some(short)) => {
                report.error(
                    Some(short.at),
                    "",
                    "has fields of an account both in `account` and outside of it",
                    "move them into an [[account]] table",
                );
                Vec::new()
            }
            (None, Some(_)) => self.account(report, fields, 0).into_iter().collect(),
            (Some((field, node)), None) => {
                let errors = report.errors();
                let tables = tables(report, field, node);
                if tables.is_empty() && report.errors() == errors {
                    report.error(Some(node.at), "account", "is empty", "write an [[account]] table with api_key and secrets");
                }
                let read = |(field, table, at)| {
                    let fields = Fields::new(report, field, table, &[ACCOUNT]);
                    self.account(report, &fields, at)
                };
                tables.into_iter().filter_map(read).collect()
            }
            (None, None) => {
                report.error(None, "", "has no account", "write an [[account]] table with api_key and secrets");
                Vec::new()
            }
        }
    }

    fn account(&mut self, report: &mut Report<'_>, fields: &Fields<'_>, at: usize) -> Option<AccountEntry> {
        let key = required(report, fields, "api_key", at, ApiKey::parse);
        if let Some((key, at)) = &key
            && !self.keys.insert(key.clone())
        {
            report.error(Some(*at), &fields.path("api_key"), "is the key of another account of this file", "write each account once");
        }
        let secrets = self.secrets(report, fields, at);
        let signatures = match fields.find("signature_secrets") {
            None => Vec::new(),
            Some(node) => self.list(report, &fields.path("signature_secrets"), node),
        };
        let signature_method = signature_method(report, fields);
        let primary =
            fields.text(report, "primary").and_then(|(text, at)| accept(report, &fields.path("primary"), at, ApiKey::parse(text)));
        Some(AccountEntry { key: key?.0, secrets, signatures, signature_method, primary })
    }

    /// `secrets`, or the pair of names that secret stores hand out.
    fn secrets(&self, report: &mut Report<'_>, fields: &Fields<'_>, at: usize) -> Vec<Item<ApiSecret>> {
        let pair: Vec<Placed<'_>> = ["api_secret", "api_secret_previous"]
            .iter()
            .filter_map(|name| fields.find(name).map(|node| (fields.path(name), node)))
            .collect();
        match (fields.find("secrets"), pair.first()) {
            (Some(_), Some((field, node))) => {
                report.error(Some(node.at), field, "stands beside `secrets`", "keep one of the two");
                Vec::new()
            }
            (Some(node), None) => self.list(report, &fields.path("secrets"), node),
            (None, Some((field, node))) => items::read(report, self.referenced, (field, node.at), &pair),
            (None, None) => {
                report.error(Some(at), &fields.path("secrets"), "is missing", "write one or two secrets of the account");
                Vec::new()
            }
        }
    }

    fn list<V: items::Kind>(&self, report: &mut Report<'_>, field: &str, node: &Node) -> Vec<Item<V>> {
        let items = items::placed(field.to_owned(), node);
        items::read(report, self.referenced, (field, node.at), &items)
    }

    fn applications(&mut self, report: &mut Report<'_>, fields: &Fields<'_>) -> Vec<ApplicationEntry> {
        let Some((field, node)) = fields.either(report, "application", "applications") else { return Vec::new() };
        let tables = tables(report, field, node);
        tables.into_iter().filter_map(|(field, table, at)| self.application(report, field, table, at)).collect()
    }

    fn application(&mut self, report: &mut Report<'_>, field: String, table: &Table, at: usize) -> Option<ApplicationEntry> {
        let fields = Fields::new(report, field, table, &[APPLICATION]);
        let id = required(report, &fields, "id", at, ApplicationId::parse);
        if let Some((id, at)) = &id
            && !self.ids.insert(id.clone())
        {
            report.error(Some(*at), &fields.path("id"), "is the id of another application of this file", "write each application once");
        }
        let account = self.owner(report, &fields, at);
        let field = fields.path("private_keys");
        let keys = fields.find("private_keys").map_or_else(Vec::new, |node| self.list(report, &field, node));
        if fields.find("private_keys").is_none() {
            report.error(Some(at), &field, "is missing", "write [{ file = \"private.key\" }]");
        }
        Some(ApplicationEntry { id: id?.0, account: account?, keys })
    }

    /// The account of an application: the one it names, or the only one there is.
    fn owner(&self, report: &mut Report<'_>, fields: &Fields<'_>, at: usize) -> Option<ApiKey> {
        if fields.find("account").is_none() && self.keys.len() == 1 {
            return self.keys.first().cloned();
        }
        let (key, at) = required(report, fields, "account", at, ApiKey::parse)?;
        if !self.keys.contains(&key) {
            report.error(Some(at), &fields.path("account"), "is not an account of this file", "write the api_key of an account that is");
            return None;
        }
        Some(key)
    }
}

fn signature_method(report: &mut Report<'_>, fields: &Fields<'_>) -> SignatureMethod {
    let Some((text, at)) = fields.text(report, "signature_method") else { return SignatureMethod::default() };
    let known = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, method)| *method);
    known.unwrap_or_else(|| {
        let names: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
        let hint =
            nearest(text, &names).map_or_else(|| format!("write one of {}", names.join(", ")), |near| format!("did you mean \"{near}\"?"));
        report.error(Some(at), &fields.path("signature_method"), "is not a signature method", hint);
        SignatureMethod::default()
    })
}

/// A field that must be there, with its place; `at` is where it is missed.
fn required<T>(
    report: &mut Report<'_>,
    fields: &Fields<'_>,
    name: &str,
    at: usize,
    parse: fn(&str) -> Result<T, Malformed>,
) -> Option<(T, usize)> {
    if fields.find(name).is_none() {
        report.error(Some(at), &fields.path(name), "is missing", "");
        return None;
    }
    let (text, at) = fields.text(report, name)?;
    accept(report, &fields.path(name), at, parse(text)).map(|value| (value, at))
}

fn accept<T>(report: &mut Report<'_>, field: &str, at: usize, read: Result<T, Malformed>) -> Option<T> {
    read.map_err(|malformed| report.error(Some(at), field, malformed.to_string(), "")).ok()
}
