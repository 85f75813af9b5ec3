//! What the demo shows, as text. Pure.
//!
//! Lines that stay are at most 80 columns wide, those of the live table less: a terminal that wraps them would spoil
//! the drawing.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::calls::PLACEHOLDER;
use super::figures::{Figures, InUse, Rates, Rotated, Verdict};

/// Columns for what happened.
pub(super) const WHAT: usize = 36;

/// Everything at one moment.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    /// Since the start.
    pub(super) elapsed: Duration,
    /// Of the whole demo.
    pub(super) length: Duration,
    /// The rotation under way; empty before the first.
    pub(super) under_way: &'a str,
    /// The secret that was accepted last.
    pub(super) in_use: InUse,
    /// The counts.
    pub(super) rates: &'a Rates,
}

/// What runs here, and the head of the lines that follow.
pub(super) fn introduction(emulator: SocketAddr, sidecar: SocketAddr, connections: u64) -> String {
    let head =
        format!("{:<5}{:<WHAT$}{:>9}{:>7}{:>10}{:>5}{:>8}", "", "what happens", "requests", "failed", "fell back", "held", "slowest");
    format!(
        "emulator  http://{emulator}  plays Vonage: two secrets, real refusals\n\
         sidecar   http://{sidecar}  holds the real secrets, from a file\n\
         callers   {connections} connections to the sidecar; the secret they know is \"{PLACEHOLDER}\"\n\
         Now secrets rotate in nasty ways. No call may fail, none may be executed twice.\n\
         (fell back: refused, then accepted with another secret; held: until a new file)\n\n\
         {head}\n"
    )
}

/// A rotation that is over.
pub(super) fn rotation(rotated: &Rotated) -> String {
    line(&format!("#{}", rotated.number), &rotated.what, rotated.meanwhile, &span(rotated.slowest))
}

/// The second that just passed.
pub(super) fn second(moment: &Moment<'_>) -> String {
    let what = format!("  using {}", moment.in_use.words());
    line(&format!("{:.0} s", moment.elapsed.as_secs_f64()), &what, moment.rates.lately(), "")
}

fn line(name: &str, what: &str, figures: Figures, slowest: &str) -> String {
    let Figures { requests, failed, fell_back, held } = figures;
    let line = format!("{name:<5}{what:<WHAT$}{requests:>9}{failed:>7}{fell_back:>10}{held:>5}{slowest:>8}");
    format!("{}\n", line.trim_end())
}

fn span(span: Duration) -> String {
    if span < Duration::from_secs(1) { format!("{} ms", span.as_millis()) } else { format!("{:.2} s", span.as_secs_f64()) }
}

/// The table that is drawn over and over.
pub(super) fn live(moment: &Moment<'_>) -> String {
    let Moment { elapsed, length, under_way, in_use, rates } = moment;
    let mut text = format!("\n {:.1} s of {} s   {under_way}\n\n", elapsed.as_secs_f64(), length.as_secs());
    let mut row = |name: &str, rate: &dyn std::fmt::Display, requests: &dyn std::fmt::Display, failed: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, " {name:<12}{rate:>12}{requests:>12}{failed:>10}");
    };
    row("calls", &"per second", &"requests", &"failed");
    let counts = rates.counts();
    for (count, rate) in &counts {
        row(count.call.name(), rate, &count.requests, &count.failed);
    }
    let total = rates.total();
    row("all", &counts.iter().map(|(_, rate)| rate).sum::<u64>(), &total.requests, &total.failed);
    let _written = writeln!(text, "\n using {:<28} fell back {:<8} held {}", in_use.words(), total.fell_back, total.held);
    text
}

/// The verdict: what failed, if anything, and the one line.
pub(super) fn ending(verdict: &Verdict) -> String {
    let mut text = String::from("\n");
    for failure in &verdict.failures {
        let _written = writeln!(text, "failed: {failure}");
    }
    let (total, rotations) = (verdict.total, verdict.rotations.len());
    let _written = writeln!(
        text,
        "demo: {} requests, {rotations} rotations, failed {}, duplicated {}",
        total.requests, total.failed, verdict.duplicated
    );
    text
}

#[cfg(test)]
mod tests;
