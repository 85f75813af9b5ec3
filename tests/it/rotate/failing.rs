//! What fails is tried again, then parked or stuck with a remedy; nothing is lost, nothing is revoked, and the same
//! command goes on when the cause is gone.

use http::Method;
use vonage_sidecar::emulator::{Options, Rule};

use super::rig::{Host, KEY, Load, OLD, one_account};

async fn host(rotation: &str) -> Host {
    Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), &format!("approve = \"never\"\n{rotation}")).await
}

fn fault(text: &str, method: Method, path: &str) -> Rule {
    text.parse::<Rule>().unwrap().on_method(method).on_path(path)
}

const SECRETS: &str = "/accounts";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_at_any_step_parks_the_rotation_and_the_next_run_finishes_it() {
    let host = host("").await;
    let load = Load::through(&host.sidecar, 1);
    let mut old = OLD.to_owned();
    for (fault, doing) in [
        (fault("status=503", Method::GET, SECRETS), "listing the account's secrets keeps failing"),
        (fault("reset-before", Method::POST, SECRETS), "making a secret keeps failing"),
        (fault("status=503", Method::DELETE, SECRETS), "revoking a secret keeps failing"),
        (fault("throttled=1", Method::DELETE, SECRETS), "revoking a secret keeps failing"),
    ] {
        host.vonage().add_fault(fault);
        let parked = host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), doing).await;
        let goes_on = format!("\n      it goes on with: vonage-sidecar rotate --account {KEY} --give-up 1ms\n");
        assert!(parked.err.ends_with(&goes_on), "{}", parked.err);
        assert!(host.vonage().secret_id(KEY, &old).is_some(), "{doing}: the old one is revoked");
        host.vonage().clear_faults();
        host.does(&format!("rotate --account {KEY}")).await;
        host.is_rotated(KEY, &old);
        old.clone_from(&host.held(KEY)[0].0);
    }
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_got_lost_is_settled_by_trying_the_value() {
    let host = host("").await;
    host.vonage().add_fault(fault("reset-after", Method::POST, SECRETS).times(1));
    host.vonage().add_fault(fault("close-after", Method::DELETE, SECRETS).times(1));
    let done = host.does(&format!("rotate --account {KEY}")).await;
    assert!(done.out.contains("its answer had got lost"), "{}", done.out);
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_cannot_take_a_file_stops_the_rotation_before_anything_is_made() {
    let sinks = "[[rotation.sinks.file]]\npath = \"credentials.toml\"\n[[rotation.sinks.command]]\nrun = [\"true\"]\ncheck = [\"false\"]";
    let host = host(sinks).await;
    host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "trying where the credentials file goes keeps failing").await;
    assert_eq!((host.ids(KEY).len(), host.held(KEY).len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_fails_or_hangs_leaves_the_file_as_it_was_and_the_value_in_the_journal() {
    let sinks = |run: &str| {
        format!(
            "[[rotation.sinks.file]]\npath = \"credentials.toml\"\n[[rotation.sinks.command]]\nrun = {run}\ncheck = [\"true\"]\ntimeout = \"300ms\""
        )
    };
    let host = host(&sinks("[\"false\"]")).await;
    let before = host.text("credentials.toml");
    host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "writing the credentials file keeps failing: false ended with").await;
    let settings = host.text("sidecar.toml");
    host.home.write("sidecar.toml", &settings.replace("[\"false\"]", "[\"sleep\", \"60\"]"));
    host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "sleep did not end within").await;
    assert_eq!((host.text("credentials.toml"), host.ids(KEY).len()), (before, 2));
    host.home.write("sidecar.toml", &settings.replace("[\"false\"]", "[\"true\"]"));
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_overwrites_is_stuck_until_it_is_put_back() {
    let host = Host::new().await;
    let old = host.old_id();
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    let ours = host.text("credentials.toml");
    host.home.write("credentials.toml", &one_account(&[OLD]));
    let stuck = host.refuses(&format!("rotate --account {KEY} --approve {old}"), "somebody else changes it").await;
    assert!(stuck.err.contains("put the file back"), "{}", stuck.err);
    assert_eq!(host.ids(KEY).len(), 2);
    host.home.write("credentials.toml", &ours);
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_that_cannot_be_replaced_stops_the_rotation_before_anything_is_made() {
    let host = host("").await;
    let file = host.home.file("credentials.toml");
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(&file, permissions).unwrap();
    let parked = host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "everybody on this machine could read").await;
    assert!(parked.err.contains("chmod 0640"), "{}", parked.err);
    assert_eq!(host.ids(KEY).len(), 1);

    let people = host.refuses(&format!("rotate --account {KEY} --give-up 600ms"), "everybody on this machine could read").await;
    assert_eq!(people.out.matches("is tried again").count(), 1, "the same failure is told once: {}", people.out);
    let machines = host.refuses(&format!("rotate --account {KEY} --give-up 600ms --json"), "everybody on this machine could read").await;
    let events = machines.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let times: Vec<_> = events.filter(|event| event["event"] == "failed").map(|event| event["times"].as_u64().unwrap()).collect();
    assert_eq!(times, [1, 2, 3], "machines get each one: {}", machines.out);
}

/// The directory of the journal is a file system of its own, which is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_for_the_journal_nothing_is_made_and_without_room_for_the_file_nothing_is_lost() {
    let host = host("").await;
    let mount = |directory: &str, fill: &str| {
        let script = format!(
            "mkdir -p {directory} && cp -a {directory} kept && mount -t tmpfs -o size=64k none {directory} && cp -a kept/. {directory} && {fill} && exec \"$0\" \"$@\""
        );
        let binary = env!("CARGO_BIN_EXE_vonage-sidecar");
        let mut command = std::process::Command::new("unshare");
        command.args(["-r", "-m", "--propagation=private", "sh", "-c", &script, binary]).current_dir(host.home.path());
        command.args(["rotate", "--account", KEY, "--give-up", "1ms", "--config", "sidecar.toml"]);
        let output = command.output().unwrap();
        std::fs::remove_dir_all(host.home.file("kept")).ok();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let fill = "{ head -c 1000000 /dev/zero > state/filler 2>/dev/null; true; }";
    let (code, told) = mount("state", fill);
    if told.contains("unshare") || told.contains("mount:") {
        println!("skipped: no namespaces here: {told}");
        return;
    }
    assert!(matches!(code, Some(1 | 2)) && told.contains("hint: "), "{code:?} {told}");
    assert_eq!((host.ids(KEY).len(), host.held(KEY).len()), (1, 1));
    let (code, told) = mount("state", "mount -o remount,ro state");
    assert!(matches!(code, Some(1 | 2)) && told.contains("hint: "), "{code:?} {told}");
    assert_eq!(host.ids(KEY).len(), 1);
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_cannot_be_reached_parks_the_rotation_where_it_is() {
    let host = Host::new().await;
    let old = host.old_id();
    let settings = host.text("sidecar.toml");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = settings.replace(&host.emulator.address().to_string(), &nobody.to_string());
    host.home.write("sidecar.toml", &unreachable);
    host.refuses(&format!("rotate --account {KEY} --give-up 1ms"), "asking the provider about a secret keeps failing").await;
    host.home.write("sidecar.toml", &settings);
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    host.home.write("sidecar.toml", &unreachable);
    host.refuses(&format!("rotate --account {KEY} --approve {old} --give-up 1ms"), "cannot be asked").await;
    assert_eq!(host.ids(KEY).len(), 2);
    host.home.write("sidecar.toml", &settings);
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}
