//! The cheap calls that prove a secret: they read, cost nothing and change nothing.

use super::hosts::{Host, Set};

/// Path and query of a free GET that needs a credential, at this host; none where we know of none.
pub fn free_call(host: Host) -> Option<&'static str> {
    match host.set() {
        Set::Rest => Some("/account/get-balance"),
        Set::Api => Some("/v2/applications?page_size=1"),
        Set::Europe | Set::Video | Set::Sandbox | Set::OpenTok => None,
    }
}
