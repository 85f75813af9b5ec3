//! The process: do what the command line says and end with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    vonage_sidecar::cli::main(std::env::args_os())
}
