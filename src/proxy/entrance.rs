//! How a request came in: by which listener, from whom, and through which door of it.

use std::sync::Arc;

use crate::config::Listen;
use crate::tokens::Tokens;
use crate::vonage::hosts::Host;

/// What all requests of one connection have in common.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// The listener.
    pub listen: Arc<Listen>,
    /// What callers of it must present.
    pub tokens: Arc<Tokens>,
    /// Who connected.
    pub peer: Peer,
    /// Through which door.
    pub via: Via,
}

/// Whether the process that connected may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Anybody may, or this one is on the list.
    Welcome,
    /// A user and group that the listener does not serve.
    Stranger,
}

/// The door of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The listener itself.
    Front,
    /// A `CONNECT` to this host, which every request inside must name.
    Connect {
        /// The host.
        host: Host,
        /// Whether a token came with the `CONNECT`.
        vouched: Vouched,
    },
}

/// Whether a token came with a `CONNECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// A good one: requests inside need none.
    Yes,
    /// None: each request inside must bring one, where one is needed.
    No,
}
