//! The fallback through the real proxy, counted at the emulator: what is refused is tried with the other secret, what is
//! not refused is not, and nothing is executed twice.

mod accounts; // whose request it is; one account's rotation is its own
mod bodies; // cleaned, replayed, too large
mod budget; // what useless second attempts cost, and a whole crowd at the instant of a revoke
mod failures; // a second attempt that fails
mod families; // every way in which a credential is refused
mod holds; // waiting for a newer file
mod leaving; // a caller that goes away
mod lookalikes; // what only looks like a refusal
mod memory; // all kept bodies together
pub mod rig;
mod standings; // what is learnt, and when
mod uploads; // large, slow and early-refused bodies
