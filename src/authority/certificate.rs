//! What stands in a certificate of the local authority and of its leaves. Pure.
//!
//! Invariants: the authority may speak for loopback and Vonage's domains only and for no authority below it; every
//! leaf names whom it is for, lives for days, and is for servers; both carry what a strict verifier asks for.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, Error, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, PublicKeyData, SanType, SerialNumber,
};

use crate::vonage::hosts::{self, Host};

const DAY: Duration = Duration::from_hours(24);
/// How long the authority is valid. It is renewed with the same key, so that what trusts the old one trusts the new.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24 * 5 * 365);
/// A leaf is valid for so long, and made anew much earlier: whoever has just connected may stay.
const LEAF_LIFE: Duration = Duration::from_hours(24 * 7);
/// Clocks of containers and machines differ.
const CLOCK_SKEW: Duration = DAY;

/// Whom a leaf is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// `localhost` and the loopback addresses.
    Loopback,
    /// A known host of the provider.
    Vonage(&'static str),
    /// `LABEL.localhost`, which chooses a host.
    Label(String),
}

impl Subject {
    /// For the name that a client asks for. Clients ask for no name when they connect to an address.
    pub(super) fn of(name: Option<&str>) -> Self {
        let Some(name) = name else { return Self::Loopback };
        if let Some(host) = Host::named(name) {
            return Self::Vonage(host.name());
        }
        let name = name.to_ascii_lowercase();
        match name.strip_suffix(".localhost").and_then(hosts::labelled) {
            Some(_) => Self::Label(name),
            None => Self::Loopback,
        }
    }

    fn names(&self) -> Result<Vec<SanType>, Error> {
        Ok(match self {
            Self::Loopback => vec![
                SanType::DnsName("localhost".try_into()?),
                SanType::IpAddress([127, 0, 0, 1].into()),
                SanType::IpAddress([0, 0, 0, 0, 0, 0, 0, 1].into()),
            ],
            Self::Vonage(name) => vec![SanType::DnsName((*name).try_into()?)],
            Self::Label(name) => vec![SanType::DnsName(name.as_str().try_into()?)],
        })
    }
}

/// The certificate of the authority of a key.
pub(super) fn authority(key: &KeyPair, now: SystemTime, random: [u8; 16]) -> CertificateParams {
    let mut params = named_for(key);
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + AUTHORITY_LIFE).into();
    params.serial_number = Some(serial(random));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.use_authority_key_identifier_extension = true;
    let domains = hosts::DOMAINS.iter().chain(&["localhost"]).map(|domain| GeneralSubtree::DnsName((*domain).to_owned()));
    let loopback = [
        GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
        GeneralSubtree::IpAddress(CidrSubnet::V6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [255; 16])),
    ];
    let permitted_subtrees = domains.chain(loopback).collect();
    params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
    params
}

/// Who signs with a key. The name follows from the key, so that two authorities never share one.
pub(super) fn issuer(key: KeyPair) -> Issuer<'static, KeyPair> {
    Issuer::new(named_for(&key), key)
}

/// A leaf, and when it should be made anew.
pub(super) fn leaf(subject: &Subject, now: SystemTime, random: [u8; 16]) -> Result<(CertificateParams, SystemTime), Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "vonage-sidecar");
    params.subject_alt_names = subject.names()?;
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + LEAF_LIFE).into();
    params.serial_number = Some(serial(random));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok((params, now + DAY))
}

fn named_for(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let end = key.der_bytes().iter().rev().take(4).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    params.distinguished_name.push(DnType::CommonName, format!("vonage-sidecar local CA {end}"));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A positive number without a zero at its begin (RFC 5280 §4.1.2.2).
fn serial(mut random: [u8; 16]) -> SerialNumber {
    if let Some(first) = random.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    SerialNumber::from_slice(&random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_served_get_a_leaf_of_their_own() {
        assert_eq!(Subject::of(None), Subject::Loopback);
        assert_eq!(Subject::of(Some("localhost")), Subject::Loopback);
        assert_eq!(Subject::of(Some("API.nexmo.com")), Subject::Vonage("api.nexmo.com"));
        assert_eq!(Subject::of(Some("Api-EU.localhost")), Subject::Label("api-eu.localhost".to_owned()));
        for other in ["example.com", "x.localhost", "evil.nexmo.com", "a.api-eu.localhost", ""] {
            assert_eq!(Subject::of(Some(other)), Subject::Loopback, "{other}");
        }
    }

    #[test]
    fn a_serial_number_is_positive_whatever_was_drawn() {
        for drawn in [0, 0x7f, 0x80, 0xff] {
            let number = serial([drawn; 16]).to_bytes();
            assert!(number[0] > 0 && number[0] < 0x80, "{number:?}");
        }
    }
}
