//! Several accounts in one file, and the ways of a single one that is not the usual.

use std::fmt::Write as _;

use http::Method;
use vonage_sidecar::emulator::{AccountSpec, Options, Rule};

use super::rig::{Host, KEY, OLD, one_account};

const PRIMARY: (&str, &str) = ("master01", "Master1234");
const CHILDREN: [(&str, &str); 5] = [
    ("sub00001", "SubSecret1"),
    ("sub00002", "SubSecret2"),
    ("sub00003", "SubSecret3"),
    ("sub00004", "SubSecret4"),
    ("sub00005", "SubSecret5"),
];

async fn family() -> Host {
    let mut options = Options::with_account(PRIMARY.0, &[PRIMARY.1]);
    let mut file = format!("[[account]]\napi_key = \"{}\"\nsecrets = [\"{}\"]\n", PRIMARY.0, PRIMARY.1);
    for (key, value) in CHILDREN {
        options.accounts.push(AccountSpec::new(key, &[value]).under(PRIMARY.0));
        write!(file, "[[account]]\napi_key = \"{key}\"\nsecrets = [\"{value}\"]\nprimary = \"{}\"\n", PRIMARY.0).unwrap();
    }
    Host::with(options, &file, "approve = \"never\"").await
}

fn at(text: &str, words: &str) -> usize {
    text.find(words).unwrap_or_else(|| panic!("no {words}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subaccounts_go_side_by_side_through_one_file_and_the_account_above_them_last() {
    let host = family().await;
    let done = host.does("rotate --all").await;
    for (key, old) in CHILDREN.into_iter().chain([PRIMARY]) {
        host.is_rotated(key, old);
    }
    let first_of_primary = at(&done.out, "master01 rotation");
    for (key, _) in CHILDREN {
        assert!(at(&done.out, &format!("{key} done: ")) < first_of_primary, "{key} was not done before");
        assert!(done.err.contains(&format!("{key}: done")), "{}", done.err);
    }
    assert_eq!(host.reports().len(), 6);
}

/// The file says that it does, and the provider does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_primary_may_not_manage_it_is_managed_with_its_own_secret() {
    let mut options = Options::with_account(PRIMARY.0, &[PRIMARY.1]);
    options.accounts.push(AccountSpec::new(KEY, &[OLD]));
    let primary = format!("[[account]]\napi_key = \"{}\"\nsecrets = [\"{}\"]\n", PRIMARY.0, PRIMARY.1);
    let file = format!("{primary}{}primary = \"{}\"\n", one_account(&[OLD]), PRIMARY.0);
    let host = Host::with(options, &file, "approve = \"never\"").await;
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subaccount_that_fails_holds_the_account_above_it_back_and_the_next_run_does_the_rest() {
    let host = family().await;
    host.vonage().add_fault("status=503".parse::<Rule>().unwrap().on_method(Method::DELETE).on_path("/accounts/sub00002"));
    let some = host.refuses("rotate --all --give-up 1ms", "the rotation of sub00002 is not done").await;
    assert!(some.err.contains("master01: not begun, since sub00002"), "{}", some.err);
    assert_eq!((host.ids("master01").len(), host.ids("sub00002").len(), host.ids("sub00003").len()), (1, 2, 1));
    host.vonage().clear_faults();
    host.does("rotate --match sub00002").await;
    host.does("rotate --account master01").await;
    host.is_rotated("sub00002", "SubSecret2");
    host.is_rotated(PRIMARY.0, PRIMARY.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_switches_nothing_and_is_remembered() {
    let host = Host::new().await;
    let (file, old) = (host.text("credentials.toml"), host.old_id());
    let drilled = host.does(&format!("drill --account {KEY}")).await;
    assert!(
        drilled.out.contains("nothing was switched") && drilled.err.contains("accepted everywhere after"),
        "{}{}",
        drilled.out,
        drilled.err
    );
    assert_eq!((host.text("credentials.toml"), host.ids(KEY)), (file, vec![old]));
    assert!(host.text(&format!("state/measured/{KEY}.json")).contains("refused_after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_of_an_account_that_is_not_held_asks_the_provider_nothing() {
    let host = Host::new().await;
    let before = host.vonage().seen().len();
    host.refuses("drill --account typo1234", "the credentials file has no account typo1234").await;
    assert_eq!(host.vonage().seen().len(), before);
    assert!(!host.home.file("state/measured/typo1234.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_without_room_does_not_stand_in_the_way_of_the_rotation_that_makes_room() {
    let other = "OtherSecret1a";
    let host = Host::with(Options::with_account(KEY, &[OLD, other]), &one_account(&[OLD, other]), "approve = \"never\"").await;
    host.holds(&[OLD, other]);
    host.refuses(&format!("drill --account {KEY}"), "both slots of the account are taken").await;
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_would_be_done_and_leaves_no_trace() {
    let host = Host::new().await;
    let would = host.does(&format!("rotate --account {KEY} --dry-run")).await;
    assert!(would.out.contains("would go on with: create; nothing was changed") && !would.out.contains("staged"), "{}", would.out);
    assert!(host.ids(KEY).len() == 1 && !host.home.file("state/journals").exists());
    host.vonage().create_secret(KEY, "Foreign1234").unwrap();
    host.refuses(&format!("rotate --account {KEY} --plan"), "cannot be told").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_of_what_was_begun_says_where_it_is_also_to_machines() {
    let host = Host::new().await;
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    let (journal, ids) = (host.text(&format!("state/journals/{KEY}.json")), host.ids(KEY));
    let would = host.does(&format!("rotate --account {KEY} --dry-run --json")).await;
    let events: Vec<serde_json::Value> = would.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((last["event"].as_str(), last["step"].as_str()), (Some("would"), Some("soak")));
    assert_eq!((host.text(&format!("state/journals/{KEY}.json")), host.ids(KEY)), (journal, ids));
}

/// Kills a command as soon as it says this.
pub async fn killed_at(host: &Host, command: &str, words: &str) {
    let process = host.home.start(&command.split(' ').collect::<Vec<_>>());
    process.prints(words).await;
    process.signal(rustix::process::Signal::KILL);
    process.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_goes_on_from_a_drill_that_was_begun_and_a_drill_ends_no_rotation() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "approve = \"never\"").await;
    killed_at(&host, &format!("drill --account {KEY} --json"), "\"step\":\"prove\"").await;
    host.does(&format!("rotate --account {KEY}")).await;
    host.is_rotated(KEY, OLD);

    let ids = host.ids(KEY);
    killed_at(&host, &format!("rotate --account {KEY} --soak 60s --json"), "\"step\":\"soak\"").await;
    let deployed = host.text("credentials.toml");
    let refused = host.refuses(&format!("drill --account {KEY}"), "a rotation is under way, and a drill would not end it").await;
    assert!(refused.err.contains("rotate --abort"), "{}", refused.err);
    assert_eq!(host.text("credentials.toml"), deployed);
    host.does(&format!("rotate --account {KEY} --abort --soak 0s")).await;
    assert_eq!(host.ids(KEY), ids);
    assert_eq!(host.held(KEY).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_the_owner_took_out_of_the_file_is_somebody_elses() {
    let host = Host::with(Options::with_account(KEY, &[OLD]), &one_account(&[OLD]), "approve = \"never\"").await;
    host.does(&format!("rotate --account {KEY}")).await;
    let made = host.ids(KEY)[0].clone();
    host.vonage().create_secret(KEY, "OwnersOther12").unwrap();
    host.holds(&["OwnersOther12"]);
    let refused = host.refuses(&format!("rotate --account {KEY}"), &format!("the account has the secret {made}, which is not in")).await;
    assert!(refused.err.contains("secrets import") && host.ids(KEY).contains(&made), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_ends_well_when_its_old_secret_was_revoked_by_hand_meanwhile() {
    let host = Host::new().await;
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    let revoke = format!("secrets revoke --account {KEY} --id {}", host.old_id());
    let refused = host.refuses(&revoke, "a rotation of the account is under way").await;
    assert!(refused.err.contains("--despite rotating") && host.ids(KEY).len() == 2, "{}", refused.err);
    host.does(&format!("{revoke} --despite rotating")).await;
    let done = host.does(&format!("rotate --account {KEY}")).await;
    assert!(done.out.contains("done: the new secret is in use"), "{}", done.out);
    host.is_rotated(KEY, OLD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_resume_nothing_is_fine_and_an_abort_goes_back_until_the_revoke() {
    let host = Host::new().await;
    let nothing = host.does(&format!("rotate --account {KEY} --resume")).await;
    assert!(nothing.err.contains("no rotation to go on with"), "{}", nothing.err);
    host.refuses(&format!("rotate --account {KEY}"), "was not made by this tool").await;
    let back = host.does(&format!("rotate --account {KEY} --abort")).await;
    assert!(back.out.contains("aborted"), "{}", back.out);
    assert_eq!(host.held(KEY), [(OLD.to_owned(), Some(host.old_id()))]);
    assert_eq!(host.ids(KEY).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_leak_a_secret_that_nobody_holds_is_revoked_and_a_dead_file_says_the_way_back() {
    let options = Options::with_account(KEY, &[OLD, "Thief12345"]);
    let host = Host::with(options, &one_account(&[OLD]), "").await;
    host.holds(&[OLD]);
    host.refuses(&format!("rotate --account {KEY}"), "is not in the credentials file").await;
    let audited = host.run("secrets audit").await;
    assert!(audited.code == Some(1) && audited.out.contains("foreign"), "what was begun hides no stranger: {}{}", audited.out, audited.err);
    host.does(&format!("rotate --account {KEY} --emergency --revoke-first")).await;
    host.is_rotated(KEY, OLD);
    assert!(host.vonage().secret_id(KEY, "Thief12345").is_none());

    host.vonage().create_secret(KEY, "Another12345").unwrap();
    host.vonage().revoke_value(KEY, &host.held(KEY)[0].0);
    let dead = host.refuses(&format!("rotate --account {KEY} --emergency"), "refuses every secret that is held").await;
    assert!(dead.err.contains("secrets import"), "{}", dead.err);
}
