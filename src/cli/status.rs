//! `vonage-sidecar status`: what a running sidecar holds and what it thinks of each secret.

use std::fmt::Write as _;

use http::StatusCode;

use super::ask::Sidecar;
use super::report::{self, Exit, Failure, Outcome};
use crate::admin::age::{Age, Ago};
use crate::admin::status::{Account, Application, File, FileState, Presence, SCHEMA, Status, Value, Watch};

#[cfg(test)]
mod tests;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sidecar: Sidecar,
    /// Print the document as it came
    #[arg(long)]
    json: bool,
}

/// Asks and shows.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let answer = arguments.sidecar.get("/status")?;
    if answer.status != StatusCode::OK {
        let failure = Failure::could_not_run("the sidecar does not show its status").because(answer.status);
        return Err(match answer.problem() {
            Some(problem) => failure.because(problem.detail).hint(problem.remedy),
            None => failure.hint("--json prints its answer as it came"),
        });
    }
    if arguments.json {
        return report::data(&format!("{}\n", String::from_utf8_lossy(&answer.body))).map(|()| Exit::Done);
    }
    let status: Status = serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::could_not_run("the status cannot be read").caused_by(&error).hint("--json prints it as it came"))?;
    if status.schema != SCHEMA {
        let failure = Failure::could_not_run(format!("the status has schema {}, this version reads {SCHEMA}", status.schema));
        return Err(failure.hint("use the version of the sidecar, or --json"));
    }
    report::data(&table(&status)).map(|()| Exit::Done)
}

/// The whole text for people.
fn table(status: &Status) -> String {
    let mut text = String::new();
    let written = write_head(&mut text, status).and_then(|()| write_rows(&mut text, status));
    debug_assert!(written.is_ok(), "a String takes everything");
    text
}

fn write_head(text: &mut String, status: &Status) -> std::fmt::Result {
    write!(text, "vonage-sidecar {}, up {}, generation {}", status.version, Age(status.uptime_seconds), status.generation)?;
    if let Some(revision) = &status.revision {
        write!(text, ", revision {revision}")?;
    }
    writeln!(text, "{}", if status.draining { ", ending" } else { "" })?;
    let File { path, state, error, last_good_age_seconds, watch, .. } = &status.credentials;
    let state = match state {
        FileState::Unread => "was not read yet",
        FileState::Ok => "is in use",
        FileState::Failing => "cannot be used",
        FileState::Unknown => "is in an unknown state",
    };
    let watch = match watch {
        Watch::Events => "events",
        Watch::Polling => "polling only",
        Watch::Unknown => "an unknown way",
    };
    writeln!(text, "{path} {state}, last good {}, watched by {watch}", Ago(*last_good_age_seconds))?;
    if let Some(error) = error {
        writeln!(text, "  {error}")?;
    }
    if let Some(schedule) = &status.schedule {
        writeln!(text, "rotation by schedule: {}", one_line(&schedule.to_string()))?;
    }
    for account in &status.accounts {
        if let Some(listing) = &account.listing {
            writeln!(text, "{}: {}", one_line(&account.key), one_line(&listing.to_string()))?;
        }
    }
    writeln!(text)
}

const TITLES: [&str; 9] = ["OWNER", "KIND", "VALUE", "STANDING", "LAST USED", "ACCEPTED", "IN FLIGHT", "SERVED", "NOTE"];

type Row = [String; TITLES.len()];

fn write_rows(text: &mut String, status: &Status) -> std::fmt::Result {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(status.accounts.iter().flat_map(of_account));
    rows.extend(status.applications.iter().flat_map(of_application));
    if rows.len() == 1 {
        return writeln!(text, "nothing is held");
    }
    let mut widths = [0; TITLES.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            write!(line, "{cell:width$}  ")?;
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

fn of_account(account: &Account) -> Vec<Row> {
    let owner = owner(&account.key, account.membership);
    let secrets = account.secrets.iter().map(|value| row(&owner, "secret", value));
    secrets.chain(account.signature_secrets.iter().map(|value| row(&owner, "signature", value))).collect()
}

fn of_application(application: &Application) -> Vec<Row> {
    let owner = owner(&application.id, application.membership);
    application.private_keys.iter().map(|value| row(&owner, "key", value)).collect()
}

fn owner(name: &str, membership: Presence) -> String {
    match membership {
        Presence::Listed => name.to_owned(),
        Presence::Lingering => format!("{name} (gone from the file)"),
        Presence::Unknown => format!("{name} (unknown)"),
    }
}

fn row(owner: &str, kind: &str, value: &Value) -> Row {
    let keep = value.keep.then_some("kept");
    let retiring = value.retiring_seconds.map(|left| format!("dropped in {}", Age(left)));
    let note = [keep, retiring.as_deref(), value.note.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    [
        one_line(owner),
        kind.to_owned(),
        one_line(&value.name()),
        one_line(&standing(value)),
        Ago(value.last_used_seconds).to_string(),
        Ago(value.last_accepted_seconds).to_string(),
        value.in_flight.to_string(),
        value.served.to_string(),
        one_line(&note),
    ]
}

fn standing(value: &Value) -> String {
    if value.standing.is_empty() {
        return "untested".to_owned();
    }
    value.standing.iter().map(|(host, standing)| format!("{} {host}", standing.word())).collect::<Vec<_>>().join(", ")
}

/// A cell that stays in its line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
