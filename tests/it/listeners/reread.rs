//! Tokens of callers and certificates of listeners change while the process runs: by SIGHUP at once, by itself soon; what
//! cannot be used changes nothing and is told.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;

use super::rig::{Client, SECRET, connected, secured, text, trusting, write};
use crate::support::process::{FREE_PORT, Home, Process, listening, vonage};
use crate::support::sidecar::{KEY, PATIENCE, one_account};
use vonage_sidecar::emulator::{Options, Running};

/// How often files are looked at without a signal.
const BY_ITSELF: Duration = Duration::from_secs(2);
/// More than can be seen in four looks.
const CHANGES: usize = 6;

/// A process with a listener whose callers need the token of a file, and one with a certificate from files.
struct Changing {
    home: Home,
    sidecar: Process,
    _emulator: Running,
}

fn token(number: usize) -> String {
    format!("the-token-number-{number}")
}

impl Changing {
    async fn new() -> Self {
        let (home, emulator) = (Home::new(), vonage(Options::with_account(KEY, &[SECRET])).await);
        home.write("credentials.toml", &one_account(&[SECRET]));
        home.write("token", &token(0));
        certify(&home);
        let tokens = format!("{FREE_PORT}, tokens = [{{ file = \"token\" }}]");
        let tls = format!("{FREE_PORT}, tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}");
        let sidecar = home.with_settings(&listening(&[&tokens, &tls], emulator.address())).await;
        Self { home, sidecar, _emulator: emulator }
    }

    /// What a caller with this token is told.
    async fn status(&self, token: &str) -> u16 {
        let mut client = Client::http1(connected(self.sidecar.data[0]).await).await;
        let request = client.request(http::Method::GET, "localhost", "/account/get-balance").header("x-sidecar-token", token);
        client.send(request.body(http_body_util::Full::default()).unwrap()).await.unwrap().status.as_u16()
    }

    /// A caller that trusts nothing but this certificate, if that is what is served.
    async fn connect(&self, certificate: &str) -> Option<Client> {
        let root = self.home.file("root.pem");
        write(&root, certificate);
        let stream = secured(connected(self.sidecar.data[1]).await, "localhost", &trusting(&root, &["http/1.1"])).await.ok()?;
        Some(Client::http1(stream).await)
    }

    /// The line of this number, counted from 0, about something that stays as it was.
    async fn told(&self, number: usize) -> String {
        let mut lines = Vec::new();
        let told = async {
            while lines.len() <= number {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let written = String::from_utf8(self.sidecar.written().1).unwrap();
                lines = written
                    .lines()
                    .filter(|line| line.contains(" as it was") || line.contains(" as they were"))
                    .map(str::to_owned)
                    .collect();
            }
        };
        assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "only this was told: {lines:?}");
        lines.remove(number)
    }

    /// Waits until the token and the certificate are in use.
    async fn uses(&self, token: &str, certificate: &str) {
        let changed = async {
            while self.status(token).await != 200 || self.connect(certificate).await.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, changed).await.expect("what is new was never taken");
    }
}

/// Writes a new certificate and its key, and returns it.
fn certify(home: &Home) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    home.write("key.pem", &key.serialize_pem());
    home.write("cert.pem", &certificate);
    certificate
}

#[tokio::test]
async fn a_hangup_takes_new_tokens_and_certificates_at_once_and_leaves_open_connections_alone() {
    let changing = Changing::new().await;
    let first = text(&changing.home.file("cert.pem"));
    let mut open = changing.connect(&first).await.unwrap();
    assert_eq!(open.balance("localhost").await.unwrap().status, 200);
    let changes = async {
        for number in 1..=CHANGES {
            changing.home.write("token", &token(number));
            let certificate = certify(&changing.home);
            changing.sidecar.signal(Signal::HUP);
            changing.uses(&token(number), &certificate).await;
            assert_eq!(changing.status(&token(number - 1)).await, 401, "the one before is still good");
        }
    };
    // By itself each change but the first would take as long as that.
    tokio::time::timeout(BY_ITSELF * 4, changes).await.expect("a hangup is no quicker than none");
    assert!(changing.connect(&first).await.is_none(), "the first certificate is still served");
    assert_eq!(open.balance("localhost").await.unwrap().status, 200);
}

#[tokio::test]
async fn without_a_signal_new_tokens_and_certificates_are_taken_soon() {
    let changing = Changing::new().await;
    // The first look may come after the first change; the second change needs another look.
    for number in [1, 2] {
        changing.home.write("token", &token(number));
        let certificate = certify(&changing.home);
        changing.uses(&token(number), &certificate).await;
        assert_eq!(changing.status(&token(number - 1)).await, 401);
    }
    changing.sidecar.says("a new certificate is served").await;
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing_and_are_told() {
    let changing = Changing::new().await;
    let certificate = text(&changing.home.file("cert.pem"));
    let key = text(&changing.home.file("key.pem"));
    let another = KeyPair::generate().unwrap().serialize_pem();
    let half = &certificate[..certificate.len() / 2];
    for (number, (file, words, cause)) in [
        ("token", "two words of a token", "has a space"),
        ("token", "", "is empty"),
        ("token", "fifteen-letters", "is short enough to be guessed"),
        ("cert.pem", "no certificate", "is not a chain of certificates in PEM"),
        ("key.pem", "no key", "is not a private key in PEM"),
        ("cert.pem", half, "is not a chain of certificates in PEM"),
        ("key.pem", another.as_str(), "is not the certificate of the key"),
    ]
    .into_iter()
    .enumerate()
    {
        changing.home.write(file, words);
        changing.sidecar.signal(Signal::HUP);
        let line = changing.told(number).await;
        assert!(line.contains(file) && line.contains(cause) && line.contains("\"WARN\""), "{line}");
        changing.uses(&token(0), &certificate).await;
        // It is told anew only after it was good again.
        changing.home.write("token", &token(0));
        changing.home.write("cert.pem", &certificate);
        changing.home.write("key.pem", &key);
        changing.sidecar.signal(Signal::HUP);
        changing.uses(&token(0), &certificate).await;
    }
    changing.home.write("token", &token(1));
    let certificate = certify(&changing.home);
    changing.sidecar.signal(Signal::HUP);
    changing.uses(&token(1), &certificate).await;
}
