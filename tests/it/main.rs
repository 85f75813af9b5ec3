//! Integration tests, one module for each area.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::allow_attributes,
    missing_docs,
    unreachable_pub,
    reason = "the in-tests settings cover test functions only, not their helpers"
)]

mod emulator; // the emulated provider itself: answers, slots and lag, executions, faults
