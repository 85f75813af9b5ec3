//! A program that gets a new credentials file on its standard input.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};

use super::{NotDelivered, Said};
use crate::credentials::file::Parsed;
use crate::rotation::program::{Output, Program};

/// The most that is told of what a program says.
const MOST_SAID: usize = 2000;
/// A line of a key that is shorter could be an ordinary word.
const KEY_LINE: usize = 16;

/// Runs a program and hands it the text; `parsed` are the values that must not be told.
pub(super) async fn run(words: &[String], timeout: Duration, text: &str, parsed: &Parsed) -> Result<(), NotDelivered> {
    let name = words.first().cloned().unwrap_or_default();
    let program = Program { words, input: text, output: Output::Errors, most: 2 * MOST_SAID, patience: timeout };
    let ran = program.run().await.map_err(|cause| NotDelivered::NotStarted(name.clone(), cause))?;
    let said = || Said(told(&ran.said, parsed));
    match ran.status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(NotDelivered::Failed(name, status, said())),
        None => Err(NotDelivered::Hung(name, said(), timeout)),
    }
}

/// Whether there is a program that could be run, found as the system would find it. `path` is where those without a
/// directory are looked for.
pub(super) fn look(words: &[String], path: &OsStr) -> Result<(), NotDelivered> {
    let name = words.first().cloned().unwrap_or_default();
    let found = |place: &Path| place.is_file() && access(place, Access::EXEC_OK).is_ok();
    let is_there = if name.contains('/') {
        found(Path::new(&name))
    } else {
        std::env::split_paths(path).any(|directory| found(&directory.join(&name)))
    };
    if is_there { Ok(()) } else { Err(NotDelivered::NotStarted(name, std::io::ErrorKind::NotFound.into())) }
}

/// What it said, in one line, without the values of the file.
fn told(said: &[u8], parsed: &Parsed) -> String {
    let mut text = String::from_utf8_lossy(said).into_owned();
    for entry in &parsed.accounts {
        text = entry.secrets.iter().fold(text, |text, item| item.value.taken_out_of(&text));
        text = entry.signatures.iter().fold(text, |text, item| item.value.taken_out_of(&text));
    }
    for key in parsed.applications.iter().flat_map(|entry| &entry.keys) {
        let key = key.value.written().unwrap_or_default();
        text = key.lines().filter(|line| line.len() >= KEY_LINE).fold(text, |text, line| text.replace(line, "[hidden]"));
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(MOST_SAID).collect()
}
