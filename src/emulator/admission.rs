//! Who was let in. How that is judged, `auth` says.

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Admission {
    /// The API key; empty where no credential is asked for.
    pub(super) account: String,
    /// The id of the secret that was accepted.
    pub(super) secret: Option<String>,
    /// The application of an accepted token.
    pub(super) application: Option<String>,
}
