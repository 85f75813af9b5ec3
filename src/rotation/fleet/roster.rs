//! Who is asked: the list of today, and everybody seen before.
//!
//! A member's name says how it is asked: an origin (`http://10.0.0.5:9788`) by itself, one address of an origin
//! (`https://sidecars.internal (10.0.0.5)`) there, anything else by the command that told about it. Two
//! sidecars of one command never have one name: the second one would not be looked at.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::rotation::evidence::Listing;

/// One member of the list of today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, by which it is known from one look to the next.
    pub name: String,
    /// How its status comes to be known.
    pub way: Way,
}

/// How a status comes to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It is asked.
    Ask(Target),
    /// The command printed this document.
    Told(Vec<u8>),
    /// Only a command could tell, and it does not any more.
    Gone,
}

/// Where a member answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether the way there is encrypted.
    pub transport: Transport,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The one address of the name that is asked; none when any will do.
    pub only: Option<IpAddr>,
}

/// Why what a command printed is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// A line is no status document. Counted from 1.
    #[error("printed no status document in line {0}")]
    Line(usize),
    /// Two lines have one name.
    #[error("printed {0} twice; give each sidecar a `name` of its own")]
    Twice(String),
}

/// Whether the way to a member is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It is not.
    Plain,
    /// By TLS, verified.
    Tls,
}

impl Target {
    /// Reads `http://HOST:PORT` or `https://HOST`.
    pub fn parse(origin: &str) -> Option<Self> {
        let uri: http::Uri = origin.parse().ok()?;
        let (transport, usual) = match uri.scheme_str()? {
            "http" => (Transport::Plain, 80),
            "https" => (Transport::Tls, 443),
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { transport, host, port: uri.port_u16().unwrap_or(usual), only: None })
    }

    /// Whether others may be behind its name than one sidecar. `localhost` is this machine, at whichever loopback it
    /// listens.
    pub fn may_be_many(&self) -> bool {
        self.host.parse::<IpAddr>().is_err() && !self.host.eq_ignore_ascii_case("localhost")
    }
}

impl Member {
    /// A member that is asked at an origin, or at one address of it.
    pub fn at(name: &str) -> Self {
        let (origin, only) = match name.strip_suffix(')').and_then(|name| name.split_once(" (")) {
            Some((origin, address)) => (origin, address.parse().ok()),
            None => (name, None),
        };
        let target = Target::parse(origin).map(|target| Target { only, ..target });
        Self { name: name.to_owned(), way: target.map_or(Way::Gone, Way::Ask) }
    }

    /// The members at the addresses of an origin. Over TLS it is still the name that is proven.
    pub fn at_each(origin: &str, target: &Target, addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Self> {
        let member = |address: SocketAddr| match target.transport {
            Transport::Plain => Self::at(&format!("http://{address}")),
            Transport::Tls => Self::at(&format!("{origin} ({})", address.ip())),
        };
        addresses.into_iter().map(member).collect()
    }
}

/// The members that a command printed, one status document a line. `name` beside the document's own fields names a
/// member over its restarts; without it, each start is a member of its own.
pub fn told(output: &[u8]) -> Result<Vec<Member>, Untold> {
    #[derive(Deserialize)]
    struct Head {
        name: Option<String>,
        boot_id: String,
    }
    let mut members: Vec<Member> = Vec::new();
    let lines = output.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    for (number, line) in lines {
        let head: Head = serde_json::from_slice(line).map_err(|_| Untold::Line(number + 1))?;
        let name = head.name.unwrap_or(head.boot_id);
        if members.iter().any(|known| known.name == name) {
            return Err(Untold::Twice(name));
        }
        members.push(Member { name, way: Way::Told(line.to_vec()) });
    }
    Ok(members)
}

/// Everybody once: the list of today, then those seen before that are not in it.
pub fn everybody(listed: Vec<Member>, also: &[String]) -> Vec<(Member, Listing)> {
    let mut all: Vec<(Member, Listing)> = Vec::new();
    for member in listed {
        if all.iter().all(|(known, _)| known.name != member.name) {
            all.push((member, Listing::Listed));
        }
    }
    for name in also {
        if all.iter().all(|(known, _)| known.name != *name) {
            all.push((Member::at(name), Listing::Left));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_asked_once_and_nobody_is_forgotten() {
        let listed = vec![Member::at("http://a:1"), Member::at("http://b:1"), Member::at("http://a:1")];
        let all = everybody(listed, &["http://b:1".to_owned(), "http://c:1".to_owned(), "pod-7".to_owned()]);
        let names: Vec<_> = all.iter().map(|(member, listing)| (member.name.as_str(), *listing)).collect();
        assert_eq!(
            names,
            [("http://a:1", Listing::Listed), ("http://b:1", Listing::Listed), ("http://c:1", Listing::Left), ("pod-7", Listing::Left)]
        );
        assert_eq!(all.last().map(|(member, _)| member.way.clone()), Some(Way::Gone));
    }

    #[test]
    fn a_command_tells_one_member_a_line() {
        let output = b"{\"boot_id\":\"x\",\"name\":\"pod-7\"}\n\n{\"boot_id\":\"y\"}\n";
        let names: Vec<_> = told(output).unwrap().into_iter().map(|member| member.name).collect();
        assert_eq!(names, ["pod-7", "y"]);
        assert_eq!(told(b"{\"boot_id\":\"x\"}\nerror: no route\n"), Err(Untold::Line(2)));
    }

    #[test]
    fn two_members_of_one_name_are_no_list() {
        let twice = told(b"{\"boot_id\":\"x\",\"name\":\"pod-7\"}\n{\"boot_id\":\"y\",\"name\":\"pod-7\"}\n").unwrap_err();
        assert!(twice.to_string().contains("pod-7 twice"), "{twice}");
        assert_eq!(told(b"{\"boot_id\":\"x\"}\n{\"boot_id\":\"x\"}\n"), Err(Untold::Twice("x".to_owned())));
    }

    #[test]
    fn each_address_of_a_name_is_a_member_that_its_own_name_finds_again() {
        let addresses: [SocketAddr; 2] = ["10.0.0.5:9788".parse().unwrap(), "[fd00::5]:9788".parse().unwrap()];
        let of = |origin: &str| Member::at_each(origin, &Target::parse(origin).unwrap(), addresses);
        let names = |origin: &str| of(origin).into_iter().map(|member| member.name).collect::<Vec<_>>();
        assert_eq!(names("http://sidecars:9788"), ["http://10.0.0.5:9788", "http://[fd00::5]:9788"]);
        assert_eq!(names("https://sidecars:9788"), ["https://sidecars:9788 (10.0.0.5)", "https://sidecars:9788 (fd00::5)"]);
        for member in of("https://sidecars:9788") {
            let Way::Ask(target) = &member.way else { panic!("{member:?}") };
            assert_eq!((target.host.as_str(), target.port), ("sidecars", 9788));
            assert!(target.only.is_some() && Member::at(&member.name) == member, "{member:?}");
        }
    }

    #[test]
    fn only_a_name_may_be_many() {
        let may = |origin: &str| Target::parse(origin).unwrap().may_be_many();
        assert!(may("http://sidecars:9788") && may("https://gateway"));
        assert!(!may("http://10.0.0.5:9788") && !may("https://[::1]") && !may("http://LocalHost:9787"));
    }

    #[test]
    fn an_origin_has_a_port_of_its_own_or_the_usual_one() {
        let of = |text: &str| Target::parse(text).map(|target| (target.transport, target.host, target.port));
        assert_eq!(of("http://10.0.0.5:9788"), Some((Transport::Plain, "10.0.0.5".to_owned(), 9788)));
        assert_eq!(of("https://[::1]"), Some((Transport::Tls, "::1".to_owned(), 443)));
        assert_eq!(of("pod-7"), None);
    }
}
