//! Certificates of our own listeners: given as files, or made by a local certificate authority.
//!
//! Some SDKs insist on `https://`, and an app whose hosts are hard-coded can be reached by proxy mode only. Both need
//! certificates that the app trusts and nobody else could misuse: the authority of a directory may speak for loopback
//! and for the domains of Vonage only (critical name constraints, path length 0), its leaves are short-lived and never
//! leave the process.
//!
//! Invariants: all processes that start on one directory agree on one authority (a lock on the directory, and files
//! that are renamed into place); the key is 0600; the leaves that can be made are a bounded set, since a name that is
//! neither loopback nor Vonage's gets the loopback leaf and the client sees that the name is wrong.
//!
//! | file | duty |
//! |---|---|
//! | `certificate` | what stands in a certificate (pure) |
//! | `validity` | how long a certificate is valid (pure) |
//! | `directory` | load, create, renew, publish |
//! | `serving` | the certificates of a listener, and its side of TLS |
//!
//! Facts: RFC 5280 §4.2.1 (key identifiers, key usage, basic and name constraints), which Python 3.13 checks strictly
//! (`VERIFY_X509_STRICT`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rcgen::{Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock;
use crate::files::FileError;

mod certificate;
mod directory;
mod serving;
mod validity;

pub use directory::{BUNDLE, CERTIFICATE, KEY, look};
pub use serving::{Given, Serving, server_config};
pub use validity::{Validity, WARN_BEFORE};

use certificate::Subject;

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that is none of what it should be.
    #[error("{} {what}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Certificate and key do not belong together.
    #[error("{} is not the certificate of the key {}", .certificate.display(), .key.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A certificate could not be signed.
    #[error("a certificate cannot be made: {0}")]
    Signing(rcgen::Error),
    /// TLS refuses the key.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
}

/// The authority of a directory, with the leaves that it has made.
pub struct Authority {
    directory: PathBuf,
    pem: String,
    validity: Validity,
    issuer: Issuer<'static, KeyPair>,
    leaf_key: KeyPair,
    leaf_signer: Arc<dyn SigningKey>,
    leaves: Mutex<BTreeMap<Subject, Leaf>>,
}

struct Leaf {
    key: Arc<CertifiedKey>,
    renew: SystemTime,
}

impl std::fmt::Debug for Authority {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("directory", &self.directory).field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl Authority {
    fn new(directory: &Path, pem: String, validity: Validity, key: KeyPair) -> Result<Self, AuthorityError> {
        let leaf_key = KeyPair::generate().map_err(AuthorityError::Signing)?;
        let der = PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into());
        let leaf_signer = any_ecdsa_type(&der).map_err(AuthorityError::Tls)?;
        let issuer = certificate::issuer(key);
        Ok(Self { directory: directory.to_path_buf(), pem, validity, issuer, leaf_key, leaf_signer, leaves: Mutex::default() })
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its certificate, which apps must trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// How long its certificate is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// A certificate for the name that a client asks for, made now or a short while ago.
    fn leaf(&self, name: Option<&str>) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let subject = Subject::of(name);
        let now = clock::wall();
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(&subject).filter(|leaf| now < leaf.renew) {
            return Ok(Arc::clone(&leaf.key));
        }
        let (params, renew) = certificate::leaf(&subject, now, clock::random()).map_err(AuthorityError::Signing)?;
        let signed = params.signed_by(&self.leaf_key, &self.issuer).map_err(AuthorityError::Signing)?;
        let chain: Vec<CertificateDer<'static>> = vec![signed.der().clone()];
        let key = Arc::new(CertifiedKey::new(chain, Arc::clone(&self.leaf_signer)));
        leaves.insert(subject, Leaf { key: Arc::clone(&key), renew });
        Ok(key)
    }
}
