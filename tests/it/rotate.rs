//! `rotate` and `drill` as a person or a timer runs them: the real binary, a real sidecar, an emulated provider.

mod keys; // key pairs of applications
mod one_host;
mod rig;
