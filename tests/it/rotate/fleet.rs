//! Whose evidence counts, and what happens when there is none.

use rustix::process::Signal;
use vonage_sidecar::emulator::Options;

use super::rig::{Host, KEY, Load, OLD, one_account};
use crate::support::process::{instead_of_vonage, text_of};
use crate::support::sidecar::PATIENCE;

async fn host(rotation: &str) -> Host {
    Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), &format!("approve = \"never\"\n{rotation}")).await
}

/// A port on which nobody listens.
fn nobody() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Host {
    /// Settings with other ways to find members: of an admin address, and of a fleet.
    pub fn finds(&self, admin: &str, fleet: &str) {
        let hosts = instead_of_vonage(self.emulator.address());
        let quick = "prove_for = \"0s\"\nsoak = \"0s\"\ngive_up = \"2s\"\noverlap = \"0s\"\napprove = \"never\"\n";
        let settings = format!("{admin}\n{hosts}[rotation]\n{quick}{fleet}\n");
        self.home.write("sidecar.toml", &settings.replace("@ADMIN@", &self.sidecar.admin[0].to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fleet_it_is_the_sidecar_of_the_same_settings() {
    let host = host("").await;
    host.finds("admin.address = \"@ADMIN@\"", "");
    let done = host.does(&format!("rotate --account {KEY}")).await;
    assert!(done.out.contains("1 sidecar had the new secret accepted"), "{}", done.out);
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_seen_begins_nothing_and_only_the_operators_word_gets_past_it() {
    let host = host("").await;
    host.finds(&format!("admin.address = \"127.0.0.1:{}\"", nobody()), "");
    let stuck = host.refuses(&format!("rotate --account {KEY}"), "no sidecar was found").await;
    assert!(stuck.err.contains("--no-fleet"), "{}", stuck.err);
    assert_eq!(host.ids(KEY).len(), 1);
    host.does(&format!("rotate --account {KEY} --no-fleet")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_a_listener_for_apps_is_told_to_be_no_admin_listener_and_begins_nothing() {
    let host = host("").await;
    host.finds("", &format!("fleet.members = [\"http://{}\"]", host.sidecar.data[0]));
    let none = host.refuses(&format!("rotate --account {KEY}"), "it is no admin listener: [rotation.fleet] names").await;
    assert!(!none.err.contains("schema"), "{}", none.err);
    assert_eq!(host.ids(KEY).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_found_by_a_name_and_by_a_program() {
    let host = host("").await;
    host.finds("", "fleet.dns = \"@ADMIN@\"");
    host.does(&format!("rotate --account {KEY}")).await;
    let (first, _) = host.held(KEY)[0].clone();
    host.is_rotated(KEY, OLD);
    let load = Load::through(&host.sidecar, 2);
    host.finds(
        "",
        &format!("fleet.command = [\"{}\", \"status\", \"--json\", \"--admin\", \"@ADMIN@\"]", env!("CARGO_BIN_EXE_vonage-sidecar")),
    );
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, &first);
    load.was_served().await;
    let (file, ids) = (host.text("credentials.toml"), host.ids(KEY));
    host.finds("", "fleet.command = [\"false\"]");
    host.refuses(&format!("rotate --account {KEY}"), "the command of [rotation.fleet] ended with").await;
    assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file, ids), "nothing begins that nobody could give leave to end");
}

/// The resolver takes `127.1` for a name, and its address for 127.0.0.1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_everybody_at_its_addresses() {
    let host = host("").await;
    let address = host.sidecar.admin[0];
    host.finds("", &format!("fleet.members = [\"http://127.1:{}\"]", address.port()));
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
    assert_eq!(host.reports()[0]["members"][0]["name"], format!("http://{address}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_tells_of_two_sidecars_by_one_name_begins_nothing() {
    let host = host("").await;
    let one = |boot_id: &str| format!("{{\"name\":\"sidecar\",\"boot_id\":\"{boot_id}\",\"schema\":1}}\n");
    host.home.write("told", &format!("{}{}", one("one"), one("other")));
    host.finds("", &format!("fleet.command = [\"cat\", {:?}]", host.home.file("told")));
    let told = host.refuses(&format!("rotate --account {KEY}"), "printed sidecar twice").await;
    assert!(told.err.contains("a `name` of its own"), "{}", told.err);
    assert_eq!((host.ids(KEY).len(), host.held(KEY).len()), (1, 1));
}

/// The program holds a lock until it ends, and so does what it has started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_told_to_end_leaves_no_program_behind() {
    for signal in [Signal::TERM, Signal::INT] {
        let host = host("").await;
        host.finds("", "fleet.command = [\"/bin/sh\", \"-c\", \"echo $$ > started.new; mv started.new started; sleep 600 | cat\"]");
        let rotating = host.home.start(&["rotate", "--account", KEY]);
        let begun = async {
            while !host.home.file("started").exists() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.unwrap();
        let group = rustix::process::Pid::from_raw(host.text("started").trim().parse().unwrap()).unwrap();
        rotating.signal(signal);
        assert_eq!(rotating.ends().await, Some(2));
        let gone = async {
            while rustix::process::test_kill_process_group(group).is_ok() && !is_a_zombie(group) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("the program is still there");
    }
}

/// Dead, and nobody has asked for its end: in a container there may be nobody.
fn is_a_zombie(process: rustix::process::Pid) -> bool {
    text_of(std::path::Path::new(&format!("/proc/{}/stat", process.as_raw_nonzero()))).contains(") Z ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_member_that_is_silent_keeps_the_old_secret_alive_and_an_emergency_names_it() {
    let host = host("").await;
    let (load, dead) = (Load::through(&host.sidecar, 1), nobody());
    host.finds("", &format!("fleet.members = [\"http://@ADMIN@\", \"http://127.0.0.1:{dead}\"]"));
    let waiting = host.home.start(&["rotate", "--account", KEY]);
    let line = waiting.prints("waiting: ").await;
    assert!(line.contains(&format!("127.0.0.1:{dead} does not answer (connection refused)")), "{line}");
    let second = host.run(&format!("rotate --account {KEY}")).await;
    assert!(second.code == Some(2) && second.err.contains(&format!("another process is at it (number {})", waiting.pid)), "{}", second.err);
    assert!(second.err.contains("hint: wait for that one to end") && !second.err.contains("--state-dir"), "{}", second.err);
    assert_eq!(host.ids(KEY).len(), 2);
    waiting.signal(Signal::KILL);
    waiting.ends().await;
    // Long enough for the living one to follow on a machine with much else to do.
    let done = host.does(&format!("rotate --account {KEY} --emergency --deadline 6s")).await;
    assert!(done.out.contains(&format!("left behind: http://127.0.0.1:{dead}")), "{}", done.out);
    host.is_rotated(KEY, OLD);
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_members_than_expected_are_no_fleet() {
    let host = host("").await;
    let one = "fleet.members = [\"http://@ADMIN@\"]\n";
    host.finds("", &format!("{one}fleet.expect = 2"));
    let process = host.home.start(&["rotate", "--account", KEY]);
    process.prints("waiting: 1 sidecars were found instead of 2").await;
    assert_eq!(host.ids(KEY).len(), 2);
    process.signal(Signal::KILL);
    process.ends().await;
    host.finds("", one);
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}
