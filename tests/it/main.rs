//! Integration tests: one module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    clippy::allow_attributes,
    reason = "tests may fail loudly"
)]

mod reload; // a new credentials file is used, whatever way it came; a bad one changes nothing
