//! Every kind of credential through the real proxy: what goes upstream in the place of the caller's, and what falls back.

mod rig;
mod tokens; // JSON web tokens of applications: whose, what they claim, two keys
