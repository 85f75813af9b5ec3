//! A new secret gets to the file, whatever fails on the way, and is seen by nobody.

use std::time::Duration;

use http::Method;
use vonage_sidecar::emulator::{Fault, Lag, Rule};

use super::rig::{Desk, KEY, OLD};

const CREATE: &str = "secrets create --account abcd1234";
const PATH: &str = "/accounts/abcd1234/secrets";

fn rule(fault: &str) -> Rule {
    Rule::new([fault.parse::<Fault>().unwrap()]).on_path(PATH).on_method(Method::POST).times(1)
}

/// What must be so after a creation that went well.
fn is_added(desk: &Desk) {
    let held = desk.held("credentials.toml", KEY);
    let ids = desk.ids(KEY);
    assert_eq!((held.len(), ids.len()), (2, 2));
    assert_eq!((held[0].0.as_str(), held[0].1.as_deref()), (OLD, Some(ids[0].as_str())), "there could be no doubt about it");
    assert_eq!(held[1].1.as_deref(), Some(ids[1].as_str()));
    assert_eq!(desk.vonage().secret_id(KEY, &held[1].0).as_deref(), Some(ids[1].as_str()));
    assert!(desk.text("credentials.toml").starts_with("# ours\n") && desk.text("credentials.toml").contains("revision = "));
    assert_eq!((desk.mode("credentials.toml"), desk.staged().len()), (0o600, 0));
}

#[tokio::test]
async fn a_created_secret_is_the_second_in_the_file_and_printed_nowhere() {
    let desk = Desk::new().await;
    let out = desk.does(CREATE).await;
    is_added(&desk);
    let (value, id) = desk.held("credentials.toml", KEY).remove(1);
    assert!(out.contains(&id.unwrap()) && !out.contains(&value), "{out}");
    assert_eq!(value.len(), 25);
    let listed: serde_json::Value = serde_json::from_str(&desk.does("secrets list --account abcd1234 --json").await).unwrap();
    let whose: Vec<&str> = listed["secrets"].as_array().unwrap().iter().map(|secret| secret["whose"].as_str().unwrap()).collect();
    assert_eq!(whose, ["held", "held"]);
    assert!(desk.does("secrets list --account abcd1234").await.starts_with("ID "));
}

#[tokio::test]
async fn an_answer_that_got_lost_is_settled_by_trying_the_value() {
    for fault in ["reset-after", "close-after", "reset-after-head"] {
        let desk = Desk::new().await;
        desk.vonage().add_fault(rule(fault));
        desk.does(CREATE).await;
        is_added(&desk);
    }
}

#[tokio::test]
async fn a_value_that_is_not_live_yet_is_waited_for_or_found_again() {
    let desk = Desk::new().await;
    desk.vonage().set_lag(None, Lag { new: Duration::from_secs(3600), revoked: Duration::ZERO });
    desk.refuses(&format!("{CREATE} --give-up 300ms"), "not proven yet").await;
    let staged = desk.staged();
    assert_eq!((staged.len(), desk.held("credentials.toml", KEY).len()), (1, 1));
    assert_eq!(desk.mode(staged[0].to_str().unwrap()), 0o600);
    desk.vonage().set_lag(None, Lag { new: Duration::from_millis(400), revoked: Duration::ZERO });
    desk.does(CREATE).await;
    assert_eq!(desk.ids(KEY).len(), 2, "it went on and made no third");
    is_added(&desk);
}

#[tokio::test]
async fn a_provider_that_says_nothing_leaves_the_value_on_disk() {
    let desk = Desk::new().await;
    desk.vonage().add_fault(rule("status=503"));
    desk.refuses(&format!("{CREATE} --give-up 300ms"), "not proven yet").await;
    assert_eq!((desk.staged().len(), desk.ids(KEY).len()), (1, 1));
    desk.does(CREATE).await;
    is_added(&desk);
}

/// Executed after the command has given up, and after the next call was told something else.
#[tokio::test]
async fn a_value_that_an_earlier_call_may_have_made_is_kept_whatever_a_later_call_is_told() {
    let two = |state: &vonage_sidecar::emulator::Control| state.state()["accounts"][KEY]["secrets"].as_array().unwrap().len() == 2;
    for (fault, words) in [("throttled=1", "no secret of abcd1234 was made"), ("forbidden", "no secret of abcd1234 was made")] {
        let desk = Desk::new().await;
        desk.vonage().add_fault(rule("late=2500"));
        desk.refuses(&format!("{CREATE} --give-up 1ms"), "not proven yet").await;
        desk.vonage().add_fault(rule(fault));
        let told = desk.refuses(&format!("{CREATE} --give-up 1ms"), words).await;
        assert!(told.contains("the value of an earlier call") && desk.staged().len() == 1, "{told}");
        assert!(desk.vonage().wait_for(two, Duration::from_secs(20)).await);
        desk.does(CREATE).await;
        is_added(&desk);
    }
}

#[tokio::test]
async fn a_value_that_was_never_sent_before_is_forgotten_when_it_is_not_made() {
    let desk = Desk::new().await;
    desk.vonage().add_fault(rule("forbidden"));
    desk.refuses(CREATE, "no secret of abcd1234 was made").await;
    assert_eq!((desk.staged().len(), desk.ids(KEY).len()), (0, 1));
}

#[tokio::test]
async fn nothing_is_made_when_both_slots_are_taken_or_a_sink_could_not_take_it() {
    let desk = Desk::new().await;
    let program = "[[rotation.sinks.command]]\nrun = [\"/bin/sh\", \"-c\", \"cat >&2; exit 7\"]\n";
    let settings = desk.text("sidecar.toml");
    desk.home.write("sidecar.toml", &format!("{settings}{program}"));
    let told = desk.refuses(CREATE, "could not take a new file").await;
    assert!(told.contains("exit status: 7") && told.contains("[hidden]") && !told.contains(OLD), "{told}");
    let checked = desk.run("check --sinks").await;
    assert!(checked.code == Some(1) && checked.out.contains("sink: /bin/sh ended with exit status: 7"), "{}", checked.out);
    assert_eq!((desk.ids(KEY).len(), desk.staged().len()), (1, 0));
    desk.home.write("sidecar.toml", &settings);
    desk.vonage().create_secret(KEY, "Dashboard1").unwrap();
    desk.refuses(CREATE, "two secrets already").await;
    assert_eq!((desk.ids(KEY).len(), desk.staged().len()), (2, 0));
}

#[tokio::test]
async fn a_secret_of_the_dashboard_is_imported_from_standard_input_when_it_is_accepted() {
    let desk = Desk::new().await;
    let import = ["secrets", "import", "--account", KEY, "--give-up", "300ms"];
    let wrong = desk.home.run_with_input(&import, "NotASecret1\n").await;
    assert!(wrong.code == Some(1) && wrong.err.contains("not a secret of abcd1234") && !wrong.err.contains("NotASecret1"), "{}", wrong.err);
    desk.vonage().create_secret(KEY, "Dashboard1").unwrap();
    let good = desk.home.run_with_input(&import, "Dashboard1\n").await;
    assert_eq!(good.code, Some(0), "{}", good.err);
    assert_eq!(desk.held("credentials.toml", KEY)[1].0, "Dashboard1");
    let twice = desk.home.run_with_input(&import, "Dashboard1\n").await;
    assert_eq!(twice.code, Some(1));
    assert_eq!(desk.home.run(&import).await.code, Some(2), "nothing on standard input");
}

#[tokio::test]
async fn another_file_may_take_it_alone() {
    let desk = Desk::new().await;
    let before = desk.text("credentials.toml");
    desk.does(&format!("{CREATE} --to other.toml")).await;
    assert_eq!((desk.text("credentials.toml"), desk.mode("other.toml")), (before, 0o600));
    let held = desk.held("other.toml", KEY);
    assert_eq!((held.len(), held[0].1.is_some()), (1, true));
}

/// Killed after the provider made it and before the file holds it: run again, it goes on.
#[tokio::test]
async fn a_process_that_is_killed_anywhere_goes_on_when_it_is_run_again() {
    let desk = Desk::new().await;
    desk.vonage().set_lag(None, Lag { new: Duration::from_secs(3600), revoked: Duration::ZERO });
    let arguments: Vec<&str> = CREATE.split(' ').collect();
    let process = desk.home.start(&arguments);
    let made = |control: &vonage_sidecar::emulator::Control| control.state()["accounts"][KEY]["secrets"].as_array().unwrap().len() == 2;
    assert!(desk.vonage().wait_for(made, Duration::from_secs(20)).await);
    process.signal(rustix::process::Signal::KILL);
    process.ends().await;
    // It may have been killed while it wrote.
    let whole = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "json");
    assert_eq!(desk.staged().iter().filter(|path| whole(path)).count(), 1);
    desk.vonage().set_lag(None, Lag { new: Duration::ZERO, revoked: Duration::ZERO });
    desk.does(CREATE).await;
    is_added(&desk);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_has_done_nothing_and_nothing_is_left() {
    let desk = Desk::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.home.write("sidecar.toml", &crate::support::process::instead_of_vonage(closed));
    let told = desk.refuses(CREATE, "nothing was sent").await;
    assert!(told.contains("connect_refused"), "{told}");
    assert!(desk.staged().is_empty());
}
