//! From the mirror of `sidecar.toml` to settings.
//!
//! Invariants: every problem of meaning is found in one pass; what is not set has the value of
//! [`Settings::default`]; a setting that is wrong never reaches a room. Problems name places, never values.
//!
//! Not here: shape ([`mod@file`]), measures ([`units`]), whether a file that is named exists (whoever reads it).
//! Facts: the smallest head is the one that hyper's `max_buf_size` takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::file::{self, Flag, Measure, Scalar, Text};
use super::units::{self, NotAMeasure};
use super::{Access, Address, Credentials, Fallback, Http2, Limits, Log, LogFormat, Modes, Region, Runtime, Settings, Timeouts, Upstream};
use crate::problem::{Position, Problems, nearest};

mod listeners;
mod origins;
mod places;
mod rotation;
mod served;

/// The smallest request head: hyper's parser does not work with less.
const SMALLEST_HEAD: usize = 8 << 10;
/// The largest request head: every connection may hold one.
const LARGEST_HEAD: usize = 1 << 20;
/// More threads than this load can use.
const MOST_WORKERS: usize = 512;

/// Turns the mirror of `text` into settings, with warnings; or says everything that is wrong.
pub fn settings(path: &Path, text: &str, raw: file::File) -> Result<(Settings, Problems), Problems> {
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let mut check = Check { text, directory, problems: Problems::of(path), bound: Vec::new(), sockets: Vec::new() };
    let default = Settings::default();
    let settings = Settings {
        listen: listeners::listen(&mut check, raw.listen, default.listen),
        admin: listeners::admin(&mut check, raw.admin, default.admin),
        credentials: credentials(&mut check, &raw.credentials, default.credentials),
        upstream: upstream(&mut check, &raw.upstream, default.upstream),
        fallback: Fallback { hold: check.wait_or_none("fallback.hold", &raw.fallback.hold, default.fallback.hold) },
        limits: limits(&mut check, &raw.limits, default.limits),
        timeouts: timeouts(&mut check, &raw.timeouts, default.timeouts),
        runtime: runtime(&mut check, &raw.runtime, default.runtime),
        log: log(&mut check, &raw.log, default.log),
        rotation: rotation::rotation(&mut check, &raw.rotation, default.rotation),
    };
    if check.problems.any_error() { Err(check.problems) } else { Ok((settings, check.problems)) }
}

fn credentials(check: &mut Check<'_>, raw: &file::Credentials, default: Credentials) -> Credentials {
    Credentials {
        file: check.path("credentials.file", &raw.file).unwrap_or_else(|| check.directory.join(default.file)),
        retire: check.wait_or_none("credentials.retire", &raw.retire, default.retire),
        modes: flag(&raw.strict_modes, default.modes, Modes::Strict, Modes::Warn),
    }
}

fn upstream(check: &mut Check<'_>, raw: &file::Upstream, default: Upstream) -> Upstream {
    Upstream {
        region: check
            .word("upstream.region", &raw.region, &[("us", Region::Us), ("eu", Region::Eu), ("ap", Region::Ap)])
            .or(default.region),
        http2: flag(&raw.http2, default.http2, Http2::Offered, Http2::Off),
        proxy: origins::proxy(check, &raw.proxy).unwrap_or(default.proxy),
        ca_file: check.path("upstream.ca_file", &raw.ca_file).or(default.ca_file),
        hosts: origins::hosts(check, &raw.hosts),
    }
}

fn limits(check: &mut Check<'_>, raw: &file::Limits, default: Limits) -> Limits {
    let limits = Limits {
        replay: check.size("limits.replay", &raw.replay, default.replay),
        replay_memory: check.size("limits.replay_memory", &raw.replay_memory, default.replay_memory),
        head: check.size("limits.head", &raw.head, default.head),
        connections: check.count("limits.connections", raw.connections.as_ref(), usize::MAX, default.connections),
    };
    if limits.replay > limits.replay_memory {
        let at = raw.replay.as_ref().or(raw.replay_memory.as_ref()).map(Spanned::span);
        check.error(at, "limits.replay", "is larger than limits.replay_memory", "one kept body must fit into the memory for all of them");
    }
    if !(SMALLEST_HEAD..=LARGEST_HEAD).contains(&limits.head) {
        check.error(raw.head.as_ref().map(Spanned::span), "limits.head", "is not a usable size of a request head", "write 8KiB to 1MiB");
    }
    limits
}

fn timeouts(check: &mut Check<'_>, raw: &file::Timeouts, default: Timeouts) -> Timeouts {
    let timeouts = Timeouts {
        connect: check.wait("timeouts.connect", &raw.connect, default.connect),
        handshake: check.wait("timeouts.handshake", &raw.handshake, default.handshake),
        caller_head: check.wait("timeouts.caller_head", &raw.caller_head, default.caller_head),
        answer_head: check.wait("timeouts.answer_head", &raw.answer_head, default.answer_head),
        idle: check.wait("timeouts.idle", &raw.idle, default.idle),
        total: check.total("timeouts.total", &raw.total, default.total),
        drain: check.wait_or_none("timeouts.drain", &raw.drain, default.drain),
    };
    if timeouts.connect > timeouts.handshake {
        let at = raw.connect.as_ref().or(raw.handshake.as_ref()).map(Spanned::span);
        check.error(at, "timeouts.connect", "is longer than timeouts.handshake", "the handshake counts from the begin of the connect");
    }
    timeouts
}

fn runtime(check: &mut Check<'_>, raw: &file::Runtime, default: Runtime) -> Runtime {
    Runtime { workers: check.count("runtime.workers", raw.workers.as_ref(), MOST_WORKERS, default.workers) }
}

fn log(check: &mut Check<'_>, raw: &file::Log, default: Log) -> Log {
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        format: check.word("log.format", &raw.format, &formats).unwrap_or(default.format),
        access: flag(&raw.access, default.access, Access::On, Access::Off),
        filter: filter(check, &raw.filter).unwrap_or(default.filter),
    }
}

fn filter(check: &mut Check<'_>, raw: &Text) -> Option<String> {
    let raw = raw.as_ref()?;
    let text = raw.get_ref().trim();
    if text.is_empty() || text.parse::<tracing_subscriber::filter::Targets>().is_err() {
        check.error(Some(raw.span()), "log.filter", "is not a filter", "write a level such as \"info\", or \"info,vonage_sidecar=debug\"");
        return None;
    }
    Some(text.to_owned())
}

fn flag<T>(raw: &Flag, default: T, on: T, off: T) -> T {
    match raw.as_ref().map(Spanned::get_ref) {
        None => default,
        Some(true) => on,
        Some(false) => off,
    }
}

/// The place of a value, in bytes.
type Span = std::ops::Range<usize>;

/// What every section needs: where it is, what was found, which addresses are taken.
struct Check<'t> {
    text: &'t str,
    directory: &'t Path,
    problems: Problems,
    bound: Vec<Address>,
    sockets: Vec<PathBuf>,
}

impl Check<'_> {
    fn error(&mut self, at: Option<Span>, field: &str, what: impl Into<String>, hint: impl Into<String>) {
        let position = at.map(|span| Position::of(self.text, span.start));
        self.problems.error(position, field, what, hint);
    }

    fn warning(&mut self, at: Option<Span>, field: &str, what: impl Into<String>, hint: impl Into<String>) {
        let position = at.map(|span| Position::of(self.text, span.start));
        self.problems.warning(position, field, what, hint);
    }

    /// A path, seen from the directory of the settings.
    fn path(&mut self, field: &str, raw: &Text) -> Option<PathBuf> {
        let raw = raw.as_ref()?;
        if raw.get_ref().trim().is_empty() {
            self.error(Some(raw.span()), field, "is empty", "write the path of a file, relative to this one");
            return None;
        }
        Some(self.directory.join(raw.get_ref()))
    }

    /// A path that must be there: `raw` is in the table at `at`.
    fn needed_path(&mut self, at: Span, field: &str, raw: &Text, remedy: &str) -> PathBuf {
        if raw.is_none() {
            self.error(Some(at), field, "is missing", remedy);
        }
        self.path(field, raw).unwrap_or_default()
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, field: &str, raw: &Text, words: &[(&str, T)]) -> Option<T> {
        let raw = raw.as_ref()?;
        let found = words.iter().find(|(word, _)| word == raw.get_ref()).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.error(Some(raw.span()), field, "is not one of the words known here", one_of(raw.get_ref(), &known));
        }
        found
    }

    /// A size; the default when it is not set or wrong.
    fn size(&mut self, field: &str, raw: &Measure, default: usize) -> usize {
        let read = |scalar: &Scalar| match scalar {
            Scalar::Integer(number) => usize::try_from(*number).map_err(|_| NotAMeasure::Size),
            Scalar::Text(text) => units::size(text),
        };
        self.measure(field, raw, read).unwrap_or(default)
    }

    /// A wait that is longer than nothing.
    fn wait(&mut self, field: &str, raw: &Measure, default: Duration) -> Duration {
        let Some(wait) = self.measure(field, raw, |scalar| units::duration(written(scalar)?)) else { return default };
        if wait.is_zero() {
            self.error(raw.as_ref().map(Spanned::span), field, "is no time at all", "write a duration longer than zero");
        }
        wait
    }

    /// A wait that may be nothing: `off` and `0s` are the same.
    fn wait_or_none(&mut self, field: &str, raw: &Measure, default: Duration) -> Duration {
        self.measure(field, raw, |scalar| units::duration_or_off(written(scalar)?)).map_or(default, Option::unwrap_or_default)
    }

    /// A limit of time that may be absent.
    fn total(&mut self, field: &str, raw: &Measure, default: Option<Duration>) -> Option<Duration> {
        let Some(limit) = self.measure(field, raw, |scalar| units::duration_or_off(written(scalar)?)) else { return default };
        if limit.is_some_and(|limit| limit.is_zero()) {
            self.error(raw.as_ref().map(Spanned::span), field, "is no time at all", "write \"off\" for no limit");
        }
        limit
    }

    fn measure<T>(&mut self, field: &str, raw: &Measure, read: impl Fn(&Scalar) -> Result<T, NotAMeasure>) -> Option<T> {
        let raw = raw.as_ref()?;
        read(raw.get_ref()).map_err(|problem| self.error(Some(raw.span()), field, problem.to_string(), problem.hint())).ok()
    }

    /// A number from 1 to `most`.
    fn count(&mut self, field: &str, raw: Option<&Spanned<i64>>, most: usize, default: usize) -> usize {
        let Some(raw) = raw else { return default };
        match usize::try_from(*raw.get_ref()) {
            Ok(number) if (1..=most).contains(&number) => number,
            Ok(0) | Err(_) => {
                self.error(Some(raw.span()), field, "is less than one", "write 1 or more");
                default
            }
            Ok(_) => {
                self.error(Some(raw.span()), field, "is too many", format!("write at most {most}"));
                default
            }
        }
    }
}

/// A duration is always text: a number without a unit says nothing.
fn written(scalar: &Scalar) -> Result<&str, NotAMeasure> {
    match scalar {
        Scalar::Text(text) => Ok(text),
        Scalar::Integer(_) => Err(NotAMeasure::Duration),
    }
}

/// The remedy for a word that is not known.
fn one_of(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or_else(|| format!("write one of {}", known.join(", ")), |near| format!("did you mean \"{near}\"?"))
}

#[cfg(test)]
mod tests;
