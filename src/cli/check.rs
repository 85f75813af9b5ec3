//! `vonage-sidecar check`: is everything all right with the files, and with `--online`, with the secrets?
//!
//! Every problem at once, as `file:line:column field what (hint)`. Exit 1 when something is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::locate::{Found, Given, Located, Unusable};
use super::report::{self, Exit, Failure, Outcome};
use super::{run, surroundings};
use crate::clock;
use crate::config::{Modes, Settings};
use crate::credentials::file::Parsed;
use crate::credentials::{Keyring, Snapshot, file, linger, read};
use crate::problem::{Problem, Problems, Severity};
use crate::prove::{self, Proof};
use crate::rotation::sinks::primaries;
use crate::upstream::Upstream;

mod listeners;
mod sinks;

use sinks::Sink;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: Given,
    /// Also try every secret and private key with one free call a host; there is none for signature secrets
    #[arg(long)]
    online: bool,
    /// Also try everywhere a new credentials file goes, without changing anything: a file of the same size is written
    /// beside each and removed, programs are run with --check. Without this they are only looked at
    #[arg(long)]
    sinks: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    settings: Option<String>,
    credentials: Option<String>,
    errors: usize,
    warnings: usize,
    problems: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proofs: Option<Vec<Row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sinks: Option<Vec<Sink>>,
}

#[derive(Debug, Serialize)]
struct Told {
    severity: &'static str,
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    field: String,
    what: String,
    hint: String,
}

#[derive(Debug, Serialize)]
struct Row {
    account: String,
    secret: String,
    /// None when it was not tried.
    host: Option<&'static str>,
    result: &'static str,
    detail: &'static str,
}

/// The result for a value that nobody was asked about.
const NOT_TRIED: &str = "not_tried";

/// Checks and tells.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let found = arguments.given.find().map_err(|failure| failure.ending_with(Exit::No))?;
    let checked = checked(found, arguments.given.credentials());
    let proofs = match (&checked.settings, &checked.parsed, arguments.online) {
        (Some(settings), Some(parsed), true) => Some(online(settings, parsed.clone())?),
        (Some(_) | None, Some(_) | None, true | false) => None,
    };
    let sinks = match (&checked.settings, arguments.sinks) {
        (Some(settings), true) => Some(sinks::tried(settings)?),
        (Some(settings), false) => sinks::looked_at(settings),
        (None, true | false) => None,
    };
    let unusable = sinks.iter().flatten().filter(|sink| sink.is_no()).count();
    let errors = checked.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let unproven = proofs.iter().flatten().filter(|row| ![Proof::Accepted.word(), NOT_TRIED].contains(&row.result)).count();
    let report = Report {
        schema: 1,
        settings: checked.path.map(|path| path.display().to_string()),
        credentials: checked.file.map(|path| path.display().to_string()),
        errors,
        warnings: checked.problems.len() - errors,
        problems: checked.problems.iter().map(told).collect(),
        proofs,
        sinks,
    };
    if arguments.json {
        json(&report)?;
    } else {
        text(&report, checked.settings.is_some(), checked.parsed.as_ref(), &checked.problems)?;
    }
    Ok(if errors == 0 && unproven == 0 && unusable == 0 { Exit::Done } else { Exit::No })
}

/// Both files, looked at.
struct Checked {
    /// The settings file; none when everything has its default.
    path: Option<PathBuf>,
    /// What it says; none when it cannot be used.
    settings: Option<Settings>,
    /// The credentials file; none when settings that cannot be used do not say where it is.
    file: Option<PathBuf>,
    /// What that says; none when it cannot be used.
    parsed: Option<Parsed>,
    problems: Vec<Problem>,
}

/// Looks at both files, also when the first cannot be used: whoever mends one wants to know about the other.
fn checked(found: Found, given: Option<&Path>) -> Checked {
    let (path, mut settings, named, problems) = match found {
        Found::Usable(located) => {
            let Located { path, settings, warnings } = *located;
            (path, Some(settings), None, warnings)
        }
        Found::Unusable(Unusable { path, problems, credentials }) => (Some(path), None, credentials, Some(problems)),
    };
    let mut problems: Vec<Problem> = problems.map(Problems::sorted).unwrap_or_default();
    let (said, modes) = match &settings {
        Some(settings) => (Some(settings.credentials.file.clone()), settings.credentials.modes),
        None => (named, Settings::default().credentials.modes),
    };
    let file = given.map(Path::to_path_buf).or(said);
    if let (Some(settings), Some(file)) = (&mut settings, &file) {
        settings.credentials.file.clone_from(file);
    }
    if let Some(settings) = &settings {
        problems.extend(listeners::problems(path.as_deref(), settings));
        problems.extend(sinks::problems(path.as_deref(), settings));
    }
    let parsed = file.as_deref().and_then(|file| credentials(file, modes, &mut problems));
    Checked { path, settings, file, parsed, problems }
}

fn credentials(path: &Path, modes: Modes, problems: &mut Vec<Problem>) -> Option<Parsed> {
    let picture = match read::picture(path, modes) {
        Ok(picture) => picture,
        Err(unreadable) => {
            problems.extend(unreadable.problem(path).sorted());
            return None;
        }
    };
    let (parsed, found) = file::parse(path, picture.text(), &picture.referenced);
    problems.extend(picture.warnings.clone().sorted());
    problems.extend(found.sorted());
    problems.extend(parsed.iter().flat_map(|parsed| beside_their_primary(path, parsed)));
    problems.extend(parsed.iter().flat_map(|parsed| without_keys(path, parsed)));
    parsed
}

/// An account that manages others of the file can make secrets of all of them, and every sidecar that reads the file
/// holds its secret.
fn beside_their_primary(path: &Path, parsed: &Parsed) -> Vec<Problem> {
    let mut problems = Problems::of(path);
    for key in primaries(parsed) {
        let what = format!("holds {key}, which manages other accounts of it");
        problems.warning(
            None,
            "",
            what,
            "give the apps a file without it: [[rotation.sinks.file]]; ignore this where nothing but rotation reads it",
        );
    }
    problems.sorted()
}

/// A sidecar serves the rest of a file in which an application has no key that can be used; its calls are a 503.
fn without_keys(path: &Path, parsed: &Parsed) -> Vec<Problem> {
    let mut problems = Problems::of(path);
    for application in parsed.applications.iter().filter(|application| application.keys.is_empty()) {
        let what = format!("has no private key of the application {} that can be used: its calls are answered with 503", application.id);
        problems.error(None, "", what, "put a key of it there, or take the application out");
    }
    problems.sorted()
}

/// Proves every secret and private key at every host that has a free call.
fn online(settings: &Settings, parsed: Parsed) -> Result<Vec<Row>, Failure> {
    run::runtime(1)?.block_on(async {
        let upstream = Upstream::new(&settings.upstream, &settings.timeouts, &surroundings::proxy())
            .map_err(|error| Failure::could_not_run("the way to Vonage cannot be set up").caused_by(&error))?;
        let (snapshot, _changes) = linger::succeed(&Snapshot::default(), parsed, std::time::Duration::ZERO, clock::now(), &mut 1);
        let mut rows = Vec::new();
        for keyring in snapshot.keyrings() {
            for item in keyring.items() {
                let name = keyring.name(item.uid).to_string();
                if prove::hosts(&keyring).is_empty() {
                    rows.push(untried(&keyring, name.clone()));
                }
                for host in prove::hosts(&keyring) {
                    let proof = prove::ask(&upstream, &keyring, item.uid, *host).await;
                    rows.push(row(&keyring, name.clone(), host.name(), proof));
                }
            }
        }
        let _open_until_here: Arc<Upstream> = upstream;
        Ok(rows)
    })
}

fn row(keyring: &Keyring, secret: String, host: &'static str, proof: Proof) -> Row {
    let detail = match proof {
        Proof::Accepted => "",
        Proof::Refused => "the provider refuses it here",
        Proof::Doubtful => "a 401 of an unknown form: something between us and the provider?",
        Proof::Unclear => "an answer that says nothing about it: try again",
        Proof::Unreachable(code) => code,
        Proof::NoFreeCall => "no free call is known at this host",
    };
    Row { account: owner(keyring), secret, host: Some(host), result: proof.word(), detail }
}

/// A value that cannot be tried without doing something with it is told all the same: silence would pass for a proof.
fn untried(keyring: &Keyring, secret: String) -> Row {
    let detail = match keyring {
        Keyring::Signatures(_) => "no free call takes a signature",
        Keyring::Secrets(_) | Keyring::Keys(_) => "no free call is known",
    };
    Row { account: owner(keyring), secret, host: None, result: NOT_TRIED, detail }
}

fn owner(keyring: &Keyring) -> String {
    keyring.application().map_or_else(|| keyring.account().to_string(), ToString::to_string)
}

fn told(problem: &Problem) -> Told {
    Told {
        severity: match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        file: problem.file.display().to_string(),
        line: problem.position.map(|position| position.line),
        column: problem.position.map(|position| position.column),
        field: problem.field.clone(),
        what: problem.what.clone(),
        hint: problem.hint.clone(),
    }
}

fn json(report: &Report) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(report).map_err(|error| Failure::could_not_run("the report cannot be written").caused_by(&error))?;
    report::data(&format!("{text}\n"))
}

fn text(report: &Report, usable: bool, parsed: Option<&Parsed>, problems: &[Problem]) -> Result<(), Failure> {
    let mut lines: Vec<String> = Vec::new();
    for problem in problems {
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        lines.push(format!("{severity}: {problem}"));
    }
    let settings = report.settings.as_deref().unwrap_or("none, everything has its default");
    lines.push(format!("settings:    {settings}{}", if usable { "" } else { ", cannot be used" }));
    let file = report.credentials.as_deref();
    lines.push(match (file, parsed) {
        (Some(file), Some(parsed)) => {
            let secrets: usize = parsed.accounts.iter().map(|account| account.secrets.len()).sum();
            let keys: usize = parsed.applications.iter().map(|application| application.keys.len()).sum();
            let accounts = format!("{} with {}", counted(parsed.accounts.len(), "account"), counted(secrets, "secret"));
            let applications = format!("{} with {}", counted(parsed.applications.len(), "application"), counted(keys, "private key"));
            format!(
                "credentials: {file}, {accounts}{}",
                if parsed.applications.is_empty() { String::new() } else { format!(", {applications}") }
            )
        }
        (Some(file), None) => format!("credentials: {file}, cannot be used"),
        (None, _) => "credentials: not looked at, since the settings do not say where they are".to_owned(),
    });
    if let Some(proofs) = &report.proofs {
        let width = |column: fn(&Row) -> &str| proofs.iter().map(|row| column(row).len()).max().unwrap_or(0);
        let (account, secret, host) = (width(|row| &row.account), width(|row| &row.secret), width(|row| row.host.unwrap_or("-")));
        for row in proofs {
            let (at, result) = (row.host.unwrap_or("-"), row.result.replace('_', " "));
            let line = format!("{:account$}  {:secret$}  {at:host$}  {result:<11}  {}", row.account, row.secret, row.detail);
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.extend(report.sinks.iter().flatten().map(ToString::to_string));
    lines.push(format!("{}, {}", counted(report.errors, "error"), counted(report.warnings, "warning")));
    report::data(&format!("{}\n", lines.join("\n")))
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
