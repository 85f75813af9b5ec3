//! How one credential is judged by itself, with code of the emulator's own, and who is then let in.
//!
//! | file | duty |
//! |---|---|
//! | `token`, `keys` | what a Bearer token claims; the keys that it may be signed with |
//! | `signature`, `md5` | the parameter `sig` |
//! | `lag` | how long it takes until a changed credential is seen |
//! | `admission` | who was let in |
//!
//! Not here: which credentials a request carries (`gateway::auth`), and the values of secrets (`world`).

pub(super) mod admission;
pub(super) mod keys;
pub(super) mod lag;
mod md5;
pub(super) mod signature;
pub(super) mod token;
