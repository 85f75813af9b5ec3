//! What a test or a person may ask of an emulator, in values and as text.
//!
//! | file | duty |
//! |---|---|
//! | `options` | what it starts with, and how that is written on a command line |
//! | `dialect` | which of two answers is given where the facts leave it open |
//! | `faults` | which fault meets which request |

pub(super) mod dialect;
pub(super) mod faults;
pub(super) mod options;
