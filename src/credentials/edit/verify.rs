//! Whether an edited file holds what was asked for, and everything else as before.

use super::Change;
use crate::credentials::file::{AccountEntry, ApplicationEntry, Parsed};
use crate::secret::Revision;

/// Whether `after` is `before` with the changes and the mark.
pub(super) fn is_faithful(before: &Parsed, after: &Parsed, changes: &[Change], revision: &Revision) -> bool {
    let mut wanted = before.clone();
    wanted.revision = Some(revision.clone());
    changes.iter().all(|change| apply(&mut wanted, change)) && is_same(&wanted, after)
}

/// Whether two files hold the same.
pub(super) fn is_same(one: &Parsed, two: &Parsed) -> bool {
    one.revision == two.revision
        && same_lists(&one.accounts, &two.accounts, same_account)
        && same_lists(&one.applications, &two.applications, same_application)
}

/// Makes a change; whether it can be made.
fn apply(parsed: &mut Parsed, change: &Change) -> bool {
    match change {
        Change::Secrets { account, items, primary } => {
            match parsed.accounts.iter_mut().find(|entry| entry.key == *account) {
                Some(entry) => entry.secrets.clone_from(items),
                None => parsed.accounts.push(AccountEntry {
                    key: account.clone(),
                    secrets: items.clone(),
                    signatures: Vec::new(),
                    signature_method: crate::credentials::SignatureMethod::default(),
                    primary: primary.clone(),
                }),
            }
            true
        }
        Change::Keys { application, items } => match parsed.applications.iter_mut().find(|entry| entry.id == *application) {
            Some(entry) => {
                entry.keys.clone_from(items);
                true
            }
            None => false,
        },
    }
}

fn same_lists<T>(one: &[T], two: &[T], same: fn(&T, &T) -> bool) -> bool {
    one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
}

fn same_account(one: &AccountEntry, two: &AccountEntry) -> bool {
    (&one.key, &one.primary, one.signature_method) == (&two.key, &two.primary, two.signature_method)
        && same_lists(&one.secrets, &two.secrets, |one, two| one.label == two.label && one.value.same_as(&two.value))
        && same_lists(&one.signatures, &two.signatures, |one, two| one.label == two.label && one.value.same_as(&two.value))
}

fn same_application(one: &ApplicationEntry, two: &ApplicationEntry) -> bool {
    (&one.id, &one.account) == (&two.id, &two.account)
        && same_lists(&one.keys, &two.keys, |one, two| one.label == two.label && one.value.same_as(&two.value))
}
