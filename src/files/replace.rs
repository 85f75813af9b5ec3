//! Replacing a file: a temporary one beside it, then a rename.
//!
//! Invariants: the temporary file is for its owner alone until it is whole and has the owner, the attributes and the mode
//! of the one that it replaces; what is tried is what would be done, all but the rename; an error names the file and not
//! the temporary one, whose name nobody knows and which is another at each try.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::attributes::Attributes;
use super::{Facts, FileError, directory_of, open, sync_directory};
use crate::clock;

/// Puts `bytes` in the place of `path` with permission bits `mode`: a temporary file beside it (0600 until it is
/// whole), then a rename, both made durable. A symlink at `path` is itself replaced: pass the resolved path to keep
/// it. An error leaves the old file, or the new one if only making the rename durable failed; never anything beside it.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    put(path, bytes, &Look::Ours(mode))
}

/// The same with mode, owner, ACL and extended attributes of the file that is replaced, which `facts` tell.
pub fn replace_like(path: &Path, bytes: &[u8], facts: &Facts) -> Result<(), FileError> {
    put(path, bytes, &Look::of(path, facts)?)
}

/// Whether a file of so many bytes could be put in the place of `path`: one is written beside it and removed.
pub fn try_replace(path: &Path, length: usize) -> Result<(), FileError> {
    attempt(path, length, &Look::Ours(0o600))
}

/// The same with mode, owner, ACL and extended attributes of the file that is there.
pub fn try_replace_like(path: &Path, length: usize, facts: &Facts) -> Result<(), FileError> {
    attempt(path, length, &Look::of(path, facts)?)
}

/// What a new file is like.
enum Look {
    /// It is ours, with this mode.
    Ours(u32),
    /// It is like the one that it replaces.
    Like(Facts, Attributes),
}

impl Look {
    fn of(path: &Path, facts: &Facts) -> Result<Self, FileError> {
        let attributes = Attributes::of(&open(path)?);
        Ok(Self::Like(*facts, attributes.map_err(|cause| FileError::system(path, "asked for its extended attributes", cause))?))
    }
}

fn put(path: &Path, bytes: &[u8], look: &Look) -> Result<(), FileError> {
    let temporary = beside(path);
    let renamed = write(&temporary, path, bytes, look)
        .and_then(|()| fs::rename(&temporary, path).map_err(|cause| FileError::system(path, "replaced", cause)));
    if let Err(failure) = renamed {
        // Best effort: the failure that is reported is the one that matters.
        drop(fs::remove_file(&temporary));
        return Err(failure);
    }
    sync_directory(directory_of(path))
}

fn attempt(path: &Path, length: usize, look: &Look) -> Result<(), FileError> {
    let temporary = beside(path);
    let written = write(&temporary, path, &vec![b'\n'; length], look);
    // Best effort: the failure that is reported is the one that matters.
    drop(fs::remove_file(&temporary));
    written
}

/// A name for a temporary file beside this one.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    directory_of(path).join(format!(".{name}.{:016x}.new", u64::from_le_bytes(clock::random())))
}

/// Writes the file that takes the place of `path`.
fn write(temporary: &Path, path: &Path, bytes: &[u8], look: &Look) -> Result<(), FileError> {
    let step = |step: &'static str| move |cause: io::Error| FileError::system(path, step, cause);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)
        .map_err(step("replaced (no file can be made beside it)"))?;
    file.write_all(bytes).map_err(step("replaced (the new file cannot be written)"))?;
    let mode = match look {
        Look::Ours(mode) => *mode,
        Look::Like(facts, attributes) => {
            own(&file, facts).map_err(step("replaced (the new file cannot be given its owner and group)"))?;
            // Before the mode: an ACL of its own must not be wider for a moment than that of the file.
            attributes
                .put(&file)
                .map_err(|cause| step("replaced (the new file cannot be given its ACL and extended attributes)")(cause.into()))?;
            facts.mode & 0o777
        }
    };
    file.set_permissions(Permissions::from_mode(mode)).map_err(step("replaced (the new file cannot be given its mode)"))?;
    file.sync_all().map_err(step("replaced (the new file cannot be made durable)"))
}

fn own(file: &File, facts: &Facts) -> io::Result<()> {
    let is = Facts::of(&file.metadata()?);
    if (is.owner, is.group) == (facts.owner, facts.group) {
        return Ok(());
    }
    let owner = (is.owner != facts.owner).then_some(facts.owner);
    std::os::unix::fs::fchown(file, owner, Some(facts.group))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{XattrFlags, getxattr, setxattr};

    use super::super::{facts, read};
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// An ACL that says so for the owner, a user, the group, the mask and everybody: tag, rights and id of each.
    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut text = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            text.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
            text.extend(id.to_le_bytes());
        }
        text
    }

    /// The user 4242 may read, and the group that the file belongs to may not.
    fn without_its_group() -> Vec<u8> {
        let nobody = u32::MAX;
        acl(&[(1, 6, nobody), (2, 4, 4242), (4, 0, nobody), (0x10, 4, nobody), (0x20, 0, nobody)])
    }

    fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
        let mut value = vec![0; 1000];
        let length = getxattr(path, name, value.as_mut_slice()).ok()?;
        value.truncate(length);
        Some(value)
    }

    #[test]
    fn a_replaced_file_keeps_mode_acl_and_extended_attributes() {
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, b"old", 0o600).unwrap();
        let wanted = [("system.posix_acl_access", without_its_group()), ("user.label", b"x".to_vec())];
        for (name, value) in &wanted {
            if setxattr(&path, *name, value, XattrFlags::empty()).is_err() {
                eprintln!("skipped: this file system has no {name}");
                return;
            }
        }
        let before = facts(&path).unwrap().unwrap();
        assert_eq!(before.mode, 0o640, "the bits of the group are the mask of the ACL");
        try_replace_like(&path, 100, &before).unwrap();
        replace_like(&path, b"new", &before).unwrap();
        let after = read(&path, 100).unwrap();
        assert_eq!((after.bytes.as_slice(), after.facts.mode), (b"new".as_slice(), 0o640));
        for (name, value) in wanted {
            assert_eq!(attribute(&path, name), Some(value), "{name}");
        }
    }

    #[test]
    fn a_replaced_file_gets_no_acl_from_its_directory() {
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, b"old", 0o640).unwrap();
        if setxattr(directory.path(), "system.posix_acl_default", &without_its_group(), XattrFlags::empty()).is_err() {
            eprintln!("skipped: this file system has no ACL");
            return;
        }
        replace_like(&path, b"new", &facts(&path).unwrap().unwrap()).unwrap();
        assert_eq!((attribute(&path, "system.posix_acl_access"), facts(&path).unwrap().unwrap().mode), (None, 0o640));
    }

    /// In a thread of another user, which the kernel takes one by one.
    #[test]
    fn a_file_whose_owner_cannot_be_kept_is_told_by_its_own_name_when_it_is_tried_and_looked_at() {
        use rustix::thread::{Uid, set_thread_uid};
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root has a file of another user");
            return;
        }
        let (us, another) = (4242, 4343);
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, b"old", 0o644).unwrap();
        for (path, owner) in [(directory.path(), us), (path.as_path(), another)] {
            std::os::unix::fs::chown(path, Some(owner), None).unwrap();
        }
        let tried = path.clone();
        let told = std::thread::spawn(move || {
            set_thread_uid(Uid::from_raw(us)).unwrap();
            let is = facts(&tried).unwrap().unwrap();
            try_replace(&tried, 10).unwrap();
            assert!(super::super::may_replace(&tried, Some(&is)).is_err());
            [(); 2].map(|()| try_replace_like(&tried, 10, &is).unwrap_err().to_string())
        });
        let told = told.join().unwrap();
        assert_eq!(told[0], told[1], "the same words at each try");
        assert!(told[0].starts_with(&format!("{} cannot be replaced (the new file cannot be given its owner", path.display())), "{told:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replaced_file_is_another_file_and_nothing_is_left_beside_it() {
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, b"old", 0o644).unwrap();
        let old = read(&path, 100).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        let new = read(&path, 100).unwrap();
        assert_eq!(new.bytes.as_slice(), b"new");
        assert_eq!(new.facts.mode, 0o600);
        assert_ne!(new.facts.identity, old.facts.identity);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replacement_that_fails_leaves_the_old_one_and_no_rest() {
        let directory = directory();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        let error = replace(&path, b"new", 0o600).unwrap_err();
        assert!(error.to_string().contains("taken cannot be replaced"), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("no/such/file"), b"new", 0o600).is_err());
    }
}
