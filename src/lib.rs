//! vonage-sidecar: a local reverse proxy that keeps Vonage API credentials current.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod hardening;
pub mod metrics;
pub mod problem;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod upstream;
pub mod vonage;
