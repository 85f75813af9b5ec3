//! Everything known about the provider, and nothing else: hosts, endpoints, what a refusal looks like, free calls, the
//! calls that manage secrets, and what a secret must look like.
//!
//! No other room contains a Vonage host name, path or error code (the emulator has its own copy, so that a mistake
//! here is seen there). Facts: the provider's own descriptions, its guides, and the answers that its own gateway
//! tests assert; each row names its source.

pub mod endpoints;
pub mod hosts;
pub mod management;
pub mod parameters;
pub mod policy;
pub mod probe;
pub mod refusal;
pub mod signature;
