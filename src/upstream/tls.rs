//! TLS to Vonage: always verified, against what the system trusts plus the extra roots of the settings.
//!
//! The provider is passed explicitly, so that nothing depends on a process default. Session resumption is on (the
//! library's default), early data and key logging are off, and there is no way to turn verification off.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, Error};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::error::{SetupError, TlsReason};
use crate::config::Http2;

/// The client side of TLS. Extra roots alone are enough on a system that has none.
pub(super) fn configuration(ca_file: Option<&Path>, http2: Http2) -> Result<Arc<ClientConfig>, SetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let extra = ca_file.map_or_else(|| Ok(Vec::new()), extra_roots)?;
    let verifier = verifier(extra, Arc::clone(&provider))?;
    let mut configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?
        .dangerous() // The name the library gives to any verifier but its own; this one is stricter, not laxer.
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    configuration.alpn_protocols = match http2 {
        Http2::Offered => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Http2::Off => vec![b"http/1.1".to_vec()],
    };
    Ok(Arc::new(configuration))
}

fn verifier(extra: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Ok(Arc::new(Verifier::new_with_extra_roots(extra, provider).map_err(SetupError::Roots)?))
}

fn extra_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let unreadable = |source| SetupError::CaFile { path: path.to_path_buf(), source };
    let roots: Vec<_> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    if roots.is_empty() { Err(SetupError::CaFileEmpty { path: path.to_path_buf() }) } else { Ok(roots) }
}

/// What a failed handshake means.
pub fn reason(error: &io::Error) -> TlsReason {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => rustls_reason(error),
        None => TlsReason::Closed,
    }
}

/// The library's lists are long, open, and grow: what we have no own word for is "failed".
fn rustls_reason(error: &Error) -> TlsReason {
    match error {
        Error::InvalidCertificate(error) => certificate_reason(error),
        Error::NoCertificatesPresented => TlsReason::CertInvalid,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsReason::Incompatible,
        Error::AlertReceived(_) => TlsReason::Alert,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => TlsReason::NotTls,
        _ => TlsReason::Failed,
    }
}

fn certificate_reason(error: &CertificateError) -> TlsReason {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsReason::CertExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsReason::CertNotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsReason::WrongHost,
        // A bad signature is what a root leads to that was made anew under its old name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsReason::UnknownCa,
        CertificateError::Revoked => TlsReason::CertRevoked,
        _ => TlsReason::CertInvalid,
    }
}
