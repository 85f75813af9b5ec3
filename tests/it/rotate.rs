//! `rotate` and `drill` as a person or a timer runs them: the real binary, a real sidecar, an emulated provider.

mod failing;
mod fleet;
mod key_kills; // the same, killed at any moment
pub mod keys; // key pairs of applications
mod leak; // emergencies that name a secret
mod many;
mod one_host;
mod process;
pub mod rig;
mod secured; // sidecars that are asked over TLS, with a token
