//! Who is asked: the list of today, and everybody seen before.
//!
//! A member's name says how it is asked: an origin (`http://10.0.0.5:9788`) by itself, anything else by the command
//! that told about it.

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
        Some(Self { transport, host, port: uri.port_u16().unwrap_or(usual) })
    }
}

impl Member {
    /// A member that is asked at an origin.
    pub fn at(origin: &str) -> Self {
        Self { name: origin.to_owned(), way: Target::parse(origin).map_or(Way::Gone, Way::Ask) }
    }
}

/// The members that a command printed, one status document a line. `name` beside the document's own fields names a
/// member over its restarts; without it, each start is a member of its own.
pub fn told(output: &[u8]) -> Result<Vec<Member>, usize> {
    #[derive(Deserialize)]
    struct Head {
        name: Option<String>,
        boot_id: String,
    }
    let lines = output.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(number, line)| {
            let head: Head = serde_json::from_slice(line).map_err(|_| number + 1)?;
            Ok(Member { name: head.name.unwrap_or(head.boot_id), way: Way::Told(line.to_vec()) })
        })
        .collect()
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
        assert_eq!(told(b"{\"boot_id\":\"x\"}\nerror: no route\n"), Err(2));
    }

    #[test]
    fn an_origin_has_a_port_of_its_own_or_the_usual_one() {
        let of = |text: &str| Target::parse(text).map(|target| (target.transport, target.host, target.port));
        assert_eq!(of("http://10.0.0.5:9788"), Some((Transport::Plain, "10.0.0.5".to_owned(), 9788)));
        assert_eq!(of("https://[::1]"), Some((Transport::Tls, "::1".to_owned(), 443)));
        assert_eq!(of("pod-7"), None);
    }
}
