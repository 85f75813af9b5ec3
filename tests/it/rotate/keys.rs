//! The key pair of an application, from the command to the report, while requests that need its tokens go on.

use http::Method;
use serde_json::Value;
use vonage_sidecar::credentials::file;
use vonage_sidecar::emulator::{ApplicationSpec, Lag, Options};
use vonage_sidecar::jwt::SigningKey;

use super::rig::{Host, KEY, Load, OLD, one_account};
use crate::fallback::rig::rule;
use crate::schemes::rig::{APPLICATION, PAIRS, application};

pub async fn host() -> Host {
    let mut options = Options::with_account(KEY, &[OLD]);
    let public_key = Some(PAIRS[0].public.clone());
    options.applications = vec![ApplicationSpec { id: APPLICATION.to_owned(), account: KEY.to_owned(), public_key }];
    Host::with(options, &(one_account(&[OLD]) + &application(APPLICATION, &[&PAIRS[0]])), "").await
}

pub fn keys(host: &Host) -> Vec<(SigningKey, Option<String>)> {
    let text = host.text("credentials.toml");
    let (parsed, problems) = file::parse(&host.home.file("credentials.toml"), &text, &file::Referenced::new());
    let parsed = parsed.unwrap_or_else(|| panic!("{problems}"));
    parsed.applications[0].keys.iter().map(|item| (item.value.clone(), item.label.id.as_ref().map(ToString::to_string))).collect()
}

fn old() -> SigningKey {
    SigningKey::parse(&PAIRS[0].private).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_is_replaced_without_a_failed_request_and_the_rest_of_the_application_stays() {
    let host = host().await;
    host.vonage().set_lag(None, Lag { new: std::time::Duration::from_millis(700), revoked: std::time::Duration::from_millis(700) });
    let refused = host.refuses(&format!("rotate --application {APPLICATION}"), "tokens that clients of apps have").await;
    assert!(refused.err.contains("--window") && keys(&host).len() == 1, "{}", refused.err);

    let load = Load::of(&host.sidecar, &["/v1/calls", "/account/get-balance", "/v1/calls"]);
    let done = host.does(&format!("rotate --application {APPLICATION} --now")).await;
    let sent = load.was_served().await;
    let held = keys(&host);
    let [(new, Some(id))] = held.as_slice() else { panic!("{} keys are held", held.len()) };
    assert!(!new.same_as(&old()) && host.vonage().accepted_tokens(APPLICATION, &new.public_pem()) > 0);
    assert!(done.out.contains(&format!("the public key is that of {id}")) && done.out.contains("ended with the other one"), "{}", done.out);

    let puts: Vec<Value> = host
        .vonage()
        .seen()
        .iter()
        .filter(|seen| seen.method == Method::PUT)
        .map(|seen| serde_json::from_slice(&seen.body).unwrap())
        .collect();
    let [put] = puts.as_slice() else { panic!("{} were sent", puts.len()) };
    assert_eq!((put.get("_links"), put.get("id"), put["keys"]["public_key"].as_str()), (None, None, Some(new.public_pem().as_str())));
    let report = host.reports().pop().unwrap();
    assert_eq!((report["purpose"].as_str(), report["outcome"].as_str()), (Some("application"), Some("done")));
    let everything = format!("{report}{}{}", done.out, done.err);
    assert!(!everything.contains("PRIVATE KEY") && sent > 20, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_whose_answers_get_lost_goes_on_or_back_without_a_failed_request() {
    let host = host().await;
    let load = Load::of(&host.sidecar, &["/v1/calls"]);
    let path = format!("/v2/applications/{APPLICATION}");
    // The public key is replaced, and nobody hears of it.
    host.vonage().add_fault(rule("status-after=502").on_path(&path).on_method(Method::PUT).times(1));
    host.does(&format!("rotate --application {APPLICATION} --now")).await;
    let first = keys(&host)[0].0.clone();
    assert!(!first.same_as(&old()));

    host.vonage().add_fault(rule("status=503").on_path(&path).on_method(Method::PUT));
    host.refuses(&format!("rotate --application {APPLICATION} --now"), "replacing the public key of the application keeps failing").await;
    assert_eq!(keys(&host).len(), 2);
    host.vonage().clear_faults();
    host.does(&format!("rotate --application {APPLICATION} --abort")).await;
    let held = keys(&host);
    assert!(held.len() == 1 && held[0].0.same_as(&first));
    let nothing = host.does(&format!("rotate --application {APPLICATION} --resume --now")).await;
    assert!(nothing.err.contains("there is no rotation to go on with"), "{}", nothing.err);
    load.was_served().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_says_nothing_lets_no_key_be_made() {
    let host = host().await;
    let file = host.text("credentials.toml");
    for (fleet, words) in [
        ("fleet.members = [\"http://127.0.0.1:1\"]", "http://127.0.0.1:1 does not answer (connection refused)"),
        ("fleet.command = [\"false\"]", "the command of [rotation.fleet] ended with"),
        ("fleet.command = [\"true\"]", "no sidecar was found"),
    ] {
        host.finds("", fleet);
        host.refuses(&format!("rotate --application {APPLICATION} --now"), words).await;
        assert_eq!(host.text("credentials.toml"), file, "{fleet}");
    }
    host.finds("", "fleet.members = [\"http://@ADMIN@\"]");
    host.does(&format!("rotate --application {APPLICATION} --now")).await;
    assert!(!keys(&host)[0].0.same_as(&old()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_changes_nothing_and_the_end_is_told_to_whom_the_settings_name() {
    let host = host().await;
    let told = host.home.file("told");
    let notify = format!("notify.command = [\"sh\", \"-c\", \"cat >> {}\"]", told.display());
    host.finds("", &format!("fleet.members = [\"http://@ADMIN@\"]\n{notify}"));
    let file = host.text("credentials.toml");
    let would = host.does(&format!("rotate --application {APPLICATION} --dry-run")).await;
    assert!(would.out.contains("would go on with: deploy; nothing was changed"), "{}", would.out);
    assert!(host.text("credentials.toml") == file && !told.exists());
    let nothing = host.does(&format!("rotate --application {APPLICATION} --resume --now")).await;
    assert!(nothing.err.contains("there is no rotation to go on with"), "{}", nothing.err);

    host.does(&format!("rotate --application {APPLICATION} --now")).await;
    let event: Value = serde_json::from_str(&host.text("told")).unwrap();
    assert_eq!((event["event"].as_str(), event["application"].as_str()), (Some("done"), Some(APPLICATION)));
    assert_eq!(event["account"], KEY);
}
