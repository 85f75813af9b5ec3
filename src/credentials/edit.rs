//! Changes a credentials file: the secrets of accounts, the keys of applications, the mark of the deploy, nothing else.
//!
//! What is not changed stays as it is: comments, order, names that are not known, items whose value and label stay.
//! The rules where the file has a choice:
//!
//! - a value that is new is written into the file itself. An item that names another file keeps naming it while its
//!   value is wanted; the files that are named are never written, and one that is no longer named is left alone;
//! - the pair `api_secret` and `api_secret_previous` stays a pair while nothing but values is to be written, and becomes
//!   `secrets` when an item has an id or another label;
//! - an account that the file does not know is added at the end. The flat form becomes a list for that, and only then;
//! - TOML keeps its layout. JSON keeps its order and every number and text, and is laid out anew: in lines when it was
//!   in lines, in one line otherwise.
//!
//! Invariant: what comes out was parsed again and differs from what went in by the changes alone, or nothing comes out.
//! Not here: reading and writing files (`rotation::sinks`), what the format means ([`super::file`]).

use std::path::Path;

use zeroize::Zeroizing;

use super::file::{self, Item, Parsed, Referenced};
use super::{Keep, Label};
use crate::jwt::SigningKey;
use crate::secret::{ApiKey, ApiSecret, ApplicationId, PrivateKeyPem, Revision, SignatureSecret};

mod json;
mod toml;
mod verify;

/// One change of a credentials file.
#[derive(Debug, Clone)]
pub enum Change {
    /// An account has exactly these secrets. One that the file does not know is added.
    Secrets {
        /// The account.
        account: ApiKey,
        /// One or two, in the order in which they are preferred.
        items: Vec<Item<ApiSecret>>,
        /// For an account that is added: the one that manages it.
        primary: Option<ApiKey>,
    },
    /// An application of the file has exactly these private keys.
    Keys {
        /// The application.
        application: ApplicationId,
        /// One or two, in the order in which they are preferred.
        items: Vec<Item<SigningKey>>,
    },
}

/// Why a file is not changed. Never carries anything that stands in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// It cannot be used as it is.
    #[error("it cannot be used as it is (vonage-sidecar check says why)")]
    Unusable,
    /// It does not hold the application.
    #[error("it does not hold the application {0} (add it to the file first)")]
    NoSuchApplication(ApplicationId),
    /// An application is asked for without its account.
    #[error("it would hold the application {0} without its account (name the account as well)")]
    NoAccountOf(ApplicationId),
    /// It would have held something else than was asked for.
    #[error("it has a form that cannot be changed without changing more (write it as in credentials.example.toml)")]
    Unfaithful,
}

/// The text with the changes and the mark of the deploy. An empty text becomes a new file.
pub fn edit(text: &str, referenced: &Referenced, changes: &[Change], revision: &Revision) -> Result<Zeroizing<String>, NotEdited> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = if plain.trim().is_empty() { None } else { Some(parsed(plain, referenced).ok_or(NotEdited::Unusable)?) };
    // With one account, applications need not name it; with a second one they must.
    let only = before.as_ref().and_then(|before| if let [only] = before.accounts.as_slice() { Some(&only.key) } else { None });
    let order = Order { referenced, changes, revision, only };
    let changed = match (&before, plain.trim_start().starts_with('{')) {
        (None, _) => toml::edit("format = 1\n", &order),
        (Some(_), true) => json::edit(plain, &order),
        (Some(_), false) => toml::edit(plain, &order),
    }?;
    // A file that is no longer named by anything needs not be read any more.
    let after = parsed(&changed, referenced).ok_or(NotEdited::Unfaithful)?;
    let nothing = Parsed { revision: None, accounts: Vec::new(), applications: Vec::new() };
    if verify::is_faithful(before.as_ref().unwrap_or(&nothing), &after, changes, revision) {
        Ok(changed)
    } else {
        Err(NotEdited::Unfaithful)
    }
}

/// A text with nothing but these accounts and applications, for those who are to hold no others. None of them: none.
pub fn projected(
    parsed: &Parsed,
    accounts: &[ApiKey],
    applications: &[ApplicationId],
    revision: &Revision,
) -> Result<Zeroizing<String>, NotEdited> {
    let kept = Parsed {
        revision: Some(revision.clone()),
        accounts: parsed.accounts.iter().filter(|entry| accounts.contains(&entry.key)).cloned().collect(),
        applications: parsed.applications.iter().filter(|entry| applications.contains(&entry.id)).cloned().collect(),
    };
    let orphan = kept.applications.iter().find(|entry| !accounts.contains(&entry.account));
    if let Some(orphan) = orphan {
        return Err(NotEdited::NoAccountOf(orphan.id.clone()));
    }
    let text = toml::whole(&kept);
    let after = self::parsed(&text, &Referenced::new()).ok_or(NotEdited::Unfaithful)?;
    if verify::is_same(&kept, &after) { Ok(text) } else { Err(NotEdited::Unfaithful) }
}

/// Whether a file holds what the changes say, with this mark.
pub fn holds(parsed: &Parsed, changes: &[Change], revision: &Revision) -> bool {
    verify::is_faithful(parsed, parsed, changes, revision)
}

fn parsed(text: &str, referenced: &Referenced) -> Option<Parsed> {
    file::parse(Path::new(""), text, referenced).0
}

/// What is to be done to a text.
struct Order<'o> {
    referenced: &'o Referenced,
    changes: &'o [Change],
    revision: &'o Revision,
    /// The account of the file, when it holds a single one.
    only: Option<&'o ApiKey>,
}

/// A value to be written, whatever its kind.
struct Wanted {
    text: Zeroizing<String>,
    sort: Sort,
    label: Label,
}

/// What makes two values the same.
enum Sort {
    /// Their text.
    Secret,
    /// The key that they hold, whatever form it is written in.
    Key(SigningKey),
}

impl Wanted {
    fn secrets(items: &[Item<ApiSecret>]) -> Vec<Self> {
        items.iter().map(|item| Self { text: item.value.written(), sort: Sort::Secret, label: item.label.clone() }).collect()
    }

    fn signatures(items: &[Item<SignatureSecret>]) -> Vec<Self> {
        items.iter().map(|item| Self { text: item.value.written(), sort: Sort::Secret, label: item.label.clone() }).collect()
    }

    /// A key that cannot be written is empty text, which no file with it survives.
    fn keys(items: &[Item<SigningKey>]) -> Vec<Self> {
        let wanted = |item: &Item<SigningKey>| {
            let text = item.value.written().unwrap_or_default();
            Self { text, sort: Sort::Key(item.value.clone()), label: item.label.clone() }
        };
        items.iter().map(wanted).collect()
    }

    /// Whether a text that stands in the file is this value.
    fn is(&self, text: &str) -> bool {
        match &self.sort {
            Sort::Secret => self.text.as_str() == text,
            Sort::Key(key) => PrivateKeyPem::parse(text).and_then(|pem| SigningKey::parse(&pem)).is_ok_and(|other| other.same_as(key)),
        }
    }

    /// Whether there is nothing to say beside the value.
    fn is_bare(&self) -> bool {
        self.label == Label::default()
    }

    /// The fields of its label, in the order in which they are written; none where there is nothing to say.
    fn fields(&self) -> [(&'static str, Option<Field>); 4] {
        let Label { id, created_at, keep, note } = &self.label;
        [
            ("id", id.as_ref().map(|id| Field::Text(id.to_string()))),
            ("created_at", created_at.map(|at| Field::Date(humantime::format_rfc3339(at).to_string()))),
            ("keep", (*keep == Keep::Yes).then_some(Field::True)),
            ("note", note.clone().map(Field::Text)),
        ]
    }
}

/// What a field of a label says.
enum Field {
    Text(String),
    Date(String),
    True,
}

/// The text that an item stands for: its own, that of its `value`, or that of the file it names.
fn resolved(value: Option<&str>, file: Option<&str>, referenced: &Referenced) -> Option<Zeroizing<String>> {
    let cut = |text: &str| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
    };
    match (value, file) {
        (Some(text), _) => Some(cut(text)),
        (None, Some(path)) => {
            let bytes = referenced.get(Path::new(path))?.as_ref().ok()?;
            std::str::from_utf8(bytes).ok().map(|text| cut(text.strip_prefix('\u{feff}').unwrap_or(text)))
        }
        (None, None) => None,
    }
}

/// The fields that make the flat form: those of an account.
const FLAT: [&str; 7] = ["api_key", "secrets", "api_secret", "api_secret_previous", "signature_secrets", "signature_method", "primary"];
/// The two names that hold one secret each.
const PAIR: [&str; 2] = ["api_secret", "api_secret_previous"];

#[cfg(test)]
mod tests;
