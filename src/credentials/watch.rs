//! Events from the directories through which the credentials file is reached.
//!
//! A watch on the file itself goes blind with the first rename over it, so directories are watched: the real parent
//! of every file and the parent of every symlink on the way, or what is left of the way when part of it is gone. An
//! event only says "read": names and kinds mean too little, and errors and lost events say the same.
//!
//! Invariant: what cannot be watched is polled. Starting never fails, and each [`Watch::follow`] tries again.
//! Not here: when a read follows an event ([`super::pace`]).

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::files::{Facts, Identity};

/// Most symlinks on one way, as in the kernel.
const MOST_LINKS: usize = 40;

/// What tells us of changes before the poll does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// Events where the system has them.
    Events,
    /// Nothing: a file system that is known to have none.
    Polling,
}

/// How changes are seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// By events, and by the poll.
    Events,
    /// By the poll only, for this reason.
    Polling(String),
}

/// The watched directories.
pub struct Watch {
    watching: Watching,
    wake: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<Directory>,
    source: Source,
}

/// A directory under its name; one that was deleted and made again is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Directory {
    path: PathBuf,
    identity: Option<Identity>,
}

/// Whether the watched directories are other ones than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// They are: what happened in between was not seen.
    Anew,
    /// They are the same.
    AsBefore,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("source", &self.source).field("directories", &self.directories).finish_non_exhaustive()
    }
}

impl Watch {
    /// Watches nothing yet. Every event wakes `wake`.
    pub fn new(watching: Watching, wake: Arc<Notify>) -> Self {
        let source = Source::Polling("nothing is watched yet".to_owned());
        Self { watching, wake, watcher: None, directories: BTreeSet::new(), source }
    }

    /// How changes are seen now.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Watches the ways to these files, as they are now.
    pub fn follow(&mut self, files: &BTreeSet<PathBuf>) -> Followed {
        if self.watching == Watching::Polling {
            self.source = Source::Polling("by choice".to_owned());
            return Followed::AsBefore;
        }
        let directories: BTreeSet<Directory> = files.iter().flat_map(|file| way(file)).map(Directory::new).collect();
        if self.watcher.is_some() && directories == self.directories {
            return Followed::AsBefore;
        }
        // A new watcher each time: the old one may hold watches of directories that were deleted under their names.
        match watcher(&directories, &self.wake) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.directories = directories;
                self.source = Source::Events;
                Followed::Anew
            }
            Err(error) => {
                self.watcher = None;
                self.source = Source::Polling(words(&error));
                Followed::AsBefore
            }
        }
    }
}

fn watcher(directories: &BTreeSet<Directory>, wake: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let wake = Arc::clone(wake);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading opens files, which is an event too.
        let is_reading = event.is_ok_and(|event| !event.need_rescan() && is_of_readers(event.kind));
        if !is_reading {
            wake.notify_one();
        }
    })?;
    for directory in directories {
        watcher.watch(&directory.path, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn is_of_readers(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(AccessKind::Open(_) | AccessKind::Read | AccessKind::Close(AccessMode::Read)))
}

/// The cause without the paths, which would make every occurrence a new reason.
fn words(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::Io(cause) => format!("the system gives no events: {cause}"),
        notify::ErrorKind::MaxFilesWatch => "the system gives no more watches: raise fs.inotify.max_user_watches".to_owned(),
        notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => "a directory went away".to_owned(),
        notify::ErrorKind::Generic(cause) => format!("the system gives no events: {cause}"),
        notify::ErrorKind::InvalidConfig(_) => "the system gives no events".to_owned(),
    }
}

impl Directory {
    fn new(path: PathBuf) -> Self {
        let identity = fs::metadata(&path).ok().map(|metadata| Facts::of(&metadata).identity);
        Self { path, identity }
    }
}

/// The directories to watch for a file: the parent of each symlink on the way and the last one. Where the way ends
/// early, the last directory that is there.
fn way(file: &Path) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    let mut at = PathBuf::from("/");
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    let mut ahead: VecDeque<OsString> = steps(&absolute);
    let mut links = 0;
    while let Some(step) = ahead.pop_front() {
        let next = if step == ".." { at.parent().unwrap_or_else(|| Path::new("/")).to_path_buf() } else { at.join(&step) };
        match fs::read_link(&next) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                directories.insert(at.clone());
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut detour = steps(&target);
                detour.append(&mut ahead);
                ahead = detour;
            }
            Ok(_) | Err(_) if next.is_dir() => at = next,
            Ok(_) | Err(_) => break,
        }
    }
    directories.insert(at);
    directories
}

fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Path, file: &Path) -> Vec<String> {
        way(file).iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_way_has_the_parent_of_every_symlink_and_the_real_parent() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("volume/..2026_1")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        drop(fs::File::create(root.join("volume/..2026_1/credentials.toml")).unwrap());
        symlink("..2026_1", root.join("volume/..data")).unwrap();
        symlink("..data/credentials.toml", root.join("volume/credentials.toml")).unwrap();
        symlink(root.join("volume"), root.join("etc/linked")).unwrap();
        assert_eq!(names(&root, &root.join("volume/..2026_1/credentials.toml")), ["volume/..2026_1"]);
        assert_eq!(names(&root, &root.join("volume/credentials.toml")), ["volume", "volume/..2026_1"]);
        assert_eq!(names(&root, &root.join("etc/linked/credentials.toml")), ["etc", "volume", "volume/..2026_1"]);
        assert_eq!(names(&root, &root.join("etc/../etc/linked/credentials.toml")), ["etc", "volume", "volume/..2026_1"]);
    }

    #[test]
    fn a_way_that_ends_early_is_watched_where_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        symlink("nowhere/file", root.join("dangling")).unwrap();
        symlink("looped", root.join("looped")).unwrap();
        for file in ["not/yet/there.toml", "dangling", "looped"] {
            assert_eq!(names(&root, &root.join(file)), [""], "{file}");
        }
    }

    #[test]
    fn what_is_made_again_under_the_same_name_is_followed_anew() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let files = BTreeSet::from([inside.join("credentials.toml")]);
        let mut watch = Watch::new(Watching::Events, Arc::default());
        assert_eq!(watch.follow(&files), Followed::Anew);
        assert_eq!(watch.follow(&files), Followed::AsBefore);
        assert_eq!(*watch.source(), Source::Events);
        fs::rename(&inside, directory.path().join("old")).unwrap();
        fs::create_dir(&inside).unwrap();
        assert_eq!(watch.follow(&files), Followed::Anew);
    }

    #[test]
    fn polling_is_a_choice_that_watches_nothing() {
        let mut watch = Watch::new(Watching::Polling, Arc::default());
        assert_eq!(watch.follow(&BTreeSet::from([PathBuf::from("/etc/hostname")])), Followed::AsBefore);
        assert_eq!(*watch.source(), Source::Polling("by choice".to_owned()));
    }
}
