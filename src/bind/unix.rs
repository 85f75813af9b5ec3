//! A listening unix socket, which is a file with an owner and a mode.
//!
//! Invariants: the socket is never there with another mode or owner than the settings say, since it is made beside its
//! place and renamed into it; a socket that somebody listens on is not taken away from them, one that was left behind
//! is replaced, and whatever is no socket stays; at the end the file is removed if it is still ours. Two processes
//! that start at once decide one after the other, by a lock on the directory.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid};
use tokio::net::{UnixListener, UnixSocket};

use super::{BACKLOG, BindError};
use crate::clock;
use crate::config;

/// A bound unix socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct UnixSocketListener {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl UnixSocketListener {
    /// The socket itself.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Its place.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnixSocketListener {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), cause = %error, "the socket stays behind");
        }
    }
}

pub(super) fn bind(socket: &config::UnixSocket) -> Result<UnixSocketListener, BindError> {
    bound(socket).map_err(|source| BindError::at(&format!("unix:{}", socket.path.display()), source))
}

fn bound(socket: &config::UnixSocket) -> io::Result<UnixSocketListener> {
    let directory = socket.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let lock = rustix::fs::open(directory, flags, Mode::empty())?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    free(&socket.path)?;
    let temporary = directory.join(format!(".{:08x}.new", u32::from_le_bytes(clock::random())));
    let made = make(socket, &temporary);
    if made.is_err() {
        // Best effort: the failure that is reported is the one that matters.
        drop(fs::remove_file(&temporary));
    }
    made
}

fn make(socket: &config::UnixSocket, temporary: &Path) -> io::Result<UnixSocketListener> {
    let unbound = UnixSocket::new_stream()?;
    unbound.bind(temporary)?;
    if socket.owner.is_some() || socket.group.is_some() {
        rustix::fs::chown(temporary, socket.owner.map(Uid::from_raw), socket.group.map(Gid::from_raw))?;
    }
    fs::set_permissions(temporary, fs::Permissions::from_mode(socket.mode))?;
    let listener = unbound.listen(BACKLOG)?;
    let inode = fs::symlink_metadata(temporary)?.ino();
    fs::rename(temporary, &socket.path)?;
    Ok(UnixSocketListener { listener, path: socket.path.clone(), inode })
}

/// Whether the place may be taken: nothing is there, or a socket that nobody listens on.
fn free(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(there) if !there.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"))
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there")),
            Err(error) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Peers;

    fn socket(path: &Path, mode: u32) -> config::UnixSocket {
        config::UnixSocket { path: path.to_path_buf(), mode, owner: None, group: None, peers: Peers::default() }
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_goes_with_its_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("api.sock");
        let bound = bind(&socket(&path, 0o620)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o620);
        drop(bound);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_was_left_behind_is_replaced_and_what_is_used_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("api.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = bind(&socket(&path, 0o600)).unwrap();
        let error = bind(&socket(&path, 0o600)).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).is_ok());
        drop(first);
        fs::create_dir(&path).unwrap();
        assert_eq!(bind(&socket(&path, 0o600)).unwrap_err().source.kind(), io::ErrorKind::AlreadyExists);
    }

    #[tokio::test]
    async fn a_listener_that_was_replaced_leaves_the_new_one_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("api.sock");
        let first = bind(&socket(&path, 0o600)).unwrap();
        fs::remove_file(&path).unwrap();
        let second = bind(&socket(&path, 0o600)).unwrap();
        drop(first);
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
        assert!(!path.exists());
    }
}
