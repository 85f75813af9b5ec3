//! Where the files are can be said at each command, wherever on the line.

use super::{GOOD, home};
use crate::secrets::rig::family;
use crate::support::process::Home;

/// A directory in which nothing is, so that only what the line says leads to the files.
async fn from_elsewhere(line: &str, variables: &[(&str, &str)]) -> String {
    let ended = Home::new().run_with(&line.split(' ').collect::<Vec<_>>(), variables).await;
    assert_eq!(ended.code, Some(0), "{line}: {}{}", ended.out, ended.err);
    ended.out
}

#[tokio::test]
async fn a_pause_is_told_where_the_files_are_before_and_after_its_name() {
    let home = home(Some("[rotation]\nstate_dir = \"state\"\n"), Some(GOOD));
    let (config, other) = (home.file("sidecar.toml"), home.file("other"));
    let (config, other) = (config.to_str().unwrap(), other.to_str().unwrap());
    let mark = |directory: &str| home.file(directory).join("schedule-paused").exists();
    from_elsewhere(&format!("schedule pause --config {config}"), &[]).await;
    assert!(mark("state") && !mark("other"));
    from_elsewhere(&format!("schedule --config {config} resume"), &[]).await;
    assert!(!mark("state"));
    // What is said counts before what the environment says, on either side of the name.
    let gone = [("VONAGE_SIDECAR_CONFIG", "/no/such/file")];
    from_elsewhere(&format!("schedule --config {config} pause --state-dir {other}"), &gone).await;
    assert!(mark("other") && !mark("state"));
    from_elsewhere(&format!("schedule --state-dir {other} resume --config {config}"), &gone).await;
    assert!(!mark("other"));
}

#[tokio::test]
async fn commands_about_secrets_are_told_where_the_files_are_before_and_after_their_names() {
    let desk = family().await;
    let files =
        format!("--config {} --credentials {}", desk.home.file("sidecar.toml").display(), desk.home.file("credentials.toml").display());
    for (room, command, words) in [
        ("secrets", "list --account master01", "ID"),
        ("secrets", "audit", "master01"),
        ("subaccounts", "list --with master01", "sub00001"),
    ] {
        for line in [format!("{room} {files} {command}"), format!("{room} {command} {files}")] {
            assert!(from_elsewhere(&line, &[]).await.contains(words), "{line}");
        }
    }
}
