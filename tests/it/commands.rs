//! `check` and `explain` as people and scripts use them: what they say, where they say it, and how they end.

mod files; // where they look
mod listeners; // the same about listeners
mod places; // and about where a rotation would write

use http::Method;
use vonage_sidecar::emulator::{AccountSpec, ApplicationSpec, Options};
use vonage_sidecar::jwt::generate::Generated;

use crate::support::caller::{self, Caller};
use crate::support::process::{Ended, Home, instead_of_vonage, vonage};

/// A file with one account.
const GOOD: &str = "[[account]]\napi_key = \"abcd1234\"\nsecrets = [{ value = \"NewSecret2\", id = \"id-2\" }, \"OldSecret1\"]\n";

fn home(settings: Option<&str>, credentials: Option<&str>) -> Home {
    let home = Home::new();
    for (name, text) in [("sidecar.toml", settings), ("credentials.toml", credentials)] {
        if let Some(text) = text {
            home.write(name, text);
        }
    }
    home
}

fn document(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}{}", ended.out, ended.err))
}

fn says(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(ended.out.contains(word), "{word:?} is not in:\n{}{}", ended.out, ended.err);
    }
}

#[tokio::test]
async fn good_files_are_exit_0_and_counted() {
    let ended = home(None, Some(GOOD)).run(&["check"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    says(
        &ended,
        &[
            "settings:    none, everything has its default",
            "credentials: credentials.toml, 1 account with 2 secrets",
            "0 errors, 0 warnings",
        ],
    );
}

const BAD_SETTINGS: &str = "[admin]\naddress = \"0.0.0.0:9787\"\n\n[limits]\nreplay = \"lots\"\n";
const BAD_CREDENTIALS: &str = "[[account]]\nsecrets = [\"Hidden1Secret\", 7]\n\n[[account]]\napi_key = \"with space\"\nsecrets = []\n";

#[tokio::test]
async fn everything_wrong_in_both_files_is_told_at_once_with_place_and_remedy() {
    let home = home(Some(BAD_SETTINGS), Some(BAD_CREDENTIALS));
    let ended = home.run(&["check"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), ""));
    says(
        &ended,
        &[
            "error: sidecar.toml:2:11 admin.address can be reached from other machines (write localhost:PORT",
            "error: sidecar.toml:5:10 limits.replay",
            "error: credentials.toml:1:1 account[0].api_key is missing",
            "error: credentials.toml:2:29 account[0].secrets[1]",
            "error: credentials.toml:5:11 account[1].api_key has a character other than",
            "error: credentials.toml:6:11 account[1].secrets",
            "settings:    sidecar.toml, cannot be used",
            "credentials: credentials.toml, cannot be used",
            "6 errors, 0 warnings",
        ],
    );
    assert!(!ended.out.contains("Hidden1Secret"));
    let document = document(&home.run(&["check", "--json"]).await);
    assert_eq!((document["schema"].as_u64(), document["errors"].as_u64()), (Some(1), Some(6)));
    let first = &document["problems"][0];
    assert_eq!((first["file"].as_str(), first["line"].as_u64(), first["column"].as_u64()), (Some("sidecar.toml"), Some(2), Some(11)));
    assert!(document["problems"].as_array().unwrap().iter().all(|problem| problem["severity"] == "error"));
}

#[tokio::test]
async fn the_credentials_are_found_through_settings_that_cannot_be_used() {
    let home = home(Some("[credentials]\nfile = \"secrets/here.toml\"\n[lag]\n"), None);
    let ended = home.run(&["check"]).await;
    says(&ended, &["error: sidecar.toml:3:", "log", "error: secrets/here.toml does not exist"]);
    home.write("sidecar.toml", "this is not TOML");
    let blind = home.run(&["check"]).await;
    assert_eq!(blind.code, Some(1));
    says(&blind, &["error: sidecar.toml:1:", "credentials: not looked at, since the settings do not say where they are"]);
    home.write("given.toml", GOOD);
    let given = home.run(&["check", "--credentials", "given.toml"]).await;
    says(&given, &["credentials: given.toml, 1 account with 2 secrets", "1 error, 0 warnings"]);
}

#[tokio::test]
async fn a_missing_file_is_named_with_what_to_do() {
    let ended = home(None, None).run(&["check"]).await;
    assert_eq!(ended.code, Some(1));
    says(&ended, &["error: credentials.toml does not exist (", "credentials: credentials.toml, cannot be used"]);
    let settings = home(None, Some(GOOD)).run(&["check", "--config", "gone.toml"]).await;
    assert_eq!((settings.code, settings.out.as_str()), (Some(1), ""));
    assert!(
        settings.err.starts_with("error: the settings cannot be read\ncaused by: gone.toml does not exist\n\nhint: "),
        "{}",
        settings.err
    );
}

#[tokio::test]
async fn a_warning_is_told_and_is_no_failure() {
    let home = home(None, Some(&GOOD.replace("api_key", "colour = 1\napi_key")));
    let ended = home.run(&["check"]).await;
    assert_eq!(ended.code, Some(0));
    says(&ended, &["warning: credentials.toml:2:1 account[0] has a field that is not known here and is ignored", "0 errors, 1 warning"]);
}

#[tokio::test]
async fn online_every_secret_is_tried_at_every_host_that_has_a_free_call() {
    let emulator = vonage(Options::with_account("abcd1234", &["NewSecret2"])).await;
    let home = home(Some(&instead_of_vonage(emulator.address())), Some(GOOD));
    let ended = home.run(&["check", "--online"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    says(
        &ended,
        &[
            "abcd1234  id-2        rest.nexmo.com  accepted\n",
            "abcd1234  secrets[1]  rest.nexmo.com  refused ",
            "the provider refuses it here",
        ],
    );
    let told = document(&home.run(&["check", "--online", "--json"]).await);
    let results: Vec<&str> = told["proofs"].as_array().unwrap().iter().map(|row| row["result"].as_str().unwrap()).collect();
    assert_eq!(results.iter().filter(|result| **result == "accepted").count() * 2, results.len(), "{results:?}");
    assert_eq!(emulator.control().executions().total, 0, "a free call does nothing");
    emulator.control().create_secret("abcd1234", "OldSecret1").unwrap();
    assert_eq!(home.run(&["check", "--online"]).await.code, Some(0));
}

#[tokio::test]
async fn online_every_private_key_is_tried_by_a_token_that_it_signs() {
    let [good, other] = &*crate::schemes::rig::PAIRS;
    let mut options = Options::with_account("abcd1234", &["NewSecret2", "OldSecret1"]);
    let public_key = Some(good.public.clone());
    options.applications = vec![ApplicationSpec { id: "app-1".to_owned(), account: "abcd1234".to_owned(), public_key }];
    let emulator = vonage(options).await;
    let home = |keys: &[&Generated]| {
        home(Some(&instead_of_vonage(emulator.address())), Some(&(GOOD.to_owned() + &crate::schemes::rig::application("app-1", keys))))
    };
    let both = home(&[good, other]).run(&["check", "--online"]).await;
    assert_eq!(both.code, Some(1), "{}", both.err);
    says(&both, &["app-1     private_keys[0]  api.nexmo.com   accepted\n", "app-1     private_keys[1]  api.nexmo.com   refused "]);
    assert_eq!(home(&[good]).run(&["check", "--online"]).await.code, Some(0));
    emulator.control().set_clock(300);
    assert_eq!(home(&[good]).run(&["check", "--online"]).await.code, Some(0), "a clock that is off says nothing about a key");
}

#[tokio::test]
async fn online_a_signature_secret_is_told_as_not_tried_with_the_reason_and_is_no_failure() {
    let emulator = vonage(Options::with_account("abcd1234", &["NewSecret2", "OldSecret1"])).await;
    let signing = format!("{GOOD}signature_secrets = [\"SignatureSecret1\", \"SignatureSecret2\"]\n");
    let home = home(Some(&instead_of_vonage(emulator.address())), Some(&signing));
    let ended = home.run(&["check", "--online"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for place in [0, 1] {
        let line = ended.out.lines().find(|line| line.contains(&format!("signature_secrets[{place}]"))).unwrap();
        assert!(
            line.starts_with("abcd1234  ") && line.contains(" not tried ") && line.ends_with("no free call takes a signature"),
            "{line}"
        );
    }
    let told = document(&home.run(&["check", "--online", "--json"]).await);
    let rows = told["proofs"].as_array().unwrap();
    let signatures: Vec<_> = rows.iter().filter(|row| row["secret"].as_str().unwrap().starts_with("signature_secrets[")).collect();
    assert_eq!(signatures.len(), 2, "{rows:?}");
    for row in signatures {
        assert_eq!((row["result"].as_str(), row["host"].is_null()), (Some("not_tried"), true));
        assert_eq!(row["detail"], "no free call takes a signature");
    }
    assert!(!ended.out.contains("SignatureSecret"), "{}", ended.out);
}

#[tokio::test]
async fn online_a_provider_that_cannot_be_reached_is_not_a_refusal() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = home(Some(&instead_of_vonage(closed)), Some(GOOD));
    let ended = home.run(&["check", "--online", "--json"]).await;
    assert_eq!(ended.code, Some(1));
    let told = document(&ended);
    let rows = told["proofs"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["result"] == "unreachable" && row["detail"] != ""), "{rows:?}");
    assert_eq!(told["errors"], 0);
}

#[tokio::test]
async fn a_data_call_is_explained() {
    let ended = home(None, None).run(&["explain", "post", "/sms/json"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    says(
        &ended,
        &[
            "endpoint        sms\n",
            "upstream        https://rest.nexmo.com\n",
            "credential      Basic, the account's key and current secret\n",
            "refusals        200 with messages[].status 4",
            "second attempt  yes",
            "repeated        never",
        ],
    );
    let told = document(&home(None, None).run(&["explain", "POST", "/sms/json", "--json"]).await);
    assert_eq!((told["served"].as_bool(), told["endpoint"].as_str()), (Some(true), Some("sms")));
}

#[tokio::test]
async fn applications_keys_and_what_is_wrong_with_them_are_told() {
    let pem = vonage_sidecar::jwt::generate::key_pair().unwrap().private;
    let application = |id: &str, key: &str| {
        format!("[[application]]\nid = \"{id}\"\naccount = \"abcd1234\"\nprivate_keys = ['''\n{key}''', {{ file = \"absent.pem\" }}]\n")
    };
    let one = home(None, Some(&(GOOD.to_owned() + &application("app-1", pem.as_pem()))));
    let checked = one.run(&["check"]).await;
    assert_eq!(checked.code, Some(0), "a key that cannot be used is a warning");
    says(&checked, &["1 application with 1 private key", "private_keys[1] names a file that cannot be used"]);
    let call = one.run(&["explain", "POST", "/v1/calls"]).await;
    says(&call, &["credential      a token (Bearer) of application app-1, private_keys[0] first\n"]);
    let message = one.run(&["explain", "POST", "/v1/messages"]).await;
    says(
        &message,
        &["credential      key and secret (Basic) of account abcd1234", "with a token    a token (Bearer) of application app-1"],
    );

    let cut = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    let two = home(None, Some(&(GOOD.to_owned() + &application("app-1", cut) + &application("app-2", pem.as_pem()))));
    let checked = two.run(&["check"]).await;
    assert_eq!(checked.code, Some(1), "an application without any key is an error");
    says(
        &checked,
        &["private_keys[0] is not ", "2 applications with 1 private key", "error: ", "has no private key of the application app-1"],
    );
    let unnamed = two.run(&["explain", "POST", "/v1/calls"]).await;
    assert_eq!(unnamed.code, Some(1));
    says(&unnamed, &["denied          400 application_not_named: "]);
}

/// What the sidecar does with a key that the request names is what is explained of it.
#[tokio::test]
async fn a_call_that_names_a_key_is_explained_as_it_is_served() {
    let two = GOOD.to_owned() + "[[account]]\napi_key = \"other567\"\nsecrets = [\"Other1Secret\"]\n";
    let options = Options {
        accounts: vec![AccountSpec::new("abcd1234", &["NewSecret2"]), AccountSpec::new("other567", &["Other1Secret"])],
        ..Options::default()
    };
    let emulator = vonage(options).await;
    let home = home(None, Some(&two));
    let sidecar = home.sidecar(emulator.address(), "").await;
    for (path, code, words) in [
        ("/account/get-balance?api_key=nobody12", "key_unknown", "denied          403 key_unknown: "),
        ("/account/get-balance?api_key=abcd1234&api_key=other567", "keys_differ", "denied          400 keys_differ: "),
        ("/account/get-balance?api_key=other567", "", "credential      key and secret (Basic) of account other567, secrets[0] first\n"),
        ("/account/get-balance", "", "credential      key and secret (Basic) of account abcd1234, id-2 first\n"),
    ] {
        let explained = home.run(&["explain", "GET", path]).await;
        let mut call = caller::request(Method::GET, path, "", bytes::Bytes::new());
        call.headers_mut().remove("authorization");
        let called = Caller::new(sidecar.data[0]).send(call).await.unwrap();
        assert_eq!((explained.code, called.code()), (Some(i32::from(!code.is_empty())), code), "{path}: {}", explained.out);
        says(&explained, &[words]);
    }
    let other = home.run(&["explain", "GET", "/account/get-balance?api_key=other567"]).await;
    says(&other, &["account         other567, which the request names\n"]);
    says(&home.run(&["explain", "GET", "/account/get-balance"]).await, &["second attempt  yes, with the other secret"]);
    says(&other, &["second attempt  no, no other secret is held, unless a newer file brings one in time\n"]);
}

#[tokio::test]
async fn a_management_call_is_denied_whatever_its_spelling() {
    let home = home(None, None);
    for path in
        ["/accounts/abcd1234/secrets", "//ACCOUNTS//abcd1234/secrets/", "/%61ccounts%2Fabcd1234%2Fsecrets", "/;x/accounts;y/a/secrets"]
    {
        let ended = home.run(&["explain", "GET", path]).await;
        assert_eq!(ended.code, Some(1), "{path}");
        says(&ended, &["denied          403 management_plane: ", "or open it with allow = [\"secrets\"] at this listener"]);
    }
    for path in ["/sms/%2e%2e/accounts%2Fabcd1234%2Fsecrets", "/x/..;/accounts/a/secrets", "/%61ccounts/;/../abcd1234/secrets"] {
        let ended = home.run(&["explain", "GET", path]).await;
        assert_eq!(ended.code, Some(1), "{path}");
        says(&ended, &["denied          400 path_ambiguous: ", "write the path plainly"]);
    }
    home.write("sidecar.toml", "[[listen]]\nallow = [\"secrets\"]\n");
    assert_eq!(home.run(&["explain", "GET", "/accounts/abcd1234/secrets"]).await.code, Some(0));
    assert_eq!(home.run(&["explain", "GET", "/accounts/abcd1234/subaccounts"]).await.code, Some(1));
}

#[tokio::test]
async fn what_takes_a_token_what_is_unknown_and_a_foreign_host_are_explained() {
    let home = home(None, None);
    let unknown = home.run(&["explain", "GET", "/no/such/path"]).await;
    assert_eq!(unknown.code, Some(0));
    says(&unknown, &["endpoint        unknown\n", "upstream        https://api.nexmo.com\n", "repeated        never"]);
    let foreign = home.run(&["explain", "GET", "/sms/json", "--host", "evil.example"]).await;
    assert_eq!(foreign.code, Some(1));
    says(&foreign, &["denied          421 host_foreign: ", "allowed_hosts"]);
    let region = home.run(&["explain", "POST", "/v1/messages", "--host", "api-eu.localhost:8787"]).await;
    says(&region, &["upstream        https://api-eu.nexmo.com\n"]);
    let token = home.run(&["explain", "POST", "/v1/calls"]).await;
    assert_eq!(token.code, Some(0));
    says(&token, &["credential      a token of the application\n", "accepts         jwt\n"]);
}

#[tokio::test]
async fn what_is_no_request_cannot_be_explained() {
    let home = home(None, None);
    for arguments in [["explain", "G ET", "/sms/json"], ["explain", "GET", "a b"]] {
        let ended = home.run(&arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.err.starts_with("error: this is not ") && ended.err.contains("\n\nhint: "), "{}", ended.err);
    }
}
