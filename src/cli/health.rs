//! `vonage-sidecar health`: is it ready? For images that have no shell and no curl.
//!
//! Everything but a yes is exit 1: a container's health check knows no third answer.

use http::StatusCode;

use super::ask::Sidecar;
use super::report::{self, Exit, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    sidecar: Sidecar,
    /// Ask only whether it is alive
    #[arg(long)]
    live: bool,
}

/// Asks and says yes or no.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let (path, word) = if arguments.live { ("/livez", "live") } else { ("/readyz", "ready") };
    let answer = arguments.sidecar.get(path).map_err(|failure| failure.ending_with(Exit::No))?;
    if answer.status == StatusCode::OK {
        return report::data(&format!("{word}\n")).map(|()| Exit::Done);
    }
    let failure = Failure::no(format!("the sidecar is not {word}"));
    Err(match answer.problem() {
        Some(problem) => failure.because(problem.detail).hint(problem.remedy),
        None => failure.because(answer.status),
    })
}
