//! The whole promise on one screen: an app with a placeholder secret, a rotation in the middle of its calls, no failure.
//!
//! `cargo run --example two_secrets`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::allow_attributes, reason = "an example may fail loudly, and prints")]
#![allow(clippy::disallowed_methods, clippy::indexing_slicing, reason = "the file and the one listener are made right here")]

use std::fs::{rename, write};
use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use vonage_sidecar::app::{App, LostLines, Surroundings};
use vonage_sidecar::config::{Address, Origin, Place, Proxy, Settings, Transport};
use vonage_sidecar::credentials::watch::Watching;
use vonage_sidecar::emulator::{Emulator, Options};
use vonage_sidecar::metrics::Metrics;
use vonage_sidecar::rotation::report::Who;
use vonage_sidecar::shutdown::Shutdown;
use vonage_sidecar::upstream::ProxyEnvironment;
use vonage_sidecar::vonage::hosts::Host;

/// `Authorization` of an app that knows its key `abcd1234` and, in the place of the secret, the word `placeholder`.
const PLACEHOLDER: &str = "Basic YWJjZDEyMzQ6cGxhY2Vob2xkZXI=";

#[tokio::main]
async fn main() {
    // Vonage, emulated: one account with one live secret.
    let vonage = Emulator::bind(Options::with_account("abcd1234", &["OldSecret1"])).await.unwrap();
    let origin = Origin { transport: Transport::Plain, host: vonage.address().ip().to_string(), port: vonage.address().port() };

    // The sidecar: free ports, its credentials in a file.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials.toml");
    write(&file, "api_key = \"abcd1234\"\nsecrets = [\"OldSecret1\"]\n").unwrap();
    let mut settings = Settings::default();
    settings.listen[0].place = Place::Tcp(Address::Ip(([127, 0, 0, 1], 0).into()));
    settings.admin.address = Address::Ip(([127, 0, 0, 1], 0).into());
    settings.credentials.file.clone_from(&file);
    settings.upstream.proxy = Proxy::None;
    settings.upstream.hosts = Host::all().map(|host| (host, origin.clone())).collect();
    let surroundings = Surroundings {
        proxy: ProxyEnvironment::default(),
        watching: Watching::Events,
        metrics: Arc::new(Metrics::new()),
        who: Who::default(),
        log_lines_dropped: LostLines(Box::new(|| 0)),
    };
    let app = App::bind(settings, surroundings, Shutdown::new()).await.unwrap();
    let sidecar = app.addresses().data[0];
    let sidecar_runs = tokio::spawn(app.run());

    // The app: 600 calls on one connection. It never hears of a rotation.
    let stream = TcpStream::connect(sidecar).await.unwrap();
    let (mut connection, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection_runs = tokio::spawn(driver);
    let mut failed = 0;
    for call in 0..600 {
        match call {
            // The new secret is made and deployed beside the old one …
            200 => {
                vonage.control().create_secret("abcd1234", "NewSecret2").unwrap();
                let new = file.with_extension("new");
                write(&new, "api_key = \"abcd1234\"\nsecrets = [\"NewSecret2\", \"OldSecret1\"]\n").unwrap();
                rename(&new, &file).unwrap();
            }
            // … and the old one is revoked.
            400 => assert!(vonage.control().revoke_value("abcd1234", "OldSecret1")),
            _any_other => {}
        }
        connection.ready().await.unwrap();
        let request = Request::get("/account/get-balance").header("host", "localhost").header("authorization", PLACEHOLDER);
        let answer = connection.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        failed += u32::from(answer.status() != StatusCode::OK);
        answer.into_body().collect().await.unwrap();
    }
    println!("600 calls, 1 rotation, {failed} failed");
    assert_eq!(failed, 0);
    connection_runs.abort();
    sidecar_runs.abort();
}
