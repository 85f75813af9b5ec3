//! Chance that repeats: the same seed gives the same history. `SplitMix64`.

use std::time::Duration;

use vonage_sidecar::rotation::secrets::Chance;
use vonage_sidecar::secret::{ApiSecret, Revision};

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Luck(u64);

impl Luck {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not including `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// An index of something with so many places.
    pub fn place(&mut self, of: usize) -> usize {
        usize::try_from(self.below(u64::try_from(of).unwrap())).unwrap()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// So many times in a hundred.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn span(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(longest.as_millis()).unwrap() + 1))
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())].clone()
    }
}

/// Values and marks that are short and never repeat.
#[derive(Debug, Default)]
pub struct Counter(u32);

impl Chance for Counter {
    fn secret(&mut self) -> ApiSecret {
        self.0 += 1;
        ApiSecret::parse(&format!("n{}", self.0)).unwrap()
    }

    fn revision(&mut self) -> Revision {
        self.0 += 1;
        Revision::parse(&format!("r{}", self.0)).unwrap()
    }
}
