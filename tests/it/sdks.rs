//! Real SDKs with placeholder credentials, while secrets and keys rotate: no call of theirs fails.
//!
//! They are installed by `tests/sdks/install`, which needs the registries of Python and Node; `.ci/run` does that and
//! then runs what is ignored here. A failure counts where an app would see it: in the script that calls the SDK.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use vonage_sidecar::emulator::{ApplicationSpec, Control, Lag, Options, Running};
use vonage_sidecar::jwt::generate::{self, Generated};

use crate::support::caller::Caller;
use crate::support::process::{Home, Process, instead_of_vonage, vonage};

const KEY: &str = "abcd1234";
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
/// Rotations of secrets and keys; each waits until both new ones are in use.
const ROTATIONS: usize = 4;
/// More than any step may take on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn installed() -> PathBuf {
    let home = root().join("target/sdks");
    assert!(home.join("node/node_modules").is_dir(), "not installed: run tests/sdks/install");
    home
}

/// An emulated Vonage, a sidecar in front of it with every kind of listener, and what is in force.
struct House {
    home: Home,
    vonage: Running,
    sidecar: Process,
    secret: String,
    pair: Generated,
    placeholder: PathBuf,
}

impl House {
    async fn new() -> Self {
        let (home, pair) = (Home::new(), generate::key_pair().unwrap());
        let application = ApplicationSpec { id: APPLICATION.into(), account: KEY.into(), public_key: Some(pair.public.clone()) };
        // A replaced key must be good until the new one is: an application has only one, and no caller can bridge a gap.
        let lag = Lag { new: Duration::from_millis(100), revoked: Duration::from_millis(250) };
        let options = Options::with_account(KEY, &["Rotated0Secret"]);
        let vonage = vonage(Options { applications: vec![application], lag, remembered: 100_000, ..options }).await;
        home.write("placeholder.key", generate::key_pair().unwrap().private.as_pem());
        write_credentials(&home, &["Rotated0Secret"], &[&pair]);
        let sidecar = home.with_settings(&format!("{LISTENERS}{}", instead_of_vonage(vonage.address()))).await;
        let placeholder = home.file("placeholder.key");
        Self { home, vonage, sidecar, secret: "Rotated0Secret".into(), pair, placeholder }
    }

    fn control(&self) -> &Control {
        self.vonage.control()
    }

    async fn until(&self, what: &str, holds: impl FnMut(&Control) -> bool) {
        assert!(self.control().wait_for(holds, BOUND).await, "did not happen in time: {what}");
    }

    /// A new secret beside the old one, which is revoked once the new one is in use; in odd rounds before the file says so.
    async fn rotate_secret(&mut self, round: usize) {
        let (old, new) = (self.secret.clone(), format!("Rotated{round}Secret"));
        self.control().create_secret(KEY, &new).unwrap();
        write_credentials(&self.home, &[&new, &old], &[&self.pair]);
        self.until("the new secret is in use", |control| control.accepted(KEY, &new) >= 3).await;
        if round.is_multiple_of(2) {
            write_credentials(&self.home, &[&new], &[&self.pair]);
        }
        assert!(self.control().revoke_value(KEY, &old));
        write_credentials(&self.home, &[&new], &[&self.pair]);
        self.secret = new;
    }

    /// A new key beside the old one, then its public half at the provider, then the old one goes.
    async fn rotate_key(&mut self) {
        let new = generate::key_pair().unwrap();
        write_credentials(&self.home, &[&self.secret], &[&new, &self.pair]);
        put_public_key(&self.vonage, &self.secret, &new.public).await;
        self.until("the new key is in use", |control| control.accepted_tokens(APPLICATION, &new.public) >= 3).await;
        write_credentials(&self.home, &[&self.secret], &[&new]);
        self.pair = new;
    }

    /// A script of `tests/sdks` with what an app has: placeholders, and where the sidecar is.
    fn start(&self, program: &Path, arguments: &[&Path], variables: &[(&str, &str)]) -> Child {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.home.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("VONAGE_API_KEY", KEY).env("VONAGE_API_SECRET", "placeholder");
        command.env("VONAGE_APPLICATION_ID", APPLICATION).env("VONAGE_PRIVATE_KEY_PATH", &self.placeholder);
        command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// What a caller sends for an SMS of a recipe, and that it was sent.
    async fn recipe(&self, program: &Path, arguments: &[&Path], variables: &[(&str, &str)]) {
        let before = self.control().executions().total;
        let child = self.start(program, arguments, variables);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(self.control().executions().total - before, 1, "{arguments:?}: {output:?}");
    }
}

/// One listener in plain HTTP that is a proxy, too, and one with TLS.
const LISTENERS: &str = "listen = [\n\
    { address = \"127.0.0.1:0\", proxy = { ca_dir = \"ca\" } },\n\
    { address = \"127.0.0.1:0\", tls = { ca_dir = \"ca\" } },\n\
    ]\nadmin.address = \"127.0.0.1:0\"\n";

fn write_credentials(home: &Home, secrets: &[&str], pairs: &[&Generated]) {
    let keys: Vec<Value> = pairs.iter().map(|pair| json!(pair.private.as_pem())).collect();
    let document = json!({
        "account": [{ "api_key": KEY, "secrets": secrets }],
        "application": [{ "id": APPLICATION, "account": KEY, "private_keys": keys }],
    });
    home.write("credentials.toml", &document.to_string());
}

async fn put_public_key(vonage: &Running, secret: &str, pem: &str) {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:{secret}"));
    let body = json!({ "name": "Emulated application", "keys": { "public_key": pem } }).to_string();
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("/v2/applications/{APPLICATION}"))
        .header("host", "api.nexmo.com")
        .header("authorization", format!("Basic {pair}"))
        .header("content-type", "application/json");
    let answer = Caller::new(vonage.address()).send(request.body(Full::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Lets a script end after its round, and returns what it counted.
async fn result(name: &str, mut child: Child) -> (u64, Vec<String>) {
    drop(child.stdin.take());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
    let failures = document["failures"].as_array().unwrap().iter().map(ToString::to_string).collect();
    (document["calls"].as_u64().unwrap(), failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs what tests/sdks/install installs"]
async fn no_call_of_a_real_sdk_fails_while_secrets_and_keys_rotate() {
    let (sdks, mut house) = (installed(), House::new().await);
    let scripts = root().join("tests/sdks");
    let [plain, tls] = [house.sidecar.data[0], house.sidecar.data[1]];
    let (http, https, ca) = (format!("http://{plain}"), tls.to_string(), house.home.file("ca"));
    let (bundle, pem) = (ca.join("bundle.pem"), ca.join("ca.pem"));
    let (bundle, pem) = (bundle.to_str().unwrap(), pem.to_str().unwrap());
    let [python, node, cli] = ["python/bin/python", "node", "cli"].map(|name| sdks.join(name));
    let (node, cli) = (node.to_str().unwrap(), cli.to_str().unwrap());
    let interpreter = Path::new("node");
    let started = [
        (
            "Python over TLS",
            house.start(&python, &[&scripts.join("python.py")], &[("VONAGE_SIDECAR", &https), ("REQUESTS_CA_BUNDLE", bundle)]),
        ),
        ("Python by proxy", house.start(&python, &[&scripts.join("python.py")], &[("HTTPS_PROXY", &http), ("REQUESTS_CA_BUNDLE", bundle)])),
        ("Node", house.start(interpreter, &[&scripts.join("node.mjs")], &[("VONAGE_SIDECAR", &http), ("VONAGE_SDK_HOME", node)])),
        (
            "Vonage CLI",
            house.start(
                &scripts.join("cli"),
                &[],
                &[("GLOBAL_AGENT_HTTPS_PROXY", &http), ("NODE_EXTRA_CA_CERTS", pem), ("VONAGE_SDK_HOME", cli)],
            ),
        ),
    ];
    for round in 1..=ROTATIONS {
        let before = house.control().executions().total;
        house.rotate_secret(round).await;
        house.rotate_key().await;
        house.until("all goes on", |control| control.executions().total > before + 40).await;
    }
    let mut total = 0;
    for (name, child) in started {
        let (calls, failures) = result(name, child).await;
        assert!(failures.is_empty(), "{name}: {} of {calls} failed: {failures:#?}", failures.len());
        println!("{name}: {calls} calls, none failed");
        total += calls;
    }
    let control = house.control();
    assert!(total > 40 && control.executions().total > 40, "{total} calls, {:?}", control.executions());
    // Only where every message has words of its own.
    let twice: Vec<_> = control.duplicates().into_iter().filter(|(message, _)| is_unique(message)).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let refused = control.count(|seen| seen.status == Some(401) || seen.status == Some(403));
    println!("{} requests at the emulator, {refused} refused and cured", control.count(|_| true));

    house.recipe(Path::new("sh"), &[&root().join("examples/curl/send-sms.sh")], &[("VONAGE_SIDECAR", &http)]).await;
    let recipe = root().join("examples/python/send_sms.py");
    house.recipe(&python, &[&recipe], &[("VONAGE_SIDECAR", &https), ("REQUESTS_CA_BUNDLE", bundle)]).await;
    let recipe = root().join("examples/node/send-sms.cjs");
    house.recipe(interpreter, &[&recipe], &[("VONAGE_SIDECAR", &http), ("NODE_PATH", &format!("{node}/node_modules"))]).await;
}

/// An SDK with the real credentials and no sidecar between: what another implementation signs, the emulator accepts, so
/// that its own verification agrees with somebody besides us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs what tests/sdks/install installs"]
async fn the_emulator_accepts_what_a_real_sdk_signs() {
    let (sdks, house) = (installed(), House::new().await);
    house.home.write("private.key", house.pair.private.as_pem());
    let (key, node) = (house.home.file("private.key"), sdks.join("node"));
    let address = format!("http://{}", house.vonage.address());
    let variables = [
        ("VONAGE_SIDECAR", address.as_str()),
        ("VONAGE_SDK_HOME", node.to_str().unwrap()),
        ("VONAGE_API_SECRET", &house.secret),
        ("VONAGE_PRIVATE_KEY_PATH", key.to_str().unwrap()),
    ];
    let child = house.start(Path::new("node"), &[&root().join("tests/sdks/node.mjs")], &variables);
    let (calls, failures) = result("Node", child).await;
    assert!(failures.is_empty() && calls >= 11, "{failures:#?}");
    assert!(house.control().accepted_tokens(APPLICATION, &house.pair.public) >= 5);
    let forged = house.start(Path::new("node"), &[&root().join("tests/sdks/node.mjs")], &variables[..3]);
    let (_, failures) = result("Node", forged).await;
    assert!(failures.iter().any(|failure| failure.contains("voice")), "the placeholder key signs nothing: {failures:#?}");
}

fn is_unique(message: &str) -> bool {
    ["POST /sms/json ", "POST /v1/messages ", "POST /v2/verify ", "POST /v1/calls "].iter().any(|begin| message.starts_with(begin))
}
