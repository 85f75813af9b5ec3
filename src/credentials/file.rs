//! The credentials file: text to entries. Effects (reading it and the files it names) are in [`super::read`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Label, SignatureMethod};
use crate::problem::Problems;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, PrivateKeyPem, Revision, SignatureSecret};

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
    /// At most two private keys; a key whose file is missing is left out, with a problem.
    pub keys: Vec<Item<PrivateKeyPem>>,
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

/// What the files that the text names hold: bytes, or in our own words why they could not be read. The key is the
/// path as the text has it.
pub type Referenced = BTreeMap<PathBuf, Result<Zeroizing<Vec<u8>>, String>>;

/// The paths that the text names, as it has them. Empty when the text cannot be read at all.
pub fn references(text: &str) -> Vec<PathBuf> {
    let _ = text;
    Vec::new()
}

/// Reads the whole file: the entries when it can be used, and every problem found, warnings included.
pub fn parse(path: &Path, text: &str, referenced: &Referenced) -> (Option<Parsed>, Problems) {
    let _ = (text, referenced);
    (None, Problems::of(path))
}
