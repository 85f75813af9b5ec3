//! The hosts that the provider answers on.
//!
//! A [`Host`] can only be one of these, so a credential cannot be sent anywhere else by construction.
//! Facts: server lists of the OpenAPI files, regional guides of Voice, Messages and Users, gateway tests.

use std::fmt;

/// A known Vonage host. Small and cheap to copy; standing is kept per host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(u8);

/// What a host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// The paths of rest.nexmo.com.
    Rest,
    /// The paths of api.nexmo.com, or a region's copy of them.
    Api,
    /// The paths of api-eu.vonage.com beside a copy of the api.nexmo.com set.
    Europe,
    /// Video.
    Video,
    /// Messages only, for trying out.
    Sandbox,
    /// Another product with credentials of its own.
    OpenTok,
}

/// Name and set of every host. The order is the identity of [`Host`]: append only.
const HOSTS: &[(&str, Set)] = &[
    ("rest.nexmo.com", Set::Rest),
    ("api.nexmo.com", Set::Api),
    ("api-eu.vonage.com", Set::Europe),
    ("video.api.vonage.com", Set::Video),
    ("messages-sandbox.nexmo.com", Set::Sandbox),
    ("api.opentok.com", Set::OpenTok),
    ("rest-sg-1.nexmo.com", Set::Rest),
    ("api-us.nexmo.com", Set::Api),
    ("api-eu.nexmo.com", Set::Api),
    ("api-ap.nexmo.com", Set::Api),
    ("api-us.vonage.com", Set::Europe),
    ("api-ap.vonage.com", Set::Europe),
    ("api-sg-1.nexmo.com", Set::Api),
    ("api-us-1.nexmo.com", Set::Api),
    ("api-us-2.nexmo.com", Set::Api),
    ("api-eu-1.nexmo.com", Set::Api),
    ("api-eu-2.nexmo.com", Set::Api),
    ("api-us-3.vonage.com", Set::Api),
    ("api-us-4.vonage.com", Set::Api),
    ("api-eu-3.vonage.com", Set::Api),
    ("api-eu-4.vonage.com", Set::Api),
    ("api-ap-3.vonage.com", Set::Api),
    ("api-ap-4.vonage.com", Set::Api),
];

impl Host {
    /// rest.nexmo.com.
    pub const REST: Self = Self(0);
    /// api.nexmo.com.
    pub const API: Self = Self(1);
    /// api-eu.vonage.com.
    pub const EUROPE: Self = Self(2);
    /// video.api.vonage.com.
    pub const VIDEO: Self = Self(3);
    /// messages-sandbox.nexmo.com.
    pub const SANDBOX: Self = Self(4);
    /// api.opentok.com.
    pub const OPENTOK: Self = Self(5);

    /// The host of this name, in any case. A port is not part of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|host| host.name().eq_ignore_ascii_case(name))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..u8::try_from(HOSTS.len()).unwrap_or(u8::MAX)).map(Self)
    }

    /// Its DNS name.
    pub fn name(self) -> &'static str {
        HOSTS.get(usize::from(self.0)).map_or("", |row| row.0)
    }

    /// What it serves.
    pub fn set(self) -> Set {
        HOSTS.get(usize::from(self.0)).map_or(Set::Api, |row| row.1)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
