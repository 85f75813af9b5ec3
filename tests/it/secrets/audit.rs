//! Every account and subaccount, and what breaches the policy.
#![expect(clippy::disallowed_methods, reason = "the files under test are ours and go away")]

use vonage_sidecar::emulator::{AccountSpec, Options};

use super::rig::{Desk, KEY, family};

#[tokio::test]
async fn an_audit_shows_subaccounts_that_the_file_does_not_hold_and_ends_well_without_a_breach() {
    let desk = family().await;
    let table = desk.does("secrets audit --max-age 30d").await;
    assert!(table.contains("sub00001") && table.contains("master01") && table.contains("2 accounts, 0 breaches"), "{table}");
}

/// The dates are those of the emulator, so they are cut out; the rest is compared to the byte.
#[tokio::test]
async fn the_csv_of_an_audit_is_plain_lines_of_the_columns_that_it_names() {
    let desk = family().await;
    let csv = desk.does("secrets audit --csv").await;
    let undated = csv.split_inclusive(',').map(|cell| if cell.ends_with("Z,") { "DATE," } else { cell }).collect::<String>();
    let row = |key: &str, primary: &str, whose: &str| format!("{key},{primary},{},DATE,0,{whose},false,\"\"\n", desk.ids(key)[0]);
    let expected = format!(
        "account,primary,secret,created_at,age_days,whose,keep,breaches\n{}{}",
        row("master01", "", "unknown"),
        row("sub00001", "master01", "foreign")
    );
    assert_eq!(undated, expected);
}

#[tokio::test]
async fn a_breach_is_named_and_is_exit_1() {
    let desk = Desk::new().await;
    desk.does("secrets create --account abcd1234").await;
    let id = desk.ids(KEY)[1].clone();
    desk.does("secrets audit --max-age 30d").await;
    assert!(desk.vonage().revoke_secret(KEY, &id));
    desk.vonage().create_secret(KEY, "Dashboard1").unwrap();
    let foreign = desk.ids(KEY)[1].clone();
    let ended = desk.run("secrets audit --json").await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let breaches = document["accounts"][0]["breaches"].as_array().unwrap();
    assert_eq!(breaches[0], format!("revoked by somebody else: {id}"));
    assert_eq!(breaches[1], format!("foreign: {foreign}"));
    let settings = desk.text("sidecar.toml");
    desk.home.write("sidecar.toml", &format!("{settings}[[rotation.policy]]\nmatch = \"abcd*\"\nmax_age = \"1ms\"\n"));
    let old = desk.run("secrets audit").await;
    assert!(old.code == Some(1) && old.out.contains("breach: abcd1234: too old: "), "{}", old.out);
}

/// The journal of a rotation that has made its secret and not deployed it yet.
#[tokio::test]
async fn a_rotation_under_way_is_no_breach_and_what_it_made_is_not_foreign() {
    let desk = Desk::new().await;
    let id = desk.id(super::rig::OLD);
    desk.home.write(
        "credentials.toml",
        &format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{{ value = \"{}\", id = \"{id}\" }}]\n", super::rig::OLD),
    );
    desk.vonage().create_secret(KEY, "BeingMade1").unwrap();
    assert_eq!(desk.run("secrets audit").await.code, Some(1));
    let place = |name: &str| desk.home.file(&format!("state/journals/{name}.json"));
    std::fs::create_dir_all(desk.home.file("state/journals")).unwrap();
    std::fs::write(place(KEY), include_str!("../../compat/0.1.0/journal-prove.json")).unwrap();
    desk.does("secrets audit").await;
    // Once it is over, the secret is what it is.
    std::fs::write(place(KEY), include_str!("../../compat/0.1.0/journal-ended.json")).unwrap();
    assert!(desk.run("secrets audit").await.out.contains("breach: abcd1234: foreign: "));
}

#[tokio::test]
async fn many_accounts_are_looked_at_side_by_side_and_shown_in_the_order_of_the_file() {
    let account = |number| AccountSpec::new(&format!("acc{number:05}"), &["SomeSecret1"]);
    let options = Options { accounts: (0..20).map(account).collect(), ..Options::default() };
    let desk = Desk::with(options, "").await;
    let file = (0..20).rev().map(|number| format!("[[account]]\napi_key = \"acc{number:05}\"\nsecrets = [\"SomeSecret1\"]\n"));
    desk.home.write("credentials.toml", &file.collect::<String>());
    let table = desk.does("secrets audit").await;
    let shown: Vec<&str> = table.lines().filter_map(|line| line.split(' ').next()).filter(|word| word.starts_with("acc0")).collect();
    assert!(shown.len() == 20 && shown.iter().rev().is_sorted(), "{table}");
    assert!(desk.vonage().connections() > 1, "one after the other over one connection");
}

#[tokio::test]
async fn an_account_that_cannot_be_seen_is_a_breach_and_not_silence() {
    let desk = Desk::new().await;
    desk.home.write("credentials.toml", "api_key = \"abcd1234\"\napi_secret = \"DeadSecret3\"\n");
    let ended = desk.run("secrets audit").await;
    assert!(ended.code == Some(1) && ended.out.contains("breach: abcd1234: not seen: "), "{}{}", ended.out, ended.err);
}

#[tokio::test]
async fn the_history_lists_each_rotation_with_its_proof() {
    let desk = Desk::new().await;
    let reports = desk.home.file("state/reports");
    std::fs::create_dir_all(&reports).unwrap();
    let report = |ended: &str| {
        format!(
            r#"{{"schema":1,"rotation":"r-{ended}","account":"{KEY}","purpose":"rotate","who":{{}},"began_at":"{ended}","ended_at":"{ended}","outcome":"done",
            "secrets":[{{"id":"id-2","fate":"created"}}],"proofs":[{{"at":"{ended}","secret":"id-2","host":"h","result":"accepted","times":40,"over_seconds":10}}],
            "members":[{{"name":"m","converged":true}}]}}"#
        )
    };
    let now = humantime::format_rfc3339_seconds(std::fs::metadata(&reports).unwrap().modified().unwrap()).to_string();
    std::fs::write(reports.join("new.json"), report(&now)).unwrap();
    std::fs::write(reports.join("old.json"), report("2020-01-01T00:00:00Z")).unwrap();
    std::fs::write(reports.join("torn.json"), "{").unwrap();
    let ended = desk.run("secrets audit --history 1y").await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("id-2 created  40 acceptances, 1 of 1 members converged") && ended.out.contains("1 rotations"),
        "{}",
        ended.out
    );
    assert!(ended.err.contains("torn.json") && !ended.out.contains("2020-"), "{}", ended.err);
}
