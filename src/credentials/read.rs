//! One consistent picture from disk: the credentials file and every file that it names.
//!
//! Invariants: the directory is resolved once and everything is read through it, so that a picture never mixes two
//! generations of a Kubernetes volume (`..data` moves as one); when the path resolves elsewhere afterwards, the
//! picture is thrown away. Pictures are compared by content, which must not be told apart by a digest of a secret.
//!
//! Limits: 1 MiB a file, 4 MiB together. This blocks; async code calls it on a blocking thread.
//! Not here: what the text means ([`super::file`]), when to read ([`super::pace`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::file::{self, Referenced};
use crate::config::Modes;
use crate::files::{self, Facts, Failure, FileError, Identity};
use crate::problem::{Position, Problems};

/// Most bytes of one file.
const LIMIT: usize = 1 << 20;
/// Most bytes of all files together.
const LIMIT_TOGETHER: usize = 4 << 20;
/// How often to start over when the path moves while it is read.
const TRIES: usize = 3;
/// The permission bits that are more than reading by the group.
const BEYOND_0640: u32 = 0o037;
/// Where the system lists what is mounted.
const MOUNTS: &str = "/proc/self/mountinfo";

/// What was on disk.
pub struct Picture {
    text: Zeroizing<String>,
    /// The files that the text names.
    pub referenced: Referenced,
    /// Which file it was.
    pub facts: Facts,
    /// What somebody should look at beside the content: modes, a mount that cannot change.
    pub warnings: Problems,
    /// The files that were read, the credentials file under the name it was asked for.
    pub paths: BTreeSet<PathBuf>,
    /// Which files the text named.
    identities: BTreeMap<PathBuf, Identity>,
}

impl Picture {
    /// The credentials file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a file that the text names says something else than before and is the same file: somebody writes into it,
    /// and what is there may be half of what will be.
    pub fn is_written_into_since(&self, before: &Self) -> bool {
        let is_same_file = |name: &PathBuf| self.identities.get(name).is_some_and(|file| before.identities.get(name) == Some(file));
        let differs = |name: &PathBuf, now: &Result<_, String>| before.referenced.get(name).is_some_and(|then| then != now);
        self.referenced.iter().any(|(name, now)| is_same_file(name) && differs(name, now))
    }

    /// Whether the same bytes were read. Files that could not be read are the same whatever the reason.
    pub fn same_as(&self, other: &Self) -> bool {
        self.text == other.text
            && self.referenced.keys().eq(other.referenced.keys())
            && self.referenced.values().map(Result::as_ref).map(Result::ok).eq(other
                .referenced
                .values()
                .map(Result::as_ref)
                .map(Result::ok))
    }
}

impl fmt::Debug for Picture {
    /// Without the content, which paths are part of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Why there is no picture. Reads on after the path of the credentials file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The system, or what is in the place of the file.
    #[error("{0}")]
    File(Failure),
    /// Nothing in it: mostly a writer that has not written yet.
    #[error("is empty")]
    Empty {
        /// Which file it is.
        file: Identity,
    },
    /// Not text.
    #[error("is not UTF-8 text")]
    NotText {
        /// Which file it is.
        file: Identity,
        /// Where the first byte is that is not.
        at: Position,
    },
    /// Others may read it, and that was to be refused.
    #[error("has mode {0:04o}, and strict_modes allows 0640 at most")]
    Mode(u32),
    /// Together with the files that it names it is too large.
    #[error("and the files it names are larger than {LIMIT_TOGETHER} bytes together")]
    TooMuch,
    /// It moved each time it was read.
    #[error("moves while it is read")]
    Restless,
}

impl Unreadable {
    /// Whether there is no file at all.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(Failure::Missing))
    }

    /// Which file was read, when one was.
    pub fn file(&self) -> Option<Identity> {
        match self {
            Self::Empty { file } | Self::NotText { file, .. } => Some(*file),
            Self::File(_) | Self::Mode(_) | Self::TooMuch | Self::Restless => None,
        }
    }

    /// As a problem of the file.
    pub fn problem(&self, path: &Path) -> Problems {
        let (position, hint) = match self {
            Self::File(Failure::Missing) if path.is_symlink() => (None, "it is a symlink that points to nothing"),
            Self::File(Failure::Missing) => (None, "config/credentials.example.toml of the sources is one to start from"),
            Self::NotText { at, .. } => (Some(*at), ""),
            Self::Mode(_) => (None, "chmod 0640 or less"),
            Self::File(_) | Self::Empty { .. } | Self::TooMuch | Self::Restless => (None, ""),
        };
        let mut problems = Problems::of(path);
        problems.error(position, "", self.to_string(), hint);
        problems
    }
}

impl From<FileError> for Unreadable {
    fn from(error: FileError) -> Self {
        Self::File(error.failure)
    }
}

/// Reads the credentials file at `path` and every file that it names, relative to the directory that the path
/// resolves to. May block for as long as the file system does.
pub fn picture(path: &Path, modes: Modes) -> Result<Picture, Unreadable> {
    for _ in 0..TRIES {
        let Ok(real) = resolve(path) else { continue };
        let picture = through(path, &real, modes);
        if resolve(path).is_ok_and(|again| again == real) {
            return picture;
        }
    }
    // Not there in the end, or there and never still.
    Err(resolve(path).map_or_else(Unreadable::from, |_| Unreadable::Restless))
}

fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    fs::canonicalize(path).map_err(|cause| FileError::system(path, "resolved", cause))
}

fn through(path: &Path, real: &Path, modes: Modes) -> Result<Picture, Unreadable> {
    let contents = files::read(real, LIMIT)?;
    let mut warnings = Problems::of(path);
    check_mode(contents.facts, modes, &mut warnings).map_err(Unreadable::Mode)?;
    if is_stale_mount(real, contents.facts) {
        let what = "is a mount of a file that was replaced: newer content cannot appear here";
        warnings.warning(None, "", what, "mount the directory, not the file (Kubernetes: no subPath)");
    }
    let text = text(contents.bytes, contents.facts.identity)?;
    let paths = BTreeSet::from([path.to_path_buf()]);
    let (referenced, identities) = (Referenced::new(), BTreeMap::new());
    let mut picture = Picture { text, referenced, facts: contents.facts, warnings, paths, identities };
    let directory = real.parent().unwrap_or_else(|| Path::new("/"));
    let mut size = picture.text.len();
    for reference in file::references(&picture.text) {
        let target = directory.join(&reference);
        let read = named(&target, modes, &mut picture.warnings);
        picture.identities.extend(read.as_ref().ok().map(|(_, identity)| (reference.clone(), *identity)));
        let read = read.map(|(bytes, _)| bytes);
        size += read.as_ref().map_or(0, |bytes| bytes.len());
        if size > LIMIT_TOGETHER {
            return Err(Unreadable::TooMuch);
        }
        picture.referenced.insert(reference, read);
        picture.paths.insert(target);
    }
    Ok(picture)
}

/// A file that the text names. The words for one that cannot be read leave its path out: what stands in the place of
/// a path may be a secret that was put there by mistake.
fn named(path: &Path, modes: Modes, warnings: &mut Problems) -> Result<(Zeroizing<Vec<u8>>, Identity), String> {
    let contents = files::read(path, LIMIT).map_err(|error| format!("it {}", error.failure))?;
    let mut own = Problems::of(path);
    check_mode(contents.facts, modes, &mut own).map_err(|mode| format!("it {}", Unreadable::Mode(mode)))?;
    warnings.extend(own);
    Ok((contents.bytes, contents.facts.identity))
}

/// Owner and group may read it, nobody else. The mode comes back when it is wider and must not be.
fn check_mode(facts: Facts, modes: Modes, warnings: &mut Problems) -> Result<(), u32> {
    let mode = facts.mode & 0o777;
    if mode & BEYOND_0640 == 0 {
        return Ok(());
    }
    match modes {
        Modes::Strict => Err(mode),
        Modes::Warn => {
            warnings.warning(None, "", format!("has mode {mode:04o}, which is wider than 0640"), "chmod 0640 or less");
            Ok(())
        }
    }
}

/// The bytes as text, without leaving a copy behind.
fn text(mut bytes: Zeroizing<Vec<u8>>, file: Identity) -> Result<Zeroizing<String>, Unreadable> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::Empty { file });
    }
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = Zeroizing::new(error.into_bytes());
        let before = Zeroizing::new(String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned());
        Unreadable::NotText { file, at: Position::of(&before, valid) }
    })
}

/// Whether the file is itself a mount point, and what was mounted there has been replaced at its origin. The process
/// keeps seeing the old content then, without an event and without an error.
fn is_stale_mount(real: &Path, facts: Facts) -> bool {
    let Ok(mounts) = files::read(Path::new(MOUNTS), LIMIT_TOGETHER) else { return false };
    let mounts = String::from_utf8_lossy(&mounts.bytes);
    let found = mounts.lines().rev().find_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (unescaped(point) == real.as_os_str().as_encoded_bytes()).then(|| root.ends_with("//deleted"))
    });
    found.is_some_and(|is_deleted| is_deleted || facts.links == 0)
}

/// A path of the mount list, in which space, tab, line feed and backslash are octal.
fn unescaped(field: &str) -> Vec<u8> {
    [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")]
        .iter()
        .fold(field.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
        .into_bytes()
}
