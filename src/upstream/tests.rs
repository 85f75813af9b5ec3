//! The upstream against scripted origins on this machine.

mod egress;
mod http1;
mod http2;
mod origins;
mod peer;
mod streams;
mod tls;
mod windows;
