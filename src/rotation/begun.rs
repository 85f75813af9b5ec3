//! Which rotations were begun and are not over, by the journals that are kept.
//!
//! A drill that has done nothing yet, since there was no room for it, is none: nobody else must finish it, and the
//! rotation that makes room must not wait for it.
//!
//! Not here: going on with them; who is due beside them (`schedule`).

use std::path::Path;

use super::journal::disk::{Disk, DiskError, journals};
use super::keypair::task::Window;
use super::runner::Want;
use super::secrets::Journal;
use super::secrets::task::Mode;
use crate::files;
use crate::secret::{ApiKey, ApplicationId};

/// What is to be finished before anything else.
#[derive(Debug, Default)]
pub struct Begun {
    /// Of secrets, with how to go on. One whose journal cannot be read is among them: whoever goes on is told why not.
    pub accounts: Vec<(ApiKey, Want)>,
    /// Of key pairs, with the word of the operator about when the public key may be replaced.
    pub key_pairs: Vec<(ApplicationId, Window)>,
    /// Journals of key pairs that cannot be read: nothing says when theirs may be.
    pub unusable: Vec<DiskError>,
}

impl Begun {
    /// Whether there is nothing of the kind.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.key_pairs.is_empty() && self.unusable.is_empty()
    }
}

/// Looks at every journal below a `state_dir`. Without one there is none.
pub fn find(state_dir: &Path) -> Result<Begun, DiskError> {
    let directory = journals(state_dir);
    let mut begun = Begun::default();
    for name in files::list(&directory)?.iter().filter_map(|path| name(path)) {
        if let Some(id) = name.strip_prefix(Disk::APPLICATION) {
            let Ok(application) = ApplicationId::parse(id) else { continue };
            match Disk::peek_of_application(&directory, &application) {
                Ok(Some(journal)) if !journal.is_over() => begun.key_pairs.push((application, journal.plan.task.window)),
                Ok(Some(_) | None) => {}
                Err(error) => begun.unusable.push(error),
            }
        } else if let Ok(account) = ApiKey::parse(&name)
            && let Some(want) = how(Disk::peek(&directory, &account))
        {
            begun.accounts.push((account, want));
        }
    }
    Ok(begun)
}

/// How to go on with the rotation of an account, if there is one, without ever beginning another.
pub fn want(state_dir: &Path, account: &ApiKey) -> Want {
    how(Disk::peek(&journals(state_dir), account)).unwrap_or(Want::Resume)
}

/// A rotation that has not done anything yet is asked for anew, so that the settings of now count. After a leak it is not:
/// what leaked is in the journal alone.
fn how(journal: Result<Option<Journal>, DiskError>) -> Option<Want> {
    match journal {
        Ok(Some(journal)) if journal.is_at_the_beginning() && journal.plan.task.mode == Mode::Rotate => Some(Want::Rotate),
        Ok(Some(journal)) if is_under_way(&journal) => Some(Want::Resume),
        Ok(Some(_) | None) => None,
        Err(_) => Some(Want::Resume),
    }
}

/// Whether this one is to be finished.
pub fn is_under_way(journal: &Journal) -> bool {
    let did_nothing = journal.plan.task.mode == Mode::Drill && journal.is_at_the_beginning();
    !journal.is_over() && !did_nothing
}

/// The name of a journal, without what marks it as one.
fn name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    (!name.starts_with('.')).then(|| name.to_owned())
}
