//! The files under `config/` are the reference: they parse, show the defaults, and leave nothing out.

use std::path::{Path, PathBuf};

use vonage_sidecar::config::{self, Settings};
use vonage_sidecar::credentials::{Keep, SignatureMethod, file};
use vonage_sidecar::jwt::generate;
use zeroize::Zeroizing;

const SIDECAR: &str = include_str!("../../config/sidecar.toml");
const CREDENTIALS: &str = include_str!("../../config/credentials.example.toml");

/// The reference with its optional settings switched on: they are the lines with '#' and no space.
fn everything() -> String {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    SIDECAR.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_of_the_settings_is_the_defaults() {
    let (settings, warnings) = config::parse(Path::new("sidecar.toml"), SIDECAR).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_reference_of_the_settings_with_everything_switched_on_is_sound() {
    let (settings, warnings) = config::parse(Path::new("sidecar.toml"), &everything()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(settings.upstream.hosts.len(), 1);
}

/// `Debug` of the mirror shows every field, so one that the reference leaves out is seen as absent. Of the listeners,
/// each has some.
#[test]
fn every_setting_is_in_the_reference() {
    let (mirror, misspelt) = config::file::read(Path::new("sidecar.toml"), &everything()).unwrap();
    assert!(misspelt.is_empty(), "{misspelt}");
    let shown = format!("{mirror:#?}");
    let absent = |line: &&str| line.ends_with(": None,") || line.ends_with(": [],") || line.ends_with(": {},");
    let (listeners, rest) = shown.split_once("\n    admin: ").unwrap();
    let name = |line: &str| line.split(':').next().unwrap().to_owned();
    let shown_somewhere: Vec<String> = listeners.lines().map(str::trim).filter(|line| !absent(line)).map(name).collect();
    let of_no_listener = listeners.lines().map(str::trim).filter(absent).filter(|line| !shown_somewhere.contains(&name(line)));
    let left_out: Vec<&str> = of_no_listener.chain(rest.lines().map(str::trim).filter(absent)).collect();
    assert!(left_out.is_empty(), "not in config/sidecar.toml: {left_out:?}");
    assert!(format!("{:#?}", config::file::File::default()).lines().filter(|line| absent(&line.trim())).count() > 20);
}

/// A sentence stands above each setting; a first one may have it above its table.
#[test]
fn every_setting_is_explained() {
    let lines: Vec<&str> = SIDECAR.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = pair[1].trim_start_matches('#').split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        let is_table = |line: &str| line.trim_start_matches('#').starts_with('[');
        assert!(!is_setting || pair[0].starts_with("# ") || is_table(pair[0]), "not explained: {}", pair[1]);
    }
}

#[test]
fn the_example_of_the_credentials_can_be_used_as_it_is() {
    assert_eq!(file::references(CREDENTIALS), [PathBuf::from("private.key")]);
    let pem = generate::key_pair().unwrap().private;
    let referenced = [(PathBuf::from("private.key"), Ok(Zeroizing::new(pem.as_pem().as_bytes().to_vec())))].into();
    let (parsed, problems) = file::parse(Path::new("credentials.toml"), CREDENTIALS, &referenced);
    assert!(problems.is_empty(), "{problems}");
    let parsed = parsed.unwrap();
    let account = &parsed.accounts[0];
    assert_eq!((account.secrets.len(), account.signatures.len(), account.signature_method), (2, 1, SignatureMethod::Sha256));
    assert_eq!(account.secrets[1].label.keep, Keep::Yes);
    assert!(account.primary.is_some() && parsed.revision.is_some());
    assert_eq!(parsed.applications[0].keys.len(), 1);
}

/// The flat form that the example shows in its comment.
#[test]
fn the_flat_form_in_the_example_can_be_used_as_it_is() {
    let text: String =
        CREDENTIALS.lines().filter_map(|line| line.strip_prefix("#     ")).fold(String::new(), |text, line| text + line + "\n");
    let (parsed, problems) = file::parse(Path::new("credentials.toml"), &text, &file::Referenced::new());
    assert!(problems.is_empty(), "{problems}");
    assert_eq!(parsed.unwrap().accounts[0].secrets.len(), 2);
}
