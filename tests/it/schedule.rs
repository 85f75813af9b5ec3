//! Who is looked at and told, and what a sidecar does about rotation by itself: the real binary against the emulator.

mod looks;
mod resumes;
mod rotates;
mod tells;
