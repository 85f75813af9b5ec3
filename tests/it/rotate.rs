//! `rotate` and `drill` as a person or a timer runs them: the real binary, a real sidecar, an emulated provider.

mod one_host;
pub mod rig;
