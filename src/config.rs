//! The settings of a sidecar, validated.
//!
//! `sidecar.toml` needs nothing: every setting has a default, and `config/sidecar.toml` documents all of them. It
//! is read once; the credentials file is what reloads.
//!
//! Not here: what TOML may say ([`mod@file`]), how it becomes these types ([`validate`]), where it is looked for
//! (`cli`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::problem::Problems;
use crate::secret::AccessToken;
use crate::vonage::hosts::Host;

pub use crate::vonage::hosts::Region;
pub use listen::{
    Calls, CertificateAuthority, Certificates, Destination, Listen, Mint, Names, PathPattern, Peers, Place, ProxyMode, Serves, Tunnel,
    UnixSocket,
};

pub mod file;
pub mod listen;
pub mod rotation;
pub mod units;
pub mod validate;

/// Reads settings: those of the text and the defaults of the others, with what somebody should look at; or
/// everything that is wrong. Paths in the text are relative to the directory of `path`.
pub fn parse(path: &Path, text: &str) -> Result<(Settings, Problems), Problems> {
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (file, mut misspelt) = file::read(path, text)?;
    match validate::settings(path, text, file) {
        Ok(settings) if misspelt.is_empty() => Ok(settings),
        Ok((_, problems)) | Err(problems) => {
            misspelt.extend(problems);
            Err(misspelt)
        }
    }
}

/// Where a text says that the credentials are, also when the rest of it cannot be used; none when it is not TOML. So
/// that both files can be checked at once.
pub fn credentials_file(path: &Path, text: &str) -> Option<PathBuf> {
    let settings: toml::Table = text.strip_prefix('\u{feff}').unwrap_or(text).parse().ok()?;
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    match settings.get("credentials").and_then(|credentials| credentials.get("file")) {
        None => Some(directory.join(Settings::default().credentials.file)),
        Some(file) => file.as_str().map(|file| directory.join(file)),
    }
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where callers reach us. Never empty.
    pub listen: Vec<Listen>,
    /// Where operators reach us.
    pub admin: Admin,
    /// Where the secrets are.
    pub credentials: Credentials,
    /// How Vonage is reached.
    pub upstream: Upstream,
    /// How a refusal is survived.
    pub fallback: Fallback,
    /// Sizes.
    pub limits: Limits,
    /// Waits.
    pub timeouts: Timeouts,
    /// Threads.
    pub runtime: Runtime,
    /// What is written down.
    pub log: Log,
    /// How secrets are rotated.
    pub rotation: rotation::Rotation,
}

/// Where a listener is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Both loopback addresses at this port: some callers try `::1` first, some only know `127.0.0.1`.
    Localhost {
        /// The port; 0 lets the system choose one for both.
        port: u16,
    },
    /// Exactly this one.
    Ip(SocketAddr),
}

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Localhost { .. } => true,
            Self::Ip(address) => address.ip().is_loopback(),
        }
    }

    /// The socket addresses to bind, the first being the one that must work.
    pub fn sockets(self) -> Vec<SocketAddr> {
        match self {
            Self::Localhost { port } => {
                vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)]
            }
            Self::Ip(address) => vec![address],
        }
    }
}

/// What becomes of `sub` and `acl` of a caller's token, which limit what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MintClaims {
    /// A request with such a token is refused.
    #[default]
    Refuse,
    /// They are carried over into the token that goes to Vonage.
    Keep,
}

/// Where operators reach us.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// Everything, loopback only.
    pub address: Address,
    /// A second listener for the kubelet and Prometheus.
    pub observe: Option<Observe>,
}

/// `[admin.observe]`: probes and metrics by GET on any address; status and prove only with a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Observe {
    /// Where; any address.
    pub address: Address,
    /// Tokens that open `/status` and `POST /prove`, at most two, so that they can be rotated. None: closed.
    pub tokens: Vec<Token>,
}

/// A token of the sidecar itself, or where it is.
#[derive(Debug, Clone)]
pub enum Token {
    /// In the settings.
    Value(AccessToken),
    /// In this file, read when tokens are loaded.
    File(PathBuf),
}

impl PartialEq for Token {
    /// In a time that does not depend on where two values differ.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(two)) => one.same_as(two),
            (Self::File(one), Self::File(two)) => one == two,
            (Self::Value(_), Self::File(_)) | (Self::File(_), Self::Value(_)) => false,
        }
    }
}

/// Where the secrets are and how they are treated.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The file.
    pub file: PathBuf,
    /// How long a value that left the file is kept; zero drops it at once.
    pub retire: Duration,
    /// Whether a file that others may read is refused.
    pub modes: Modes,
}

/// What to do with a credentials file whose mode is wider than 0640.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// Say so once.
    Warn,
    /// Do not read it.
    Strict,
}

/// How Vonage is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// The region that regional rows go to.
    pub region: Option<Region>,
    /// What is offered in the TLS handshake.
    pub http2: Http2,
    /// The way out.
    pub proxy: Proxy,
    /// Roots beside those of the system, PEM.
    pub ca_file: Option<PathBuf>,
    /// Hosts that are replaced by another origin.
    pub hosts: BTreeMap<Host, Origin>,
}

/// Whether HTTP/2 is offered upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http2 {
    /// By ALPN, HTTP/1.1 when the peer prefers it.
    Offered,
    /// HTTP/1.1 only.
    Off,
}

/// The egress proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
    Environment,
    /// Direct.
    None,
    /// This `http://host:port`.
    Url(http::Uri),
}

/// Another origin in place of a Vonage host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub transport: Transport,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How bytes travel to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In the clear: an emulator or a gateway on this machine.
    Plain,
    /// In TLS, always verified.
    Tls,
}

/// How a refusal is survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// How long a request waits for a newer file when everything held is refused; zero never waits.
    pub hold: Duration,
}

/// Sizes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Body kept for a second attempt.
    pub replay: usize,
    /// All kept bodies together.
    pub replay_memory: usize,
    /// Request head.
    pub head: usize,
    /// Callers' connections at once.
    pub connections: usize,
}

/// Waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the socket is connected.
    pub connect: Duration,
    /// Until the TLS session stands, connect included.
    pub handshake: Duration,
    /// Until a caller's head is complete.
    pub caller_head: Duration,
    /// Until the head of an answer.
    pub answer_head: Duration,
    /// Without a byte of a body in either direction.
    pub idle: Duration,
    /// For a whole request; none is no limit.
    pub total: Option<Duration>,
    /// For requests under way when the process is told to end.
    pub drain: Duration,
}

/// Threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// Worker threads.
    pub workers: usize,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How it looks.
    pub format: LogFormat,
    /// Whether each request is a line.
    pub access: Access,
    /// What is written: a `tracing` filter such as `info` or `vonage_sidecar=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Whether each request is a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// One line a request.
    On,
    /// Only what goes wrong.
    Off,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![Listen::at(Place::Tcp(Address::Localhost { port: 8787 }))],
            admin: Admin { address: Address::Localhost { port: 9787 }, observe: None },
            credentials: Credentials { file: PathBuf::from("credentials.toml"), retire: Duration::from_mins(15), modes: Modes::Warn },
            upstream: Upstream { region: None, http2: Http2::Offered, proxy: Proxy::Environment, ca_file: None, hosts: BTreeMap::new() },
            fallback: Fallback { hold: Duration::from_secs(5) },
            limits: Limits { replay: 1 << 20, replay_memory: 64 << 20, head: 64 << 10, connections: 10_000 },
            timeouts: Timeouts {
                connect: Duration::from_secs(3),
                handshake: Duration::from_secs(8),
                caller_head: Duration::from_secs(10),
                answer_head: Duration::from_mins(2),
                idle: Duration::from_mins(1),
                total: None,
                drain: Duration::from_secs(8),
            },
            runtime: Runtime { workers: std::thread::available_parallelism().map_or(2, |cores| cores.get().min(2)) },
            log: Log { format: LogFormat::Auto, access: Access::On, filter: "info".to_owned() },
            rotation: rotation::Rotation::default(),
        }
    }
}
