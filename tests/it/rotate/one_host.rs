//! A rotation on one host, from the first command to the report.

use super::rig::{Host, KEY, Load, OLD};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_of_others_waits_for_approval_and_then_goes_without_a_failed_request() {
    let host = Host::new().await;
    let load = Load::through(&host.sidecar, 2);
    let old = host.old_id();

    let waits = host.refuses(&format!("rotate --account {KEY}"), &old).await;
    assert!(waits.err.contains(&format!("--approve {old}")), "{}", waits.err);
    assert_eq!((host.ids(KEY).len(), host.held(KEY).len()), (2, 2));

    let done = host.does(&format!("rotate --account {KEY} --approve {old}")).await;
    assert!(done.out.contains("goes on at soak") && done.out.contains("is revoked"), "{}", done.out);
    host.is_rotated(KEY, OLD);
    assert!(host.text("credentials.toml").contains("# ours\n"));
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_rotation_needs_nobody_and_its_report_says_everything_but_values() {
    let host =
        Host::with(vonage_sidecar::emulator::Options::with_account(KEY, &[OLD]), &super::rig::one_account(&[OLD]), "approve = \"never\"")
            .await;
    let load = Load::through(&host.sidecar, 2);
    host.does(&format!("rotate --account {KEY}")).await;
    let (first, id) = host.held(KEY)[0].clone();
    let printed = host.does(&format!("rotate --account {KEY} --json")).await;
    host.is_rotated(KEY, &first);
    load.was_served().await;

    let events: Vec<serde_json::Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = events.iter().filter(|event| event["event"] == "step").map(|event| event["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["check", "create", "prove", "deploy", "converge", "soak", "revoke", "tidy", "verify", "report", "ended"]);

    let reports = host.reports();
    assert_eq!(reports.len(), 2);
    // Two that began in the same second have no order.
    let id = serde_json::json!(id.unwrap());
    let report = reports.iter().find(|report| report["secrets"][1]["id"] == id).unwrap();
    assert_eq!((&report["outcome"], &report["account"]), (&"done".into(), &KEY.into()));
    assert_eq!(report["secrets"][1]["fate"], "revoked");
    assert_eq!(report["members"][0]["converged"], true);
    let results: Vec<&str> = report["proofs"].as_array().unwrap().iter().map(|proof| proof["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["accepted", "accepted", "refused", "refused"]);
    let everything = format!("{report}{}{}", printed.out, printed.err);
    for (value, _) in host.held(KEY).into_iter().chain([(first, None), (OLD.to_owned(), None)]) {
        assert!(!everything.contains(&value));
    }
}
