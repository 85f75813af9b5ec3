//! Subaccounts are listed, made and enrolled with the credentials of their primary account.

use http::Method;
use vonage_sidecar::emulator::{Fault, Rule};

use super::rig::{Desk, family};

const CREATE: &str = "subaccounts create Team-B --with master01";

/// The next creation ends like this.
fn next_creation(desk: &Desk, fault: &str) {
    let fault = fault.parse::<Fault>().unwrap();
    desk.vonage().add_fault(Rule::new([fault]).on_path("/accounts/master01/subaccounts").on_method(Method::POST).times(1));
}

async fn made(desk: &Desk) -> usize {
    desk.does("subaccounts list --with master01").await.matches("Team-B").count()
}

#[tokio::test]
async fn an_account_that_the_file_does_not_know_is_enrolled_by_its_primary() {
    let desk = family().await;
    desk.refuses("secrets list --account sub00001", "--with PRIMARY").await;
    assert!(desk.does("secrets list --account sub00001 --with master01").await.contains("foreign"));
    desk.does("secrets create --account sub00001 --with master01").await;
    let held = desk.held("credentials.toml", "sub00001");
    assert_eq!((held.len(), desk.ids("sub00001").len()), (1, 2));
    assert!(held[0].1.is_some() && desk.text("credentials.toml").contains("primary = \"master01\""));
    // From now on it is managed by what the file says.
    assert!(desk.does("secrets list --account sub00001").await.contains("held"));
    let checked = desk.does("check").await;
    assert!(checked.contains("holds master01, which manages other accounts"), "{checked}");
}

#[tokio::test]
async fn a_subaccount_is_made_with_its_secret_in_the_file() {
    let desk = family().await;
    desk.does("subaccounts create Team-B --with master01").await;
    let listed: serde_json::Value = serde_json::from_str(&desk.does("subaccounts list --with master01 --json").await).unwrap();
    let made = listed["subaccounts"].as_array().unwrap().iter().find(|sub| sub["name"] == "Team-B").unwrap();
    assert_eq!(made["held"], true);
    let key = made["account"].as_str().unwrap();
    let held = desk.held("credentials.toml", key);
    assert_eq!(held[0].1.as_deref(), Some(desk.ids(key)[0].as_str()));
    assert!(desk.staged().is_empty());
    assert!(desk.does("subaccounts list --with master01").await.contains("Team-B"));
}

#[tokio::test]
async fn a_subaccount_whose_answer_got_lost_is_found_again_and_not_made_twice() {
    let desk = family().await;
    next_creation(&desk, "reset-after");
    desk.refuses(CREATE, "nobody knows whether").await;
    assert_eq!(desk.staged().len(), 1);
    desk.does(CREATE).await;
    assert_eq!((made(&desk).await, desk.staged().len()), (1, 0));
}

#[tokio::test]
async fn a_subaccount_whose_secret_is_not_live_yet_is_waited_for_and_not_made_twice() {
    let desk = family().await;
    next_creation(&desk, "status-after=504");
    desk.refuses(CREATE, "nobody knows whether").await;
    desk.vonage().add_fault(Rule::new(["refused".parse::<Fault>().unwrap()]).on_path("/account/get-balance"));
    desk.refuses(&format!("{CREATE} --give-up 1ms"), "not proven yet").await;
    desk.vonage().clear_faults();
    desk.does(CREATE).await;
    assert_eq!((made(&desk).await, desk.staged().len()), (1, 0));
}

#[tokio::test]
async fn another_subaccount_of_the_name_that_was_there_before_is_not_taken_for_the_new_one() {
    let desk = family().await;
    desk.does(CREATE).await;
    next_creation(&desk, "throttled=1");
    desk.refuses(CREATE, "no subaccount").await;
    assert_eq!((made(&desk).await, desk.staged().len()), (1, 0), "the first call of its value made nothing");
    next_creation(&desk, "reset-after");
    desk.refuses(CREATE, "nobody knows whether").await;
    next_creation(&desk, "throttled=1");
    desk.does(CREATE).await;
    assert_eq!((made(&desk).await, desk.staged().len()), (2, 0));
}
