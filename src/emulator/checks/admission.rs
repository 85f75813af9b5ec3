//! Who was let in. How that is judged, `auth` says.

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::emulator) struct Admission {
    /// The API key; empty where no credential is asked for.
    pub(in crate::emulator) account: String,
    /// The id of the secret that was accepted.
    pub(in crate::emulator) secret: Option<String>,
    /// The application of an accepted token.
    pub(in crate::emulator) application: Option<String>,
}
