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
use tokio::sync::watch;
use vonage_sidecar::emulator::{ApplicationSpec, Control, Lag, Options, Running};
use vonage_sidecar::jwt::generate::{self, Generated};

use crate::support::caller::Caller;
use crate::support::process::{Home, Process, collected, instead_of_vonage, vonage};

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

    /// A program with what an app has: placeholders, and where the sidecar is.
    fn start(&self, name: &'static str, program: &Path, arguments: &[&Path], variables: &[(&str, &str)]) -> Script {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.home.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("VONAGE_API_KEY", KEY).env("VONAGE_API_SECRET", "placeholder");
        command.env("VONAGE_APPLICATION_ID", APPLICATION).env("VONAGE_PRIVATE_KEY_PATH", &self.placeholder);
        let mut child = command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = collected(child.stdout.take().unwrap());
        Script { name, child, said }
    }

    /// Runs a recipe, which sends one SMS.
    async fn recipe(&self, program: &Path, recipe: &str, variables: &[(&str, &str)]) {
        let before = self.control().executions().total;
        let mut script = self.start("recipe", program, &[&root().join("examples").join(recipe)], variables);
        let status = tokio::task::spawn_blocking(move || script.child.wait().unwrap()).await.unwrap();
        assert!(status.success(), "{recipe}");
        assert_eq!(self.control().executions().total - before, 1, "{recipe}");
    }
}

/// A script of `tests/sdks` that runs. Dropped, it is killed.
struct Script {
    name: &'static str,
    child: Child,
    said: watch::Receiver<Vec<u8>>,
}

fn lines(said: &[u8]) -> usize {
    said.split(|byte| *byte == b'\n').count() - 1
}

impl Drop for Script {
    fn drop(&mut self) {
        // One that has ended needs no end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Script {
    fn rounds(&self) -> usize {
        lines(&self.said.borrow())
    }

    /// Waits until it has been through everything so often.
    async fn goes_through(&mut self, rounds: usize) {
        let enough = self.said.wait_for(|said| lines(said) >= rounds);
        let in_time = tokio::time::timeout(BOUND, enough).await.map(|reached| reached.is_ok());
        assert_eq!(in_time, Ok(true), "{} does not go on", self.name);
    }

    /// Lets it end after its round, and returns what it counted.
    async fn result(mut self) -> (u64, Vec<String>) {
        drop(self.child.stdin.take());
        let whole = self.said.wait_for(|said| said.ends_with(b"}\n"));
        tokio::time::timeout(BOUND, whole).await.expect("ends in time").unwrap();
        let said = String::from_utf8(self.said.borrow().clone()).unwrap();
        let document: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let failures = document["failures"].as_array().unwrap().iter().map(ToString::to_string).collect();
        (document["calls"].as_u64().unwrap(), failures)
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

/// What apps of all kinds do: each goes through every API at least once between one rotation and the next.
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
    let (trusted, scripts) = (("REQUESTS_CA_BUNDLE", bundle), ["python.py", "node.mjs", "cli"].map(|name| scripts.join(name)));
    let [calls_python, calls_node, calls_cli] = &scripts;
    let mut started = [
        house.start("Python over TLS", &python, &[calls_python], &[("VONAGE_SIDECAR", &https), trusted]),
        house.start("Python by proxy", &python, &[calls_python], &[("HTTPS_PROXY", &http), trusted]),
        house.start("Node", Path::new("node"), &[calls_node], &[("VONAGE_SIDECAR", &http), ("VONAGE_SDK_HOME", node)]),
        house.start(
            "Vonage CLI",
            calls_cli,
            &[],
            &[("GLOBAL_AGENT_HTTPS_PROXY", &http), ("NODE_EXTRA_CA_CERTS", pem), ("VONAGE_SDK_HOME", cli)],
        ),
    ];
    for round in 1..=ROTATIONS {
        let reached = started.each_ref().map(Script::rounds);
        house.rotate_secret(round).await;
        house.rotate_key().await;
        for (script, before) in started.iter_mut().zip(reached) {
            script.goes_through(before + 1).await;
        }
    }
    let mut total = 0;
    for script in started {
        let name = script.name;
        let (calls, failures) = script.result().await;
        assert!(failures.is_empty(), "{name}: {} of {calls} failed: {failures:#?}", failures.len());
        println!("{name}: {calls} calls, none failed");
        total += calls;
    }
    let control = house.control();
    assert!(control.executions().total > 40 && control.accepted_tokens(APPLICATION, &house.pair.public) > 0, "{total} calls");
    // Only where every message has words of its own.
    let twice: Vec<_> = control.duplicates().into_iter().filter(|(message, _)| is_unique(message)).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let refused = control.count(|seen| matches!(seen.status, Some(401 | 403)));
    println!("{} requests at the emulator for {total} calls, {refused} refused and cured", control.count(|_| true));

    house.recipe(Path::new("sh"), "curl/send-sms.sh", &[("VONAGE_SIDECAR", &http)]).await;
    house.recipe(&python, "python/send_sms.py", &[("VONAGE_SIDECAR", &https), trusted]).await;
    let modules = format!("{node}/node_modules");
    house.recipe(Path::new("node"), "node/send-sms.cjs", &[("VONAGE_SIDECAR", &http), ("NODE_PATH", &modules)]).await;
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
    let script = root().join("tests/sdks/node.mjs");
    let (calls, failures) = house.start("Node", Path::new("node"), &[&script], &variables).result().await;
    assert!(failures.is_empty() && calls >= 11, "{failures:#?}");
    assert!(house.control().accepted_tokens(APPLICATION, &house.pair.public) >= 5);
    let (_, failures) = house.start("Node", Path::new("node"), &[&script], &variables[..3]).result().await;
    assert!(failures.iter().any(|failure| failure.contains("voice")), "the placeholder key signs nothing: {failures:#?}");
}

fn is_unique(message: &str) -> bool {
    ["POST /sms/json ", "POST /v1/messages ", "POST /v2/verify ", "POST /v1/calls "].iter().any(|begin| message.starts_with(begin))
}
