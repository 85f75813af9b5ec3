//! What people read is what the code does: every code, metric, command, setting, message and test that the README
//! names is there, and every code and metric that is there is in the README.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use vonage_sidecar::credentials::file;
use vonage_sidecar::{cli, config};
use zeroize::Zeroizing;

use crate::support::caller::Caller;
use crate::support::sidecar::Setup;

const README: &str = include_str!("../../README.md");
const FAULT: &str = include_str!("../../src/proxy/fault/table.rs");
const HEADERS: &str = include_str!("../../src/proxy/headers.rs");
const UPSTREAM: &str = include_str!("../../src/upstream/error.rs");
const ADMIN: [&str; 2] = [include_str!("../../src/admin/guard.rs"), include_str!("../../src/admin/serve.rs")];
const METRICS: &str = include_str!("../../src/metrics.rs");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The code of a file without its tests.
fn without_tests(source: &'static str) -> &'static str {
    source.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// Whether a text is the name of a code: two words or more, with underscores.
fn is_code(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Every literal of a source that is the name of a code. These files have no other literals of that form.
fn codes(source: &'static str) -> BTreeSet<String> {
    without_tests(source).split('"').filter(|text| is_code(text)).map(str::to_owned).collect()
}

/// The text under a heading or a line, up to the next line that is neither a table nor empty after the table began.
fn table(begin: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = README.split_once(begin).unwrap_or_else(|| panic!("no {begin:?}"));
    let lines = rest.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands between backticks in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names in the first column of a table.
fn first_column(begin: &str) -> BTreeSet<String> {
    table(begin).iter().map(|row| quoted(row[0]).first().copied().unwrap_or(row[0]).to_owned()).collect()
}

/// Code blocks of a language, as they are after the margin of the list that they may be in.
fn blocks(language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        let Some((margin, named)) = line.split_once("```").filter(|(margin, _)| margin.trim().is_empty()) else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        let text: Vec<&str> = block.map(|line| line.strip_prefix(margin).unwrap_or(line)).collect();
        found.extend((named == language).then(|| text.join("\n") + "\n"));
    }
    found
}

/// Every source file of the crate, tests included, as one text.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    text
}

#[test]
fn every_code_that_apps_can_see_is_in_the_readme_and_no_other() {
    let emitted: BTreeSet<String> = codes(FAULT).union(&codes(UPSTREAM)).cloned().collect();
    assert!(emitted.len() > 50, "the codes were not found");
    assert_eq!(first_column("\nTo apps:"), emitted);
}

#[test]
fn every_code_that_operators_can_see_is_in_the_readme_and_no_other() {
    let of_one_word = |source: &&'static str| without_tests(source).split("code: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let of_one_word = ADMIN.iter().flat_map(of_one_word).map(str::to_owned);
    let emitted: BTreeSet<String> = ADMIN.iter().flat_map(|source| codes(source)).chain(of_one_word).collect();
    assert!(emitted.len() > 10, "the codes were not found");
    assert_eq!(first_column("\nTo operators,"), emitted);
}

/// The rows of the table of faults that have one status have it in the README.
#[test]
fn the_status_of_a_code_is_the_one_in_the_readme() {
    let told: BTreeMap<String, String> = table("\nTo apps:").iter().map(|row| (quoted(row[0])[0].to_owned(), row[1].to_owned())).collect();
    let source = without_tests(FAULT);
    let mut seen = 0;
    for (at, _) in source.match_indices('"') {
        let (before, after) = (source[..at].trim_end(), &source[at + 1..]);
        let code = after.split('"').next().unwrap();
        let status = before.strip_suffix(',').map(|before| &before[before.len().saturating_sub(3)..]);
        if let Some(status) = status.filter(|status| is_code(code) && status.bytes().all(|byte| byte.is_ascii_digit())) {
            assert_eq!(told.get(code).map(String::as_str), Some(status), "{code}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen}");
}

/// The names between quotes of the tables that decide, against those between backticks of the section.
#[test]
fn the_headers_that_do_not_travel_are_those_of_the_readme() {
    let tables = without_tests(HEADERS).split("pub fn accept_encoding").next().unwrap();
    let literals = tables.split('"').skip(1).step_by(2).filter(|text| !text.is_empty());
    let dropped: BTreeSet<String> = literals.map(str::to_owned).collect();
    assert!(dropped.len() > 30, "{dropped:?}");
    let (_, rest) = README.split_once("\n## Headers that do not travel\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let named: BTreeSet<String> = quoted(section).into_iter().map(str::to_ascii_lowercase).collect();
    let rewritten = ["accept-encoding", "authorization", "content-length", "gzip, identity", "identity"].map(str::to_owned);
    assert_eq!(named, dropped.into_iter().chain(rewritten).collect());
}

#[test]
fn every_mark_of_a_refusal_in_the_readme_is_one_that_is_sent() {
    let sources = sources(&root("src/proxy"));
    for mark in first_column("| `x-sidecar-refused` |") {
        assert!(sources.contains(&format!("Some(\"{mark}\")")) || sources.contains(&format!("then_some(\"{mark}\")")), "{mark}");
    }
}

/// What a running sidecar answers is in the tables that were read out of the sources.
#[tokio::test]
async fn answers_of_a_running_sidecar_have_codes_of_the_readme() {
    let sidecar = Setup::new(&["Secret1aaa"], &["Secret1aaa"]).start().await;
    let mut app = Caller::new(sidecar.data);
    let mut operator = Caller::new(sidecar.admin);
    let (apps, operators) = (first_column("\nTo apps:"), first_column("\nTo operators,"));
    for path in ["/accounts/abcd1234/secrets", "/v1/calls", "/account/get-balance?api_key=nobody12"] {
        let answer = app.get(path).await;
        assert!(apps.contains(answer.code()), "{path}: {} {}", answer.status, answer.code());
    }
    for path in ["/nothing", "/reload"] {
        let answer = operator.get(path).await;
        assert!(operators.contains(answer.code()), "{path}: {} {}", answer.status, answer.code());
    }
}

/// The list at the top of the room is held equal to the page by a test of the room.
#[test]
fn every_metric_is_in_the_readme_and_no_other() {
    let documented = METRICS.lines().filter_map(|line| line.strip_prefix("//! - `")).map(|line| line.split('`').next().unwrap().to_owned());
    assert_eq!(first_column("\n## Metrics"), documented.collect());
}

/// The name on the page, a counter with its ending.
#[tokio::test]
async fn every_metric_of_a_running_sidecar_is_in_the_readme() {
    let sidecar = Setup::new(&["Secret2bbb"], &["Secret1aaa", "Secret2bbb"]).start().await;
    assert_eq!(Caller::new(sidecar.data).get("/account/get-balance").await.status, 200);
    let page = Caller::new(sidecar.admin).get("/metrics").await.text();
    let listed = first_column("\n## Metrics");
    let mut seen = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(listed.contains(&name), "{name}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_alerts_ask_for_metrics_and_labels_that_exist() {
    let listed = first_column("\n## Metrics");
    let labels = METRICS
        .split("//! - `")
        .skip(1)
        .filter_map(|line| line.split_once("` {"))
        .map(|(name, rest)| (name, rest.split('}').next().unwrap()));
    let labels: BTreeMap<&str, &str> = labels.filter(|(name, _)| !name.contains('`')).collect();
    let alerts = table("\nAlerts worth having:");
    assert!(alerts.len() > 5);
    for row in alerts {
        let asked = row[0];
        let (_, rest) = asked.split_once("vonage_sidecar_").unwrap_or_else(|| panic!("no metric: {asked}"));
        let end = rest.find(|next: char| !next.is_ascii_lowercase() && next != '_').unwrap();
        let name = format!("vonage_sidecar_{}", &rest[..end]);
        assert!(listed.contains(&name), "{name}");
        if let Some((label, rest)) = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once(['=', '!'])) {
            assert!(labels[name.as_str()].contains(label), "{name} has no {label}");
            let value = rest.split('"').nth(1).unwrap();
            assert!(METRICS.contains(&format!("=> \"{value}\"")), "{label} is never {value}");
        }
    }
}

/// Commands of a shell block, continued lines joined, here-documents left out.
fn commands() -> Vec<String> {
    let mut found = Vec::new();
    for block in blocks("sh") {
        let mut here = false;
        for line in block.replace("\\\n", " ").lines() {
            if here {
                here = line != "END";
            } else {
                here = line.contains("<<'END'");
                found.extend(line.split(" && ").map(str::to_owned));
            }
        }
    }
    found
}

/// The arguments of the program in a command, if it runs it.
fn arguments(command: &str) -> Option<Vec<&str>> {
    let rest = if let Some(rest) = command.strip_prefix("vonage-sidecar ") {
        rest
    } else if let Some((_, rest)) = command.split_once("cargo run --release -- ") {
        rest
    } else {
        command.strip_prefix("docker run ")?.split_once("vonage-sidecar ")?.1
    };
    Some(std::iter::once("vonage-sidecar").chain(rest.split(' ').filter(|word| !word.is_empty())).collect())
}

#[test]
fn every_command_in_the_readme_is_understood() {
    let commands = commands();
    let ours: Vec<Vec<&str>> = commands.iter().filter_map(|command| arguments(command)).collect();
    assert!(ours.len() > 8, "{ours:?}");
    let inline = README.split('`').skip(1).step_by(2).filter(|text| text.starts_with("vonage-sidecar ")).filter_map(arguments);
    for command in ours.iter().cloned().chain(inline) {
        if let Err(usage) = cli::understands(&command) {
            panic!("{command:?}: {usage}");
        }
    }
    assert!(cli::understands(&["vonage-sidecar", "no-such-command"]).is_err());
}

/// The names in the list of the top-level help, which is made of the commands themselves.
#[test]
fn every_command_is_in_the_list_of_the_readme_and_no_other() {
    let help = cli::understands(&["vonage-sidecar", "--help"]).expect_err("help is no command");
    let (_, rest) = help.split_once("\nCommands:\n").unwrap_or_else(|| panic!("no list: {help}"));
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let there: BTreeSet<&str> = lines.map(|line| line.split_whitespace().next().unwrap()).filter(|name| *name != "help").collect();
    assert!(there.len() > 10, "{there:?}");
    let told = README.split("\n**Commands:**").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(quoted(told).into_iter().collect::<BTreeSet<&str>>(), there);
}

/// The first things are the two commands, and beside them the one for those without a toolchain.
#[test]
fn the_readme_begins_with_the_demo_and_the_tests() {
    let first: Vec<String> = commands().into_iter().take(4).collect();
    let wanted =
        ["cargo run --release -- demo", "cargo test", "docker build -t vonage-sidecar .", "docker run --rm -it vonage-sidecar demo"];
    assert_eq!(first, wanted);
    assert!(README.find("```sh").unwrap() < 120);
}

/// The credentials of a text; every file it names holds a secret.
fn is_credentials(text: &str) -> bool {
    let named = file::references(text).into_iter().map(|path| (path, Ok(Zeroizing::new(b"Secret1aaa\n".to_vec()))));
    // Two files with the same content would be one secret, which is a warning and no error.
    let (parsed, problems) = file::parse(Path::new("credentials.toml"), text, &named.collect());
    parsed.is_some() && !problems.any_error()
}

#[test]
fn every_toml_and_json_block_is_settings_or_credentials() {
    let toml = blocks("toml");
    assert!(toml.len() > 4);
    for text in toml {
        let are_settings = config::parse(Path::new("sidecar.toml"), &text).is_ok_and(|(_, warnings)| warnings.is_empty());
        assert!(are_settings || is_credentials(&text), "{text}");
    }
    for text in blocks("json") {
        assert!(is_credentials(&text), "{text}");
    }
    // What the shell block of the first minute writes.
    let start = blocks("sh").into_iter().find(|block| block.contains("<<'END'")).unwrap();
    assert!(is_credentials(start.split("<<'END'\n").nth(1).unwrap().split("END\n").next().unwrap()));
}

#[test]
fn every_yaml_block_is_yaml() {
    for text in blocks("yaml") {
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert!(document["kind"].is_string(), "{text}");
    }
}

#[test]
fn every_message_of_the_troubleshooting_is_one_that_is_written() {
    let sources = sources(&root("src"));
    let rows = table("\n## Troubleshooting, by message");
    assert!(rows.len() > 10);
    for row in rows {
        let message = quoted(row[0])[0];
        assert!(sources.contains(message), "nobody says: {message}");
    }
}

#[test]
fn every_test_that_holds_a_guarantee_exists() {
    let rows = table("\n## Guarantees, and the tests that hold them");
    assert!(rows.len() > 15);
    for name in rows.iter().flat_map(|row| quoted(row[row.len() - 1])) {
        let module = name.split("::").next().unwrap();
        let (code, directory) = (root(&format!("tests/it/{module}.rs")), root(&format!("tests/it/{module}")));
        let mut text = std::fs::read_to_string(&code).unwrap_or_else(|error| panic!("{}: {error}", code.display()));
        if directory.is_dir() {
            text.push_str(&sources(&directory));
        }
        assert!(include_str!("main.rs").contains(&format!("mod {module};")), "{module} is not run");
        if let Some((_, test)) = name.rsplit_once("::") {
            assert!(text.contains(&format!("fn {test}(")) || text.contains(&format!("mod {test};")), "no test {name}");
        }
    }
}

/// Links to places on the page lead somewhere, and files that are named exist.
#[test]
fn every_place_and_file_that_is_named_exists() {
    let anchors: BTreeSet<String> = README
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace(',', ""))
        .collect();
    for link in README.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        assert!(anchors.contains(anchor), "{anchor}");
    }
    let words = README.split(|next: char| next.is_whitespace() || "`(),;".contains(next)).map(|word| word.trim_end_matches(['.', ':']));
    let in_tree =
        |word: &&str| ["config/", "examples/", "src/", "tests/", ".ci/", "CHANGELOG.md"].iter().any(|begin| word.starts_with(begin));
    let named: BTreeSet<&str> = words.filter(in_tree).collect();
    assert!(named.len() > 5, "{named:?}");
    for path in named {
        assert!(root(path).exists(), "{path}");
    }
}
