//! What can keep a request from its answer, by whose fault it is, with a stable code and a remedy.
//!
//! These become answers of our own ([`super::answer`]); a refusal of the provider that is passed on is never one of
//! them. Names of secrets, paths and values never appear in the words.

use std::borrow::Cow;

use http::StatusCode;

use crate::inject::Unreadable;
use crate::upstream::{ConnectError, SendError};

mod table;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller's: 4xx.
    Caller,
    /// Ours: 500, 501, 503.
    Sidecar,
    /// The provider's or the way there: 502, 504.
    Upstream,
}

/// Why a request was not answered by the provider.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.description().what)]
pub enum Fault {
    /// Not HTTP/1.1.
    Malformed,
    /// A head larger than the limit.
    HeadTooLarge,
    /// A head that stopped coming.
    HeadStalled,
    /// A method that no Vonage API has.
    Method,
    /// CONNECT or TRACE.
    MethodNever,
    /// A target that is not a path.
    Target,
    /// A target longer than 16 KiB.
    TargetTooLong,
    /// No `Host`, or two, or one that is not a name.
    HostMalformed,
    /// A `Host` that is neither ours nor Vonage's.
    HostForeign,
    /// A request inside a `CONNECT` that names another host.
    HostNotConnected,
    /// Something else than TLS on a port of TLS.
    TlsExpected,
    /// A process whose user and group the unix socket does not serve.
    PeerRefused,
    /// No token, where one is needed.
    TokenMissing,
    /// Another token than one of ours.
    TokenWrong,
    /// No token for a tunnel, or another one.
    ProxyToken,
    /// A CONNECT to a host that is neither Vonage's nor listed.
    TunnelRefused,
    /// A CONNECT that leads to this machine or its link.
    TunnelAddress,
    /// A CONNECT to a host that cannot be reached.
    TunnelFailed(#[source] ConnectError),
    /// A method that this listener does not serve.
    MethodLimited,
    /// A path that this listener does not serve.
    PathLimited,
    /// Anything but `POST /jwt` on a listener that mints.
    MintElsewhere,
    /// An order for a token that cannot be read.
    MintMalformed,
    /// A claim that callers of this listener may not have.
    MintClaim,
    /// A life that callers of this listener may not have.
    MintLife,
    /// The key did not sign.
    MintFailed,
    /// A page in a browser.
    Browser,
    /// A path that means different things to different readers.
    PathAmbiguous,
    /// A framing that could be read in two ways.
    Framing,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A protocol change that we do not make.
    Upgrade,
    /// A body longer than anything Vonage takes.
    BodyTooLong,
    /// A body that must be looked at is longer than the replay limit.
    BodyTooLongToRead,
    /// A body that must be looked at, and no memory is left for it.
    MemoryFull,
    /// A body that must be looked at and cannot be read.
    BodyUnreadable,
    /// A body that must be looked at and that the provider might read where we cannot.
    BodyOpaque,
    /// A credential that only some readers see.
    CredentialAmbiguous,
    /// A body that a credential must be written into is not what its type says.
    BodyTypeDiffers,
    /// A request that must be signed has no defined signature.
    Unsignable,
    /// The caller's body broke off or its framing is wrong.
    BodyBroken,
    /// The caller's body stopped coming.
    BodyStalled,
    /// A part of the management plane that is not open here.
    Management(&'static str),
    /// Two different keys on one request.
    KeysDiffer,
    /// A key that we do not hold.
    KeyUnknown,
    /// A key that this listener does not serve.
    KeyLimited,
    /// A host that this listener does not serve.
    HostLimited,
    /// Basic that cannot be decoded.
    BasicBroken,
    /// A bearer token that is none, where a token is put in its place.
    TokenBroken,
    /// A token that limits what it may do, where such limits are not carried over.
    TokenLimited,
    /// An application that we do not hold.
    ApplicationUnknown,
    /// An application that this listener does not serve.
    ApplicationLimited,
    /// An application of another account than the one that the request names.
    ApplicationOfAnother,
    /// The account has no application, and the endpoint takes nothing but a token.
    NoApplication,
    /// The account has several, and the request names none.
    WhichApplication,
    /// The application has no key that can be used.
    NoPrivateKey,
    /// No valid credentials file was seen yet.
    NoCredentials,
    /// There is no connection to Vonage.
    Connect(#[source] ConnectError),
    /// The exchange failed.
    Send(#[source] SendError),
    /// The second attempt failed after it was begun: whether it was executed is not known.
    OutcomeUnknown(#[source] SendError),
    /// The answer broke off before any of it was passed on.
    AnswerBroken,
    /// The whole request took longer than allowed.
    Total,
    /// The caller left.
    CallerGone,
}

/// How a fault is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable name.
    pub code: &'static str,
    /// What happened.
    pub what: &'static str,
    /// What to do.
    pub remedy: Cow<'static, str>,
}

impl From<Unreadable> for Fault {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Basic => Self::BasicBroken,
            Unreadable::Json => Self::BodyUnreadable,
            Unreadable::Opaque => Self::BodyOpaque,
            Unreadable::Ambiguous => Self::CredentialAmbiguous,
        }
    }
}

impl Fault {
    /// Whose fault it is.
    pub fn source_of_it(&self) -> Source {
        let status = self.description().status.as_u16();
        match status {
            400..=499 => Source::Caller,
            502 | 504 => Source::Upstream,
            _own => Source::Sidecar,
        }
    }

    /// Its status, code and words.
    pub fn description(&self) -> Description {
        let (status, code, what, remedy) = self.row();
        let remedy = match self {
            // It knows the cause and what to do about it.
            Self::Connect(error) | Self::TunnelFailed(error) => Cow::Owned(error.to_string()),
            // It knows which part: its name is one of ours, never the caller's.
            Self::Management(part) => {
                Cow::Owned(format!("{remedy}, or open it with allow = [\"{part}\"] at this listener in sidecar.toml"))
            }
            _others => Cow::Borrowed(remedy),
        };
        Description { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, what, remedy }
    }
}
