//! `vonage-sidecar secrets`: the secrets of an account or a subaccount at Vonage, and in the file.
//!
//! A value is never printed and never an argument. One that is made is on disk before Vonage knows it.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::columns::columns;
use super::operator::{self, Files, Operator, entry, key};
use super::report::{self, Exit, Failure, Outcome};
use crate::clock;
use crate::credentials::{Keep, Label};
use crate::rotation::audit::{self, Progress, Row, Seen};
use crate::secret::ApiKey;

mod audited;
pub(super) mod create;
pub(super) mod enrol;
mod revoke;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    files: Files,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the secrets that Vonage has of an account: ids and ages, never values
    List(List),
    /// Make a secret, prove it, and add it to the credentials file as the second one
    Create(create::Arguments),
    /// Prove a secret that was made elsewhere, read from standard input, and add it in the same way
    Import(create::Arguments),
    /// Revoke a secret by its id, when another one that is held was just proven
    Revoke(revoke::Arguments),
    /// Show every account and subaccount, and what breaches the policy
    Audit(audited::Arguments),
}

/// Which account, and who manages it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Whose {
    /// The API key of the account
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(super) account: ApiKey,
    /// The account of the file that manages it, for a subaccount
    #[arg(long, value_name = "PRIMARY", value_parser = key)]
    pub(super) with: Option<ApiKey>,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    whose: Whose,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Does what is asked.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let files = &arguments.files;
    match &arguments.command {
        Command::List(list) => operator::operate(files, async |operator| listed(&operator, list).await),
        Command::Create(arguments) => create::create(arguments, files),
        Command::Import(arguments) => create::import(arguments, files),
        Command::Revoke(arguments) => revoke::execute(arguments, files),
        Command::Audit(arguments) => audited::execute(arguments, files),
    }
}

/// A secret, for machines.
#[derive(Debug, Serialize)]
struct Told {
    id: String,
    created_at: Option<String>,
    age_seconds: Option<u64>,
    whose: &'static str,
    keep: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    account: String,
    secrets: Vec<Told>,
}

async fn listed(operator: &Operator, arguments: &List) -> Outcome {
    let Whose { account, with } = &arguments.whose;
    let parsed = operator.held()?;
    let access = Operator::access(&parsed, account, with.as_ref())?;
    let (_, listed) = operator.listed(&access, account).await?;
    let held: Vec<Label> = entry(&parsed, account).into_iter().flat_map(|entry| &entry.secrets).map(|item| item.label.clone()).collect();
    let seen = Seen { account: account.clone(), primary: None, listed: Ok(listed), held, progress: Progress::Resting };
    let rows = audit::rows(&seen, clock::wall());
    if arguments.json {
        return json(&Document { schema: 1, account: account.to_string(), secrets: rows.iter().map(told).collect() });
    }
    let mut table = vec![["ID", "CREATED", "AGE", "WHOSE", "KEEP"].map(str::to_owned)];
    table.extend(
        rows.iter().map(|row| [row.id.to_string(), day(row.created_at), age(row.age), row.whose.word().to_owned(), kept(row.keep)]),
    );
    report::data(&columns(&table)).map(|()| Exit::Done)
}

fn told(row: &Row) -> Told {
    Told {
        id: row.id.to_string(),
        created_at: row.created_at.map(|at| humantime::format_rfc3339_seconds(at).to_string()),
        age_seconds: row.age.map(|age| age.as_secs()),
        whose: row.whose.word(),
        keep: row.keep == Keep::Yes,
    }
}

fn kept(keep: Keep) -> String {
    match keep {
        Keep::No => String::new(),
        Keep::Yes => "kept".to_owned(),
    }
}

/// A date for people; `-` when it is not known.
pub(super) fn day(at: Option<SystemTime>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| humantime::format_rfc3339_seconds(at).to_string())
}

/// An age for people, in its two largest units.
pub(super) fn age(age: Option<Duration>) -> String {
    let Some(age) = age else { return "-".to_owned() };
    let minutes = age.as_secs() / 60;
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, hours) => format!("{hours}h {}m", minutes % 60),
        (days, hours) => format!("{days}d {hours}h"),
    }
}

/// Prints a document for machines.
pub(super) fn json(document: &impl Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::could_not_run("the document cannot be written").caused_by(&error))?;
    report::data(&format!("{text}\n")).map(|()| Exit::Done)
}
