//! Every read and every replacement of a file.
//!
//! Invariants: opening never blocks (a FIFO in the place of a file must not stop a reload); only regular files are
//! read, and never more than a limit; what was read is wiped when dropped, growth included; after a crash a replaced
//! file is the old one or the new one, never half; an error names the path and the cause, never the content.
//!
//! Not here: which files belong together (`credentials::read`), what their content means.

use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

mod attributes;
mod directory;
mod lock;
mod replace;

pub use directory::{list, may_fill, may_replace, nearest, private_directory, resolve};
pub use lock::{Lock, holder, lock, lock_file};
pub use replace::{replace, replace_like, try_replace, try_replace_like};

/// A file that could not be read or written, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} {failure}", .path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub failure: Failure,
}

/// Why a file could not be read or written; reads on after its path.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is none, or a symlink on the way points to nothing.
    #[error("does not exist")]
    Missing,
    /// Something else is in its place, named with its article.
    #[error("is {0}, not a regular file")]
    NotRegular(&'static str),
    /// It holds more than this many bytes.
    #[error("is larger than {0} bytes")]
    TooLarge(usize),
    /// The system said no.
    #[error("cannot be {step}: {cause}")]
    System {
        /// What was tried, as a participle.
        step: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

impl FileError {
    /// The error of the system at a step, with the path.
    pub fn system(path: &Path, step: &'static str, cause: impl Into<io::Error>) -> Self {
        let cause = cause.into();
        let failure = if cause.kind() == io::ErrorKind::NotFound { Failure::Missing } else { Failure::System { step, cause } };
        Self::new(path, failure)
    }

    /// What kind of error of the system it is; none when the system is not to blame.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match &self.failure {
            Failure::Missing => Some(io::ErrorKind::NotFound),
            Failure::System { cause, .. } => Some(cause.kind()),
            Failure::NotRegular(_) | Failure::TooLarge(_) => None,
        }
    }

    fn new(path: &Path, failure: Failure) -> Self {
        Self { path: path.to_path_buf(), failure }
    }
}

/// Which file it is, whatever its name: a rename over it gives another one, a rewrite in place does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device that holds it.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// What the system says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Which file it is.
    pub identity: Identity,
    /// How many names it has; 0 when it was deleted or replaced while something still shows it.
    pub links: u64,
    /// Its permission bits, such as `0o640`.
    pub mode: u32,
    /// The user who owns it.
    pub owner: u32,
    /// The group that it belongs to.
    pub group: u32,
}

/// A file as it was read.
pub struct Contents {
    /// What it holds; wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// What the system says about it.
    pub facts: Facts,
}

impl fmt::Debug for Contents {
    /// Without the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("length", &self.bytes.len()).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// The first buffer for files that do not tell their size, such as those under `/proc`.
const FIRST_BUFFER: usize = 4096;

/// Reads a regular file of at most `limit` bytes. Never blocks on a FIFO; may block on a file system that hangs, so
/// async code calls it on a blocking thread.
pub fn read(path: &Path, limit: usize) -> Result<Contents, FileError> {
    let mut file = open(path)?;
    let metadata = file.metadata().map_err(|cause| FileError::system(path, "looked at", cause))?;
    if !metadata.is_file() {
        return Err(FileError::new(path, Failure::NotRegular(kind(metadata.file_type()))));
    }
    let too_large = || FileError::new(path, Failure::TooLarge(limit));
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(too_large());
    }
    let bytes = read_to_end(&mut file, size, limit).map_err(|cause| FileError::system(path, "read", cause))?;
    if bytes.len() > limit {
        return Err(too_large());
    }
    Ok(Contents { bytes, facts: Facts::of(&metadata) })
}

/// Reads to the end, or to beyond the limit. A `Vec` that grows by itself leaves a copy behind that nobody wipes, so
/// it never grows: a larger one takes over.
fn read_to_end(file: &mut File, size: usize, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut room = size.saturating_add(1).max(FIRST_BUFFER);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    loop {
        if bytes.len() == room {
            room = room.saturating_mul(2);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        let start = bytes.len();
        bytes.resize(room, 0);
        let got = match file.read(bytes.get_mut(start..).unwrap_or_default()) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {
                bytes.truncate(start);
                continue;
            }
            outcome => outcome?,
        };
        bytes.truncate(start + got);
        if got == 0 || bytes.len() > limit {
            return Ok(bytes);
        }
    }
}

/// Opens a file to be read, without waiting for the other end of a FIFO.
fn open(path: &Path) -> Result<File, FileError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(|cause| FileError::system(path, "opened", cause))
}

impl Facts {
    /// As far as a file's metadata tell.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            identity: Identity { device: metadata.dev(), inode: metadata.ino() },
            links: metadata.nlink(),
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
            group: metadata.gid(),
        }
    }
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "something else"
    }
}

/// What the system says about a file; none when it is not there.
pub fn facts(path: &Path) -> Result<Option<Facts>, FileError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Facts::of(&metadata))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(FileError::system(path, "looked at", cause)),
    }
}

/// Removes a file for good; one that is not there is no error.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(FileError::system(path, "removed", cause)),
        Ok(()) | Err(_) => sync_directory(directory_of(path)),
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes a directory and its parents where they are missing; one that is there stays as it is.
pub fn make_directory(path: &Path, mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|cause| FileError::system(path, "made", cause))
}

/// A lock on a directory, held until it is dropped. It leaves nothing behind, and ends with the process.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "its being open is what it is for")] OwnedFd);

/// Waits for the lock on a directory, which whoever changes its files together takes.
pub fn lock_directory(path: &Path) -> Result<DirectoryLock, FileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|cause| FileError::system(path, "opened", cause))?;
    rustix::fs::flock(&directory, rustix::fs::FlockOperation::LockExclusive).map_err(|cause| FileError::system(path, "locked", cause))?;
    Ok(DirectoryLock(directory))
}

fn sync_directory(path: &Path) -> Result<(), FileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|cause| FileError::system(path, "opened", cause))?;
    rustix::fs::fsync(&directory).map_err(|cause| FileError::system(path, "made durable", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_is_read_whole_with_its_facts() {
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, &[7; 10_000], 0o640).unwrap();
        let contents = read(&path, 10_000).unwrap();
        assert_eq!(contents.bytes.as_slice(), &[7; 10_000]);
        assert_eq!((contents.facts.mode, contents.facts.links), (0o640, 1));
        assert_eq!(contents.facts.owner, rustix::process::geteuid().as_raw());
    }

    #[test]
    fn a_file_that_does_not_tell_its_size_is_read_whole() {
        let contents = read(Path::new("/proc/self/smaps"), 1 << 24).unwrap();
        assert!(contents.bytes.len() > FIRST_BUFFER, "{}", contents.bytes.len());
        assert!(matches!(read(Path::new("/proc/self/smaps"), 100), Err(FileError { failure: Failure::TooLarge(100), .. })));
    }

    #[test]
    fn one_byte_too_many_is_too_large() {
        let directory = directory();
        let path = directory.path().join("file");
        replace(&path, &[7; 101], 0o600).unwrap();
        let error = read(&path, 100).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is larger than 100 bytes", path.display()));
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused_without_waiting() {
        let directory = directory();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for (path, kind) in [(fifo.as_path(), "a FIFO"), (directory.path(), "a directory"), (Path::new("/dev/zero"), "a device")] {
            let error = read(path, 100).unwrap_err();
            assert_eq!(error.to_string(), format!("{} is {kind}, not a regular file", path.display()));
        }
    }

    #[test]
    fn an_error_names_the_path_and_the_cause() {
        let directory = directory();
        let absent = directory.path().join("absent");
        assert_eq!(read(&absent, 1).unwrap_err().to_string(), format!("{} does not exist", absent.display()));
        let looped = directory.path().join("looped");
        std::os::unix::fs::symlink(&looped, &looped).unwrap();
        let words = read(&looped, 1).unwrap_err().to_string();
        assert!(words.starts_with(&format!("{} cannot be opened: Too many levels of symbolic links", looped.display())), "{words}");
    }
}
