//! Every kind of credential through the real proxy: what goes upstream in the place of the caller's, and what falls back.

mod keys; // private keys beyond requests: proofs, probes, clocks that differ
mod parameters; // key and secret in query, form, JSON and path
pub mod rig;
mod signatures; // five methods, two signature secrets
mod tokens; // JSON web tokens of applications: whose, what they claim, two keys
