//! Many callers at once, and few descriptors.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away; a test's own stop-watch")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use vonage_sidecar::emulator::{Control, Emulator, Options};
use vonage_sidecar::vonage::hosts::Host;

use super::{SECRET, get, sidecar};
use crate::support::sidecar::{KEY, PATIENCE, one_account};
use crate::support::wire::{ask, next};

const CROWD: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_01_a_burst_of_connects_is_accepted_and_answered() {
    let sidecar = sidecar().await;
    let (to, since) = (sidecar.data, Instant::now());
    let mut callers = JoinSet::new();
    for _ in 0..CROWD {
        callers.spawn(async move { ask(to, b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.only().status });
    }
    assert!(callers.join_all().await.iter().all(|status| *status == 405));
    // A connect that the kernel drops is tried again after 1 s, then after 2 s more, then after 4 s more.
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_21_as_many_requests_as_connections_are_all_served() {
    let sidecar = sidecar().await;
    let (to, together) = (sidecar.data, Arc::new(Barrier::new(CROWD)));
    let mut callers = JoinSet::new();
    for _ in 0..CROWD {
        let together = Arc::clone(&together);
        callers.spawn(async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            together.wait().await;
            stream.write_all(get("").as_bytes()).await.unwrap();
            let answer = next(&mut stream).await;
            together.wait().await;
            (answer.status, answer.code().to_owned())
        });
    }
    let answers = tokio::time::timeout(4 * PATIENCE, callers.join_all()).await.expect("bounded");
    let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
}

/// The real binary with few descriptors.
struct Tight {
    process: Child,
    data: SocketAddr,
}

impl Drop for Tight {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Tight {
    /// Starts it and waits until it tells where it listens.
    async fn start(directory: &TempDir, vonage: SocketAddr) -> Self {
        let hosts: Vec<String> = Host::all().map(|host| format!("\"{}\" = \"http://{vonage}\"\n", host.name())).collect();
        let hosts = hosts.concat();
        let settings = format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\n[admin]\naddress = \"127.0.0.1:0\"\n[timeouts]\ncaller_head = \"1s\"\nidle = \"2s\"\n\
             [log]\nformat = \"json\"\n[upstream.hosts]\n{hosts}"
        );
        std::fs::write(directory.path().join("sidecar.toml"), settings).unwrap();
        let mut process = Command::new("sh")
            .args(["-c", "ulimit -n 96 && exec \"$0\" run", env!("CARGO_BIN_EXE_vonage-sidecar")])
            .current_dir(directory.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, mut found) = tokio::sync::mpsc::unbounded_channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.stdout.take().unwrap()), Box::new(process.stderr.take().unwrap())];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if let Some(address) = data_address(&line) {
                        sender.send(address).ok();
                    }
                }
            });
        }
        let data = tokio::time::timeout(PATIENCE, found.recv()).await.expect("it never listened").unwrap();
        Self { process, data }
    }
}

/// `"data":"[127.0.0.1:1234]"` of the line that says where it listens.
fn data_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("\"data\":")?;
    let start = rest.find("127.0.0.1:")?;
    rest[start..].split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).next()?.parse().ok()
}

fn write(directory: &TempDir, secrets: &[&str]) {
    let (file, new) = (directory.path().join("credentials.toml"), directory.path().join("new"));
    std::fs::write(&new, one_account(secrets)).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// A caller that is connected and never finishes its head.
async fn idler(to: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await.ok()?;
    Some(stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_20_with_few_descriptors_credentials_still_reload_and_good_callers_are_served_again() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[SECRET]);
    let emulator = Emulator::bind(Options::with_account(KEY, &[SECRET])).await.unwrap();
    let vonage: &Control = emulator.control();
    let tight = Tight::start(&directory, emulator.address()).await;
    let mut early = TcpStream::connect(tight.data).await.unwrap();
    early.write_all(get("").as_bytes()).await.unwrap();
    assert_eq!(next(&mut early).await.status, 200);

    let mut idlers = JoinSet::new();
    for _ in 0..200 {
        let to = tight.data;
        idlers.spawn(idler(to));
    }
    let idlers = idlers.join_all().await;

    // Nothing but a read of the file can bring this secret.
    vonage.create_secret(KEY, "Secret2aB3").unwrap();
    assert!(vonage.revoke_value(KEY, SECRET));
    write(&directory, &["Secret2aB3"]);
    early.write_all(get("").as_bytes()).await.unwrap();
    assert_eq!(next(&mut early).await.status, 200, "the new file was read");

    let served = ask(tight.data, get("Connection: close\r\n").as_bytes()).await.only();
    assert_eq!(served.status, 200, "a good caller gets its turn: {served:?}");
    drop(idlers);
}
