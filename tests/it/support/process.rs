//! The real binary as a process of its own: what it is told, what it says, how it ends.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::watch;
use vonage_sidecar::emulator::{Emulator, Options, Running};
use vonage_sidecar::vonage::hosts::Host;

use super::sidecar::PATIENCE;

/// For a command that ends by itself.
const LONGEST_RUN: std::time::Duration = std::time::Duration::from_secs(90);

/// A directory for a process: its settings, its credentials.
pub struct Home {
    directory: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Puts a file there by rename, as every careful writer does.
    pub fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let temporary = self.file("being-written");
        std::fs::write(&temporary, text).unwrap();
        std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&temporary, self.file(name)).unwrap();
    }

    /// Runs a command to its end, with nothing in its environment but `variables`.
    pub async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = command(self.path(), arguments);
        command.envs(variables.iter().copied());
        ended(command).await
    }

    /// The same with a text on its standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        self.write("input", input);
        let mut command = command(self.path(), arguments);
        command.stdin(std::fs::File::open(self.file("input")).unwrap());
        ended(command).await
    }

    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[]).await
    }

    /// Starts a process that goes on.
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(command(self.path(), arguments))
    }

    /// Starts a sidecar on free ports with these settings beside the ones that every test needs, and waits until it
    /// listens. `upstream` stands in for every Vonage host.
    pub async fn sidecar(&self, upstream: SocketAddr, settings: &str) -> Process {
        self.with_settings(&format!("{}{settings}", free_ports_and(upstream))).await
    }

    /// The same with settings that say everything.
    pub async fn with_settings(&self, settings: &str) -> Process {
        self.write("sidecar.toml", settings);
        let mut process = self.start(&["run"]);
        process.listens().await;
        process
    }
}

/// Settings with free ports that send every Vonage host to this address.
pub fn free_ports_and(upstream: SocketAddr) -> String {
    listening(&[FREE_PORT], upstream)
}

/// The same with these listeners, each the inside of a table in one line.
pub fn listening(listeners: &[&str], upstream: SocketAddr) -> String {
    let listen: Vec<String> = listeners.iter().map(|listener| format!("  {{ {listener} }},\n")).collect();
    format!("listen = [\n{}]\nadmin.address = \"127.0.0.1:0\"\n{}", listen.concat(), instead_of_vonage(upstream))
}

/// A place at which every test can listen.
pub const FREE_PORT: &str = "address = \"127.0.0.1:0\"";

/// The settings that send every Vonage host to this address.
pub fn instead_of_vonage(upstream: SocketAddr) -> String {
    Host::all().fold(String::new(), |text, host| format!("{text}upstream.hosts.\"{host}\" = \"http://{upstream}\"\n"))
}

/// An emulated Vonage in this process.
pub async fn vonage(options: Options) -> Running {
    Emulator::bind(options).await.unwrap()
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonage-sidecar"));
    command.current_dir(directory).args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs to the end. One that does not come to it is killed.
async fn ended(mut command: Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let mut running = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let in_time = tokio::time::timeout(LONGEST_RUN, &mut running).await;
    if in_time.is_err() {
        kill_process(pid, Signal::KILL).ok();
        panic!("did not end: {command:?}: {:?}", running.await.unwrap());
    }
    let output = in_time.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// What a file holds; nothing when it is not there.
pub fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a run came to.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A process that runs. Dropped, it is killed.
pub struct Process {
    pub pid: Pid,
    /// Where callers reach it.
    pub data: Vec<SocketAddr>,
    /// Where operators and observers reach it.
    pub admin: Vec<SocketAddr>,
    out: watch::Receiver<Vec<u8>>,
    err: watch::Receiver<Vec<u8>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() && kill_process(self.pid, Signal::KILL).is_err() {
            // It has just ended.
        }
    }
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (out, err) = (collected(child.stdout.take().unwrap()), collected(child.stderr.take().unwrap()));
        let (tell, ended) = watch::channel(None);
        std::thread::spawn(move || tell.send_replace(Some(child.wait().unwrap())));
        Self { pid, data: Vec::new(), admin: Vec::new(), out, err, ended }
    }

    /// Waits until it says where it listens.
    async fn listens(&mut self) {
        let line = self.says("\"listening\"").await;
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        let addresses = |field: &str| -> Vec<SocketAddr> {
            let text = document[field].as_str().unwrap();
            text.trim_matches(['[', ']']).split(", ").map(|address| address.trim_matches('"').parse().unwrap()).collect()
        };
        (self.data, self.admin) = (addresses("data"), addresses("admin"));
    }

    /// Waits for a line on standard error that holds this, and returns it.
    pub async fn says(&self, words: &str) -> String {
        line_with(self.err.clone(), words).await
    }

    /// The same on standard output.
    pub async fn prints(&self, words: &str) -> String {
        line_with(self.out.clone(), words).await
    }

    /// Waits until it has printed so many lines, or has ended.
    pub async fn prints_lines_or_ends(&self, count: usize) {
        self.prints_or_ends(|bytes| bytes.split(|byte| *byte == b'\n').count() > count).await;
    }

    /// Waits until it has printed this, or has ended.
    pub async fn prints_words_or_ends(&self, words: &str) {
        self.prints_or_ends(|bytes| String::from_utf8_lossy(bytes).contains(words)).await;
    }

    async fn prints_or_ends(&self, is_printed: impl FnMut(&Vec<u8>) -> bool) {
        let (mut out, mut ended) = (self.out.clone(), self.ended.clone());
        let either = async {
            tokio::select! {
                _printed = out.wait_for(is_printed) => {}
                _over = ended.wait_for(Option::is_some) => {}
            }
        };
        tokio::time::timeout(PATIENCE, either).await.expect("it neither printed nor ended");
    }

    /// Everything it has written so far, to standard output and to standard error.
    pub fn written(&self) -> (Vec<u8>, Vec<u8>) {
        (self.out.borrow().clone(), self.err.borrow().clone())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end and returns its exit code.
    pub async fn ends(&self) -> Option<i32> {
        let mut ended = self.ended.clone();
        let status = tokio::time::timeout(PATIENCE, ended.wait_for(Option::is_some)).await;
        status.expect("it did not end").unwrap().unwrap().code()
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }
}

async fn line_with(mut pipe: watch::Receiver<Vec<u8>>, words: &str) -> String {
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(words)).map(str::to_owned)
    };
    if let Ok(Ok(bytes)) = tokio::time::timeout(PATIENCE, pipe.wait_for(|bytes| line(bytes).is_some())).await {
        return line(&bytes).unwrap();
    }
    panic!("never said {words}: {}", String::from_utf8_lossy(&pipe.borrow()));
}

/// What comes out of a pipe, read until its end by a thread of its own.
pub fn collected(mut pipe: impl Read + Send + 'static) -> watch::Receiver<Vec<u8>> {
    let (sender, receiver) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            sender.send_modify(|all: &mut Vec<u8>| all.extend_from_slice(&piece[..length]));
        }
        // The sender must outlive the pipe's end, so that what was said can still be waited for.
        std::mem::forget(sender);
    });
    receiver
}
