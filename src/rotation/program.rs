//! Runs a program of somebody else: a text on its standard input, what it says on one of its outputs, a limit of time.
//!
//! Invariants: it is in a process group of its own, and what is cut short, by the limit or by us, ends with everything
//! that it started; a program that has ended has ended, also when it left a process behind that holds its outputs open:
//! what was said by then counts.
//!
//! Not here: what is handed over and what its code means (`sinks`, `notify`, `fleet`).

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// How long what an ended program has said may take to be read, where another process holds its output open.
const REST: Duration = Duration::from_millis(500);

/// A program and how it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'p> {
    /// Its name and its arguments, without a shell.
    pub(super) words: &'p [String],
    /// What it gets on its standard input.
    pub(super) input: &'p str,
    /// To which of its outputs is listened; the other one goes nowhere.
    pub(super) output: Output,
    /// The most that is kept of what it says.
    pub(super) most: usize,
    /// How long it may take.
    pub(super) patience: Duration,
}

/// An output of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The standard one.
    Standard,
    /// That of errors.
    Errors,
}

/// What came of a program that was started.
#[derive(Debug)]
pub(super) struct Ran {
    /// How it ended; none when it was ended, with everything that it started.
    pub(super) status: Option<ExitStatus>,
    /// What it said.
    pub(super) said: Vec<u8>,
}

impl Program<'_> {
    /// Runs it.
    pub(super) async fn run(&self) -> std::io::Result<Ran> {
        let mut group = Group(self.command().spawn()?);
        let mut said = Vec::new();
        if let Ok(status) = tokio::time::timeout(self.patience, self.talk(&mut group.0, &mut said)).await {
            return Ok(Ran { status: Some(status?), said });
        }
        group.end();
        drop(group.0.wait().await);
        Ok(Ran { status: None, said })
    }

    fn command(&self) -> Command {
        let (out, err) = match self.output {
            Output::Standard => (Stdio::piped(), Stdio::null()),
            Output::Errors => (Stdio::null(), Stdio::piped()),
        };
        let mut command = Command::new(self.words.first().map_or("", String::as_str));
        command.args(self.words.iter().skip(1)).stdin(Stdio::piped()).stdout(out).stderr(err).process_group(0);
        command
    }

    /// Hands the text over while it listens: a program that talks before it has read would otherwise wait for ever.
    async fn talk(&self, child: &mut Child, said: &mut Vec<u8>) -> std::io::Result<ExitStatus> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let hand_over = async {
            let Some(mut stdin) = stdin else { return };
            // A program may end without reading all of it: then its code says whether that was well.
            if stdin.write_all(self.input.as_bytes()).await.is_ok() {
                drop(stdin.shutdown().await);
            }
        };
        let listen = async {
            match (stdout, stderr) {
                (Some(stdout), _) => heard(stdout, said, self.most).await,
                (None, Some(stderr)) => heard(stderr, said, self.most).await,
                (None, None) => {}
            }
        };
        let both = async { tokio::join!(hand_over, listen) };
        tokio::pin!(both);
        tokio::select! {
            ((), ()) = &mut both => child.wait().await,
            status = child.wait() => {
                let _whoever_holds_it_open = tokio::time::timeout(REST, both).await;
                status
            }
        }
    }
}

async fn heard(mut output: impl AsyncRead + Unpin, said: &mut Vec<u8>, most: usize) {
    let mut piece = vec![0; 4096];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        let room = most.saturating_sub(said.len());
        said.extend(piece.iter().take(length.min(room)));
    }
}

/// A program with everything that it starts. Dropped before its end, all of it is ended.
struct Group(Child);

impl Group {
    fn end(&self) {
        // It has a number only as long as nobody has seen its end: a number of another is never signalled.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group
            && kill_process_group(group, Signal::KILL).is_err()
        {
            // It has ended in the meantime.
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> [String; 3] {
        ["/bin/sh", "-c", script].map(str::to_owned)
    }

    fn program(words: &[String], patience: Duration) -> Program<'_> {
        Program { words, input: "", output: Output::Standard, most: 1000, patience }
    }

    /// Waits until the process whose number a script has printed is no more.
    async fn is_over(said: &[u8]) {
        let number: i32 = std::str::from_utf8(said).unwrap().trim().parse().unwrap();
        let state = || crate::files::read(std::path::Path::new(&format!("/proc/{number}/stat")), 4096).ok();
        let over = || state().is_none_or(|state| String::from_utf8_lossy(&state.bytes).contains(") Z "));
        let wait = async {
            while !over() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_has_ended_is_not_waited_for_because_of_what_it_left_behind() {
        let words = shell("sleep 600 & echo $!; echo $! >&2; exit 3");
        for output in [Output::Standard, Output::Errors] {
            let ran = Program { output, ..program(&words, LONG) }.run().await.unwrap();
            assert_eq!(ran.status.and_then(|status| status.code()), Some(3));
            // What it left behind is its own affair; here it is ours.
            let number: i32 = String::from_utf8(ran.said).unwrap().trim().parse().unwrap();
            rustix::process::kill_process(Pid::from_raw(number).unwrap(), Signal::KILL).unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_cut_short_ends_with_everything_that_it_started() {
        let words = shell("sleep 600 | cat & sleep 600 & echo $!; wait");
        let ran = program(&words, Duration::from_millis(300)).run().await.unwrap();
        assert!(ran.status.is_none());
        is_over(&ran.said).await;
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_any_more_ends_with_everything_that_it_started() {
        let words = shell("sleep 600 & echo $!; wait");
        let program = program(&words, LONG);
        let mut group = Group(program.command().spawn().unwrap());
        let mut said = Vec::new();
        let told = async {
            let mut stdout = group.0.stdout.take().unwrap();
            let mut piece = [0; 100];
            while !said.ends_with(b"\n") {
                let length = stdout.read(&mut piece).await.unwrap();
                said.extend_from_slice(piece.get(..length).unwrap());
            }
        };
        told.await;
        drop(group);
        is_over(&said).await;
    }

    #[tokio::test]
    async fn what_it_says_is_kept_up_to_a_limit_and_read_to_its_end() {
        let words = shell("head -c 300000 /dev/zero; exit 0");
        let ran = Program { most: 10, ..program(&words, LONG) }.run().await.unwrap();
        assert_eq!((ran.status.map(|status| status.success()), ran.said.len()), (Some(true), 10));
    }
}
