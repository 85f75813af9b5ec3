//! The hosts that the provider answers on.
//!
//! A [`Host`] can only be one of these, so a credential cannot be sent anywhere else by construction.
//! Facts: server lists of the API descriptions, regional guides of Voice, Messages and Users, gateway tests.

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

/// The domains that all of them are in. A certificate authority of ours may speak for these and for loopback only.
pub const DOMAINS: [&str; 3] = ["nexmo.com", "vonage.com", "opentok.com"];

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

    const API_US: Self = Self(7);
    const API_EU: Self = Self(8);
    const API_AP: Self = Self(9);
    const VONAGE_US: Self = Self(10);
    const VONAGE_AP: Self = Self(11);
    const VOICE_US: Self = Self(17);
    const VOICE_EU: Self = Self(19);
    const VOICE_AP: Self = Self(21);

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

/// A Vonage region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// United States.
    Us,
    /// Europe.
    Eu,
    /// Asia and Pacific.
    Ap,
}

impl Region {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Us, Self::Eu, Self::Ap];

    /// The region's copy of api.nexmo.com: api-us, api-eu, api-ap .nexmo.com (server list of the Messages file).
    pub fn nexmo(self) -> Host {
        match self {
            Self::Us => Host::API_US,
            Self::Eu => Host::API_EU,
            Self::Ap => Host::API_AP,
        }
    }

    /// The region's copy of api-eu.vonage.com: api-us, api-eu, api-ap .vonage.com.
    pub fn vonage(self) -> Host {
        match self {
            Self::Us => Host::VONAGE_US,
            Self::Eu => Host::EUROPE,
            Self::Ap => Host::VONAGE_AP,
        }
    }

    /// Where Voice, Users and Conversations of the region live: api-us-3 (na-east), api-eu-3 (eu-west), api-ap-3
    /// (apac-sng) .vonage.com. The other three (api-us-4 and so on) are chosen by label.
    pub fn voice(self) -> Host {
        match self {
            Self::Us => Host::VOICE_US,
            Self::Eu => Host::VOICE_EU,
            Self::Ap => Host::VOICE_AP,
        }
    }
}

/// What a caller asks for with the first label of a host name (`api-eu.localhost`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// This host, whatever the path.
    Host(Host),
    /// This region: the name stands for hosts of nexmo.com and of vonage.com, and the path's row picks.
    Region(Region),
}

/// What a label asks for, in any case. It is the first label of a known host; `api` is api.nexmo.com, and
/// `opentok` is api.opentok.com, which would otherwise share that label.
pub fn labelled(label: &str) -> Option<Label> {
    match label.to_ascii_lowercase().as_str() {
        "api-us" => Some(Label::Region(Region::Us)),
        "api-eu" => Some(Label::Region(Region::Eu)),
        "api-ap" => Some(Label::Region(Region::Ap)),
        "opentok" => Some(Label::Host(Host::OPENTOK)),
        label => Host::all().find(|host| first_label(host.name()) == label).map(Label::Host),
    }
}

fn first_label(name: &str) -> &str {
    name.split_once('.').map_or(name, |(first, _)| first)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_means_the_hosts_that_its_doc_names() {
        for (region, word) in [(Region::Us, "us"), (Region::Eu, "eu"), (Region::Ap, "ap")] {
            assert_eq!(region.nexmo().name(), format!("api-{word}.nexmo.com"));
            assert_eq!(region.vonage().name(), format!("api-{word}.vonage.com"));
            assert_eq!(region.voice().name(), format!("api-{word}-3.vonage.com"));
        }
    }

    #[test]
    fn the_named_hosts_are_those_of_their_docs() {
        let names = [Host::REST, Host::API, Host::EUROPE, Host::VIDEO, Host::SANDBOX, Host::OPENTOK].map(Host::name);
        assert_eq!(
            names,
            [
                "rest.nexmo.com",
                "api.nexmo.com",
                "api-eu.vonage.com",
                "video.api.vonage.com",
                "messages-sandbox.nexmo.com",
                "api.opentok.com"
            ]
        );
    }

    #[test]
    fn every_host_is_found_by_its_name_in_any_case_and_by_nothing_longer() {
        for host in Host::all() {
            assert_eq!(Host::named(&host.name().to_ascii_uppercase()), Some(host));
            assert_eq!(Host::named(&format!("{host}.attacker.example")), None);
            assert_eq!(Host::named(&format!("x{host}")), None);
        }
    }

    #[test]
    fn every_host_is_in_one_of_the_domains() {
        for host in Host::all() {
            assert!(DOMAINS.iter().any(|domain| host.name().ends_with(&format!(".{domain}"))), "{host}");
        }
    }

    #[test]
    fn every_host_can_be_asked_for_by_a_label() {
        for host in Host::all() {
            let label = if host == Host::OPENTOK { "opentok" } else { first_label(host.name()) };
            let reached = match labelled(&label.to_ascii_uppercase()) {
                Some(Label::Host(found)) => found == host,
                Some(Label::Region(region)) => [region.nexmo(), region.vonage()].contains(&host),
                None => false,
            };
            assert!(reached, "{label} does not lead to {host}");
        }
    }

    #[test]
    fn a_label_that_no_host_has_asks_for_nothing() {
        for label in ["", "localhost", "nexmo", "api-", "api-eu-9", "rest.nexmo"] {
            assert_eq!(labelled(label), None, "{label:?}");
        }
    }
}
