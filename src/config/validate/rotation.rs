//! `[rotation]`, from the mirror to settings.

use std::time::Duration;

use toml::Spanned;

use super::{Check, Span, flag};
use crate::config::file::rotation as raw;
use crate::config::file::{Measure, Text};
use crate::config::rotation::{Approve, Command, Fleet, Notify, Persistence, Policy, Projection, Rotation, Schedule, Sink, Window};
use crate::secret::{ApiKey, ApplicationId, Malformed};
use crate::vonage::hosts::{Host, Set};

/// How long a command may take when nobody says so.
const COMMAND: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_hours(24);
/// How much older a file may be that reaches a new member of a fleet when nobody says so: the kubelet's longest.
const OVERLAP: Duration = Duration::from_secs(90);
/// More members than one rotation looks at.
const MOST_MEMBERS: usize = 10_000;

pub(super) fn rotation(check: &mut Check<'_>, raw: &raw::Rotation, default: Rotation) -> Rotation {
    if raw.policy.is_empty()
        && let Some(word) = raw.schedule.as_ref().filter(|word| word.get_ref() == "here")
    {
        check.error(Some(word.span()), "rotation.schedule", "has nothing to go by", "add a [[rotation.policy]] with max_age");
    }
    Rotation {
        state_dir: check.path("rotation.state_dir", &raw.state_dir).unwrap_or_else(|| check.directory.join(default.state_dir)),
        host: host(check, &raw.host).unwrap_or(default.host),
        prove_for: check.wait_or_none("rotation.prove_for", &raw.prove_for, default.prove_for),
        soak: check.wait_or_none("rotation.soak", &raw.soak, default.soak),
        overlap: check.wait_or_none("rotation.overlap", &raw.overlap, if raw.fleet.is_some() { OVERLAP } else { default.overlap }),
        give_up: check.wait("rotation.give_up", &raw.give_up, default.give_up),
        deadline: check.wait_or_none("rotation.deadline", &raw.deadline, default.deadline),
        approve: check
            .word("rotation.approve", &raw.approve, &[("first", Approve::First), ("always", Approve::Always), ("never", Approve::Never)])
            .unwrap_or(default.approve),
        policies: raw.policy.iter().enumerate().filter_map(|(index, raw)| policy(check, index, raw)).collect(),
        sinks: sinks(check, &raw.sinks),
        fleet: raw.fleet.as_ref().and_then(|raw| fleet(check, raw)),
        schedule: check
            .word("rotation.schedule", &raw.schedule, &[("off", Schedule::Off), ("here", Schedule::Here)])
            .unwrap_or(default.schedule),
        persistence: flag(&raw.state_dir_persists, default.persistence, Persistence::Promised, Persistence::Checked),
        notify: raw.notify.as_ref().map_or_else(Notify::default, |raw| notify(check, raw, default.notify.timeout)),
    }
}

/// Secret Management is documented at two hosts.
fn host(check: &mut Check<'_>, raw: &Text) -> Option<Host> {
    let raw = raw.as_ref()?;
    let found = Host::named(raw.get_ref()).filter(|host| matches!(host.set(), Set::Api | Set::Rest));
    if found.is_none() {
        check.error(
            Some(raw.span()),
            "rotation.host",
            "is not a host of Secret Management",
            format!("write \"{}\" or \"{}\"", Host::API, Host::REST),
        );
    }
    found
}

fn policy(check: &mut Check<'_>, index: usize, raw: &Spanned<raw::Policy>) -> Option<Policy> {
    let field = |name: &str| format!("rotation.policy[{index}].{name}");
    let at = raw.span();
    let raw = raw.get_ref();
    let max_age = required_wait(check, &field("max_age"), &raw.max_age, &at)?;
    // Jitter, soak and lag come on top of the age at which a rotation begins.
    let every = check.wait(&field("every"), &raw.every, max_age.mul_f64(0.8));
    if every > max_age {
        check.error(
            raw.every.as_ref().map(Spanned::span),
            &field("every"),
            "is longer than max_age",
            "leave it out: 80 % of max_age is the default",
        );
    }
    let jitter = check.wait_or_none(&field("jitter"), &raw.jitter, Duration::ZERO);
    if jitter > every {
        check.error(
            raw.jitter.as_ref().map(Spanned::span),
            &field("jitter"),
            "is longer than every",
            "write a part of every, such as \"30m\"",
        );
    }
    let window = window(check, &field("window"), &raw.window);
    // A window opens once a day.
    if window != Window::Always && every.saturating_add(DAY) > max_age {
        check.error(
            raw.window.as_ref().map(Spanned::span),
            &field("window"),
            "may open only after max_age is over",
            "leave a day between every and max_age, or leave the window out",
        );
    }
    Some(Policy {
        accounts: raw.r#match.as_ref().map_or_else(|| "*".to_owned(), |text| text.get_ref().clone()),
        max_age,
        every,
        window,
        jitter,
    })
}

fn required_wait(check: &mut Check<'_>, field: &str, raw: &Measure, at: &Span) -> Option<Duration> {
    if raw.is_none() {
        check.error(Some(at.clone()), field, "is missing", "write the oldest that a secret may become, such as \"30d\"");
        return None;
    }
    Some(check.wait(field, raw, Duration::ZERO))
}

fn window(check: &mut Check<'_>, field: &str, raw: &Text) -> Window {
    let Some(raw) = raw else { return Window::Always };
    let read = || {
        let (from, to) = raw.get_ref().split_once('-')?;
        Some(Window::Between { from: minute(from)?, to: minute(to)? })
    };
    if let Some(Window::Between { from, to }) = read()
        && from == to
    {
        check.error(Some(raw.span()), field, "is never open", "leave it out when a rotation may begin at any time of the day");
    }
    read().unwrap_or_else(|| {
        check.error(Some(raw.span()), field, "is not a part of a day", "write \"HH:MM-HH:MM\" in UTC, such as \"02:00-05:00\"");
        Window::Always
    })
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn sinks(check: &mut Check<'_>, raw: &raw::Sinks) -> Vec<Sink> {
    let mut sinks = Vec::new();
    for (index, raw) in raw.file.iter().enumerate() {
        let field = format!("rotation.sinks.file[{index}]");
        let projection = projection(check, &field, raw.get_ref().accounts.as_ref(), raw.get_ref().applications.as_ref());
        match check.path(&format!("{field}.path"), &raw.get_ref().path) {
            Some(path) => sinks.push(Sink::File { path, projection }),
            None if raw.get_ref().path.is_none() => {
                check.error(Some(raw.span()), &format!("{field}.path"), "is missing", "write the path of the file to be kept current");
            }
            None => {}
        }
    }
    for (index, raw) in raw.command.iter().enumerate() {
        let field = format!("rotation.sinks.command[{index}]");
        sinks.extend(command(check, &field, raw));
    }
    sinks
}

fn command(check: &mut Check<'_>, field: &str, raw: &Spanned<raw::CommandSink>) -> Option<Sink> {
    let at = raw.span();
    let raw = raw.get_ref();
    let projection = projection(check, field, raw.accounts.as_ref(), raw.applications.as_ref());
    let timeout = check.wait(&format!("{field}.timeout"), &raw.timeout, COMMAND);
    let run = words(&raw.run);
    if run.first().is_none_or(String::is_empty) {
        check.error(
            Some(at),
            &format!("{field}.run"),
            "names no program",
            "write it with its arguments, such as [\"/usr/local/bin/deliver\"]",
        );
        return None;
    }
    let trial = raw.check.as_ref().map_or_else(|| [run.as_slice(), &["--check".to_owned()]].concat(), |check| words(check));
    if trial.first().is_none_or(String::is_empty) {
        check.error(Some(at), &format!("{field}.check"), "names no program", "leave it out: `run` with --check is the default");
        return None;
    }
    Some(Sink::Command(Command { run, check: trial, timeout, projection }))
}

fn projection(check: &mut Check<'_>, field: &str, accounts: Option<&raw::Texts>, applications: Option<&raw::Texts>) -> Projection {
    if accounts.is_none() && applications.is_none() {
        return Projection::Everything;
    }
    Projection::Named {
        accounts: names(check, &format!("{field}.accounts"), accounts, ApiKey::parse),
        applications: names(check, &format!("{field}.applications"), applications, ApplicationId::parse),
    }
}

fn names<T>(check: &mut Check<'_>, field: &str, raw: Option<&raw::Texts>, parse: fn(&str) -> Result<T, Malformed>) -> Vec<T> {
    let mut found = Vec::new();
    for text in raw.into_iter().flatten() {
        match parse(text.get_ref()) {
            Ok(name) => found.push(name),
            Err(malformed) => check.error(Some(text.span()), field, malformed.to_string(), ""),
        }
    }
    found
}

fn fleet(check: &mut Check<'_>, raw: &Spanned<raw::Fleet>) -> Option<Fleet> {
    let at = raw.span();
    let raw = raw.get_ref();
    let members = raw.members.iter().filter_map(|text| origin(check, "rotation.fleet.members", text)).collect();
    let fleet = Fleet {
        members,
        dns: raw.dns.as_ref().and_then(|text| named_port(check, "rotation.fleet.dns", text)),
        command: words(&raw.command),
        expect: check.count("rotation.fleet.expect", raw.expect.as_ref(), MOST_MEMBERS, 1),
        token: raw.token.as_ref().and_then(|raw| check.token("rotation.fleet.token", raw)),
    };
    if raw.members.is_empty() && raw.dns.is_none() && raw.command.is_empty() {
        check.error(Some(at), "rotation.fleet", "does not say how members are found", "write members, dns or command");
        return None;
    }
    Some(fleet)
}

fn notify(check: &mut Check<'_>, raw: &Spanned<raw::Notify>, timeout: Duration) -> Notify {
    let raw = raw.get_ref();
    Notify {
        command: words(&raw.command),
        webhook: raw.webhook.as_ref().and_then(|text| origin(check, "rotation.notify.webhook", text)),
        timeout: check.wait("rotation.notify.timeout", &raw.timeout, timeout),
    }
}

fn words(raw: &[Spanned<String>]) -> Vec<String> {
    raw.iter().map(|word| word.get_ref().clone()).collect()
}

/// An address with its scheme.
fn origin(check: &mut Check<'_>, field: &str, raw: &Spanned<String>) -> Option<String> {
    let text = raw.get_ref().trim_end_matches('/');
    let is_one = text.parse::<http::Uri>().is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if !is_one {
        check.error(Some(raw.span()), field, "is not an address", "write http://HOST:PORT or https://HOST");
        return None;
    }
    Some(text.to_owned())
}

fn named_port(check: &mut Check<'_>, field: &str, raw: &Spanned<String>) -> Option<String> {
    let text = raw.get_ref();
    let is_one = text.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if !is_one {
        check.error(Some(raw.span()), field, "is not a name with a port", "write NAME:PORT, such as \"sidecars.default.svc:9788\"");
        return None;
    }
    Some(text.clone())
}
