//! The command line: reads arguments, runs one command, says what came of it.
//!
//! Invariants: only this room reads arguments and the environment; only [`report`] prints. A command is one file
//! with its arguments and an `execute`; what it says about a failure is a [`report::Failure`].
//!
//! No argument ever holds a secret: other users of the machine can read the arguments of a process.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::hardening;

mod ask;
mod ca;
mod check;
mod columns;
mod demo;
mod drill;
mod emulator;
mod explain;
mod health;
mod line;
pub mod locate;
mod operator;
mod placeholders;
pub mod report;
mod rotate;
mod run;
mod schedule;
mod secrets;
mod status;
mod subaccounts;
mod surroundings;

#[derive(Debug, Parser)]
#[command(name = "vonage-sidecar", version, about, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 the answer is no, 2 could not run.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: inject current credentials into calls to Vonage
    Run(run::Arguments),
    /// Check settings and credentials; with --online, try every secret
    Check(check::Arguments),
    /// Make the local certificate authority, or show it, and say how apps come to trust it
    Ca(ca::Arguments),
    /// Say what would happen to a request, and why
    Explain(explain::Arguments),
    /// Show what a running sidecar holds and what it thinks of each secret
    Status(status::Arguments),
    /// Ask a running sidecar whether it is ready; for images without a shell
    Health(health::Arguments),
    /// List, make, import, revoke and audit secrets
    Secrets(secrets::Arguments),
    /// Show which account is rotated when; pause and resume that
    Schedule(schedule::Arguments),
    /// List and make subaccounts
    Subaccounts(subaccounts::Arguments),
    /// Show the promise: calls under load while secrets rotate in every nasty way, on this machine only
    Demo(demo::Arguments),
    /// Replace the secret of an account, or of many, by a new one, on the evidence of every sidecar
    Rotate(rotate::Arguments),
    /// Make a secret, prove it and revoke it: measures the provider and switches nothing
    Drill(drill::Arguments),
    /// Print what an app gets in place of credentials: options of its SDK, variables, a throw-away key
    Placeholders(placeholders::Arguments),
    /// Run a stateful imitation of Vonage on this machine
    Emulator(emulator::Arguments),
}

/// Runs what the arguments say, the first being the name of the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Before anything can be held that a dump would show. A sandbox may forbid even this; that is no reason to stop.
    if let Err(error) = hardening::no_core_dumps() {
        report::warning("core dumps could not be switched off", &error);
    }
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => execute(&cli.command),
        Err(usage) => report::usage(&usage),
    };
    report::finish(outcome)
}

/// Whether these arguments, the first being the name of the program, are a use of it. Does nothing else: the examples
/// of the documentation are held against it.
pub fn understands(arguments: &[&str]) -> Result<(), String> {
    Cli::try_parse_from(arguments).map(drop).map_err(|usage| usage.to_string())
}

fn execute(command: &Command) -> report::Outcome {
    match command {
        Command::Run(arguments) => run::execute(arguments),
        Command::Check(arguments) => check::execute(arguments),
        Command::Ca(arguments) => ca::execute(arguments),
        Command::Explain(arguments) => explain::execute(arguments),
        Command::Secrets(arguments) => secrets::execute(arguments),
        Command::Schedule(arguments) => schedule::execute(arguments),
        Command::Subaccounts(arguments) => subaccounts::execute(arguments),
        Command::Rotate(arguments) => rotate::execute(arguments),
        Command::Drill(arguments) => drill::execute(arguments),
        Command::Demo(arguments) => demo::execute(arguments),
        Command::Placeholders(arguments) => placeholders::execute(arguments),
        Command::Emulator(arguments) => emulator::execute(arguments),
        Command::Status(arguments) => status::execute(arguments),
        Command::Health(arguments) => health::execute(arguments),
    }
}
