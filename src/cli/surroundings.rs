//! What the environment says: the only place besides clap that reads it.

use crate::upstream::ProxyEnvironment;

/// The proxy variables, upper case before lower case. An empty one counts as not set.
pub(super) fn proxy() -> ProxyEnvironment {
    ProxyEnvironment {
        https_proxy: first(&["HTTPS_PROXY", "https_proxy"]),
        all_proxy: first(&["ALL_PROXY", "all_proxy"]),
        no_proxy: first(&["NO_PROXY", "no_proxy"]),
    }
}

/// Whether the terminal, if there is one, says of itself that it cannot move its cursor.
pub(super) fn is_dumb_terminal() -> bool {
    first(&["TERM"]).is_some_and(|name| name == "dumb")
}

#[expect(clippy::disallowed_methods, reason = "only cli reads the environment, and this is where")]
fn first(names: &[&str]) -> Option<String> {
    names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())
}
