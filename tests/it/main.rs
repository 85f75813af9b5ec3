//! Guarantees of the whole, each module one part of the promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    clippy::allow_attributes,
    reason = "tests may fail loudly"
)]

mod admin; // operators see and do what they may, others nothing
mod cli; // the real binary, as people and scripts use it
mod commands; // check and explain: what they say and how they end
mod compat; // what earlier releases wrote is read for ever
mod config_files; // the files under config/ say what the code does
mod demo; // the demo keeps what it shows
mod deploy; // image, manifests, unit and compose file
mod docs; // what people read is what the code does
mod emulator; // the emulated provider itself: answers, slots and lag, executions, faults
mod fallback; // what the provider refuses is tried with the other secret, and nothing else is
mod forwarding; // the same bytes both ways, but for what may not travel
mod guard; // what no caller reaches, however it asks
mod hostile; // nothing that is sent to it breaks it, or goes on as it is
mod listeners; // callers by unix socket, TLS, HTTP/2 and CONNECT, and who of them may call
mod promise; // load while secrets rotate: none failed, none sent twice
mod recipes; // what apps are told, by SDK
mod redaction; // no secret comes out, in any form
mod reload; // a new credentials file is used, whatever way it came; a bad one changes nothing
mod rotate;
mod rotation; // a rotation cut short anywhere cuts nobody off
mod rules; // what makes hyper a safe proxy: every rule of it, one by one
mod running; // the process: start, signals, drain
mod schedule; // who is looked at, told and rotated by the schedule
mod schemes; // every kind of credential: tokens, parameters, paths, signatures
mod sdks; // real SDKs, where they are installed
mod secrets; // the commands that manage secrets
mod support; // a sidecar with an emulator behind it, and callers
mod tidy; // the sources themselves: heads, lengths, arrows, words
