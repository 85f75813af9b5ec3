//! The local authority: all who start on one directory agree on it; it is strict about what it may speak for; it is
//! renewed without those who trust it noticing.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use vonage_sidecar::authority::{Authority, look};

use super::rig::{Ca, Client, connected, secured, serving, text, trusting, write};

#[test]
fn all_who_start_at_once_on_one_directory_agree() {
    let ca = Ca::new();
    let pems: BTreeSet<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Authority::open(&ca.settings()).unwrap().pem().to_owned())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(pems.len(), 1);
    assert_eq!(pems.first().unwrap(), &text(&ca.pem()));
    let mode = |name: &str| std::fs::metadata(ca.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca/ca.key"), mode("ca/ca.pem"), mode("ca/bundle.pem")), (0o600, 0o644, 0o644));
}

#[test]
fn what_is_there_and_cannot_be_used_is_never_replaced() {
    let ca = Ca::new();
    drop(Authority::open(&ca.settings()).unwrap());
    let key = text(&ca.path("ca/ca.key"));
    write(&ca.path("ca/ca.key"), &KeyPair::generate().unwrap().serialize_pem());
    assert!(Authority::open(&ca.settings()).unwrap_err().to_string().contains("is not the certificate of the key"));
    assert!(look(&ca.path("ca")).unwrap_err().to_string().contains("is not the certificate of the key"));
    std::fs::remove_file(ca.path("ca/ca.key")).unwrap();
    assert!(Authority::open(&ca.settings()).unwrap_err().to_string().contains("has no key beside it"));
    write(&ca.path("ca/ca.key"), "nothing");
    assert!(Authority::open(&ca.settings()).unwrap_err().to_string().contains("is not a private key"));
    write(&ca.path("ca/ca.key"), &key);
    assert!(Authority::open(&ca.settings()).is_ok());
    assert!(look(&ca.path("other")).unwrap().is_none());
    assert!(!ca.path("other").exists(), "looking makes nothing");
}

/// A crash after the key was written: the certificate is made of the key that is there.
#[test]
fn a_key_without_a_certificate_gets_one() {
    let ca = Ca::new();
    drop(Authority::open(&ca.settings()).unwrap());
    let key = text(&ca.path("ca/ca.key"));
    std::fs::remove_file(ca.pem()).unwrap();
    drop(Authority::open(&ca.settings()).unwrap());
    assert_eq!(text(&ca.path("ca/ca.key")), key);
    assert!(look(&ca.path("ca")).unwrap().is_some());
}

/// The new certificate has the same key and name, so what trusts the old one trusts its leaves as well.
#[tokio::test]
async fn an_authority_that_ends_soon_is_renewed_and_those_who_trust_it_do_not_notice() {
    let ca = Ca::new();
    drop(Authority::open(&ca.settings()).unwrap());
    let key = KeyPair::from_pem(&text(&ca.path("ca/ca.key"))).unwrap();
    let mut old = CertificateParams::default();
    let name = openssl(&["x509", "-in", ca.pem().to_str().unwrap(), "-noout", "-subject", "-nameopt", "multiline"]);
    let name = name.split("commonName").nth(1).unwrap().trim_start_matches([' ', '=']).trim().to_owned();
    old.distinguished_name = rcgen::DistinguishedName::new();
    old.distinguished_name.push(DnType::CommonName, name);
    old.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_now());
    old.not_before = (now - std::time::Duration::from_secs(86_400)).into();
    old.not_after = (now + std::time::Duration::from_secs(30 * 86_400)).into();
    let old = old.self_signed(&key).unwrap().pem();
    write(&ca.pem(), &old);
    let trusted = ca.path("copy.pem");
    write(&trusted, &old);
    let sidecar = serving(ca.https()).await;
    assert_ne!(text(&ca.pem()), old);
    for root in [&trusted, &ca.pem()] {
        let stream = secured(connected(sidecar.data).await, "localhost", &trusting(root, &[])).await.unwrap();
        assert_eq!(Client::http1(stream).await.balance("localhost").await.unwrap().status, 200);
    }
}

/// Whoever steals the key cannot speak for anybody else.
#[test]
fn a_leaf_for_others_or_an_authority_below_it_is_refused_by_those_who_trust_it() {
    let ca = Ca::new();
    drop(Authority::open(&ca.settings()).unwrap());
    let thief = KeyPair::from_pem(&text(&ca.path("ca/ca.key"))).unwrap();
    let subject = openssl(&["x509", "-in", ca.pem().to_str().unwrap(), "-noout", "-subject", "-nameopt", "multiline"]);
    let mut issuer = CertificateParams::default();
    issuer.distinguished_name = rcgen::DistinguishedName::new();
    let name = subject.split("commonName").nth(1).unwrap().trim_start_matches([' ', '=']).trim();
    issuer.distinguished_name.push(DnType::CommonName, name);
    issuer.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let issuer = Issuer::new(issuer, thief);
    let verdict = |names: &[&str]| {
        let mut leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        leaf.use_authority_key_identifier_extension = true;
        leaf.is_ca = rcgen::IsCa::ExplicitNoCa;
        let signed = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let path = ca.path("leaf.pem");
        write(&path, &signed.pem());
        openssl(&["verify", "-x509_strict", "-CAfile", ca.pem().to_str().unwrap(), path.to_str().unwrap()])
    };
    for good in ["localhost", "127.0.0.1", "::1", "rest.nexmo.com", "api-eu.localhost"] {
        assert!(verdict(&[good]).contains("OK"), "{good}: {}", verdict(&[good]));
    }
    for bad in ["example.com", "10.0.0.1", "nexmo.com.example.com", "evil-nexmo.com"] {
        assert!(verdict(&[bad]).contains("permitted subtree violation"), "{bad}: {}", verdict(&[bad]));
    }
}

/// What an openssl of this machine says, on either channel.
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is needed for this test");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn unix_now() -> u64 {
    vonage_sidecar::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
