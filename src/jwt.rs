//! Tokens of applications: what they claim, how they are signed, and the ones at hand.
//!
//! | file | duty |
//! |---|---|
//! | [`claims`] | what a token claims, as a value |
//! | [`key`] | a private key that signs, parsed once |
//! | [`generate`] | a fresh key pair |
//! | [`handed_out`] | how many tokens of clients are alive |
//! | [`placeholder`] | what a caller's token says about itself |
//! | [`skew`] | how far the provider's clock is from ours |
//! | [`tokens`] | the finished tokens of a key, renewed before they end |
//!
//! Invariants: a key and a token cannot be printed; a token lives at most 24 hours after `iat`; a key is parsed when
//! it is read from its file and never again; signing, which takes about a millisecond, never runs on a thread that
//! serves requests.
//!
//! Not here: which application a request is for (`proxy::whose`), which of its keys goes first
//! (`credentials::standing`). Facts: Vonage, guide "JWT"; RFC 7515 (JWS), RFC 7518 §3.3 (RS256), RFC 7519 (claims).

pub mod claims;
pub mod generate;
pub mod handed_out;
pub mod key;
pub mod placeholder;
pub mod skew;
pub mod tokens;

pub use handed_out::HandedOut;
pub use key::SigningKey;
pub use placeholder::{Placeholder, Rights};
pub use tokens::Signer;
