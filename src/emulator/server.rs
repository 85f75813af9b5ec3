//! Connections, the way of a request through the emulator, and answers as they flow.
//!
//! | file | duty |
//! |---|---|
//! | `serve` | connections, and the way of a request |
//! | `outflow` | an answer as it flows: whole, in pieces, slowly, or broken off |
//! | `wire` | the cable under HTTP, which can be cut |

mod outflow;
pub(super) mod serve;
mod wire;
