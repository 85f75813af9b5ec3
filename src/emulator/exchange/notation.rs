//! Ids and dates as the provider writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock;

/// A random id in the form of a UUID of version 4.
pub(in crate::emulator) fn uuid() -> String {
    let number = u128::from_le_bytes(clock::random()) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let mut text = format!("{number:032x}");
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// RFC 3339 in UTC with whole seconds and `Z`, as the provider writes `created_at`.
pub(in crate::emulator) fn date(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// Milliseconds since 1970.
pub(in crate::emulator) fn epoch_millis(at: SystemTime) -> u64 {
    millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Milliseconds, for documents.
pub(in crate::emulator) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
