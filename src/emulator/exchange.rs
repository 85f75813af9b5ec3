//! A request as it was read, an answer before it flows, and how both write ids and dates.
//!
//! | file | duty |
//! |---|---|
//! | `call` | a request that has been read: parameters and body fields |
//! | `reply` | status, headers, whole body |
//! | `notation` | ids and dates as the provider writes them |

pub(super) mod call;
pub(super) mod notation;
pub(super) mod reply;
