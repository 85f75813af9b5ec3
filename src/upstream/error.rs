//! Why there is no connection, or no answer: by what may be done next, with a stable code and words with a remedy.
//!
//! A [`ConnectError`] always means that nothing of the request was written. A [`SendError`] says what is known of
//! the peer: only [`SendError::NotProcessed`] and [`SendError::Refused`] allow a request of any kind to be sent once more.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;

use super::body::BodyError;

/// An error of a layer below.
pub(super) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the upstream cannot be set up. Each is a mistake in the settings or in the surroundings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The extra roots cannot be read.
    #[error("upstream.ca_file {path} cannot be read (is it there, and may this user read it?)")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What the system or the PEM reader said.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The extra roots are not there.
    #[error("upstream.ca_file {path} holds no certificate (it must be PEM, with a BEGIN CERTIFICATE line)")]
    CaFileEmpty {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to trust, or an extra root is no certificate.
    #[error("there are no usable root certificates (install the ca-certificates package, or check upstream.ca_file)")]
    Roots(#[source] rustls::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// A replaced host has a name that TLS cannot verify.
    #[error("upstream.hosts: {name} is neither a DNS name nor an address")]
    OriginName {
        /// The name.
        name: String,
    },
    /// The egress proxy is not a URL we can use. The URL may hold a password, so it is not repeated.
    #[error("the egress proxy from {origin} cannot be used (it must read http://host:port or http://user:password@host:port)")]
    Proxy {
        /// Where it was set: a variable or a setting.
        origin: &'static str,
    },
}

/// Why there is no connection. Nothing of the request was written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no address, or nobody could be asked.
    #[error("{name} could not be resolved (check DNS on this machine, and whether it needs an egress proxy)")]
    Dns {
        /// The name.
        name: Arc<str>,
        /// What the resolver said.
        #[source]
        source: Arc<io::Error>,
    },
    /// All addresses refused.
    #[error("the connection was refused")]
    Refused(#[source] Arc<io::Error>),
    /// No address could be reached.
    #[error("no address could be reached (check routes, firewall, and whether this network needs an egress proxy)")]
    Unreachable(#[source] Arc<io::Error>),
    /// No socket in the time of `timeouts.connect`.
    #[error("connecting took too long (check firewall, and whether this network needs an egress proxy)")]
    Timeout,
    /// The socket stood, but no TLS session in the time of `timeouts.handshake`.
    #[error("the TLS handshake took too long")]
    TlsTimeout,
    /// The peer could not prove to be who it should be, or did not speak TLS.
    #[error("{reason}")]
    Tls {
        /// What was wrong.
        reason: TlsReason,
        /// What was said about it.
        #[source]
        source: Arc<io::Error>,
    },
    /// The egress proxy could not be reached.
    #[error("the egress proxy could not be reached")]
    ProxyUnreachable(#[source] Arc<Self>),
    /// The egress proxy asks for credentials, or for others.
    #[error("the egress proxy asks for credentials (put them into its URL: http://user:password@host:port)")]
    ProxyAuthentication,
    /// The egress proxy would not open a tunnel.
    #[error("the egress proxy answered {0} to CONNECT")]
    ProxyStatus(StatusCode),
    /// The egress proxy broke off or did not speak HTTP.
    #[error("the egress proxy broke off")]
    ProxyBroken(#[source] Arc<io::Error>),
    /// HTTP could not be begun on a connection that stood.
    #[error("HTTP could not be begun")]
    Http(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// New connections closed as soon as they stood, several times in a row.
    #[error("new connections close at once")]
    Unstable,
}

impl ConnectError {
    /// Stable, for logs, metrics and answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns_failed",
            Self::Refused(_) => "connect_refused",
            Self::Unreachable(_) => "connect_unreachable",
            Self::Timeout => "connect_timeout",
            Self::TlsTimeout => "tls_timeout",
            Self::Tls { reason, .. } => reason.code(),
            Self::ProxyUnreachable(_) => "proxy_unreachable",
            Self::ProxyAuthentication => "proxy_authentication",
            Self::ProxyStatus(_) => "proxy_refused",
            Self::ProxyBroken(_) => "proxy_broken",
            Self::Http(_) => "http_handshake",
            Self::Unstable => "connect_unstable",
        }
    }

    /// Whether it was a wait that ended, for which the answer is a 504 and not a 502.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout | Self::TlsTimeout => true,
            Self::ProxyUnreachable(inner) => inner.is_timeout(),
            Self::Dns { .. }
            | Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Tls { .. }
            | Self::ProxyAuthentication
            | Self::ProxyStatus(_)
            | Self::ProxyBroken(_)
            | Self::Http(_)
            | Self::Unstable => false,
        }
    }
}

/// What was wrong in a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsReason {
    /// The certificate is past its end.
    #[error("the certificate has expired (or the clock of this machine is ahead)")]
    CertExpired,
    /// The certificate is before its start.
    #[error("the certificate is not valid yet (check the clock of this machine)")]
    CertNotYetValid,
    /// The certificate is for somebody else.
    #[error("the certificate is for another name (is something in between intercepting TLS?)")]
    WrongHost,
    /// Nobody we trust has signed it.
    #[error("the certificate is signed by nobody this machine trusts (an intercepting proxy's root belongs into upstream.ca_file)")]
    UnknownCa,
    /// It was revoked.
    #[error("the certificate was revoked")]
    CertRevoked,
    /// It is no good in another way.
    #[error("the certificate is not acceptable")]
    CertInvalid,
    /// No version, cipher or protocol in common.
    #[error("there is no TLS version, cipher or protocol in common")]
    Incompatible,
    /// The peer gave up with an alert.
    #[error("the peer refused the TLS handshake")]
    Alert,
    /// What came was not TLS, or not a legal handshake.
    #[error("what came was not TLS (is this a plain HTTP port?)")]
    NotTls,
    /// The peer closed during the handshake.
    #[error("the peer closed during the TLS handshake")]
    Closed,
    /// Anything else.
    #[error("the TLS handshake failed")]
    Failed,
}

impl TlsReason {
    /// Stable, for logs, metrics and answers.
    pub fn code(self) -> &'static str {
        match self {
            Self::CertExpired => "tls_cert_expired",
            Self::CertNotYetValid => "tls_cert_not_yet_valid",
            Self::WrongHost => "tls_wrong_host",
            Self::UnknownCa => "tls_unknown_ca",
            Self::CertRevoked => "tls_cert_revoked",
            Self::CertInvalid => "tls_cert_invalid",
            Self::Incompatible => "tls_incompatible",
            Self::Alert => "tls_alert",
            Self::NotTls => "tls_not_spoken",
            Self::Closed => "tls_closed",
            Self::Failed => "tls_failed",
        }
    }
}

/// Why there is no answer to a request that was given to a connection.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer provably processed nothing: no byte was written, or it said goodbye below the stream.
    #[error("the peer processed nothing")]
    NotProcessed(#[source] Source),
    /// The peer refused the stream and processed nothing. The connection is still good, and may have room in a moment.
    #[error("the peer refused the stream")]
    Refused(#[source] Source),
    /// No stream was free in the time of `timeouts.answer_head`: nothing was written.
    #[error("no stream was free in time")]
    NoStream,
    /// A reused connection closed before the first byte of an answer.
    #[error("a reused connection closed before an answer")]
    ClosedBeforeAnswer(#[source] Source),
    /// The head of the answer did not come in time.
    #[error("no answer in time")]
    Timeout,
    /// Anything else: what the peer did is not known.
    #[error("the exchange failed")]
    Failed(#[source] Source),
}

/// The peer switched protocols though nobody had asked it to.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the peer switched protocols unasked")]
pub struct UnsolicitedUpgrade;

impl SendError {
    /// Stable, for logs, metrics and answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotProcessed(_) | Self::Refused(_) => "not_processed",
            Self::NoStream => "no_stream",
            Self::ClosedBeforeAnswer(_) => "closed_before_answer",
            Self::Timeout => "answer_timeout",
            Self::Failed(source) => failed_code(source.as_ref()),
        }
    }

    /// What the caller's body did, when that is why the exchange failed: then the fault is not the peer's.
    pub fn body(&self) -> Option<&BodyError> {
        match self {
            Self::Failed(source) => find(source.as_ref()),
            Self::NotProcessed(_) | Self::Refused(_) | Self::NoStream | Self::ClosedBeforeAnswer(_) | Self::Timeout => None,
        }
    }
}

/// The first error of a type in a chain of sources.
pub(super) fn find<'e, E: std::error::Error + 'static>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

fn failed_code(source: &(dyn std::error::Error + 'static)) -> &'static str {
    if find::<UnsolicitedUpgrade>(source).is_some() {
        "unsolicited_upgrade"
    } else if find::<BodyError>(source).is_some() {
        "caller_body"
    } else {
        match find::<hyper::Error>(source) {
            Some(error) if error.is_parse_too_large() => "answer_head_too_large",
            Some(error) if error.is_parse() => "answer_malformed",
            Some(_) | None => "exchange_failed",
        }
    }
}
