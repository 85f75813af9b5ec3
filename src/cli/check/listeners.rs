//! What listeners, and those who ask them, need beside settings: tokens, certificates, directories. Looks, and changes
//! nothing.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::authority::{self, Serving, Validity, WARN_BEFORE};
use crate::clock;
use crate::config::{CertificateAuthority, Certificates, Listen, Place, Serves, Settings, UnixSocket};
use crate::files;
use crate::problem::{Problem, Problems};
use crate::tokens::Tokens;
use crate::vonage::hosts;

const WRITE_A_TOKEN: &str = "write a token of 16 characters or more into the file";

/// Everything wrong with the listeners of settings from this file.
pub(super) fn problems(file: Option<&Path>, settings: &Settings) -> Vec<Problem> {
    let mut found = Problems::of(file.unwrap_or_else(|| Path::new("sidecar.toml")));
    for (index, listen) in settings.listen.iter().enumerate() {
        let field = format!("listen[{index}]");
        if let Err(error) = Tokens::read(&listen.tokens) {
            found.error(None, format!("{field}.tokens"), error.to_string(), WRITE_A_TOKEN);
        }
        match &listen.place {
            Place::Tcp(_) => {}
            Place::Unix(socket) => unix(&mut found, &field, socket),
        }
        match &listen.serves {
            Serves::Http | Serves::Mint(_) => {}
            Serves::Https(Certificates::Made(made)) => authority(&mut found, &format!("{field}.tls"), made, listen),
            Serves::Proxy(proxy) => authority(&mut found, &format!("{field}.proxy"), &proxy.authority, listen),
            Serves::Https(given @ Certificates::Given { .. }) => certificate(&mut found, &format!("{field}.tls.cert"), given),
        }
    }
    if let Some(Err(error)) = settings.admin.observe.as_ref().map(|observe| Tokens::read(&observe.tokens)) {
        found.error(None, "admin.observe.tokens", error.to_string(), WRITE_A_TOKEN);
    }
    // Only those who rotate need it, which a sidecar of the same settings may not do.
    let fleet = settings.rotation.fleet.as_ref().and_then(|fleet| fleet.token.as_ref());
    if let Some(Err(error)) = fleet.map(|token| Tokens::read(std::slice::from_ref(token))) {
        found.warning(None, "rotation.fleet.token", error.to_string(), "without it no sidecar can be asked, so nothing is rotated");
    }
    found.sorted()
}

/// A socket that nobody can connect to serves nobody.
fn unix(found: &mut Problems, field: &str, socket: &UnixSocket) {
    if socket.mode & 0o222 == 0 {
        found.error(None, format!("{field}.mode"), "lets nobody connect", "whoever may write to the socket may connect: \"0660\"");
    }
    let (our_user, our_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let others_only =
        socket.mode & 0o022 == 0 && !socket.peers.welcome(socket.owner.unwrap_or(our_user), socket.group.unwrap_or(our_group));
    if others_only {
        let hint = "its owner is not among them and others may not write to it: widen mode, or change owner";
        found.error(None, format!("{field}.uids"), "can be none of those who can connect", hint);
    }
    let directory = socket.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if access(directory, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let hint = format!("{} must be a directory that the sidecar may write to", directory.display());
        found.error(None, format!("{field}.unix"), "cannot be made", hint);
    }
}

fn authority(found: &mut Problems, field: &str, made: &CertificateAuthority, listen: &Listen) {
    match authority::look(&made.dir) {
        Ok(Some(validity)) => validity_of(found, &format!("{field}.ca_dir"), validity),
        Ok(None) => writable(found, &format!("{field}.ca_dir"), &made.dir),
        Err(error) => {
            found.error(None, format!("{field}.ca_dir"), error.to_string(), "restore both files of the authority, or remove both");
        }
    }
    if let Some(publish) = &made.publish {
        writable(found, &format!("{field}.publish"), publish);
    }
    let speaks_for =
        |name: &String| name.ends_with(".localhost") || hosts::DOMAINS.iter().any(|domain| name.ends_with(&format!(".{domain}")));
    if let Some(name) = listen.allowed_hosts.iter().find(|name| !speaks_for(name)) {
        let hint = format!("no client will connect by {name}: give the listener a certificate with cert and key");
        found.warning(None, field, "has allowed_hosts that the local authority cannot speak for", hint);
    }
}

fn certificate(found: &mut Problems, field: &str, given: &Certificates) {
    let nothing_to_open =
        |_: &CertificateAuthority| Err(authority::AuthorityError::Content { path: PathBuf::new(), what: "is no certificate" });
    match Serving::of(given, nothing_to_open) {
        Ok(serving) => validity_of(found, field, serving.validity()),
        Err(error) => found.error(None, field, error.to_string(), "write a chain and its key in PEM"),
    }
}

fn validity_of(found: &mut Problems, field: &str, validity: Validity) {
    let left = validity.left(clock::wall());
    if left.is_zero() {
        found.error(
            None,
            field,
            "holds a certificate that has expired",
            "replace it; a local authority is renewed when the sidecar starts",
        );
    } else if left < WARN_BEFORE {
        let days = left.as_secs() / 86_400;
        found.warning(None, field, format!("holds a certificate that expires in {days} days"), "replace it; the sidecar reads it again");
    }
}

/// Whether a directory can be written to, or made.
fn writable(found: &mut Problems, field: &str, directory: &Path) {
    if files::may_fill(directory).is_err() {
        let hint = format!("let the sidecar write to {}", files::nearest(directory).display());
        found.error(None, field, "cannot be written to", hint);
    }
}
