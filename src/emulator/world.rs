//! What the emulated platform remembers.
//!
//! | file | duty |
//! |---|---|
//! | `state` | accounts with their slots, lag, balances; verifications |
//! | `application` | an application with its keys |
//! | `allowance` | how many management calls an hour has |
//! | `changes` | credentials created and revoked, in order |

pub(super) mod allowance;
pub(super) mod application;
pub(super) mod changes;
pub(super) mod state;
