//! Connections, the way of a request through the emulator, and answers as they flow.
//!
//! | file | duty |
//! |---|---|
//! | `listen` | connections |
//! | `respond` | the way of a request |
//! | `outflow` | an answer as it flows: whole, in pieces, slowly, or broken off |
//! | `wire` | the cable under HTTP, which can be cut |

pub(super) mod listen;
mod outflow;
mod respond;
mod wire;
