//! Keeps journals in a directory, one an account or application, and lets one process at a time at each.
//!
//! Invariants: a journal is whole or the one before; it is durable, and so is its name, before a save returns; nobody
//! but the owner can read it; who holds a [`Disk`] is the only one on this machine that rotates the account; a journal
//! under the name of another account is not taken up.
//!
//! Not here: what is in it ([`super::Journal`]). Two machines with a directory each are not kept apart by this.

use std::io;
use std::path::{Path, PathBuf};

use super::{Journal, Unusable};
use crate::files::{self, Failure, FileError, Lock};
use crate::rotation::machine::Kind;
use crate::rotation::{keypair, secrets};
use crate::secret::{ApiKey, ApplicationId};

/// The longest journal: some hundred entries are far below it.
const LONGEST: usize = 4 << 20;

/// Where journals are, below `state_dir`.
pub fn journals(state_dir: &Path) -> PathBuf {
    state_dir.join("journals")
}

/// The journal of one account, held for one process.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    /// Released by the system when the process ends, however it ends.
    _lock: Lock,
}

/// A journal that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system says no.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process is at it.
    #[error("{} is locked: another process is at it{}", .path.display(), .holder.map(|id| format!(" (number {id})")).unwrap_or_default())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// The number of the process, when that is known.
        holder: Option<u32>,
    },
    /// The text is of no use.
    #[error("{}: {cause}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: Unusable,
    },
    /// It is of another account or application.
    #[error("{} is the journal of {of}", .path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The name by which it would be found.
        of: String,
    },
}

impl Disk {
    /// What the name of a journal of an application begins with.
    pub const APPLICATION: &str = keypair::JOURNAL;

    /// Takes the journal of an account, in a directory that is made when it is missing.
    pub fn open(directory: &Path, account: &ApiKey) -> Result<Self, DiskError> {
        Self::named(directory, account.as_str())
    }

    /// The same for the key pair of an application.
    pub fn of_application(directory: &Path, application: &ApplicationId) -> Result<Self, DiskError> {
        Self::named(directory, &format!("{}{application}", Self::APPLICATION))
    }

    fn named(directory: &Path, name: &str) -> Result<Self, DiskError> {
        files::private_directory(directory)?;
        let path = directory.join(format!("{name}.lock"));
        let lock = files::lock_file(&path)?.ok_or_else(|| DiskError::Locked { holder: files::holder(&path), path })?;
        let disk = Self { path: directory.join(format!("{name}.json")), _lock: lock };
        disk.sweep(directory)?;
        Ok(disk)
    }

    /// What was kept, if anything was.
    pub fn load<K: Kind>(&self) -> Result<Option<Journal<K>>, DiskError> {
        read(&self.path)
    }

    /// What is kept of an account in a directory, without a lock: for looking alone.
    pub fn peek(directory: &Path, account: &ApiKey) -> Result<Option<secrets::Journal>, DiskError> {
        read(&directory.join(format!("{account}.json")))
    }

    /// The same of an application.
    pub fn peek_of_application(directory: &Path, application: &ApplicationId) -> Result<Option<keypair::Journal>, DiskError> {
        read(&directory.join(format!("{}{application}.json", Self::APPLICATION)))
    }

    /// Keeps it, for good.
    pub fn save<K: Kind>(&self, journal: &Journal<K>) -> Result<(), DiskError> {
        Ok(files::replace(&self.path, journal.to_text().as_bytes(), 0o600)?)
    }

    /// A process that died while it saved left a file that may hold a value.
    fn sweep(&self, directory: &Path) -> Result<(), FileError> {
        let failed = |cause: io::Error| FileError::system(directory, "listed", cause);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let unfinished = path.extension().is_some_and(|ending| ending == "new");
            if unfinished && found.starts_with(&format!(".{name}.")) {
                std::fs::remove_file(&path).map_err(|cause| FileError::system(&path, "removed", cause))?;
            }
        }
        Ok(())
    }
}

fn read<K: Kind>(path: &Path) -> Result<Option<Journal<K>>, DiskError> {
    let contents = match files::read(path, LONGEST) {
        Ok(contents) => contents,
        Err(FileError { failure: Failure::Missing, path: _ }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let unusable = |cause| DiskError::Unusable { path: path.to_path_buf(), cause };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| unusable(Unusable::Malformed { line: 1, column: 1 }))?;
    let journal: Journal<K> = Journal::parse(text).map_err(unusable)?;
    let of = K::name(&journal.plan);
    if path.file_stem().is_none_or(|stem| *stem != *of) {
        return Err(DiskError::Misplaced { path: path.to_path_buf(), of });
    }
    Ok(Some(journal))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::journal;
    use super::*;
    use crate::rotation::secrets::Secrets;

    fn account() -> ApiKey {
        ApiKey::parse("abcd1234").unwrap()
    }

    #[test]
    fn what_was_saved_is_there_for_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state/deep");
        let disk = Disk::open(&state, &account()).unwrap();
        assert!(disk.load::<Secrets>().unwrap().is_none());
        disk.save(&journal()).unwrap();
        assert_eq!(*disk.load::<Secrets>().unwrap().unwrap().to_text(), *journal().to_text());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join("abcd1234.json"))), (0o700, 0o600));
    }

    #[test]
    fn a_journal_of_another_account_is_not_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        let other = ApiKey::parse("other").unwrap();
        Disk::open(directory.path(), &account()).unwrap().save(&journal()).unwrap();
        std::fs::rename(directory.path().join("abcd1234.json"), directory.path().join("other.json")).unwrap();
        let told = Disk::open(directory.path(), &other).unwrap().load::<Secrets>().unwrap_err();
        assert!(told.to_string().ends_with("other.json is the journal of abcd1234"), "{told}");
        assert!(matches!(Disk::peek(directory.path(), &other), Err(DiskError::Misplaced { .. })));
    }

    #[test]
    fn one_process_at_a_time_has_an_account() {
        let directory = tempfile::tempdir().unwrap();
        let first = Disk::open(directory.path(), &account()).unwrap();
        let second = Disk::open(directory.path(), &account()).unwrap_err();
        let us = std::process::id();
        assert!(matches!(second, DiskError::Locked { holder: Some(holder), .. } if holder == us), "{second}");
        assert!(second.to_string().ends_with(&format!("another process is at it (number {us})")), "{second}");
        Disk::open(directory.path(), &ApiKey::parse("other").unwrap()).unwrap();
        drop(first);
        Disk::open(directory.path(), &account()).unwrap();
    }

    #[test]
    fn a_half_written_journal_of_a_dead_process_is_swept_and_other_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        for name in [".abcd1234.json.00ff.new", ".abcd1234.json", ".other.json.00ff.new"] {
            files::replace(&directory.path().join(name), b"value", 0o600).unwrap();
        }
        let _disk = Disk::open(directory.path(), &account()).unwrap();
        assert!(!directory.path().join(".abcd1234.json.00ff.new").exists());
        assert!(directory.path().join(".abcd1234.json").exists() && directory.path().join(".other.json.00ff.new").exists());
    }

    #[test]
    fn a_journal_that_cannot_be_read_stops_with_its_place_and_without_its_words() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::open(directory.path(), &account()).unwrap();
        files::replace(&directory.path().join("abcd1234.json"), b"{\"schema\":1,\n\"value\":\"S3cret", 0o600).unwrap();
        let words = disk.load::<Secrets>().unwrap_err().to_string();
        assert!(words.contains("line 2") && !words.contains("S3cret"), "{words}");
    }
}
