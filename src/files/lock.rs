//! One writer at a time.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{FileError, directory_of};
use crate::clock;

/// Keeps other writers of ours away from the files of a directory, until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it ends the lock")] File);

/// How often a lock that somebody else has is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Longer than the number of a process.
const LONGEST_NUMBER: usize = 32;

/// Waits until nobody else holds the lock of the directory that `path` is in; none after `patience`. It is a lock on
/// the directory itself, so that nothing is left beside the file. Blocks.
pub fn lock(path: &Path, patience: Duration) -> Result<Option<Lock>, FileError> {
    let directory = directory_of(path);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty()).map_err(|cause| FileError::system(directory, "opened", cause))?;
    let end = clock::now() + patience;
    loop {
        match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Lock(File::from(opened)))),
            Err(Errno::WOULDBLOCK | Errno::INTR) if clock::now() < end => std::thread::sleep(LOCK_PAUSE),
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(None),
            Err(cause) => return Err(FileError::system(directory, "locked", cause)),
        }
    }
}

/// Takes the lock of this file, which is made when it is missing; none when somebody else holds it. The file stays:
/// removing it would let two processes hold two locks of the same name. It says which process has the lock.
pub fn lock_file(path: &Path) -> Result<Option<Lock>, FileError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|cause| FileError::system(path, "opened", cause))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let mut file = File::from(file);
            // Best effort: it is for people, and a full disk is no reason to have no lock.
            drop(file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())));
            Ok(Some(Lock(file)))
        }
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(cause) => Err(FileError::system(path, "locked", cause)),
    }
}

/// Which process has the lock of this file, as it says itself; none when that is not known.
pub fn holder(path: &Path) -> Option<u32> {
    let contents = super::read(path, LONGEST_NUMBER).ok()?;
    std::str::from_utf8(&contents.bytes).ok()?.trim().parse().ok()
}
