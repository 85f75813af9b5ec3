//! The table of endpoints: what a row is, and how to find one.

use crate::vonage::hosts::Host;

/// How a credential travels on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `Authorization: Basic`.
    Basic,
    /// `api_key` and `api_secret` in the query.
    Query,
    /// The same in a form body.
    Form,
    /// The same in a JSON body.
    Json,
    /// Both as path segments.
    Path,
    /// `sig` with `api_key` and `timestamp`.
    Signature,
    /// `Authorization: Bearer` with a token signed by an application's key.
    Jwt,
    /// The caller's own credential of another kind, never touched.
    PassThrough,
    /// None at all.
    Open,
}

/// What kind of thing a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Sends, verifies, looks up, reads.
    Data,
    /// Makes or changes a credential, or who pays. Holds the name by which a listener may allow it.
    Management(&'static str),
}

/// How this row tells that a credential is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// 401 with a problem document.
    Problem,
    /// 401 with `error-code` or `code` and a label, JSON or XML.
    ErrorCode,
    /// 200 with `messages[].status` 4, JSON or XML.
    SmsStatus,
    /// 200 with `status` 4, JSON or XML.
    VerifyStatus,
    /// 200 with `status` 4 (integer), JSON or XML.
    InsightStatus,
    /// 403 of Video.
    VideoForbidden,
}

/// Whether a bodiless GET or HEAD may be sent once more when its connection closed before any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// It reads only.
    Repeatable,
    /// It sends or charges, or we do not know.
    Never,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// The host that serves it when nothing else is asked for.
    pub host: Host,
    /// The methods that the provider documents or is known to answer. Others go the same way and are never repeated.
    pub methods: &'static [&'static str],
    /// The path template: `{name}` stands for one segment, a final `/*` for any rest (also none).
    pub path: &'static str,
    /// What it accepts, in the order of our preference.
    pub schemes: &'static [Scheme],
    /// What a refusal looks like here.
    pub refusals: &'static [Family],
    /// Data or management.
    pub plane: Plane,
    /// Whether a GET or HEAD may be repeated.
    pub repeat: Repeat,
    /// Where this is written.
    pub source: &'static str,
}
