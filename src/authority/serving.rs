//! The certificates of a listener, read again while it serves, and its side of TLS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Authority, AuthorityError, Validity};
use crate::config::Certificates;
use crate::files;

/// A chain or a key is smaller.
const LONGEST: usize = 1 << 20;

/// The certificates of a listener.
#[derive(Debug)]
pub enum Serving {
    /// Files of the operator's.
    Given(Given),
    /// Made by the local authority.
    Made(Arc<Authority>),
}

/// A chain and its key from files.
#[derive(Debug)]
pub struct Given {
    cert: PathBuf,
    key: PathBuf,
    current: ArcSwap<Pair>,
    /// What was told last about files that cannot be used.
    trouble: Mutex<String>,
}

#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

impl Serving {
    /// Reads files for the first time, or takes the authority that `open` gives.
    pub fn of(
        certificates: &Certificates,
        open: impl FnOnce(&crate::config::CertificateAuthority) -> Result<Arc<Authority>, AuthorityError>,
    ) -> Result<Self, AuthorityError> {
        match certificates {
            Certificates::Made(authority) => open(authority).map(Self::Made),
            Certificates::Given { cert, key } => {
                let current = ArcSwap::from_pointee(pair(cert, key)?);
                Ok(Self::Given(Given { cert: cert.clone(), key: key.clone(), current, trouble: Mutex::default() }))
            }
        }
    }

    /// Reads the files again. What cannot be used changes nothing and is told once.
    pub fn reread(&self) {
        match self {
            Self::Given(given) => given.reread(),
            Self::Made(_) => {}
        }
    }

    /// Whether they are in files, which may change.
    pub fn are_in_files(&self) -> bool {
        match self {
            Self::Given(_) => true,
            Self::Made(_) => false,
        }
    }

    /// How long the certificate that an operator looks after is valid.
    pub fn validity(&self) -> Validity {
        match self {
            Self::Given(given) => given.current.load().validity,
            Self::Made(authority) => authority.validity(),
        }
    }
}

impl Given {
    fn reread(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match pair(&self.cert, &self.key) {
            Ok(pair) => {
                trouble.clear();
                if pair.key.cert != self.current.load().key.cert {
                    self.current.store(Arc::new(pair));
                    tracing::info!(path = %self.cert.display(), "a new certificate is served");
                }
            }
            Err(error) => {
                let words = error.to_string();
                if *trouble != words {
                    tracing::warn!(cause = words, "the certificate stays as it was");
                    *trouble = words;
                }
            }
        }
    }
}

fn pair(cert: &Path, key: &Path) -> Result<Pair, AuthorityError> {
    let content = |path: &Path, what| AuthorityError::Content { path: path.to_path_buf(), what };
    let no_chain = || content(cert, "is not a chain of certificates in PEM");
    let chain = files::read(cert, LONGEST)?;
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(&chain.bytes).collect::<Result<_, _>>().map_err(|_| no_chain())?;
    let validity = chain.first().and_then(|leaf| Validity::of(leaf)).ok_or_else(no_chain)?;
    let no_key = || content(key, "is not a private key in PEM that TLS can use");
    let der = PrivateKeyDer::from_pem_slice(&files::read(key, LONGEST)?.bytes).map_err(|_| no_key())?;
    let signer = crypto::aws_lc_rs::sign::any_supported_type(&der).map_err(|_| no_key())?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(Pair { key: Arc::new(certified), validity }),
        Err(_) => Err(AuthorityError::Mismatch { certificate: cert.to_path_buf(), key: key.to_path_buf() }),
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match self {
            Self::Given(given) => Some(Arc::clone(&given.current.load().key)),
            Self::Made(authority) => {
                authority.leaf(hello.server_name()).inspect_err(|error| tracing::warn!(cause = %error, "no certificate for a caller")).ok()
            }
        }
    }
}

/// Our side of TLS: HTTP/2 or HTTP/1.1 by ALPN, sessions resumed by tickets that die with the process.
pub fn server_config(serving: Arc<Serving>) -> Result<Arc<ServerConfig>, AuthorityError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(AuthorityError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(serving);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = crypto::aws_lc_rs::Ticketer::new().map_err(AuthorityError::Tls)?;
    Ok(Arc::new(config))
}
