//! The credentials file: text to entries.
//!
//! Invariants: a file is used whole or not at all; names that are not known warn and never refuse, so that an older
//! sidecar reads the file of a newer one; **no problem contains anything that stands in the file**.
//!
//! Not here: reading the file and those it names ([`super::read`]), what a reload keeps of the file before it
//! ([`super::linger`]). The format is explained in `config/credentials.example.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Label, SignatureMethod};
use crate::jwt::SigningKey;
use crate::problem::Problems;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, Revision, SignatureSecret};

mod entries;
mod items;
mod report;
mod shape;

use report::Report;
pub(super) use shape::Pairs;

/// One value with what the file says about it.
#[derive(Debug, Clone)]
pub struct Item<V> {
    /// The value.
    pub value: V,
    /// What is said about it.
    pub label: Label,
}

/// An account as the file has it.
#[derive(Debug, Clone)]
pub struct AccountEntry {
    /// Its key.
    pub key: ApiKey,
    /// One or two secrets, different from each other, in file order.
    pub secrets: Vec<Item<ApiSecret>>,
    /// At most two signature secrets.
    pub signatures: Vec<Item<SignatureSecret>>,
    /// How it signs.
    pub signature_method: SignatureMethod,
    /// The account that manages it.
    pub primary: Option<ApiKey>,
}

/// An application as the file has it.
#[derive(Debug, Clone)]
pub struct ApplicationEntry {
    /// Its id.
    pub id: ApplicationId,
    /// The account it belongs to.
    pub account: ApiKey,
    /// At most two private keys; one whose file is missing, or that does not parse, is left out with a problem.
    pub keys: Vec<Item<SigningKey>>,
}

/// A whole file that can be used.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The mark of the last deploy.
    pub revision: Option<Revision>,
    /// Never empty; keys differ.
    pub accounts: Vec<AccountEntry>,
    /// Ids differ.
    pub applications: Vec<ApplicationEntry>,
}

/// What the files that the text names hold: bytes, or in our own words and without the path why they could not be
/// read. The key is the path as the text has it.
pub type Referenced = BTreeMap<PathBuf, Result<Zeroizing<Vec<u8>>, String>>;

/// The paths that the text names, as it has them, each once. Empty when the text cannot be read at all.
pub fn references(text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(root) = shape::tree(without_mark(text)) {
        items::files(&root, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// Reads the whole file: the entries when it can be used, and every problem found, warnings included.
pub fn parse(path: &Path, text: &str, referenced: &Referenced) -> (Option<Parsed>, Problems) {
    let text = without_mark(text);
    let mut report = Report::new(path, text);
    if text.trim().is_empty() {
        report.error(None, "", "is empty", "write an [[account]] table with api_key and secrets");
        return (None, report.into_problems());
    }
    let parsed = match shape::tree(text) {
        Ok(root) => Some(entries::read(&mut report, &root, referenced)),
        Err(unreadable) => {
            report.error(Some(unreadable.at), "", unreadable.what, unreadable.hint);
            None
        }
    };
    let problems = report.into_problems();
    (parsed.filter(|_| !problems.any_error()), problems)
}

/// Editors on Windows begin a file with a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests;
