//! Where `sidecar.toml` is, and what it says.
//!
//! Looked for: `--config`, `VONAGE_SIDECAR_CONFIG`, `./sidecar.toml`, `/etc/vonage-sidecar/sidecar.toml`; without any
//! of them every setting has its default. A file that is there but cannot be read is an error, never skipped: the
//! defaults would be a surprise.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::line::Line;
use super::report::Failure;
use crate::config::{self, Settings};
use crate::files::{self, FileError};
use crate::problem::Problems;

/// Where it is looked for when nobody says where it is.
const PLACES: [&str; 2] = ["sidecar.toml", "/etc/vonage-sidecar/sidecar.toml"];
/// The longest settings file, in bytes.
const LONGEST: usize = 1 << 20;

/// The argument of every command that needs settings.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Location {
    /// The settings [default: ./sidecar.toml, then /etc/vonage-sidecar/sidecar.toml, then none]
    #[arg(long, value_name = "FILE", env = "VONAGE_SIDECAR_CONFIG", global = true)]
    config: Option<OsString>,
}

/// The arguments of a command that works with the credentials, too.
#[derive(Debug, Clone, clap::Args)]
pub struct Given {
    #[command(flatten)]
    location: Location,
    /// The credentials file, in place of the one that the settings name
    #[arg(long, value_name = "FILE", env = "VONAGE_SIDECAR_CREDENTIALS", global = true)]
    credentials: Option<PathBuf>,
}

impl Given {
    /// A line with the same arguments.
    pub(super) fn on(&self, line: Line) -> Line {
        let config = self.location.config.as_deref().map(Path::new).filter(|file| !file.as_os_str().is_empty());
        line.value_if("--config", config.map(Path::display)).value_if("--credentials", self.credentials().map(Path::display))
    }

    /// Finds the settings, which may be of no use.
    pub fn find(&self) -> Result<Found, Failure> {
        self.location.find()
    }

    /// The settings, which name the credentials file that is meant.
    pub fn settings(&self) -> Result<Located, Failure> {
        let mut located = self.location.settings()?;
        if let Some(file) = self.credentials() {
            located.settings.credentials.file = file.to_path_buf();
        }
        Ok(located)
    }

    /// The credentials file that is meant in place of the one of the settings. An empty one counts as not named.
    pub fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref().filter(|file| !file.as_os_str().is_empty())
    }
}

/// What was found where the settings are.
#[derive(Debug)]
pub enum Found {
    /// They can be used.
    Usable(Box<Located>),
    /// The file is there and says something wrong.
    Unusable(Unusable),
}

/// A settings file that cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// Everything that is wrong with it.
    pub problems: Problems,
    /// The credentials file, as far as the settings still say where it is.
    pub credentials: Option<PathBuf>,
}

/// Settings and where they came from.
#[derive(Debug)]
pub struct Located {
    /// The file; none when everything has its default.
    pub path: Option<PathBuf>,
    /// What it says.
    pub settings: Settings,
    /// What somebody should look at, none of it an error; none without a file.
    pub warnings: Option<Problems>,
}

impl Location {
    /// Finds the file and reads it; settings that cannot be used are a failure with everything that is wrong.
    pub fn settings(&self) -> Result<Located, Failure> {
        match self.find()? {
            Found::Usable(located) => Ok(*located),
            Found::Unusable(Unusable { problems, .. }) => {
                let failure = Failure::could_not_run("the settings cannot be used");
                let failure = problems.sorted().iter().fold(failure, Failure::because);
                Err(failure.hint("config/sidecar.toml of the sources documents every setting; vonage-sidecar check looks at both files"))
            }
        }
    }

    /// Finds the file and reads it.
    pub fn find(&self) -> Result<Found, Failure> {
        match self.config.as_deref().map(Path::new) {
            // An empty variable is how a container's manifest says "not set".
            None => search(&PLACES),
            Some(path) if path.as_os_str().is_empty() => search(&PLACES),
            Some(path) => match read(path) {
                Ok(text) => Ok(parse(path, &text)),
                Err(error) => Err(unreadable(&error).hint("--config or VONAGE_SIDECAR_CONFIG names this file")),
            },
        }
    }
}

fn search(places: &[&str]) -> Result<Found, Failure> {
    for path in places.iter().map(Path::new) {
        match read(path) {
            Ok(text) => return Ok(parse(path, &text)),
            Err(FileError { failure: files::Failure::Missing, .. }) => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    Ok(usable(Located { path: None, settings: Settings::default(), warnings: None }))
}

fn read(path: &Path) -> Result<String, FileError> {
    let contents = files::read(path, LONGEST)?;
    // A byte that is not UTF-8 becomes a mark that the parser complains about, with its place.
    Ok(String::from_utf8_lossy(&contents.bytes).into_owned())
}

fn parse(path: &Path, text: &str) -> Found {
    match config::parse(path, text) {
        Ok((settings, warnings)) => usable(Located { path: Some(path.to_path_buf()), settings, warnings: Some(warnings) }),
        Err(problems) => {
            Found::Unusable(Unusable { path: path.to_path_buf(), problems, credentials: config::credentials_file(path, text) })
        }
    }
}

fn usable(located: Located) -> Found {
    Found::Usable(Box::new(located))
}

fn unreadable(error: &FileError) -> Failure {
    Failure::could_not_run("the settings cannot be read").caused_by(error)
}
