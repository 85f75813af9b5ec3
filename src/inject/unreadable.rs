//! Why the caller's credentials cannot be taken off a request: then nothing is sent. Pure.

/// Why a request cannot be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Basic that cannot be decoded, so that the account it names is not known.
    #[error("Basic credentials that cannot be decoded")]
    Basic,
    /// It begins as a JSON object and is none.
    #[error("the body begins as a JSON object but is cut short or malformed")]
    Json,
    /// We cannot read it, and the provider might.
    #[error("the body is compressed, multipart or in other letters than ASCII and its like")]
    Opaque,
    /// Query or body hold a credential that some readers see and others do not.
    #[error("a credential stands where only some readers see it")]
    Ambiguous,
}
