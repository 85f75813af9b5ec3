//! The binary itself: exit codes, what goes to standard output and what to standard error.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::admin::Room;

/// What a run came to.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the binary in a directory, with nothing in its environment but `variables`.
async fn run_in(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonage-sidecar"));
    command.current_dir(directory).args(arguments).env_clear().envs(variables.iter().copied());
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Run { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
}

async fn run(arguments: &[&str]) -> Run {
    run_in(TempDir::new().unwrap().path(), arguments, &[]).await
}

/// A port of this machine at which nothing listens.
fn closed_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_wrong_use_is_exit_2_on_standard_error() {
    for arguments in [&["no-such-command"][..], &["status", "--no-such-option"], &["status", "--admin", "example.com:1"], &[]] {
        let run = run(arguments).await;
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.err.contains("Usage:") || run.err.contains("--help"), "{}", run.err);
    }
}

/// Nothing that was said is left out of account: what does not go with the rest is told, also where both are in a group.
#[tokio::test]
async fn an_argument_that_would_be_ignored_is_a_wrong_use_with_a_remedy() {
    for line in [
        "rotate --account abcd1234 --now",
        "rotate --account abcd1234 --window 02:00-02:30",
        "rotate --all --now",
        "rotate --match sub* --window 02:00-02:30",
        "rotate --if-due --now",
        "rotate --if-due --window 02:00-02:30",
        "rotate --application a --now --window 02:00-02:30",
        "rotate --application a --now --emergency",
        "rotate --application a --now --approve id",
        "rotate --application a --now --leaked id",
        "rotate --if-due --approve id",
        "rotate --if-due --emergency",
        "rotate --if-due --leaked id",
        "rotate --if-due --revoke-first",
        "rotate --if-due --resume",
        "rotate --if-due --abort",
        "rotate --if-due --dry-run",
        "rotate --account abcd1234 --all",
        "rotate --account abcd1234 --leaked id",
        "rotate --account abcd1234 --revoke-first",
        "rotate --account abcd1234 --emergency --revoke-first --deadline 5s",
        "rotate --account abcd1234 --resume --abort",
        "rotate --account abcd1234 --dry-run --approve id",
        "secrets audit --csv --json",
        "secrets audit --csv --history 1y",
        "demo --json --plain",
        "emulator --tls-cert some.pem",
        "emulator --tls-key some.pem",
    ] {
        let run = run(&line.split(' ').collect::<Vec<_>>()).await;
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}: {}", run.err);
        let first = run.err.lines().next().unwrap();
        let is_about_it = line.split(' ').any(|word| word.starts_with("--") && first.contains(word));
        assert!(run.err.contains("Usage: ") || is_about_it && run.err.contains("\n\nhint: "), "{line}: {}", run.err);
    }
}

#[tokio::test]
async fn help_and_version_are_data() {
    let help = run(&["--help"]).await;
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(help.out.contains("status") && help.out.contains("health") && help.out.contains("Exit codes"), "{}", help.out);
    let version = run(&["--version"]).await;
    assert_eq!(version.out, format!("vonage-sidecar {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn health_is_yes_or_no_and_never_a_third_answer() {
    let room = Room::start();
    let admin = room.admin.to_string();
    let unready = run(&["health", "--admin", &admin]).await;
    assert_eq!((unready.code, unready.out.as_str()), (Some(1), ""));
    assert!(unready.err.starts_with("error: the sidecar is not ready\ncaused by: no valid credentials file"), "{}", unready.err);
    let live = run(&["health", "--live", "--admin", &admin]).await;
    assert_eq!((live.code, live.out.as_str(), live.err.as_str()), (Some(0), "live\n", ""));
    room.load();
    let ready = run(&["health", "--admin", &admin]).await;
    assert_eq!((ready.code, ready.out.as_str()), (Some(0), "ready\n"));
    let gone = run(&["health", "--admin", &closed_port()]).await;
    assert_eq!(gone.code, Some(1));
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("sidecar.toml"), "not toml at all").unwrap();
    assert_eq!(run_in(directory.path(), &["health"], &[]).await.code, Some(1));
}

#[tokio::test]
async fn status_is_a_table_for_people_and_a_document_for_programs() {
    let room = Room::start();
    room.load();
    let admin = room.admin.to_string();
    let table = run(&["status", "--admin", &admin]).await;
    assert_eq!((table.code, table.err.as_str()), (Some(0), ""));
    assert!(table.out.contains("/etc/vonage-sidecar/credentials.toml is in use, last good 3s ago, watched by events"), "{}", table.out);
    let json = run(&["status", "--json", "--admin", &format!("localhost:{}", room.admin.port())]).await;
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((document["schema"].as_u64(), document["generation"].as_u64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_sidecar_that_cannot_be_asked_is_exit_2_with_a_hint() {
    let address = closed_port();
    let run = run(&["status", "--admin", &address]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    let expected = format!("error: the sidecar at {address} cannot be asked\ncaused by: nothing answers at {address}\ncaused by: ");
    assert!(run.err.starts_with(&expected), "{}", run.err);
    assert!(run.err.contains("\n\nhint: "), "{}", run.err);
}

#[tokio::test]
async fn the_settings_name_the_admin_address() {
    let room = Room::start();
    room.load();
    let settings = format!("[admin]\naddress = \"{}\"\n", room.admin);
    let directory = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    let path = directory.path().join("sidecar.toml");
    std::fs::write(&path, settings).unwrap();
    let path = path.to_str().unwrap();
    let here = run_in(directory.path(), &["health"], &[]).await;
    assert_eq!(here.out, "ready\n", "{}", here.err);
    assert_eq!(run_in(elsewhere.path(), &["health", "--config", path], &[]).await.out, "ready\n");
    assert_eq!(run_in(elsewhere.path(), &["health"], &[("VONAGE_SIDECAR_CONFIG", path)]).await.out, "ready\n");
    let asked = [("VONAGE_SIDECAR_CONFIG", "/no/such/file")];
    assert_eq!(run_in(elsewhere.path(), &["health", "--config", path], &asked).await.out, "ready\n");
    assert_eq!(run_in(directory.path(), &["health"], &[("VONAGE_SIDECAR_CONFIG", "")]).await.out, "ready\n");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_never_replaced_by_defaults() {
    let directory = TempDir::new().unwrap();
    let missing = run_in(directory.path(), &["status", "--config", "gone.toml"], &[]).await;
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("error: the settings cannot be read\ncaused by: gone.toml does not exist"), "{}", missing.err);
    std::fs::create_dir(directory.path().join("sidecar.toml")).unwrap();
    let not_a_file = run_in(directory.path(), &["status"], &[]).await;
    assert!(not_a_file.err.contains("sidecar.toml is a directory"), "{}", not_a_file.err);
    let bad = directory.path().join("bad.toml");
    std::fs::write(&bad, "[admin]\nadress = \"127.0.0.1:1\"\nother = 1\n").unwrap();
    let unusable = run_in(directory.path(), &["status", "--config", "bad.toml"], &[]).await;
    assert_eq!(unusable.code, Some(2));
    assert!(unusable.err.starts_with("error: the settings cannot be used\ncaused by: bad.toml:"), "{}", unusable.err);
}
