//! `vonage-sidecar placeholders`: what an app is given in place of credentials, by the SDK that it uses.
//!
//! The output is a piece of shell: comments with the options of the SDK, and variables. With `--dir` the throw-away key
//! and the variables are files; without it the key is the value of a variable. The key is good for nothing: the sidecar
//! does not look at what it signs.

use std::path::{Path, PathBuf};

use super::report::{self, Exit, Failure, Outcome};
use crate::files;
use crate::jwt::generate;
use crate::secret::{ApiKey, ApplicationId};

mod sdk;

use sdk::{Place, Sdk};

/// The files that `--dir` gets.
const KEY: &str = "placeholder.key";
const VARIABLES: &str = "placeholders.env";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the app uses
    #[arg(long)]
    sdk: Sdk,
    /// The API key
    #[arg(long, value_name = "KEY", value_parser = account)]
    account: ApiKey,
    /// The application that signs tokens
    #[arg(long, value_name = "ID", value_parser = application)]
    application: Option<ApplicationId>,
    /// Where the app reaches the sidecar [default: localhost:8787, with TLS localhost:8443, as a proxy localhost:8789]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// The directory of the local authority, for an SDK that needs TLS or the proxy mode
    #[arg(long, value_name = "DIR", default_value = "ca")]
    ca_dir: PathBuf,
    /// Write the key and the variables into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn account(text: &str) -> Result<ApiKey, String> {
    ApiKey::parse(text).map_err(|error| error.to_string())
}

fn application(text: &str) -> Result<ApplicationId, String> {
    ApplicationId::parse(text).map_err(|error| error.to_string())
}

/// Makes a key if there is an application, and prints.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let address = arguments.address.clone().unwrap_or_else(|| arguments.sdk.usual_address().to_owned());
    let place = Place { address, ca: arguments.ca_dir.clone() };
    let mut variables = vec![
        ("VONAGE_API_KEY".to_owned(), arguments.account.as_str().to_owned()),
        ("VONAGE_API_SECRET".to_owned(), "placeholder".to_owned()),
    ];
    if let Some(id) = &arguments.application {
        variables.push(("VONAGE_APPLICATION_ID".to_owned(), id.as_str().to_owned()));
        variables.push(key(arguments.dir.as_deref())?);
    }
    variables.extend(arguments.sdk.variables(&place));
    let comments = arguments.sdk.options(&place).lines().map(|line| format!("# {line}\n")).collect::<Vec<_>>().concat();
    let exports = variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect::<Vec<_>>().concat();
    let text = format!("{comments}{exports}");
    if let Some(directory) = &arguments.dir {
        files::replace(&directory.join(VARIABLES), text.as_bytes(), 0o644).map_err(|error| not_written(&error))?;
    }
    report::data(&text)?;
    Ok(Exit::Done)
}

/// The variable that holds a fresh key, or says where it lies.
fn key(directory: Option<&Path>) -> Result<(String, String), Failure> {
    let made = generate::key_pair().map_err(|error| Failure::could_not_run("there is no key").caused_by(&error))?;
    let pem = made.private.as_pem();
    let Some(directory) = directory else {
        return Ok(("VONAGE_PRIVATE_KEY".to_owned(), pem.to_owned()));
    };
    let path = directory.join(KEY);
    files::replace(&path, pem.as_bytes(), 0o600).map_err(|error| not_written(&error))?;
    let path = std::path::absolute(&path).unwrap_or(path);
    Ok(("VONAGE_PRIVATE_KEY_PATH".to_owned(), path.display().to_string()))
}

fn not_written(error: &files::FileError) -> Failure {
    Failure::could_not_run("the placeholders were not written").caused_by(error).hint("--dir names a directory that is there")
}

/// A text as a word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.:-_,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
