//! vonage-sidecar: a local reverse proxy that keeps Vonage API credentials current.

pub mod clock;
pub mod config;
pub mod credentials;
pub mod emulator;
pub mod problem;
pub mod secret;
pub mod upstream;
pub mod vonage;
