//! `check` says what a listener lacks before it is started; `explain --listener` says what it is limited to.

use rcgen::{CertificateParams, KeyPair};
use vonage_sidecar::emulator::Options;

use super::{GOOD, document, home, says};
use crate::support::origin::Origin;
use crate::support::process::{Home, vonage};

/// A home whose only listener is this, with a certificate and its key, another key, and a token.
fn with_listener(listener: &str) -> Home {
    let home = home(Some(&format!("[[listen]]\n{listener}\n")), Some(GOOD));
    let key = KeyPair::generate().unwrap();
    home.write("cert.pem", &CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem());
    home.write("key.pem", &key.serialize_pem());
    home.write("another.pem", &KeyPair::generate().unwrap().serialize_pem());
    home.write("text.pem", "no PEM");
    home.write("token", "a-token-of-16-bytes");
    home.write("short", "short-token");
    home
}

fn tls(cert: &str, key: &str) -> String {
    format!("address = \"localhost:8443\"\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}")
}

#[tokio::test]
async fn what_a_listener_lacks_is_told_before_it_is_started() {
    let stranger = rustix::process::geteuid().as_raw() + 1;
    for (listener, words) in [
        (tls("cert.pem", "gone.pem"), "error: sidecar.toml listen[0].tls.cert gone.pem does not exist"),
        (tls("gone.pem", "key.pem"), "error: sidecar.toml listen[0].tls.cert gone.pem does not exist"),
        (tls("cert.pem", "text.pem"), "listen[0].tls.cert text.pem is not a private key in PEM"),
        (tls("text.pem", "key.pem"), "listen[0].tls.cert text.pem is not a chain of certificates in PEM"),
        (tls("cert.pem", "another.pem"), "listen[0].tls.cert cert.pem is not the certificate of the key another.pem"),
        ("address = \"localhost:8443\"\ntokens = [{ file = \"gone\" }]".to_owned(), "listen[0].tokens gone does not exist"),
        (
            "address = \"localhost:8443\"\ntokens = [{ file = \"short\" }]".to_owned(),
            "listen[0].tokens short is short enough to be guessed",
        ),
        ("unix = \"api.sock\"\nmode = \"0400\"".to_owned(), "listen[0].mode lets nobody connect"),
        (format!("unix = \"api.sock\"\nmode = \"0600\"\nuids = [{stranger}]"), "listen[0].uids can be none of those who can connect"),
        ("unix = \"gone/api.sock\"\nmode = \"0600\"".to_owned(), "listen[0].unix cannot be made"),
        (
            "[admin.observe]\naddress = \"localhost:9788\"\ntokens = [{ file = \"gone\" }]".to_owned(),
            "admin.observe.tokens gone does not exist",
        ),
    ] {
        let home = with_listener(&listener);
        let checked = home.run(&["check"]).await;
        assert_eq!(checked.code, Some(1), "{listener}: {}{}", checked.out, checked.err);
        says(&checked, &[words, "1 error, 0 warnings"]);
        let problem = &document(&home.run(&["check", "--json"]).await)["problems"][0];
        assert!(!problem["hint"].as_str().unwrap().is_empty(), "{problem}");
        assert!(!home.file("api.sock").exists(), "looking makes nothing");
    }
    for listener in [tls("cert.pem", "key.pem"), "unix = \"api.sock\"\ntokens = [{ file = \"token\" }]".to_owned()] {
        let checked = with_listener(&listener).run(&["check"]).await;
        assert_eq!(checked.code, Some(0), "{listener}: {}", checked.out);
    }
}

#[tokio::test]
async fn who_rotates_is_told_that_the_token_of_the_fleet_is_not_there() {
    let fleet = "[rotation.fleet]\nmembers = [\"http://localhost:9788\"]\ntoken = { file = \"gone\" }\n";
    let checked = home(Some(fleet), Some(GOOD)).run(&["check"]).await;
    assert_eq!(checked.code, Some(0), "a sidecar of the same settings may not rotate");
    says(
        &checked,
        &["warning: sidecar.toml rotation.fleet.token gone does not exist (without it no sidecar can be asked", "0 errors, 1 warning"],
    );
}

const TWO: &str = r#"
[[listen]]
address = "localhost:8787"
[[listen]]
address = "localhost:8788"
tokens = ["a-token-of-16-bytes", "b-token-of-16-bytes"]
account = "abcd1234"
host = "api.nexmo.com"
methods = ["GET", "PUT"]
paths = { allow = ["/account/*", "/accounts/*", "/v1/calls"], deny = ["/account/top-up"] }
allow = ["secrets"]
"#;

#[tokio::test]
async fn the_limits_of_the_listener_that_is_meant_are_shown_and_decide() {
    let credentials = format!("[[account]]\napi_key = \"other123\"\nsecrets = [\"OtherSecret1\"]\n{GOOD}");
    let home = home(Some(TWO), Some(&credentials));
    let first = home.run(&["explain", "GET", "/account/get-balance"]).await;
    says(&first, &["listener        localhost:8787, http\n", "upstream        https://rest.nexmo.com\n", "of account other123"]);
    assert!(!first.out.contains("limits "), "{}", first.out);
    for named in ["2", "localhost:8788"] {
        let second = home.run(&["explain", "--listener", named, "GET", "/account/get-balance"]).await;
        assert_eq!(second.code, Some(0), "{}", second.out);
        says(
            &second,
            &[
                "callers         whoever is on this machine, with one of 2 tokens\n",
                "limits          account abcd1234; host api.nexmo.com; methods GET, PUT; paths /account/*, /accounts/*, /v1/calls; no paths /account/top-up; open secrets\n",
                "upstream        https://api.nexmo.com\n",
                "of account abcd1234, id-2 first\n",
                "account         abcd1234\n",
            ],
        );
    }
    for (method, path, code) in [
        ("POST", "/account/get-balance", "method_not_served"),
        ("GET", "/sms/json", "path_not_served"),
        ("GET", "/ACCOUNT/top-up;x", "path_not_served"),
        ("GET", "/accounts/abcd1234/subaccounts", "management_plane"),
        ("GET", "/v1/calls", "no_application"),
    ] {
        let denied = home.run(&["explain", "--listener", "2", method, path]).await;
        assert_eq!(denied.code, Some(1), "{method} {path}: {}", denied.out);
        says(&denied, &[&format!("{code}: "), "remedy  ", "limits  "]);
    }
    assert_eq!(home.run(&["explain", "--listener", "2", "GET", "/accounts/abcd1234/secrets"]).await.code, Some(0));
    let told = document(&home.run(&["explain", "--listener", "2", "GET", "/account/get-balance", "--json"]).await);
    assert!(told["limits"].as_str().unwrap().starts_with("account abcd1234; "), "{told}");
    let third = home.run(&["explain", "--listener", "3", "GET", "/sms/json"]).await;
    assert!(third.code == Some(2) && third.err.contains("hint: the settings have localhost:8787, localhost:8788"), "{}", third.err);
}

#[tokio::test]
async fn a_listener_that_mints_is_explained_as_one_that_sends_nothing() {
    let mints =
        "[[listen]]\naddress = \"localhost:8789\"\ntokens = [\"a-token-of-16-bytes\"]\nmint = { max_ttl = \"10m\", claims = [\"sub\"] }\n";
    let key = crate::schemes::rig::application("app-1", &[&crate::schemes::rig::PAIRS[0]]);
    let minted = home(Some(mints), Some(&(GOOD.to_owned() + &key))).run(&["explain", "POST", "/jwt"]).await;
    assert_eq!(minted.code, Some(0), "{}", minted.out);
    says(
        &minted,
        &[
            "listener        localhost:8789, mint\n",
            "callers         whoever is on this machine, with the token of the listener\n",
            "endpoint        mint\n",
            "credential      a token of application app-1, which the caller gets; nothing is sent\n",
            "body            claims sub; ttl of at most 600 seconds\n",
        ],
    );
    assert!(!minted.out.contains("upstream"), "{}", minted.out);
    let nobody = home(Some(mints), Some(GOOD));
    says(&nobody.run(&["explain", "POST", "/jwt"]).await, &["denied          400 no_application: "]);
    says(&nobody.run(&["explain", "GET", "/account/get-balance"]).await, &["denied          404 mint_elsewhere: "]);
}

/// A listener for apps passes on what it is asked, and what comes back is Vonage's.
#[tokio::test]
async fn who_asks_a_listener_for_apps_as_if_it_were_the_admin_listener_is_told_so() {
    let emulator = vonage(Options::with_account("abcd1234", &["NewSecret2"])).await;
    let open = home(None, Some(GOOD));
    let sidecar = open.sidecar(emulator.address(), "").await;
    let says_yes = Origin::saying("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}").await;
    for address in [sidecar.data[0], says_yes.address] {
        let at = address.to_string();
        for (line, code) in [("status", 2), ("status --json", 2), ("health", 1), ("health --live", 1)] {
            let line = format!("{line} --admin {at}");
            let asked = open.run(&line.split(' ').collect::<Vec<_>>()).await;
            assert_eq!((asked.code, asked.out.as_str()), (Some(code), ""), "{line}: {}", asked.err);
            assert!(asked.err.contains("it is no admin listener (it answers "), "{line}: {}", asked.err);
            assert!(asked.err.contains("\n\nhint: --admin HOST:PORT is the address of [admin]"), "{line}: {}", asked.err);
        }
    }
    let admin = sidecar.admin[0].to_string();
    assert_eq!(open.run(&["health", "--live", "--admin", &admin]).await.code, Some(0));
    assert_eq!(open.run(&["status", "--admin", &admin]).await.code, Some(0));
}
