//! What the endpoints do with a request that was let in, API by API.
//!
//! | file | duty |
//! |---|---|
//! | `turn` | what an endpoint is given, and what it gives back |
//! | `errors` | the words of errors that several APIs share |
//! | `throttle` | the allowance of management calls, and the headers that show it |
//! | `sms` `verify` `verify_v2` `insight` `messages` `account` `numbers` `applications` `secrets` `subaccounts` | one API each |
//! | `generic` | the other ones, in outline |
//!
//! Not here: who may call what (`gateway`).

pub(super) mod account;
pub(super) mod applications;
pub(super) mod errors;
pub(super) mod generic;
pub(super) mod insight;
pub(super) mod messages;
pub(super) mod numbers;
pub(super) mod secrets;
pub(super) mod sms;
pub(super) mod subaccounts;
mod throttle;
pub(super) mod turn;
pub(super) mod verify;
pub(super) mod verify_v2;
