//! The commands that manage secrets, as the real binary against the emulated provider: what they do there, what they leave
//! in the files, and what they refuse.

mod audit; // every account, and what breaches the policy
mod create; // a new secret gets to the file, whatever fails on the way
mod revoke; // only what can be spared
pub mod rig;
mod subaccounts; // listed, made, enrolled
