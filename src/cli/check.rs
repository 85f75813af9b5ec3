//! `vonage-sidecar check`: is everything all right with the files, and with `--online`, with the secrets?
//!
//! Every problem at once, as `file:line:column field what (hint)`. Exit 1 when something is wrong.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::locate::Location;
use super::report::{self, Exit, Failure, Outcome};
use super::{run, surroundings};
use crate::clock;
use crate::config::Settings;
use crate::credentials::file::Parsed;
use crate::credentials::{Snapshot, file, linger, name_of, read};
use crate::problem::{Problem, Severity};
use crate::prove::{self, Proof};
use crate::upstream::Upstream;
use crate::vonage::probe;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    location: Location,
    /// The credentials file, in place of the one that the settings name
    #[arg(long, value_name = "FILE", env = "VONAGE_SIDECAR_CREDENTIALS")]
    credentials: Option<PathBuf>,
    /// Also try every secret with one free call a host
    #[arg(long)]
    online: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    schema: u32,
    settings: Option<String>,
    credentials: String,
    errors: usize,
    warnings: usize,
    problems: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proofs: Option<Vec<Row>>,
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
    host: String,
    result: &'static str,
    detail: String,
}

/// Checks and tells.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let located = arguments.location.settings().map_err(|failure| failure.ending_with(Exit::No))?;
    let mut settings = located.settings;
    if let Some(file) = arguments.credentials.as_ref().filter(|file| !file.as_os_str().is_empty()) {
        settings.credentials.file.clone_from(file);
    }
    let mut problems: Vec<Problem> = located.warnings.map(crate::problem::Problems::sorted).unwrap_or_default();
    let parsed = credentials(&settings, &mut problems);
    let proofs = match (&parsed, arguments.online) {
        (Some(parsed), true) => Some(online(&settings, parsed.clone())?),
        (Some(_) | None, false) | (None, true) => None,
    };
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let unproven = proofs.iter().flatten().filter(|row| row.result != Proof::Accepted.word()).count();
    let report = Report {
        schema: 1,
        settings: located.path.map(|path| path.display().to_string()),
        credentials: settings.credentials.file.display().to_string(),
        errors,
        warnings: problems.len() - errors,
        problems: problems.iter().map(told).collect(),
        proofs,
    };
    if arguments.json {
        json(&report)?;
    } else {
        text(&report, parsed.as_ref(), &problems)?;
    }
    Ok(if errors == 0 && unproven == 0 { Exit::Done } else { Exit::No })
}

fn credentials(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Parsed> {
    let path = &settings.credentials.file;
    let picture = match read::picture(path, settings.credentials.modes) {
        Ok(picture) => picture,
        Err(unreadable) => {
            problems.extend(unreadable.problem(path).sorted());
            return None;
        }
    };
    let (parsed, found) = file::parse(path, picture.text(), &picture.referenced);
    problems.extend(picture.warnings.clone().sorted());
    problems.extend(found.sorted());
    parsed
}

/// Proves every secret at every host that has a free call.
fn online(settings: &Settings, parsed: Parsed) -> Result<Vec<Row>, Failure> {
    run::runtime(1)?.block_on(async {
        let upstream = Upstream::new(&settings.upstream, &settings.timeouts, &surroundings::proxy())
            .map_err(|error| Failure::could_not_run("the way to Vonage cannot be set up").caused_by(&error))?;
        let (snapshot, _changes) = linger::succeed(&Snapshot::default(), parsed, std::time::Duration::ZERO, clock::now(), &mut 1);
        let mut rows = Vec::new();
        for account in &snapshot.accounts {
            for slot in &account.secrets {
                for host in probe::PROVING {
                    let proof = prove::ask(&upstream, slot, host).await;
                    rows.push(row(account.key.as_str(), &name_of(slot), host.name(), proof));
                }
            }
        }
        let _open_until_here: Arc<Upstream> = upstream;
        Ok(rows)
    })
}

fn row(account: &str, secret: &str, host: &str, proof: Proof) -> Row {
    let detail = match proof {
        Proof::Accepted => "",
        Proof::Refused => "the provider refuses this secret here",
        Proof::Doubtful => "a 401 of an unknown form: something between us and the provider?",
        Proof::Unclear => "an answer that says nothing about the secret: try again",
        Proof::Unreachable(code) => code,
        Proof::NoFreeCall => "no free call is known at this host",
    };
    Row { account: account.to_owned(), secret: secret.to_owned(), host: host.to_owned(), result: proof.word(), detail: detail.to_owned() }
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

fn text(report: &Report, parsed: Option<&Parsed>, problems: &[Problem]) -> Result<(), Failure> {
    let mut lines: Vec<String> = Vec::new();
    for problem in problems {
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        lines.push(format!("{severity}: {problem}"));
    }
    lines.push(format!("settings:    {}", report.settings.as_deref().unwrap_or("none, everything has its default")));
    lines.push(match parsed {
        Some(parsed) => {
            let secrets: usize = parsed.accounts.iter().map(|account| account.secrets.len()).sum();
            format!(
                "credentials: {}, {} with {}",
                report.credentials,
                counted(parsed.accounts.len(), "account"),
                counted(secrets, "secret")
            )
        }
        None => format!("credentials: {}, cannot be used", report.credentials),
    });
    if let Some(proofs) = &report.proofs {
        let width = |column: fn(&Row) -> &str| proofs.iter().map(|row| column(row).len()).max().unwrap_or(0);
        let (account, secret, host) = (width(|row| &row.account), width(|row| &row.secret), width(|row| &row.host));
        for row in proofs {
            let line = format!("{:account$}  {:secret$}  {:host$}  {:<11}  {}", row.account, row.secret, row.host, row.result, row.detail);
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.push(format!("{}, {}", counted(report.errors, "error"), counted(report.warnings, "warning")));
    report::data(&format!("{}\n", lines.join("\n")))
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
