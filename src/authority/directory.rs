//! The directory of an authority: loaded, made when it is missing, renewed before it ends, published for apps.
//!
//! Invariants: everything is done under a lock on the directory, so all who start agree; the key is written before
//! the certificate that is made of it, so no crash leaves a certificate without its key; a directory that cannot be
//! written to (a mounted secret) is used as it is.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{Authority, AuthorityError, Validity, certificate};
use crate::clock;
use crate::config::CertificateAuthority;
use crate::files::{self, Failure, FileError};

/// The certificate, which apps must trust.
pub const CERTIFICATE: &str = "ca.pem";
/// Its key.
pub const KEY: &str = "ca.key";
/// The roots of the system and ours, for variables that replace the whole store.
pub const BUNDLE: &str = "bundle.pem";

/// The authority is renewed when it is valid for less than this.
const RENEW_BEFORE: Duration = Duration::from_hours(24 * 365);
/// A key or a certificate is smaller.
const LONGEST: usize = 64 << 10;
/// All roots of a system are smaller.
const LONGEST_BUNDLE: usize = 8 << 20;
/// Apps of other users read what they must trust.
const PUBLIC: u32 = 0o644;
/// A key is for us.
const PRIVATE: u32 = 0o600;

impl Authority {
    /// The authority of a directory: loaded, or made when there is none, and published.
    pub fn open(settings: &CertificateAuthority) -> Result<Self, AuthorityError> {
        let directory = &settings.dir;
        files::make_directory(directory, 0o755)?;
        let _lock = files::lock_directory(directory)?;
        let key = key(directory)?;
        let (pem, validity) = current(directory, &key)?;
        let bundle = bundle(&pem);
        if let Err(error) = write_if_other(&directory.join(BUNDLE), bundle.as_bytes()) {
            tracing::warn!(cause = %error, "the bundle of all roots is not written");
        }
        if let Some(public) = &settings.publish {
            files::make_directory(public, 0o755)?;
            write_if_other(&public.join(CERTIFICATE), pem.as_bytes())?;
            write_if_other(&public.join(BUNDLE), bundle.as_bytes())?;
        }
        Self::new(directory, pem, validity, key)
    }
}

/// The validity of an authority that is there, without making or changing anything; none if there is none yet.
pub fn look(directory: &Path) -> Result<Option<Validity>, AuthorityError> {
    let (key_path, certificate) = (directory.join(KEY), directory.join(CERTIFICATE));
    let Some(key) = read_key(&key_path)? else {
        return match read_certificate(&certificate)? {
            None => Ok(None),
            Some(_) => Err(AuthorityError::Content { path: certificate, what: "has no key beside it" }),
        };
    };
    match read_certificate(&certificate)? {
        None => Ok(None),
        Some(held) if is_of(&held, &key) => Ok(Some(held.validity)),
        Some(_) => Err(AuthorityError::Mismatch { certificate, key: key_path }),
    }
}

fn key(directory: &Path) -> Result<KeyPair, AuthorityError> {
    let path = directory.join(KEY);
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let certificate = directory.join(CERTIFICATE);
    if read_certificate(&certificate)?.is_some() {
        // Apps trust it already: a new one beside it would only be refused.
        return Err(AuthorityError::Content { path: certificate, what: "has no key beside it: restore ca.key, or remove both" });
    }
    let key = KeyPair::generate().map_err(AuthorityError::Signing)?;
    let pem = zeroize::Zeroizing::new(key.serialize_pem());
    files::replace(&path, pem.as_bytes(), PRIVATE)?;
    tracing::info!(directory = %directory.display(), "a local certificate authority was made");
    Ok(key)
}

/// The certificate in use: what is there, or a new one of the same key when that is missing or about to end.
fn current(directory: &Path, key: &KeyPair) -> Result<(String, Validity), AuthorityError> {
    let path = directory.join(CERTIFICATE);
    let held = read_certificate(&path)?;
    if let Some(held) = &held {
        if !is_of(held, key) {
            return Err(AuthorityError::Mismatch { certificate: path, key: directory.join(KEY) });
        }
        if held.validity.left(clock::wall()) > RENEW_BEFORE {
            return Ok((held.pem.clone(), held.validity));
        }
    }
    let made = certificate::authority(key, clock::wall(), clock::random()).self_signed(key).map_err(AuthorityError::Signing)?;
    let validity = Validity::of(made.der()).ok_or_else(|| AuthorityError::Content { path: path.clone(), what: "is no certificate" })?;
    match (files::replace(&path, made.pem().as_bytes(), PUBLIC), held) {
        (Ok(()), _) => Ok((made.pem(), validity)),
        (Err(error), Some(held)) => {
            tracing::warn!(cause = %error, "the certificate of the local authority ends soon and cannot be renewed");
            Ok((held.pem, held.validity))
        }
        (Err(error), None) => Err(error.into()),
    }
}

struct Held {
    pem: String,
    der: CertificateDer<'static>,
    validity: Validity,
}

/// Whether a certificate is that of a key: its public key stands in it.
fn is_of(held: &Held, key: &KeyPair) -> bool {
    let public = key.der_bytes();
    held.der.windows(public.len()).any(|part| part == public)
}

fn read_key(path: &Path) -> Result<Option<KeyPair>, AuthorityError> {
    let Some(contents) = read_if_there(path, LONGEST)? else { return Ok(None) };
    if contents.facts.mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:04o}", contents.facts.mode), "others can read the key of the local authority");
    }
    let no_key = || AuthorityError::Content { path: path.to_path_buf(), what: "is not a private key in PEM (PKCS#8)" };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| no_key())?;
    KeyPair::from_pem(text).map(Some).map_err(|_| no_key())
}

fn read_certificate(path: &Path) -> Result<Option<Held>, AuthorityError> {
    let Some(contents) = read_if_there(path, LONGEST)? else { return Ok(None) };
    let none = || AuthorityError::Content { path: path.to_path_buf(), what: "is not a certificate in PEM" };
    let der = CertificateDer::from_pem_slice(&contents.bytes).map_err(|_| none())?;
    let validity = Validity::of(&der).ok_or_else(none)?;
    let pem = String::from_utf8(contents.bytes.to_vec()).map_err(|_| none())?;
    Ok(Some(Held { pem, der, validity }))
}

fn read_if_there(path: &Path, limit: usize) -> Result<Option<files::Contents>, AuthorityError> {
    match files::read(path, limit) {
        Ok(contents) => Ok(Some(contents)),
        Err(FileError { failure: Failure::Missing, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file that is as it should be stays, so that those who watch it are not woken.
fn write_if_other(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match files::read(path, LONGEST_BUNDLE) {
        Ok(contents) if contents.bytes.as_slice() == bytes => Ok(()),
        Ok(_) | Err(_) => files::replace(path, bytes, PUBLIC),
    }
}

/// The roots of the system, then ours. Roots that cannot be read are left out: apps then trust fewer.
fn bundle(ours: &str) -> String {
    let system = rustls_native_certs::load_native_certs();
    if system.certs.is_empty() {
        tracing::warn!("there are no root certificates of the system for the bundle: it has the local authority alone");
    }
    let mut bundle = String::new();
    for certificate in system.certs {
        bundle.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in STANDARD.encode(&certificate).as_bytes().chunks(64) {
            let _infallible = writeln!(bundle, "{}", String::from_utf8_lossy(line));
        }
        bundle.push_str("-----END CERTIFICATE-----\n");
    }
    bundle.push_str(ours);
    bundle
}
