//! The house in order: what a stranger may rely on when opening any file of it.
//!
//! Every rule reads the text of the sources and names each file and line that breaks it. An exception stands in the
//! rule's own list with its reason.
#![expect(clippy::disallowed_methods, reason = "the sources are read as they are, and nothing else is")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod decisions;

use decisions::DECISIONS;

/// A source file.
struct Source {
    /// Relative to the crate, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Lines of code with their numbers: no comments, and not the unit tests at the end of a file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Tests of their own, in `src` or beside it.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    fn is_below(&self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.path.strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.is_empty()))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below these, with one of these endings.
fn files(places: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for place in places {
        walk(&root().join(place), &mut found);
    }
    found.sort();
    let wanted = |path: &PathBuf| path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted));
    found.into_iter().filter(wanted).map(|path| read(&path)).collect()
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_path_buf());
    } else if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), found);
        }
    }
}

fn read(path: &Path) -> Source {
    let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    Source { path: relative, text: String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned() }
}

fn sources() -> Vec<Source> {
    let sources = files(&["src", "tests", "examples"], &["rs"]);
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    sources
}

/// Fails with every finding at once.
fn none(rule: &str, findings: impl IntoIterator<Item = String>) {
    let list = findings.into_iter().fold(String::new(), |mut list, finding| {
        write!(list, "\n  {finding}").unwrap();
        list
    });
    assert!(list.is_empty(), "{rule}:{list}");
}

/// Every line of code that holds one of the words, except in the files named.
fn lines_with(sources: &[Source], words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_below(except)) {
        for (number, line) in source.code() {
            if let Some(word) = words.iter().find(|word| has_word(line, word)) {
                found.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    found
}

/// Whether a line holds the word, not as the end of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let begins = |at: usize| !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_');
    line.match_indices(word).any(|(at, _)| !word.starts_with(|first: char| first.is_ascii_alphanumeric()) || begins(at))
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    none("begin the file with `//! ` and its duty", silent.map(|source| source.path));
}

#[test]
fn no_file_is_longer_than_it_can_be_read() {
    let limit = |source: &Source| if source.is_test() { 450 } else { 400 };
    let long = sources().into_iter().filter(|source| source.text.lines().count() > limit(source));
    none("split the file where its duty splits", long.map(|source| format!("{}: {} lines", source.path, source.text.lines().count())));
}

/// What only a file that acts may name.
const EFFECTS: &[&str] = &[
    "tokio",
    "hyper::",
    "std::fs",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "crate::clock",
    "crate::files",
    "TcpStream",
    "TcpListener",
    "TcpSocket",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "async fn",
    ".await",
];

#[test]
fn what_decides_does_nothing() {
    for path in DECISIONS {
        assert!(root().join(path).exists(), "{path} is gone: mend the list of decisions");
    }
    let deciding: Vec<Source> = sources().into_iter().filter(|source| source.is_below(DECISIONS) && !source.is_test()).collect();
    none("a decision takes values; move what acts to a file that acts", lines_with(&deciding, EFFECTS, &[]));
}

/// Which rooms a room may name. A room that is not a key here is unknown and fails the test. Top to bottom is the
/// direction of the arrows: no room names one above it, so there are no circles.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "tokens",
            "app",
            "admin",
            "authority",
            "proxy",
            "rotation",
            "prove",
            "inject",
            "emulator",
            "upstream",
            "credentials",
            "config",
            "telemetry",
            "metrics",
            "vonage",
            "jwt",
            "files",
            "hardening",
            "shutdown",
            "problem",
            "secret",
            "clock",
        ],
    ),
    (
        "app",
        &[
            "bind",
            "admin",
            "proxy",
            "rotation",
            "prove",
            "upstream",
            "credentials",
            "config",
            "metrics",
            "vonage",
            "tokens",
            "files",
            "shutdown",
            "work",
            "problem",
            "secret",
            "clock",
        ],
    ),
    ("emulator", &["clock"]),
    ("admin", &["bind", "credentials", "config", "metrics", "vonage", "shutdown", "work", "secret", "clock"]),
    (
        "proxy",
        &[
            "bind",
            "authority",
            "tokens",
            "prove",
            "inject",
            "upstream",
            "credentials",
            "config",
            "telemetry",
            "metrics",
            "vonage",
            "shutdown",
            "work",
            "jwt",
            "secret",
            "clock",
        ],
    ),
    (
        "rotation",
        &["tokens", "prove", "jwt", "inject", "upstream", "credentials", "config", "vonage", "files", "problem", "secret", "clock"],
    ),
    ("prove", &["inject", "upstream", "credentials", "metrics", "vonage", "jwt", "secret", "clock"]),
    ("inject", &["upstream", "vonage", "jwt", "secret"]),
    ("upstream", &["config", "vonage", "work", "clock"]),
    ("telemetry", &["config", "metrics"]),
    ("credentials", &["config", "metrics", "files", "vonage", "jwt", "problem", "secret", "clock"]),
    ("metrics", &["vonage"]),
    ("bind", &["config", "clock"]),
    ("authority", &["config", "files", "vonage", "clock"]),
    ("tokens", &["config", "files", "secret"]),
    ("config", &["vonage", "problem", "secret"]),
    ("files", &["clock"]),
    ("vonage", &["secret"]),
    ("hardening", &[]),
    ("shutdown", &[]),
    ("problem", &[]),
    ("jwt", &["secret", "clock"]),
    ("secret", &[]),
    ("work", &[]),
    ("clock", &[]),
];

/// A test that needs two rooms which do not know each other.
const BRIDGES: &[(&str, &str)] = &[
    // An application in a document needs a key to sign with.
    ("src/admin/status/tests.rs", "jwt"),
    // The order of credentials is proved against the course that a request takes through them.
    ("src/credentials/standing/tests.rs", "proxy"),
];

#[test]
fn rooms_name_only_rooms_below_them() {
    let level = |room: &str| ARROWS.iter().position(|(name, _)| *name == room);
    for (room, may) in ARROWS {
        let upward = may.iter().filter(|other| level(other) <= level(room));
        none("the table points upward", upward.map(|other| format!("{room} -> {other}")));
    }
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/") && source.path != "src/lib.rs") {
        let room = source.path["src/".len()..].split(['/', '.']).next().unwrap();
        let Some((_, may)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        for (number, line) in source.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let named = rooms_named(line, "crate::").into_iter();
            for other in named.filter(|name| name.starts_with(|first: char| first.is_ascii_lowercase())) {
                let bridged = BRIDGES.iter().any(|(path, to)| source.path == *path && other == *to);
                if other != room && !may.contains(&other.as_str()) && !bridged {
                    wrong.push(format!("{}:{}: {room} -> {other}", source.path, number + 1));
                }
            }
        }
    }
    none("an arrow points the wrong way", wrong);
}

/// The emulator's own rooms, from the bottom; `src/emulator.rs` says what each is for. A way round by `super::super` is
/// closed by the emulator's own test.
const EMULATOR: &[&str] = &["exchange", "checks", "setup", "world", "apis", "gateway", "control", "server"];

#[test]
fn rooms_of_the_emulator_name_only_rooms_below_them() {
    let level = |room: &str| EMULATOR.iter().position(|name| *name == room);
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/emulator/")) {
        let room = source.path["src/emulator/".len()..].split(['/', '.']).next().unwrap();
        if level(room).is_none() {
            wrong.push(format!("{}: the room {room} is not in the list", source.path));
        }
        for (number, line) in source.code() {
            let is_below = |other: &str| level(other).is_some_and(|other| Some(other) <= level(room));
            let others = rooms_named(line, "crate::emulator::").into_iter().filter(|other| !is_below(other));
            wrong.extend(others.map(|other| format!("{}:{number}: {room} -> {other}", source.path)));
        }
    }
    none("an arrow points the wrong way", wrong);
}

/// The names in `crate::room` and `crate::{room, other::Thing}` of a line, where `crate::` is what stands before rooms.
fn rooms_named(line: &str, before: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect::<String>();
    let mut rooms = Vec::new();
    for (at, found) in line.match_indices(before) {
        let rest = &line[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(list.split('}').next().unwrap().split(',').map(|item| name(item.trim()))),
            None => rooms.push(name(rest)),
        }
    }
    rooms
}

#[test]
fn what_is_known_about_the_provider_is_in_one_room() {
    let except = ["src/vonage/", "src/emulator/"];
    let elsewhere: Vec<Source> = sources().into_iter().filter(|source| source.path.starts_with("src/") && !source.is_test()).collect();
    none("a host of the provider belongs into vonage", lines_with(&elsewhere, &["nexmo.com", "vonage.com"], &except));
}

#[test]
fn only_the_command_line_prints_and_reads_the_environment() {
    let ours: Vec<Source> = sources().into_iter().filter(|source| source.path.starts_with("src/") && !source.is_test()).collect();
    // The log goes to standard error; the process hands its arguments to cli.
    let printing = ["println!", "print!", "eprintln!", "eprint!", "dbg!", "stdout()", "stderr()"];
    none("print in cli", lines_with(&ours, &printing, &["src/cli.rs", "src/cli/", "src/telemetry.rs"]));
    let environment = ["env::var", "env::vars", "env::var_os", "env::args", "env::args_os", "env::temp_dir", "env::current_dir"];
    none("read the environment in cli", lines_with(&ours, &environment, &["src/cli.rs", "src/cli/", "src/main.rs"]));
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_skipped() {
    let later = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("to", "do!"), concat!("unimple", "mented!")];
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if later.iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none("do it now, or say in words what the code does not do", found);
    // They run where SDKs are installed.
    let elsewhere = ["tests/it/sdks.rs"];
    let skipped = lines_with(&sources(), &[concat!("#[ig", "nore")], &elsewhere);
    none("a test that does not run holds nothing", skipped);
}

#[test]
fn no_path_of_a_machine_is_written_down() {
    let places = ["src", "tests", "examples", "config", "README.md", "CHANGELOG.md", "Cargo.toml", ".ci"];
    let machines = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("C:", "\\\\")];
    let mut found = Vec::new();
    for source in files(&places, &["rs", "toml", "md", "sh", "yml", "yaml", "json"]) {
        for (number, line) in source.text.lines().enumerate() {
            if machines.iter().any(|path| line.contains(path)) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none("a path that exists on one machine only", found);
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read(&root().join("Cargo.toml")).text;
    let mut section = "";
    let mut silent = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies]") && line.contains('=') && !line.contains(" # ") {
            silent.push(line.to_owned());
        }
    }
    none("a dependency without a reason", silent);
}

/// Cargo locks an optional dependency that a weak feature mentions, although nothing builds it: rustls-webpki mentions
/// ring. So what counts is who else would build it.
#[test]
fn there_is_one_implementation_of_cryptography() {
    let lock = read(&root().join("Cargo.lock")).text;
    let mut users = Vec::new();
    for package in lock.split("[[package]]") {
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default().trim_matches('"');
        for other in ["ring", "openssl", "openssl-sys", "native-tls", "boring", "rustls-rustcrypto"] {
            let uses = package.lines().any(|line| line.trim().trim_end_matches(',') == format!("\"{other}\""));
            if uses && (name, other) != ("rustls-webpki", "ring") {
                users.push(format!("{name} uses {other}"));
            }
        }
    }
    none("aws-lc-rs is the only one", users);
    let asked = read(&root().join("Cargo.toml")).text.lines().any(|line| line.contains("\"ring\""));
    assert!(!asked, "a feature in Cargo.toml asks for ring");
}

#[test]
fn a_file_is_named_for_what_it_holds() {
    let nameless = ["utils", "util", "common", "helpers", "helper", "manager", "misc", "mod", "types", "prelude"];
    let found = sources().into_iter().filter(|source| {
        let name = source.path.rsplit('/').next().unwrap().trim_end_matches(".rs");
        nameless.contains(&name)
    });
    none("such a name says nothing", found.map(|source| source.path));
}
