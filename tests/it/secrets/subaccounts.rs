//! Subaccounts are listed, made and enrolled with the credentials of their primary account.

use http::Method;
use vonage_sidecar::emulator::{Fault, Rule};

use super::rig::family;

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
    let lost =
        Rule::new(["reset-after".parse::<Fault>().unwrap()]).on_path("/accounts/master01/subaccounts").on_method(Method::POST).times(1);
    desk.vonage().add_fault(lost);
    desk.refuses("subaccounts create Team-B --with master01", "was made").await;
    assert_eq!(desk.staged().len(), 1);
    desk.does("subaccounts create Team-B --with master01").await;
    let listed = desk.does("subaccounts list --with master01").await;
    assert_eq!(listed.matches("Team-B").count(), 1, "{listed}");
    assert!(desk.staged().is_empty());
}
