//! `rotate` and `drill` as a person or a timer runs them: the real binary, a real sidecar, an emulated provider.

mod failing;
mod fleet;
mod keys; // key pairs of applications
mod many;
mod one_host;
mod process;
pub mod rig;
