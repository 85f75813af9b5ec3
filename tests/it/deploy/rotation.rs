//! The timer and the job of a cluster that rotate say what the code does.

use std::process::Stdio;

use serde_json::Value;
use vonage_sidecar::cli;
use vonage_sidecar::config::rotation::{Schedule, Sink};

use super::*;

const SERVICE: &str = include_str!("../../../config/systemd/vonage-sidecar-rotate.service");
const SETTINGS: &str = include_str!("../../../config/systemd/sidecar.toml");
const TIMER: &str = include_str!("../../../config/systemd/vonage-sidecar-rotate.timer");
const CRONJOB: &str = include_str!("../../../config/kubernetes/rotate-cronjob.yaml");

fn value<'u>(unit: &'u str, key: &str) -> &'u str {
    let found: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    assert_eq!(found.len(), 1, "{key}");
    found[0]
}

fn of_kind(kind: &str) -> Value {
    let documents: Vec<Value> = serde_saphyr::from_multiple(CRONJOB).unwrap();
    documents.into_iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

fn pod() -> Value {
    of_kind("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone()
}

fn embedded() -> Settings {
    settings(of_kind("ConfigMap")["data"]["sidecar.toml"].as_str().unwrap())
}

/// Where a volume of the container is mounted, and what it is.
fn mounted(path: &str) -> Value {
    let pod = pod();
    let container = named(&pod["containers"], "rotate").clone();
    let mounts = container["volumeMounts"].as_array().unwrap().clone();
    let below = |mount: &&Value| path.starts_with(mount["mountPath"].as_str().unwrap());
    let mount = mounts.iter().find(below).unwrap_or_else(|| panic!("{path} is not mounted"));
    named(&pod["volumes"], mount["name"].as_str().unwrap()).clone()
}

#[test]
fn the_unit_rotates_what_is_due_into_a_directory_that_it_may_write_and_that_persists() {
    let words: Vec<&str> = value(SERVICE, "ExecStart").split(' ').collect();
    assert_eq!(words, ["/usr/local/bin/vonage-sidecar", "rotate", "--if-due"]);
    cli::understands(&words).unwrap();
    let credentials = value(SERVICE, "Environment").split_once('=').unwrap().1;
    assert!(UNIT.contains(credentials), "the service beside it reads another file");
    assert_eq!(value(SERVICE, "ReadWritePaths"), Path::new(credentials).parent().unwrap().to_str().unwrap());
    assert_eq!((value(SERVICE, "Type"), value(SERVICE, "User")), ("oneshot", value(UNIT, "User")));
    for key in ["NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "LimitCORE", "CapabilityBoundingSet"] {
        assert_eq!(value(SERVICE, key), value(UNIT, key), "{key}");
    }
}

/// The unit has no flag of its own: a command that a person runs would look elsewhere for a pause or a journal.
#[test]
fn the_unit_and_every_command_find_journals_and_credentials_in_one_place() {
    let settings = settings(SETTINGS);
    assert_eq!(settings.rotation.state_dir, Path::new("/var/lib").join(value(SERVICE, "StateDirectory")));
    assert_eq!(value(SERVICE, "ExecStart"), "/usr/local/bin/vonage-sidecar rotate --if-due");
    assert_eq!(settings.credentials.file.to_str(), value(SERVICE, "Environment").strip_prefix("VONAGE_SIDECAR_CREDENTIALS="));
    assert!(!settings.rotation.policies.is_empty() && settings.rotation.schedule == Schedule::Off);
}

#[test]
fn the_timer_makes_up_for_what_it_missed_and_starts_the_service_of_its_name() {
    assert_eq!((value(TIMER, "Persistent"), value(TIMER, "WantedBy")), ("true", "timers.target"));
    assert!(!value(TIMER, "RandomizedDelaySec").is_empty() && !TIMER.contains("Unit="));
}

#[test]
fn systemd_itself_finds_nothing_wrong_with_the_timer() {
    let directory = TempDir::new().unwrap();
    let copy = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text.replace("/usr/local/bin/vonage-sidecar", env!("CARGO_BIN_EXE_vonage-sidecar"))).unwrap();
        path
    };
    let files = [copy("vonage-sidecar-rotate.service", SERVICE), copy("vonage-sidecar-rotate.timer", TIMER)];
    let Ok(output) = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&files).output() else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let about_us: Vec<&str> = said.lines().filter(|line| line.contains("vonage-sidecar")).collect();
    assert!(about_us.is_empty(), "{said}");
}

#[test]
fn the_job_keeps_journal_and_credentials_on_a_volume_that_persists_and_runs_one_at_a_time() {
    let settings = embedded();
    for path in [&settings.rotation.state_dir, &settings.credentials.file] {
        assert_eq!(
            mounted(path.to_str().unwrap())["persistentVolumeClaim"]["claimName"],
            of_kind("PersistentVolumeClaim")["metadata"]["name"]
        );
    }
    assert_eq!(of_kind("CronJob")["spec"]["concurrencyPolicy"], "Forbid");
    let container = named(&pod()["containers"], "rotate").clone();
    let words: Vec<&str> = container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    cli::understands(&[&["vonage-sidecar"], words.as_slice()].concat()).unwrap();
    assert_eq!(words, ["rotate", "--if-due"]);
    assert!(container["image"].as_str().unwrap().ends_with(env!("CARGO_PKG_VERSION")));
    assert!(!settings.rotation.policies.is_empty());
}

#[test]
fn the_job_may_replace_the_one_secret_and_nothing_else() {
    let role = of_kind("Role");
    assert_eq!(role["rules"].as_array().unwrap().len(), 1);
    let rule = &role["rules"][0];
    assert_eq!((&rule["resources"], &rule["resourceNames"]), (&serde_json::json!(["secrets"]), &serde_json::json!(["vonage-credentials"])));
    assert_eq!(rule["verbs"], serde_json::json!(["get", "update"]));
    assert!(POD.contains("secretName: vonage-credentials"), "the pods mount another one");
    let own = &named(&pod()["containers"], "rotate")["securityContext"].clone();
    assert_eq!((&own["readOnlyRootFilesystem"], &own["capabilities"]["drop"]), (&Value::Bool(true), &serde_json::json!(["ALL"])));
}

#[test]
fn the_job_finds_every_pod_also_one_that_is_not_ready() {
    let (service, fleet) = (of_kind("Service"), embedded().rotation.fleet.unwrap());
    assert_eq!((&service["spec"]["clusterIP"], &service["spec"]["publishNotReadyAddresses"]), (&Value::from("None"), &Value::Bool(true)));
    let (name, port) = fleet.dns.as_deref().unwrap().rsplit_once(':').unwrap();
    assert_eq!((service["metadata"]["name"].as_str(), service["spec"]["ports"][0]["port"].to_string().as_str()), (Some(name), port));
    assert!(POD.contains("\n    app: app\n") && service["spec"]["selector"]["app"] == "app");
    assert!(fleet.token.is_some() && mounted("/var/run/vonage-observe/token")["secret"]["secretName"] == "vonage-observe");
}

/// The script of the manifest with a kubectl that writes down what it is told.
#[test]
fn the_job_hands_the_new_file_to_kubectl_and_changes_nothing_when_it_is_tried() {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let Sink::Command(command) = &embedded().rotation.sinks[1] else { panic!("the second sink is a program") };
    assert_eq!((command.run[1].as_str(), command.check.last().unwrap().as_str()), ("/etc/vonage-sidecar/deliver", "--check"));
    assert!(matches!(&embedded().rotation.sinks[0], Sink::File { path, .. } if *path == embedded().credentials.file));
    let directory = TempDir::new().unwrap();
    let place = |name: &str| directory.path().join(name);
    std::fs::write(place("deliver"), of_kind("ConfigMap")["data"]["deliver"].as_str().unwrap()).unwrap();
    std::fs::write(place("kubectl"), "#!/bin/sh\necho \"$*\" >> told\ncat\n").unwrap();
    std::fs::set_permissions(place("kubectl"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |arguments: &[&str]| {
        let mut child = Command::new("/bin/sh")
            .arg("deliver")
            .args(arguments)
            .current_dir(directory.path())
            .env("PATH", format!("{}:/usr/bin:/bin", directory.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"the new file").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "the new file\n");
        std::fs::read_to_string(place("told")).unwrap()
    };
    let tried = run(&["--check"]);
    assert!(tried.lines().all(|line| line.contains("--dry-run=")), "{tried}");
    let told = run(&[]);
    assert!(told.ends_with("replace -f -\n") && told.contains("create secret generic vonage-credentials"), "{told}");
}

/// What the guide tells people to type stands in the file that it is about.
#[test]
fn the_commands_of_the_guide_are_those_of_the_files() {
    let readme = include_str!("../../../README.md");
    let guide = readme.split("\n## Rotate on a schedule\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).filter(|line| !line.starts_with("vonage-sidecar ")).collect();
    assert!(lines.len() > 6, "{lines:?}");
    for line in lines {
        assert!([SERVICE, CRONJOB].iter().any(|file| file.contains(&format!("#   {line}\n"))), "{line}");
    }
}
