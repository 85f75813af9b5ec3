//! A program that gets a new credentials file on its standard input.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{NotDelivered, Said};
use crate::credentials::file::Parsed;

/// The most that is told of what a program says.
const MOST_SAID: usize = 2000;
/// A line of a key that is shorter could be an ordinary word.
const KEY_LINE: usize = 16;

/// Runs a program and hands it the text; `parsed` are the values that must not be told.
pub(super) async fn run(words: &[String], timeout: Duration, text: &str, parsed: &Parsed) -> Result<(), NotDelivered> {
    let name = words.first().cloned().unwrap_or_default();
    let mut command = Command::new(&name);
    command
        .args(words.iter().skip(1))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|cause| NotDelivered::NotStarted(name.clone(), cause))?;
    let mut said = Vec::new();
    let ended = tokio::time::timeout(timeout, talk(&mut child, text, &mut said)).await;
    let told = |said: &[u8]| Said(told(said, parsed));
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotDelivered::Failed(name, status, told(&said))),
        Ok(Err(cause)) => Err(NotDelivered::NotStarted(name, cause)),
        Err(_) => {
            end(&mut child).await;
            Err(NotDelivered::Hung(name, told(&said), timeout))
        }
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

/// Hands the text over while it listens: a program that talks before it has read would otherwise wait for ever.
async fn talk(child: &mut Child, text: &str, said: &mut Vec<u8>) -> std::io::Result<std::process::ExitStatus> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let hand_over = async {
        if let Some(mut stdin) = stdin {
            // A program may end without reading all of it: then its code says whether that was well.
            if stdin.write_all(text.as_bytes()).await.is_ok() {
                drop(stdin.shutdown().await);
            }
        }
    };
    let listen = async {
        let Some(mut stderr) = stderr else { return };
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = stderr.read(&mut piece).await {
            let room = MOST_SAID.saturating_mul(2).saturating_sub(said.len());
            said.extend(piece.iter().take(length.min(room)));
        }
    };
    let ((), (), status) = tokio::join!(hand_over, listen, child.wait());
    status
}

/// Ends it with everything that it started.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group
        && kill_process_group(group, Signal::KILL).is_err()
    {
        // It has ended in the meantime.
    }
    drop(child.wait().await);
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
