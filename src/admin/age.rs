//! Ages, for programs and for people. Pure.

use std::fmt::{self, Display};
use std::time::Duration;

/// An age as the documents show it: seconds, to the millisecond.
pub(super) fn seconds(age: Duration) -> f64 {
    Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)).as_secs_f64()
}

/// An age for people: two units at most.
pub(crate) struct Age(pub(crate) f64);

impl Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = Duration::try_from_secs_f64(self.0).unwrap_or_default();
        let seconds = age.as_secs();
        match seconds {
            0 => f.pad(&format!("{}ms", age.subsec_millis())),
            1..60 => f.pad(&format!("{seconds}s")),
            60..3_600 => f.pad(&format!("{}m {}s", seconds / 60, seconds % 60)),
            3_600..86_400 => f.pad(&format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60)),
            86_400.. => f.pad(&format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600)),
        }
    }
}

/// How long ago, or never, or now.
pub(crate) struct Ago(pub(crate) Option<f64>);

impl Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.pad("never"),
            Some(age) if age <= 0.0 => f.pad("now"),
            Some(age) => f.pad(&format!("{} ago", Age(age))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_two_units_at_most() {
        let shown: Vec<_> = [0.25, 59.9, 61.0, 7_322.0, 93_784.0].into_iter().map(|age| Age(age).to_string()).collect();
        assert_eq!(shown, ["250ms", "59s", "1m 1s", "2h 2m", "1d 2h"]);
        assert_eq!(Ago(Some(0.0)).to_string(), "now");
        assert_eq!(Age(f64::NAN).to_string(), "0ms");
    }

    #[test]
    fn documents_say_milliseconds() {
        assert!((seconds(Duration::from_micros(1_234_567)) - 1.234).abs() < 1e-12);
    }
}
