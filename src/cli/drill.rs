//! `vonage-sidecar drill`: makes a secret, proves it and revokes it, and switches nothing.
//!
//! It shows that a rotation would work, and measures how long this account's secrets take to be accepted and refused.

use super::line::Line;
use super::operator::{self, Files, key};
use super::report::{self, Failure, Outcome};
use super::rotate::{Patience, conclude, not_run, rotator, teller};
use crate::rotation::runner::all::Pace;
use crate::rotation::runner::drill;
use crate::rotation::runner::terms::{Purpose, Terms};
use crate::rotation::runner::wrong_secret::Heard;
use crate::rotation::runner::{Order, Want};
use crate::secret::ApiKey;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The API key of the account
    #[arg(long, value_name = "KEY", value_parser = key)]
    account: ApiKey,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    patience: Patience,
    /// One JSON document a line
    #[arg(long)]
    json: bool,
}

/// Drills.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    operator::operate(&arguments.files, async |operator| {
        let state_dir = operator.settings.rotation.state_dir.clone();
        let terms = Terms { purpose: Purpose::Drill, ..arguments.patience.terms() };
        let order = Order { account: arguments.account.clone(), want: Want::Rotate, terms, approve: None };
        let rotator = rotator(operator)?;
        let heard = rotator.ask_with_a_wrong_secret(&arguments.account).await.map_err(|error| not_run("nothing was done", &error))?;
        for one in &heard {
            report::notice(&told(one));
        }
        let came = rotator.rotate_all(vec![order], Pace::InTurn, &teller(arguments.json)).await;
        let came = came.map_err(|error| not_run("nothing was done", &error))?;
        let goes_on = |account: &ApiKey| arguments.patience.on(arguments.files.on(Line::of("drill").value("--account", account)));
        let exit = conclude(&came, goes_on)?;
        drill::heard(&state_dir, &arguments.account, heard)
            .map_err(|error| Failure::could_not_run("what was measured cannot be kept").caused_by(&error))?;
        let measured = drill::measured(&state_dir, &arguments.account);
        report::notice(&format!(
            "{}: accepted everywhere after {:?}, refused everywhere after {:?}; rotations of this account are as patient as that needs\n",
            arguments.account, measured.accepted_after, measured.refused_after
        ));
        Ok(exit)
    })
}

/// How a host answers a wrong secret, in one line.
fn told(heard: &Heard) -> String {
    let Heard { host, status, taken_for, family, limits } = heard;
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let limits = if limits.is_empty() { "it says nothing about limits".to_owned() } else { limits.join(", ") };
    let warning = if heard.is_understood() { "" } else { " (warning: a sidecar would not notice that a secret is refused there)" };
    format!("{host} answers a wrong secret with {status}, {family}, taken for {taken_for}{warning}; {limits}\n")
}
