//! The metrics page is complete, and what left the file leaves the page.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A page on which every metric has at least one sample.
fn full_page() -> String {
    let metrics = Metrics::new();
    metrics.request("sms", 200, Duration::from_millis(30));
    metrics.attempt(Host::REST, Verdict::Refused);
    metrics.fallback(FallbackOutcome::Accepted);
    metrics.hold(HoldOutcome::Served);
    metrics.tunnel(TunnelOutcome::Served);
    metrics.caller_secret(CallerSecret::Held);
    metrics.own_error("no_credential");
    metrics.probe("accepted");
    metrics.reload("published");
    metrics.rotation(RotationOutcome::Done);
    metrics.connection_opened();
    metrics.panicked();
    let rotation = RotationScrape { secret_age_seconds: Some(90.0), overdue: 1, drift: 2, step: Some(("soak".to_owned(), 4.5)) };
    metrics.render(&Scrape {
        generation: 3,
        accounts: vec![AccountScrape {
            key: "abcd1234".to_owned(),
            usable: 1,
            preferred_refused: Duration::from_secs(7),
            rotation: Some(rotation),
        }],
        applications: vec![ApplicationScrape { id: "app-1".to_owned(), usable: 2 }],
        retiring: 1,
        file: FileScrape { ok: 1, last_good: Some(Duration::from_secs(2)) },
        upstream: vec![(Host::REST, "h2", 2)],
        in_flight: 4,
        log_lines_dropped: 5,
    })
}

/// Name, labels and whether there is help, as printed. Buckets are part of their histogram.
fn printed(page: &str) -> BTreeMap<String, (BTreeSet<String>, bool)> {
    let mut helps: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            helps.insert(name, help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let shown = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            found.insert(shown, (BTreeSet::new(), helps.get(name).is_some_and(|help| help.len() > 3)));
        } else if let Some((name, rest)) = line.split_once('{') {
            let labels = rest.rsplit_once("\"}").unwrap().0.split("\",").map(|pair| pair.split_once('=').unwrap().0.to_owned());
            if let Some((known, _)) = found.get_mut(name) {
                known.extend(labels);
            }
        }
    }
    found
}

/// Name and labels, as the first lines of the file list them.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    include_str!("../metrics.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! - `"))
        .map(|line| {
            let (name, rest) = line.split_once('`').unwrap();
            let labels = rest.trim_start().strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
            (name.to_owned(), labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_metric_has_help_and_our_prefix() {
    let page = full_page();
    let found = printed(&page);
    assert!(found.len() > 15);
    for (name, (_, has_help)) in found {
        assert!(has_help, "{name} has no help");
        assert!(name.starts_with("vonage_sidecar_"), "{name}");
    }
}

#[test]
fn the_documented_list_is_what_is_printed() {
    let found: BTreeMap<_, _> = printed(&full_page()).into_iter().map(|(name, (labels, _))| (name, labels)).collect();
    assert_eq!(found, documented());
}

#[test]
fn what_was_counted_is_on_the_page() {
    let page = full_page();
    for line in [
        r#"vonage_sidecar_requests_total{endpoint="sms",class="2xx"} 1"#,
        r#"vonage_sidecar_attempts_total{host="rest.nexmo.com",verdict="refused"} 1"#,
        r#"vonage_sidecar_fallbacks_total{outcome="accepted"} 1"#,
        r#"vonage_sidecar_fallbacks_total{outcome="budget"} 0"#,
        r#"vonage_sidecar_caller_secret_total{kind="held"} 1"#,
        r#"vonage_sidecar_request_duration_seconds_bucket{le="0.05"} 1"#,
        r#"vonage_sidecar_usable_secrets{account="abcd1234"} 1"#,
        r#"vonage_sidecar_usable_private_keys{application="app-1"} 2"#,
        r#"vonage_sidecar_preferred_refused_seconds{account="abcd1234"} 7.0"#,
        r#"vonage_sidecar_upstream_connections{host="rest.nexmo.com",protocol="h2"} 2"#,
        r#"vonage_sidecar_secret_age_seconds{account="abcd1234"} 90.0"#,
        r#"vonage_sidecar_rotation_overdue{account="abcd1234"} 1"#,
        r#"vonage_sidecar_secret_drift{account="abcd1234"} 2"#,
        r#"vonage_sidecar_rotation_step_seconds{account="abcd1234",step="soak"} 4.5"#,
        r#"vonage_sidecar_rotations_total{outcome="done"} 1"#,
        r#"vonage_sidecar_rotations_total{outcome="stuck"} 0"#,
        "vonage_sidecar_caller_connections 1",
        "vonage_sidecar_in_flight_requests 4",
        "vonage_sidecar_log_lines_dropped_total 5",
    ] {
        assert!(page.lines().any(|printed| printed == line), "{line} is missing in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn an_account_that_is_gone_is_gone_from_the_page() {
    let metrics = Metrics::new();
    let account = AccountScrape { key: "gone1234".to_owned(), usable: 2, preferred_refused: Duration::ZERO, rotation: None };
    assert!(metrics.render(&Scrape { accounts: vec![account], ..Scrape::default() }).contains("gone1234"));
    assert!(!metrics.render(&Scrape::default()).contains("gone1234"));
}

#[test]
fn what_was_counted_can_be_asked_for() {
    let metrics = Metrics::new();
    metrics.fallback(FallbackOutcome::Accepted);
    metrics.fallback(FallbackOutcome::Accepted);
    metrics.fallback(FallbackOutcome::Refused);
    metrics.hold(HoldOutcome::InVain);
    metrics.panicked();
    assert_eq!((metrics.fallbacks(FallbackOutcome::Accepted), metrics.fallbacks(FallbackOutcome::Budget)), (2, 0));
    assert_eq!((metrics.holds(HoldOutcome::InVain), metrics.holds(HoldOutcome::Served), metrics.panics()), (1, 0, 1));
}
