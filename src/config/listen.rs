//! One `[[listen]]`: where it is, what it serves, who may call and what they may do.
//!
//! Invariants: only a unix socket knows the users of its callers; a listener serves one thing, so TLS, proxy mode and
//! plain HTTP are never mixed; a certificate is either given or made by the local authority, never both.
//!
//! Not here: which of these are sound together (`validate`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;

use super::{Address, MintClaims, Token};
use crate::secret::{ApiKey, ApplicationId};
use crate::vonage::hosts::Host;

/// One `[[listen]]`. Account, application and host are limits, not defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// Where.
    pub place: Place,
    /// What is spoken and done there.
    pub serves: Serves,
    /// Tokens of which a caller must present one, at most two, so that they can be rotated. None: anybody who can
    /// connect may call.
    pub tokens: Vec<Token>,
    /// The calls that are served, of those that could be.
    pub calls: Calls,
    /// Only this account may be used here.
    pub account: Option<ApiKey>,
    /// Only this application may be used here.
    pub application: Option<ApplicationId>,
    /// Everything goes to this host.
    pub host: Option<Host>,
    /// Names of the parts of the management plane that are open here.
    pub allow: Vec<String>,
    /// `Host` values served beside the loopback names and the known Vonage hosts, lower case, without port.
    pub allowed_hosts: Vec<String>,
    /// What becomes of the limits of a caller's token.
    pub mint_claims: MintClaims,
}

impl Listen {
    /// A listener for plain HTTP without limits.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            serves: Serves::Http,
            tokens: Vec::new(),
            calls: Calls::default(),
            account: None,
            application: None,
            host: None,
            allow: Vec::new(),
            allowed_hosts: Vec::new(),
            mint_claims: MintClaims::default(),
        }
    }

    /// The local authority that it needs, if it needs one.
    pub fn authority(&self) -> Option<&CertificateAuthority> {
        match &self.serves {
            Serves::Https(Certificates::Made(authority)) => Some(authority),
            Serves::Proxy(proxy) => Some(&proxy.authority),
            Serves::Http | Serves::Mint(_) | Serves::Https(Certificates::Given { .. }) => None,
        }
    }
}

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On an address and port.
    Tcp(Address),
    /// In the file system.
    Unix(UnixSocket),
}

impl Place {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(Address::Localhost { port }) => write!(f, "localhost:{port}"),
            Self::Tcp(Address::Ip(address)) => address.fmt(f),
            Self::Unix(socket) => socket.path.display().fmt(f),
        }
    }
}

/// A unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its path.
    pub path: PathBuf,
    /// Its permission bits: whoever may write to it may connect.
    pub mode: u32,
    /// The user that it belongs to; ours if it is not set.
    pub owner: Option<u32>,
    /// The group that it belongs to; ours if it is not set.
    pub group: Option<u32>,
    /// Who of those who can connect may call.
    pub peers: Peers,
}

/// The users and groups that may call on a unix socket, by what the kernel says about the process that connected.
/// Empty: whoever can connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Users.
    pub uids: Vec<u32>,
    /// Primary groups.
    pub gids: Vec<u32>,
}

impl Peers {
    /// Whether a process of this user and primary group may call.
    pub fn welcome(&self, uid: u32, gid: u32) -> bool {
        (self.uids.is_empty() && self.gids.is_empty()) || self.uids.contains(&uid) || self.gids.contains(&gid)
    }
}

/// What a listener speaks and does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serves {
    /// Calls over HTTP/1.1.
    Http,
    /// Calls over HTTP/1.1 and HTTP/2 in TLS.
    Https(Certificates),
    /// As [`Serves::Http`], and `CONNECT` to Vonage hosts.
    Proxy(ProxyMode),
    /// Tokens for clients of apps, over HTTP/1.1; nothing else.
    Mint(Mint),
}

impl Serves {
    /// One word for status and log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https(_) => "https",
            Self::Proxy(_) => "proxy",
            Self::Mint(_) => "mint",
        }
    }
}

/// Where the certificates of a TLS listener come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// Files of the operator's, read again when they change.
    Given {
        /// The chain in PEM, the leaf first.
        cert: PathBuf,
        /// Its private key in PEM.
        key: PathBuf,
    },
    /// The local authority makes one for each name that is asked for.
    Made(CertificateAuthority),
}

/// The local authority.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateAuthority {
    /// Its directory; made when it is missing.
    pub dir: PathBuf,
    /// Where apps find what they must trust.
    pub publish: Option<PathBuf>,
}

/// `[listen.proxy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyMode {
    /// Makes the certificates of Vonage hosts.
    pub authority: CertificateAuthority,
    /// Which other hosts are joined.
    pub tunnel: Tunnel,
}

/// `mint`: which tokens a caller may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint {
    /// The longest life.
    pub longest: Duration,
    /// The claims that it may name.
    pub claims: Vec<String>,
}

impl Default for Mint {
    /// A day, which is the longest that Vonage takes; the claims of the Client SDK and of Video.
    fn default() -> Self {
        let claims = ["sub", "acl", "scope", "session_id", "role", "connection_data", "initial_layout_class_list"];
        Self { longest: Duration::from_hours(24), claims: claims.map(str::to_owned).to_vec() }
    }
}

/// Which hosts that are not Vonage's are joined byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tunnel {
    /// None.
    Closed,
    /// Every one but this machine and its link, on port 443.
    Any,
    /// These.
    Listed(Vec<Destination>),
}

/// A destination of tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The names that it stands for.
    pub names: Names,
    /// The only port.
    pub port: u16,
}

/// Names of hosts, lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// This one.
    Exactly(String),
    /// All below this one: `*.example.com` holds `example.com` here.
    Below(String),
}

/// The calls that a listener serves. Denied by either list is denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// These methods only; empty: all.
    pub methods: Vec<Method>,
    /// These paths only; empty: all.
    pub allow: Vec<PathPattern>,
    /// None of these paths.
    pub deny: Vec<PathPattern>,
}

impl Calls {
    /// Whether the path, in its normal form, is served.
    pub fn serve_path(&self, normal: &str) -> bool {
        let among = |patterns: &[PathPattern]| patterns.iter().any(|pattern| pattern.holds(normal));
        (self.allow.is_empty() || among(&self.allow)) && !among(&self.deny)
    }

    /// Whether the method is served.
    pub fn serve_method(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }
}

/// Paths, lower case, as in the normal form that they are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This one.
    Exactly(String),
    /// This one and everything below it: `/sms/*` holds `/sms` here.
    Below(String),
}

impl PathPattern {
    fn holds(&self, normal: &str) -> bool {
        // The normal form folds case only where a path needs another form at all.
        match self {
            Self::Exactly(path) => normal.eq_ignore_ascii_case(path),
            Self::Below(path) => normal
                .split_at_checked(path.len())
                .is_some_and(|(begin, rest)| begin.eq_ignore_ascii_case(path) && (rest.is_empty() || rest.starts_with('/'))),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(path) => f.write_str(path),
            Self::Below(path) => write!(f, "{path}/*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_holds_its_path_and_what_is_below_it() {
        let calls = Calls {
            allow: vec![PathPattern::Below("/sms".to_owned()), PathPattern::Exactly("/v1/messages".to_owned())],
            deny: vec![PathPattern::Exactly("/sms/xml".to_owned())],
            ..Calls::default()
        };
        for served in ["/sms", "/sms/json", "/v1/messages"] {
            assert!(calls.serve_path(served), "{served}");
        }
        for denied in ["/", "/smsx", "/sms/xml", "/v1/messages/1", "/v1"] {
            assert!(!calls.serve_path(denied), "{denied}");
        }
        assert!(Calls::default().serve_path("/anything"));
        let all = Calls { allow: vec![PathPattern::Below(String::new())], ..Calls::default() };
        assert!(all.serve_path("/") && all.serve_path("/sms"));
    }

    #[test]
    fn a_peer_is_welcome_by_user_or_by_group() {
        let peers = Peers { uids: vec![1000], gids: vec![20] };
        assert!(peers.welcome(1000, 1) && peers.welcome(1, 20));
        assert!(!peers.welcome(1, 1));
        assert!(Peers::default().welcome(1, 1));
    }
}
