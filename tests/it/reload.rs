//! A new credentials file is used soon, whatever way it came; a bad, torn or missing one changes nothing.

mod bad_files;
mod mounts;
mod requests;
mod rig;
mod styles;
mod torn;
