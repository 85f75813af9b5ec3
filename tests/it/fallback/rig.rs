//! What the tests of the fallback share.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::emulator::{Fault, Rule, Seen};
use vonage_sidecar::vonage::hosts::Host;

use crate::support::caller::{Answer, Caller, PLACEHOLDER, request};
use crate::support::sidecar::{KEY, PATIENCE, Sidecar};

/// Secrets: one that was revoked or will be, its successor, and one nobody knows yet.
pub const OLD: &str = "Old1Secret";
pub const NEW: &str = "New1Secret";
pub const NEXT: &str = "Next1Secret";

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

/// One call: method, path and a body that the emulator executes.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub path: &'static str,
    pub kind: &'static str,
    pub body: &'static str,
}

pub const fn get(path: &'static str) -> Call {
    Call { method: Method::GET, path, kind: "", body: "" }
}

pub const fn post(path: &'static str, kind: &'static str, body: &'static str) -> Call {
    Call { method: Method::POST, path, kind, body }
}

pub const SMS: Call = post("/sms/json", FORM, "from=Acme&to=447700900000&text=hello");
pub const MESSAGE: Call =
    post("/v1/messages", JSON, r#"{"from":"447700900001","to":"447700900000","message_type":"text","text":"x","channel":"sms"}"#);
pub const VERIFY: Call = post("/verify/json", JSON, r#"{"number":"447700900000","brand":"Acme"}"#);
pub const VERIFY2: Call = post("/v2/verify", JSON, r#"{"brand":"Acme","workflow":[{"channel":"sms","to":"447700900000"}]}"#);
pub const BALANCE: Call = get("/account/get-balance");
pub const APPLICATIONS: Call = get("/v2/applications");

impl Call {
    pub fn request(self) -> Request<Full<Bytes>> {
        request(self.method, self.path, self.kind, Bytes::from_static(self.body.as_bytes()))
    }

    /// The same with a header.
    pub fn with(self, name: &'static str, value: &str) -> Request<Full<Bytes>> {
        let mut request = self.request();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    }
}

pub async fn send(sidecar: &Sidecar, call: Call) -> Answer {
    Caller::new(sidecar.data).send(call.request()).await.unwrap()
}

/// The requests for this path that the emulator has seen, in order; probes go elsewhere or carry our own user agent.
pub fn attempts(sidecar: &Sidecar, path: &str) -> Vec<Seen> {
    let path = path.split('?').next().unwrap();
    sidecar.vonage().seen().into_iter().filter(|seen| seen.path() == path && !is_probe(seen)).collect()
}

pub fn is_probe(seen: &Seen) -> bool {
    seen.header("user-agent").starts_with("vonage-sidecar/")
}

pub fn probes(sidecar: &Sidecar) -> usize {
    sidecar.vonage().count(is_probe)
}

/// Puts faults in force, in their written form.
pub fn rule(text: &str) -> Rule {
    text.parse().unwrap()
}

pub fn fault(text: &str) -> Fault {
    text.parse().unwrap()
}

/// Writes a request on a connection of its own.
pub async fn open(sidecar: &Sidecar, call: &Call) -> TcpStream {
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    let (length, kind) = (call.body.len(), call.kind);
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\nauthorization: {PLACEHOLDER}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{}",
        call.method, call.path, call.body
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Leaves: a reset, since a FIN alone may be a half-close.
pub fn leave(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// What is believed of the secret at this place of the file.
pub fn standing(sidecar: &Sidecar, position: usize, host: Host) -> Standing {
    let account = std::sync::Arc::clone(sidecar.store.load().account(KEY).unwrap());
    let standings = account.opinion.lock();
    standings.standing(account.secrets[position].uid, host)
}

/// Waits for a condition that nothing announces, looking every few milliseconds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never: {what}");
}

/// The value of a series of the metrics page.
pub fn counted(sidecar: &Sidecar, series: &str) -> u64 {
    let page = sidecar.metrics.render(&vonage_sidecar::metrics::Scrape::default());
    let line = page.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
