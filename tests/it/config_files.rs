//! The files under `config/` are the reference: they parse, show the defaults, and leave nothing out.

use std::path::Path;

use vonage_sidecar::config::{self, Settings};

const SIDECAR: &str = include_str!("../../config/sidecar.toml");

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

/// `Debug` of the mirror shows every field, so one that the reference leaves out is seen as absent.
#[test]
fn every_setting_is_in_the_reference() {
    let mirror = config::file::read(Path::new("sidecar.toml"), &everything()).unwrap();
    let shown = format!("{mirror:#?}");
    let absent = |line: &&str| line.ends_with(": None,") || line.ends_with(": [],") || line.ends_with(": {},");
    let left_out: Vec<&str> = shown.lines().map(str::trim).filter(absent).collect();
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
