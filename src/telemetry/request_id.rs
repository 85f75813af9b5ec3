//! Names of requests: how a caller's report and our log lines find each other.
//!
//! Not a secret and not evidence of anything: a random half tells processes apart, a counter tells requests apart,
//! so that naming a request costs one atomic add.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of one request: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Gives names, each once.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// Of a process that is told apart by these bytes.
    pub fn new(random: [u8; 4]) -> Self {
        Self(AtomicU64::new(u64::from(u32::from_be_bytes(random)) << 32))
    }

    /// The next one.
    pub fn next(&self) -> RequestId {
        RequestId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_16_digits_and_is_given_once() {
        let ids = RequestIds::new([0x00, 0xab, 0xcd, 0xef]);
        assert_eq!(ids.next().to_string(), "00abcdef00000000");
        assert_eq!(ids.next().to_string(), "00abcdef00000001");
        assert_ne!(ids.next(), RequestIds::new([1, 2, 3, 4]).next());
    }
}
