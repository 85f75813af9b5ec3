//! The only reader of time and of randomness.
//!
//! Decisions take `now` and random bytes as arguments; what acts asks here. Waits and ages are monotonic: a clock
//! that jumps must not expire a timeout or start a rotation.

use std::time::{Duration, Instant, SystemTime};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Instant {
    Instant::now()
}

/// The calendar, for logs and for the age of what the provider dates.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // An empty pool cannot happen after boot; zeros here would only remove jitter and make ids repeat.
    let _short = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes
}

/// A random share of `span`, from 0 up to but not including all of it.
pub fn jitter(span: Duration) -> Duration {
    span.mul_f64(f64::from(u32::from_le_bytes(random())) / (f64::from(u32::MAX) + 1.0))
}
