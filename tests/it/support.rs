//! What tests share: a sidecar in this process with an emulated Vonage behind it, and callers in front of it.

pub mod authority;
pub mod caller;
pub mod front;
pub mod origin;
pub mod process;
pub mod sidecar;
pub mod wire;
