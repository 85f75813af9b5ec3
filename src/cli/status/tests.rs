//! The table for people, from documents as a sidecar sends them.

use super::*;

fn document(extra: &str) -> Status {
    let text = format!(
        r#"{{"schema":1,"boot_id":"1","version":"0.1.0","uptime_seconds":3700.5,"draining":false,"generation":3,"revision":"r-1",
        "credentials":{{"path":"/etc/c.toml","device":null,"inode":null,"state":"ok","error":null,"last_good_age_seconds":3.0,"watch":"events"}},
        "accounts":[{extra}],"applications":[],"reloads":[],"listeners":[]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

const ACCOUNT: &str = r#"{"key":"abcd1234","membership":"listed","lingering_seconds":null,"signature_secrets":[],"secrets":[
    {"id":"id-1","position":0,"retiring_seconds":null,"keep":true,"note":"SMPP\nhost","created_at":null,
     "standing":{"api.nexmo.com":"good","rest.nexmo.com":"refused"},"last_used_seconds":0.0,"last_accepted_seconds":65.0,"in_flight":1,"served":12},
    {"id":null,"position":null,"retiring_seconds":90.0,"keep":false,"note":null,"created_at":null,
     "standing":{},"last_used_seconds":null,"last_accepted_seconds":null,"in_flight":0,"served":0}]}"#;

#[test]
fn people_see_one_line_a_value() {
    let expected = "\
vonage-sidecar 0.1.0, up 1h 1m, generation 3, revision r-1
/etc/c.toml is in use, last good 3s ago, watched by events

OWNER     KIND    VALUE         STANDING                                    LAST USED  ACCEPTED   IN FLIGHT  SERVED  NOTE
abcd1234  secret  first (id-1)  good api.nexmo.com, refused rest.nexmo.com  now        1m 5s ago  1          12      kept, SMPP host
abcd1234  secret  retiring      untested                                    never      never      0          0       dropped in 1m 30s
";
    assert_eq!(table(&document(ACCOUNT)), expected);
}

#[test]
fn people_see_how_old_secrets_are_and_what_changed_behind_our_back() {
    let listing = r#"{"looked_seconds":1.0,"error":null,"oldest_secret_seconds":93784.0,"overdue":true,"due_seconds":0.0,
        "drift":["foreign: id-9"],"step":null,"step_seconds":null}"#;
    let text = table(&document(&ACCOUNT.replacen('{', &format!("{{\"listing\":{listing},"), 1)));
    let line = "abcd1234: oldest secret 1d 2h, overdue, rotation due now; changed behind our back: foreign: id-9\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_sidecar_without_credentials_says_so() {
    let mut status = document("");
    status.credentials.state = FileState::Failing;
    status.credentials.error = Some("is empty".to_owned());
    let text = table(&status);
    assert!(text.contains("/etc/c.toml cannot be used, last good 3s ago"), "{text}");
    assert!(text.contains("  is empty\n\nnothing is held\n"), "{text}");
}
