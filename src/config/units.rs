//! Durations and sizes as people write them.
//!
//! Invariants: no duration is longer than [`LONGEST`], so that adding one to an instant cannot overflow; a number
//! without a unit is never a duration, since nobody knows whether seconds or milliseconds were meant.
//!
//! Not here: which setting may be zero or off (`validate`). Facts: humantime's grammar of durations; IEC 80000-13
//! for KiB, MiB and GiB.

use std::time::Duration;

/// The longest duration that a setting may have: a year.
pub const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Why a text is not a duration or a size. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAMeasure {
    /// Not in the grammar of durations.
    #[error("is not a duration")]
    Duration,
    /// Longer than [`LONGEST`].
    #[error("is longer than a year")]
    TooLong,
    /// Not in the grammar of sizes.
    #[error("is not a size")]
    Size,
    /// A unit of powers of ten, or one of which it is not known whether it is.
    #[error("has a unit that may be taken for powers of ten")]
    DecimalUnit,
    /// More bytes than this machine can count.
    #[error("is larger than this machine can hold")]
    TooLarge,
}

impl NotAMeasure {
    /// What to write instead.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Duration => "write a number and a unit, such as \"500ms\", \"5s\" or \"15m\"",
            Self::TooLong => "write at most \"365d\"",
            Self::Size => "write a number of bytes or a number and a unit, such as 65536, \"64KiB\" or \"1MiB\"",
            Self::DecimalUnit => "write KiB, MiB or GiB",
            Self::TooLarge => "write a smaller size",
        }
    }
}

/// Reads a duration: `500ms`, `5s`, `1m 30s`, `0s`.
pub fn duration(text: &str) -> Result<Duration, NotAMeasure> {
    let duration = humantime::parse_duration(text.trim()).map_err(|_| NotAMeasure::Duration)?;
    if duration > LONGEST { Err(NotAMeasure::TooLong) } else { Ok(duration) }
}

/// Reads a duration or the word `off`, which is none.
pub fn duration_or_off(text: &str) -> Result<Option<Duration>, NotAMeasure> {
    if text.trim() == "off" { Ok(None) } else { duration(text).map(Some) }
}

/// Reads a size in bytes: `65536`, `512B`, `64KiB`, `1MiB`, `2GiB`.
pub fn size(text: &str) -> Result<usize, NotAMeasure> {
    let text = text.trim();
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at_checked(end).unwrap_or_default();
    if digits.is_empty() {
        return Err(NotAMeasure::Size);
    }
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "k" | "kb" | "m" | "mb" | "g" | "gb" => return Err(NotAMeasure::DecimalUnit),
        _ => return Err(NotAMeasure::Size),
    };
    digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)).ok_or(NotAMeasure::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration(" 1m 30s "), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for bad in ["", "5", "s", "-5s", "5 parsecs", "off", "five seconds"] {
            assert_eq!(duration(bad), Err(NotAMeasure::Duration), "{bad:?}");
        }
    }

    #[test]
    fn no_duration_is_long_enough_to_overflow_an_instant() {
        assert_eq!(duration("365d"), Ok(LONGEST));
        assert_eq!(duration("366d"), Err(NotAMeasure::TooLong));
        assert_eq!(duration("500000000000y"), Err(NotAMeasure::TooLong));
    }

    #[test]
    fn off_is_a_word_only_where_it_is_asked_for() {
        assert_eq!(duration_or_off("off"), Ok(None));
        assert_eq!(duration_or_off("2s"), Ok(Some(Duration::from_secs(2))));
        assert_eq!(duration_or_off("never"), Err(NotAMeasure::Duration));
    }

    #[test]
    fn a_size_is_bytes_or_has_a_binary_unit() {
        assert_eq!(size("65536"), Ok(65_536));
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(size("64KiB"), Ok(64 << 10));
        assert_eq!(size("1 mib"), Ok(1 << 20));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("1MB"), Err(NotAMeasure::DecimalUnit));
        assert_eq!(size("18446744073709551616"), Err(NotAMeasure::TooLarge));
        assert_eq!(size("17179869184GiB"), Err(NotAMeasure::TooLarge));
        for bad in ["", "MiB", "1.5MiB", "-1", "1TiB of", "\u{e9}"] {
            assert_eq!(size(bad), Err(NotAMeasure::Size), "{bad:?}");
        }
    }
}
