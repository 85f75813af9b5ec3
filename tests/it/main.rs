//! Integration tests: one module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    clippy::allow_attributes,
    reason = "tests may fail loudly"
)]

mod admin; // what operators see and do
mod cli; // the binary: what it prints and how it ends
