//! `secrets audit`: every account and subaccount, and what breaches the policy. Exit 1 on a breach.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::{Told, age, day, json, kept, told};
use crate::cli::columns::columns;
use crate::cli::operator::{self, Files, Operator, key, past};
use crate::cli::report::{self, Exit, Failure, Outcome};
use crate::clock;
use crate::config::rotation::{Policy, Window};
use crate::credentials::file::AccountEntry;
use crate::files;
use crate::rotation::audit::{self, Row, Seen};
use crate::rotation::report::{self as reports, Report};
use crate::rotation::survey::Breadth;
use crate::secret::ApiKey;

/// The longest report.
const LONGEST: usize = 4 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this account, and its subaccounts
    #[arg(long, value_name = "KEY", value_parser = key)]
    account: Option<ApiKey>,
    /// The oldest that a secret may be, in place of the policies of the settings
    #[arg(long, value_name = "DURATION", value_parser = past)]
    max_age: Option<Duration>,
    /// Also list each rotation of so long, with its proof
    #[arg(long, value_name = "DURATION", value_parser = past)]
    history: Option<Duration>,
    /// For machines
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// For spreadsheets: one line a secret
    #[arg(long, conflicts_with = "history")]
    csv: bool,
}

/// An account with what is wrong about it.
struct Audited {
    seen: Seen,
    rows: Vec<Row>,
    breaches: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    breaches: usize,
    accounts: Vec<Account>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Report>>,
}

#[derive(Debug, Serialize)]
struct Account {
    #[serde(rename = "account")]
    key: String,
    primary: Option<String>,
    secrets: Vec<Told>,
    breaches: Vec<String>,
}

pub(super) fn execute(arguments: &Arguments, files: &Files) -> Outcome {
    let (audited, history) = operator::operate(files, async |operator| {
        let history = arguments.history.map(|span| history(&operator.settings.rotation.state_dir, span)).transpose()?;
        let policies = policies(&operator, arguments);
        Ok((audit(&operator, arguments, &policies).await?, history))
    })?;
    let breaches: usize = audited.iter().map(|account| account.breaches.len()).sum();
    if arguments.json {
        json(&Document { schema: 1, breaches, accounts: audited.iter().map(account).collect(), history })?;
    } else if arguments.csv {
        report::data(&csv(&audited))?;
    } else {
        report::data(&table(&audited, history.as_deref(), breaches))?;
    }
    Ok(if breaches == 0 { Exit::Done } else { Exit::No })
}

fn policies(operator: &Operator, arguments: &Arguments) -> Vec<Policy> {
    let given = |max_age| Policy { accounts: "*".to_owned(), max_age, every: max_age, window: Window::Always, jitter: Duration::ZERO };
    arguments.max_age.map_or_else(|| operator.settings.rotation.policies.clone(), |max_age| vec![given(max_age)])
}

async fn audit(operator: &Operator, arguments: &Arguments, policies: &[Policy]) -> Result<Vec<Audited>, Failure> {
    let parsed = operator.held()?;
    let is_asked =
        |entry: &AccountEntry| arguments.account.as_ref().is_none_or(|key| *key == entry.key || entry.primary.as_ref() == Some(key));
    if !parsed.accounts.iter().any(is_asked) {
        return Err(Failure::no("the file holds no such account").hint("name one of the credentials file"));
    }
    let seen = operator.survey().look(&parsed, Breadth::WithSubaccounts, is_asked).await;
    let now = clock::wall();
    let audited = seen.into_iter().map(|seen| {
        let breaches = audit::breaches(&seen, policies, now).iter().map(ToString::to_string).collect();
        Audited { rows: audit::rows(&seen, now), breaches, seen }
    });
    Ok(audited.collect())
}

/// The reports of the last while, oldest first. One that cannot be read is told and left out.
fn history(state_dir: &Path, span: Duration) -> Result<Vec<Report>, Failure> {
    let unread = |error: &files::FileError| Failure::could_not_run("the reports cannot be read").caused_by(error);
    let since = clock::wall().checked_sub(span);
    let mut found = Vec::new();
    for path in files::list(&state_dir.join("reports")).map_err(|error| unread(&error))? {
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let contents = files::read(&path, LONGEST).map_err(|error| unread(&error))?;
        match reports::parse(&contents.bytes) {
            Ok(report) if since.is_none_or(|since| report.ended_at >= since) => found.push(report),
            Ok(_) => {}
            Err(error) => report::warning(&path.display().to_string(), &error),
        }
    }
    found.sort_by_key(|report| report.ended_at);
    Ok(found)
}

fn account(audited: &Audited) -> Account {
    Account {
        key: audited.seen.account.to_string(),
        primary: audited.seen.primary.as_ref().map(ToString::to_string),
        secrets: audited.rows.iter().map(told).collect(),
        breaches: audited.breaches.clone(),
    }
}

fn table(audited: &[Audited], history: Option<&[Report]>, breaches: usize) -> String {
    let mut rows = vec![["ACCOUNT", "PRIMARY", "SECRET", "CREATED", "AGE", "WHOSE", "KEEP"].map(str::to_owned)];
    for Audited { seen, rows: secrets, .. } in audited {
        let primary = seen.primary.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let of = |row: &Row| {
            [
                seen.account.to_string(),
                primary.clone(),
                row.id.to_string(),
                day(row.created_at),
                age(row.age),
                row.whose.word().to_owned(),
                kept(row.keep),
            ]
        };
        rows.extend(secrets.iter().map(of));
    }
    let mut text = columns(&rows);
    text.push('\n');
    for Audited { seen, breaches, .. } in audited {
        for breach in breaches {
            writeln!(text, "breach: {}: {breach}", seen.account).unwrap_or_default();
        }
    }
    let total = format!("{} accounts, {breaches} breaches\n", audited.len());
    text + &total + &history.map(past_rotations).unwrap_or_default()
}

fn past_rotations(reports: &[Report]) -> String {
    let mut rows = vec![["ENDED", "ACCOUNT", "ROTATION", "OUTCOME", "SECRETS", "PROOF"].map(str::to_owned)];
    rows.extend(reports.iter().map(|report| {
        let secrets: Vec<String> = report.secrets.iter().map(|secret| format!("{} {}", secret.id, secret.fate)).collect();
        let accepted: u32 = report.proofs.iter().filter(|proof| proof.result == "accepted").map(|proof| proof.times).sum();
        let converged = report.members.iter().filter(|member| member.converged).count();
        let proof = format!("{accepted} acceptances, {converged} of {} members converged", report.members.len());
        [
            day(Some(report.ended_at)),
            report.account.to_string(),
            report.rotation.clone(),
            report.outcome.to_string(),
            secrets.join(", "),
            proof,
        ]
    }));
    format!("\n{}{} rotations\n", columns(&rows), reports.len())
}

/// Identifiers have no character that CSV would need quotes for; words have. Lines end as those of every other output do:
/// [`report`] would spell a carriage return out.
fn csv(audited: &[Audited]) -> String {
    let mut text = "account,primary,secret,created_at,age_days,whose,keep,breaches\n".to_owned();
    for Audited { seen, rows, breaches } in audited {
        let primary = seen.primary.as_ref().map(ToString::to_string).unwrap_or_default();
        let breaches = format!("\"{}\"", breaches.join("; ").replace('"', "\"\""));
        if rows.is_empty() {
            writeln!(text, "{},{primary},,,,,,{breaches}", seen.account).unwrap_or_default();
        }
        for row in rows {
            let told = told(row);
            let days = row.age.map(|age| (age.as_secs() / 86400).to_string()).unwrap_or_default();
            let created = told.created_at.unwrap_or_default();
            writeln!(text, "{},{primary},{},{created},{days},{},{},{breaches}", seen.account, told.id, told.whose, told.keep)
                .unwrap_or_default();
        }
    }
    text
}
