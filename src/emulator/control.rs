//! How an emulator is changed and observed while it serves.
//!
//! | file | duty |
//! |---|---|
//! | `record` | requests seen, messages executed |
//! | `handle` | the handle for tests in this language |
//! | `remote`, `bodies` | the same over HTTP under `/_emulator/`, and its documents |

mod bodies;
pub(super) mod handle;
pub(super) mod record;
pub(super) mod remote;
