//! The memory that all kept bodies share. What is taken of it for a body is given back when the body is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes that all kept bodies together may take.
#[derive(Debug)]
pub struct ReplayMemory {
    free: AtomicUsize,
}

impl ReplayMemory {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { free: AtomicUsize::new(bytes) }
    }

    /// A share for one body, of nothing yet.
    pub fn share(self: &Arc<Self>) -> Share {
        Share { memory: Arc::clone(self), bytes: 0 }
    }

    pub(super) fn take(&self, bytes: usize) -> bool {
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes)).is_ok()
    }

    pub(super) fn give(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// No memory is left for bodies that must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryFull;

/// What one body takes of the memory.
#[derive(Debug)]
pub struct Share {
    memory: Arc<ReplayMemory>,
    bytes: usize,
}

impl Share {
    /// Takes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        if !self.memory.take(bytes) {
            return Err(MemoryFull);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Ties the share to bytes: it is given back with the last copy of them.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Held { bytes, _share: self }) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_with_the_last_copy_of_a_body() {
        let memory = Arc::new(ReplayMemory::new(10));
        let mut share = memory.share();
        assert_eq!((share.grow(4), share.grow(4), share.grow(4)), (Ok(()), Ok(()), Err(MemoryFull)));
        let body = share.hold(Bytes::from_static(b"12345678"));
        let copy = body.clone();
        drop(body);
        assert_eq!(memory.share().grow(3), Err(MemoryFull));
        assert_eq!(copy, "12345678");
        drop(copy);
        assert_eq!(memory.share().grow(10), Ok(()));
    }
}
