//! The memory that all kept bodies share. What is taken of it for a body is given back when the body is gone.
//!
//! A body whose length is told gets all of it in advance, so that what is said to be there for a second attempt will be
//! there. Heads that only announce bodies cannot take everything that way: a quarter is left for bodies of unknown length,
//! which take what has come. A small body counts for nothing, in however many pieces it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// A body up to this size, in bytes, counts for no memory: it lies in the buffer that its head was read into anyway, or in
/// one no larger.
pub const SMALL: usize = 8 * 1024;

/// Bytes that all kept bodies together may take.
#[derive(Debug)]
pub struct ReplayMemory {
    free: AtomicUsize,
    /// How much of it may still be taken by bodies whose length is told.
    in_advance: AtomicUsize,
}

impl ReplayMemory {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { free: AtomicUsize::new(bytes), in_advance: AtomicUsize::new(bytes - bytes / 4) }
    }

    /// A share for one body, of nothing yet.
    pub fn share(self: &Arc<Self>) -> Share {
        Share { memory: Arc::clone(self), bytes: 0, in_advance: 0 }
    }
}

fn take(from: &AtomicUsize, bytes: usize) -> Result<(), MemoryFull> {
    let taken = from.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes));
    taken.map(drop).map_err(|_left| MemoryFull)
}

fn give(to: &AtomicUsize, bytes: usize) {
    to.fetch_add(bytes, Ordering::AcqRel);
}

/// What a body of this length takes.
fn counted(length: usize) -> usize {
    if length <= SMALL { 0 } else { length }
}

/// No memory is left for bodies that must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryFull;

/// What one body takes of the memory.
#[derive(Debug)]
pub struct Share {
    memory: Arc<ReplayMemory>,
    bytes: usize,
    /// How much of that was taken before it had come.
    in_advance: usize,
}

impl Share {
    /// Takes all that a body of this length will need, before any of it has come.
    pub(super) fn take_in_advance(&mut self, length: usize) -> Result<(), MemoryFull> {
        let bytes = counted(length);
        take(&self.memory.in_advance, bytes)?;
        self.in_advance = bytes;
        self.grow_to(length).inspect_err(|MemoryFull| self.give_back())
    }

    /// Takes what is missing for a body that has come to this length.
    pub fn grow_to(&mut self, length: usize) -> Result<(), MemoryFull> {
        let missing = counted(length).saturating_sub(self.bytes);
        take(&self.memory.free, missing)?;
        self.bytes += missing;
        Ok(())
    }

    /// Gives everything back: the body is not kept.
    pub(super) fn give_back(&mut self) {
        give(&self.memory.free, std::mem::take(&mut self.bytes));
        give(&self.memory.in_advance, std::mem::take(&mut self.in_advance));
    }

    /// Ties the share to bytes: it is given back with the last copy of them.
    pub fn hold(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 { bytes } else { Bytes::from_owner(Held { bytes, _share: self }) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
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
        let memory = Arc::new(ReplayMemory::new(3 * SMALL));
        let mut share = memory.share();
        assert_eq!((share.grow_to(2 * SMALL), share.grow_to(3 * SMALL), share.grow_to(4 * SMALL)), (Ok(()), Ok(()), Err(MemoryFull)));
        let body = share.hold(Bytes::from_static(b"12345678"));
        let copy = body.clone();
        drop(body);
        assert_eq!(memory.share().grow_to(SMALL + 1), Err(MemoryFull));
        assert_eq!(copy, "12345678");
        drop(copy);
        assert_eq!(memory.share().grow_to(3 * SMALL), Ok(()));
    }

    #[test]
    fn what_is_only_announced_leaves_a_quarter_and_small_bodies_count_for_nothing() {
        let memory = Arc::new(ReplayMemory::new(8 * SMALL));
        let (mut one, mut other, mut comes, mut small) = (memory.share(), memory.share(), memory.share(), memory.share());
        assert_eq!((one.take_in_advance(6 * SMALL), other.take_in_advance(2 * SMALL)), (Ok(()), Err(MemoryFull)));
        assert_eq!((comes.grow_to(2 * SMALL), other.grow_to(SMALL + 1)), (Ok(()), Err(MemoryFull)));
        assert_eq!((small.take_in_advance(SMALL), small.grow_to(SMALL)), (Ok(()), Ok(())));
        drop(one);
        assert_eq!(other.take_in_advance(6 * SMALL), Ok(()));
    }
}
