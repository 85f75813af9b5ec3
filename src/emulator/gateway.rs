//! What stands before the endpoints: which one is meant, who calls, and how each family says no.
//!
//! | file | duty |
//! |---|---|
//! | `endpoints` | the emulator's own table: path, methods, hosts, schemes, refusal family, handler |
//! | `auth` | which credentials are on a request and whether they are good |
//! | `refusals`, `standins` | refused credentials and their look-alikes, in each family |
//! | `answer` | the order of it all: gateway, credentials, product, handler, execution |

pub(super) mod answer;
mod auth;
pub(super) mod endpoints;
mod refusals;
pub(super) mod standins;
