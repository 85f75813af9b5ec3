//! Makes, delivers and revokes secrets.
//!
//! Decisions: what the provider's list means for what we hold ([`drift`]), which accounts breach the policy
//! ([`audit`]), what is written down of a rotation ([`report`]).
//! Effects: calls to the provider ([`provider`]), delivery of a new file ([`sinks`]), values that the provider may
//! or may not know yet ([`staged`]).
//!
//! What always holds: a value is on disk before the provider hears of it; nothing is created while a sink cannot
//! take it; a call whose outcome is not known is never taken for done or not done; no value is printed.

pub mod audit;
pub mod drift;
pub mod provider;
pub mod report;
pub mod sinks;
pub mod staged;
