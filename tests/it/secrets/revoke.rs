//! A secret is revoked only when it can be spared.

use vonage_sidecar::emulator::Options;

use super::rig::{Desk, KEY, OLD};

const NEW: &str = "NewSecret2bbb";

/// Two live secrets. The file holds what it is told, an id beside each where `{old}` and `{new}` stand.
async fn desk(file: &str) -> Desk {
    let desk = Desk::with(Options::with_account(KEY, &[OLD, NEW]), "").await;
    let secrets = file.replace("{old}", &desk.id(OLD)).replace("{new}", &desk.id(NEW));
    desk.home.write("credentials.toml", &format!("[[account]]\napi_key = \"{KEY}\"\nsecrets = [{secrets}]\n"));
    desk
}

fn revoke(id: &str) -> String {
    format!("secrets revoke --account {KEY} --id {id}")
}

#[tokio::test]
async fn the_old_one_is_revoked_with_the_new_one_and_leaves_the_file() {
    let desk = desk(&format!("{{ value = \"{NEW}\", id = \"{{new}}\" }}, {{ value = \"{OLD}\", id = \"{{old}}\" }}")).await;
    let old = desk.id(OLD);
    desk.does(&revoke(&old)).await;
    assert_eq!(desk.ids(KEY), [desk.id(NEW)]);
    assert_eq!(desk.held("credentials.toml", KEY).iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>(), [NEW]);
    desk.refuses(&revoke(&old), "has no secret").await;
    desk.refuses(&revoke(&desk.id(NEW)), "is the last secret").await;
}

#[tokio::test]
async fn what_others_depend_on_stays_unless_that_is_said() {
    let desk = desk(&format!("{{ value = \"{NEW}\", id = \"{{new}}\" }}, {{ value = \"{OLD}\", id = \"{{old}}\", keep = true }}")).await;
    let old = desk.id(OLD);
    desk.refuses(&revoke(&old), "--despite kept").await;
    assert_eq!(desk.ids(KEY).len(), 2);
    desk.does(&format!("{} --despite kept", revoke(&old))).await;
    assert_eq!(desk.ids(KEY).len(), 1);
}

#[tokio::test]
async fn the_only_one_that_is_held_stays() {
    let desk = desk(&format!("{{ value = \"{OLD}\", id = \"{{old}}\" }}")).await;
    desk.refuses(&revoke(&desk.id(OLD)), "--despite only-held").await;
    desk.refuses(&format!("{} --despite only-held", revoke(&desk.id(OLD))), "--despite unproven").await;
    assert_eq!(desk.ids(KEY).len(), 2);
    // The foreign one may go: the one that is held was just accepted, and is known to be another.
    desk.does(&revoke(&desk.id(NEW))).await;
    assert_eq!(desk.ids(KEY), [desk.id(OLD)]);
}

#[tokio::test]
async fn nothing_is_revoked_when_the_survivor_is_dead_or_may_be_the_very_one() {
    // A value whose id is not known, and two secrets that it could be.
    let unknown = desk(&format!("\"{OLD}\"")).await;
    for value in [OLD, NEW] {
        unknown.refuses(&revoke(&unknown.id(value)), "--despite unproven").await;
    }
    assert_eq!(unknown.ids(KEY).len(), 2);
    // The other one of the file is not accepted.
    let dead = desk("\"DeadSecret3\", { value = \"OldSecret1aaa\", id = \"{old}\" }").await;
    dead.refuses(&revoke(&dead.id(OLD)), "--despite unproven").await;
    assert_eq!(dead.ids(KEY).len(), 2);
    // With one id known and both accepted, the other is the other.
    let known = desk(&format!("\"{NEW}\", {{ value = \"{OLD}\", id = \"{{old}}\" }}")).await;
    known.does(&revoke(&known.id(OLD))).await;
    assert_eq!(known.ids(KEY), [known.id(NEW)]);
}
