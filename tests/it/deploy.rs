//! The files that people deploy with say what the code does: Dockerfile, manifests, unit, compose file.
//!
//! Nothing here starts an engine or a cluster: the files are read and held against the code and against rules.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use vonage_sidecar::config::{self, Address, Place, Settings};
use vonage_sidecar::credentials::file;

const DOCKERFILE: &str = include_str!("../../Dockerfile");
const IGNORED: &str = include_str!("../../.dockerignore");
const POD: &str = include_str!("../../config/kubernetes/pod.yaml");
const UNIT: &str = include_str!("../../config/systemd/vonage-sidecar.service");
const COMPOSE: &str = include_str!("../../examples/compose.yaml");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Settings that are sound and warn of nothing.
fn settings(text: &str) -> Settings {
    let (settings, warnings) = config::parse(Path::new("/etc/vonage-sidecar/sidecar.toml"), text).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(warnings.is_empty(), "{warnings}");
    settings
}

/// Finds everything at a name, however deep.
fn all<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name));
            members.values().for_each(|member| all(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The item of a list with this name.
fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    let items = list.as_array().unwrap_or_else(|| panic!("{name} is looked for in what is no list"));
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

mod rotation;

mod image {
    use super::*;

    /// Instructions with their arguments; continued lines joined, comments left out.
    fn instructions() -> Vec<(String, String)> {
        let lines: Vec<&str> = DOCKERFILE.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let text = lines.join("\n").replace("\\\n", " ");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).unwrap()).collect()
    }

    fn last_stage() -> Vec<(String, String)> {
        let all = instructions();
        let begin = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
        all[begin..].to_vec()
    }

    fn only(word: &str) -> String {
        let stage = last_stage();
        let found: Vec<&String> = stage.iter().filter(|(found, _)| found == word).map(|(_, rest)| rest).collect();
        assert_eq!(found.len(), 1, "{word} in the last stage");
        found[0].clone()
    }

    fn json(word: &str) -> Vec<String> {
        let text = only(word);
        serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap()
    }

    #[test]
    fn every_instruction_is_one_that_exists_and_nothing_is_fetched_by_url() {
        let known = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
        for (word, rest) in instructions() {
            assert!(known.contains(&word.as_str()), "{word}");
            assert!(!rest.contains("://"), "{word} {rest}");
        }
    }

    #[test]
    fn it_is_built_in_one_stage_and_runs_in_another_both_by_tag_and_of_one_debian() {
        let stages: Vec<String> = instructions().into_iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest).collect();
        assert_eq!(stages.len(), 2);
        for stage in &stages {
            let image = stage.split(' ').next().unwrap();
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{image}");
        }
        assert!(stages[0].contains("bookworm") && stages[1].contains("debian12"), "{stages:?}");
        assert!(instructions().iter().any(|(word, rest)| word == "RUN" && rest.contains("--locked")));
    }

    /// The compiler of the image is not older than what the crate asks for.
    #[test]
    fn its_compiler_is_new_enough() {
        let image = &instructions()[0].1;
        let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
        let of_image = image.strip_prefix("rust:").unwrap().split('-').next().unwrap();
        assert!(minor(of_image) >= minor(env!("CARGO_PKG_RUST_VERSION")), "{of_image}");
    }

    #[test]
    fn it_runs_as_a_number_that_is_not_root_and_needs_no_shell() {
        let user = only("USER");
        assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
        assert_eq!(json("ENTRYPOINT"), ["/vonage-sidecar"]);
        assert_eq!(json("CMD"), ["run"]);
        assert_eq!(json("HEALTHCHECK"), ["/vonage-sidecar", "health"]);
        assert!(last_stage().iter().all(|(word, _)| word != "RUN"), "the last stage has no shell");
        assert!(last_stage().iter().any(|(word, rest)| word == "COPY" && rest.ends_with(" /vonage-sidecar")));
    }

    /// What is copied exists and is let through, and nothing else is let through: credentials stay out.
    #[test]
    fn the_engine_sees_what_the_build_reads_and_nothing_else() {
        let lines: Vec<&str> = IGNORED.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(lines[0], "*");
        let let_in: Vec<&str> = lines[1..].iter().map(|line| line.strip_prefix('!').unwrap()).collect();
        let copies = instructions().into_iter().filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
        let mut copied: Vec<String> = Vec::new();
        for (_, rest) in copies {
            let mut words: Vec<&str> = rest.split(' ').collect();
            words.pop();
            copied.extend(words.iter().map(ToString::to_string));
        }
        assert_eq!(copied, let_in);
        assert!(copied.iter().all(|path| root(path).exists()), "{copied:?}");
    }

    /// A file outside of what is copied would be missing when the image is built.
    #[test]
    fn the_sources_read_nothing_that_is_not_copied() {
        let mut open = vec![root("src")];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let of_tests = path.ends_with("tests.rs") || path.parent().is_some_and(|parent| parent.ends_with("tests"));
                let (code, _tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
                for include in code.split("include_str!(\"").skip(1).filter(|_| !of_tests) {
                    let included = path.parent().unwrap().join(include.split('"').next().unwrap());
                    let included = included.canonicalize().unwrap();
                    assert!(included.starts_with(root("src").canonicalize().unwrap()), "{} reads {}", path.display(), included.display());
                }
            }
        }
    }
}

mod kubernetes {
    use super::*;

    fn documents() -> Vec<Value> {
        serde_saphyr::from_multiple(POD).unwrap()
    }

    fn of_kind(kind: &str) -> Value {
        documents().into_iter().find(|document| document["kind"] == kind).unwrap()
    }

    fn embedded() -> Settings {
        settings(of_kind("ConfigMap")["data"]["sidecar.toml"].as_str().unwrap())
    }

    fn sidecar() -> Value {
        named(&of_kind("Pod")["spec"]["initContainers"], "vonage-sidecar").clone()
    }

    #[test]
    fn it_is_a_native_sidecar_that_runs_the_command() {
        let sidecar = sidecar();
        assert_eq!(sidecar["restartPolicy"], "Always");
        assert_eq!(sidecar["args"], serde_json::json!(["run"]));
        assert_eq!(sidecar["image"], format!("vonage-sidecar:{}", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn nothing_is_mounted_as_a_single_file() {
        let mut found = Vec::new();
        let documents = documents();
        for document in &documents {
            all(document, "subPath", &mut found);
            all(document, "subPathExpr", &mut found);
        }
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn the_credentials_file_of_the_settings_lies_in_the_mounted_secret() {
        let settings = embedded();
        let (sidecar, pod) = (sidecar(), of_kind("Pod"));
        let directory = settings.credentials.file.parent().unwrap().to_str().unwrap().to_owned();
        let mounts = sidecar["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"] == directory).unwrap();
        let volume = named(&pod["spec"]["volumes"], mount["name"].as_str().unwrap());
        assert!(volume["secret"]["secretName"].is_string(), "{volume}");
        let mode = volume["secret"]["defaultMode"].as_u64().unwrap();
        assert_eq!(mode & 0o037, 0, "{mode:o} would be warned of");
        assert_eq!(mode & 0o440, 0o440, "{mode:o} could not be read by the group");
        assert_eq!(pod["spec"]["securityContext"]["fsGroup"], pod["spec"]["securityContext"]["runAsUser"]);
        let key = settings.credentials.file.file_name().unwrap().to_str().unwrap();
        assert!(POD.contains(&format!("create secret generic {} --from-file={key}", volume["secret"]["secretName"].as_str().unwrap())));
    }

    /// The settings are found without an argument.
    #[test]
    fn the_settings_are_mounted_where_they_are_looked_for() {
        let (sidecar, pod) = (sidecar(), of_kind("Pod"));
        let mounts = sidecar["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"] == "/etc/vonage-sidecar").unwrap();
        let volume = named(&pod["spec"]["volumes"], mount["name"].as_str().unwrap());
        assert_eq!(volume["configMap"]["name"], of_kind("ConfigMap")["metadata"]["name"]);
    }

    #[test]
    fn every_probe_asks_the_observe_listener_of_the_embedded_settings() {
        let Address::Ip(observe) = embedded().admin.observe.unwrap().address else { panic!("the kubelet comes from outside") };
        assert!(observe.ip().is_unspecified());
        let sidecar = sidecar();
        for (probe, path) in [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let asked = &sidecar[probe]["httpGet"];
            assert_eq!((asked["path"].as_str(), asked["port"].as_u64()), (Some(path), Some(u64::from(observe.port()))), "{probe}");
        }
        assert_eq!(sidecar["ports"][0]["containerPort"], observe.port());
        assert_eq!(of_kind("Pod")["metadata"]["annotations"]["prometheus.io/port"], observe.port().to_string());
    }

    #[test]
    fn only_health_and_metrics_are_open_to_others() {
        let settings = embedded();
        assert!(settings.listen.iter().all(|listen| listen.place.is_local()) && settings.admin.address.is_loopback());
        assert!(settings.admin.observe.unwrap().tokens.is_empty());
    }

    #[test]
    fn the_app_points_at_the_data_listener_with_a_placeholder_and_without_the_secret() {
        let Place::Tcp(Address::Localhost { port }) = embedded().listen[0].place else { panic!("not on localhost") };
        let pod = of_kind("Pod");
        let app = named(&pod["spec"]["containers"], "app");
        assert_eq!(named(&app["env"], "VONAGE_BASE_URL")["value"], format!("http://localhost:{port}"));
        assert_eq!(named(&app["env"], "VONAGE_API_SECRET")["value"], "placeholder");
        assert!(app.get("volumeMounts").is_none());
    }

    #[test]
    fn it_may_do_nothing_that_it_need_not() {
        let pod = of_kind("Pod");
        let of_pod = &pod["spec"]["securityContext"];
        assert_eq!((&of_pod["runAsNonRoot"], &of_pod["seccompProfile"]["type"]), (&Value::Bool(true), &Value::from("RuntimeDefault")));
        let sidecar = sidecar();
        let own = &sidecar["securityContext"];
        assert_eq!((&own["readOnlyRootFilesystem"], &own["allowPrivilegeEscalation"]), (&Value::Bool(true), &Value::Bool(false)));
        assert_eq!(own["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert!(sidecar["resources"]["limits"]["memory"].is_string() && sidecar["resources"]["requests"]["cpu"].is_string());
    }

    #[test]
    fn there_is_time_to_drain() {
        let grace = of_kind("Pod")["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace > embedded().timeouts.drain.as_secs());
    }
}

mod systemd {
    use super::*;

    /// Values by `Section.Key`; a key may come more than once.
    fn unit() -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut section = String::new();
        for line in UNIT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line}"));
            found.entry(format!("{section}.{key}")).or_default().push(value.to_owned());
        }
        found
    }

    fn service(key: &str) -> String {
        let found = unit().remove(&format!("Service.{key}")).unwrap_or_else(|| panic!("no {key}"));
        assert_eq!(found.len(), 1, "{key}");
        found[0].clone()
    }

    #[test]
    fn the_credentials_are_a_file_that_can_rotate() {
        let file = service("Environment");
        assert_eq!(file, "VONAGE_SIDECAR_CREDENTIALS=/etc/vonage-sidecar/credentials/credentials.toml");
        let frozen = |key: &&String| key.contains("Credential") || key.ends_with("EnvironmentFile");
        assert_eq!(unit().keys().find(frozen), None);
        assert!(UNIT.contains("install -d -m 0750 -g vonage-sidecar /etc/vonage-sidecar/credentials"));
    }

    #[test]
    fn it_runs_reloads_and_has_time_to_drain() {
        assert_eq!(service("ExecStart"), "/usr/local/bin/vonage-sidecar run");
        assert_eq!(service("ExecReload"), "/bin/kill -HUP $MAINPID");
        let stop = humantime::parse_duration(&service("TimeoutStopSec")).unwrap();
        assert!(stop > Settings::default().timeouts.drain);
        assert!(service("LimitNOFILE").parse::<usize>().unwrap() > 2 * Settings::default().limits.connections);
    }

    #[test]
    fn it_may_do_nothing_that_it_need_not() {
        let wanted = [
            ("NoNewPrivileges", "true"),
            ("CapabilityBoundingSet", ""),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "true"),
            ("PrivateTmp", "true"),
            ("PrivateDevices", "true"),
            ("ProtectKernelTunables", "true"),
            ("RestrictNamespaces", "true"),
            ("MemoryDenyWriteExecute", "true"),
            ("LimitCORE", "0"),
            ("User", "vonage-sidecar"),
        ];
        for (key, value) in wanted {
            assert_eq!(service(key), value, "{key}");
        }
        assert!(service("RestrictAddressFamilies").contains("AF_INET6"));
    }

    #[test]
    fn systemd_itself_finds_nothing_wrong() {
        let directory = TempDir::new().unwrap();
        let copy = directory.path().join("vonage-sidecar.service");
        // Only the binary is elsewhere; it is looked for.
        std::fs::write(&copy, UNIT.replace("/usr/local/bin/vonage-sidecar", env!("CARGO_BIN_EXE_vonage-sidecar"))).unwrap();
        let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output();
        let Ok(output) = verify else {
            eprintln!("skipped: there is no systemd-analyze here");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let about_us: Vec<&str> = said.lines().filter(|line| line.contains("vonage-sidecar")).collect();
        assert!(about_us.is_empty(), "{said}");
    }
}

mod checks {
    use super::*;

    #[test]
    fn the_checks_stop_at_the_first_failure_and_run_the_commands_of_the_readme() {
        use std::os::unix::fs::PermissionsExt;
        let script = root(".ci/run");
        let text = std::fs::read_to_string(&script).unwrap();
        assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o111, 0o111);
        assert!(text.starts_with("#!/usr/bin/env bash\n") && text.contains("\nset -euo pipefail\n"));
        let steps: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("step ")).collect();
        for wanted in
            ["cargo fmt --check", "-D warnings", "--document-private-items", "cargo test", "cargo run --release -- demo", "cargo audit"]
        {
            assert!(steps.iter().any(|step| step.contains(wanted)), "{wanted}");
        }
    }

    /// With a cargo that fails at one step, nothing after it runs, and the script fails.
    #[test]
    fn a_failing_step_fails_the_whole() {
        use std::os::unix::fs::PermissionsExt;
        let directory = TempDir::new().unwrap();
        let cargo = directory.path().join("cargo");
        std::fs::write(&cargo, "#!/bin/sh\necho \"ran cargo $*\"\n[ \"$1\" != test ]\n").unwrap();
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", directory.path().display());
        let output = Command::new(root(".ci/run")).env_clear().env("PATH", path).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("ran cargo test") && !said.contains("demo --seconds"), "{said}");
    }
}

mod compose {
    use super::*;

    fn services() -> Value {
        let document: Value = serde_saphyr::from_str(COMPOSE).unwrap();
        document["services"].clone()
    }

    #[test]
    fn all_share_the_network_of_the_app() {
        let services = services();
        assert!(services["app"].get("network_mode").is_none());
        for service in ["sidecar", "emulator"] {
            assert_eq!(services[service]["network_mode"], "service:app", "{service}");
        }
    }

    /// A directory is mounted where the image looks for files, and what lies in it is sound.
    #[test]
    fn the_mounted_directory_is_what_the_sidecar_reads() {
        let mount = services()["sidecar"]["volumes"][0].as_str().unwrap().to_owned();
        let directory = root("examples").join(mount.strip_suffix(":/etc/vonage-sidecar:ro").unwrap());
        assert!(directory.is_dir() && DOCKERFILE.contains("\nWORKDIR /etc/vonage-sidecar\n"));
        let text = std::fs::read_to_string(directory.join("sidecar.toml")).unwrap();
        let (settings, warnings) = config::parse(&directory.join("sidecar.toml"), &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(warnings.is_empty(), "{warnings}");
        let credentials = std::fs::read_to_string(&settings.credentials.file).unwrap();
        let (parsed, problems) = file::parse(&settings.credentials.file, &credentials, &file::Referenced::new());
        assert!(problems.is_empty(), "{problems}");
        let account = &parsed.unwrap().accounts[0];
        let command = services()["emulator"]["command"].to_string();
        assert!(command.contains(&format!("{}:OldSecret1,NewSecret2", account.key)), "{command}");
        for origin in settings.upstream.hosts.values() {
            assert!(command.contains(&format!("\"{}:{}\"", origin.host, origin.port)), "{command}");
        }
    }

    #[test]
    fn the_app_has_a_placeholder_and_knows_the_address() {
        let command = services()["app"]["command"].to_string();
        assert!(command.contains("abcd1234:placeholder") && command.contains("http://localhost:8787/sms/json"), "{command}");
        assert!(services()["app"].get("volumes").is_none());
    }
}
