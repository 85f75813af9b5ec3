//! Random histories, many of them: each must end, and nothing in it may break what rotation promises.
//!
//! A failure prints the seed of its history; `ROTATION_SEED` runs that one alone, `ROTATION_HISTORIES` another number.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use vonage_sidecar::rotation::secrets::End;

use super::history::{History, Telling};

const HISTORIES: usize = 100_000;

fn number(name: &str) -> Option<usize> {
    std::env::var_os(name)?.to_str()?.parse().ok()
}

#[derive(Default)]
struct Tally {
    ends: BTreeMap<String, u64>,
    steps: u64,
    crashes: u64,
    revoked: usize,
}

fn word(end: &End) -> String {
    let text = format!("{end:?}");
    text.split(['{', '"']).next().unwrap().trim_end_matches(['(', ' ']).to_owned()
}

#[test]
fn no_history_cuts_a_sidecar_off_or_revokes_what_must_stay() {
    #[expect(clippy::disallowed_methods, reason = "the beginning of the histories; no other time is asked for")]
    let base = Instant::now();
    if let Some(seed) = number("ROTATION_SEED") {
        History::new(u64::try_from(seed).unwrap(), base, Telling::Aloud).run();
        return;
    }
    let histories = number("ROTATION_HISTORIES").unwrap_or(HISTORIES);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (tally, failed) = (Mutex::new(Tally::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (tally, failed) = (&tally, &failed);
            scope.spawn(move || {
                let mut mine = Tally::default();
                for seed in (worker..histories).step_by(workers) {
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let done = catch_unwind(AssertUnwindSafe(|| History::new(u64::try_from(seed).unwrap(), base, Telling::Silent).run()));
                    let Ok(outcomes) = done else {
                        failed.store(true, Ordering::Relaxed);
                        panic!("ROTATION_SEED={seed} repeats it");
                    };
                    *mine.ends.entry(word(&outcomes.end)).or_default() += 1;
                    mine.steps += u64::from(outcomes.steps);
                    mine.crashes += u64::from(outcomes.crashes);
                    mine.revoked += outcomes.revoked;
                }
                let mut all = tally.lock().unwrap();
                for (end, times) in mine.ends {
                    *all.ends.entry(end).or_default() += times;
                }
                all.steps += mine.steps;
                all.crashes += mine.crashes;
                all.revoked += mine.revoked;
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{} steps, {} crashes, {} revoked, ends: {:#?}", tally.steps, tally.crashes, tally.revoked, tally.ends);
}
