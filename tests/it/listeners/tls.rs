//! HTTPS for SDKs that insist on it: with a certificate of the local authority or with one that was given, by
//! HTTP/1.1 and by HTTP/2.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use vonage_sidecar::config::{Certificates, Serves};

use super::rig::{Ca, Client, SECRET, connected, said, secured, serving, text, trusting, write};
use crate::support::sidecar::{PATIENCE, Setup};

#[tokio::test]
async fn a_call_is_served_by_either_protocol_at_every_name_of_the_listener() {
    let ca = Ca::new();
    let sidecar = serving(ca.https()).await;
    for (protocol, name, host) in [
        ("http/1.1", "localhost", "localhost"),
        ("http/1.1", "127.0.0.1", "127.0.0.1"),
        ("http/1.1", "::1", "localhost"),
        ("http/1.1", "api.nexmo.com", "rest.nexmo.com"),
        ("h2", "localhost", "localhost"),
        ("h2", "rest.localhost", "rest.localhost"),
        ("h2", "rest.nexmo.com", "rest.nexmo.com"),
    ] {
        let trust = trusting(&ca.pem(), &[protocol]);
        let stream = secured(connected(sidecar.data).await, name, &trust).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let mut client = if protocol == "h2" { Client::http2(stream).await } else { Client::http1(stream).await };
        for _again in 0..2 {
            let answer = client.balance(host).await.unwrap();
            assert_eq!(answer.status, 200, "{protocol} {name}: {}", answer.text());
            assert_eq!(answer.code(), "");
        }
    }
    assert_eq!(sidecar.vonage().seen().len(), 14);
}

#[tokio::test]
async fn a_name_that_is_not_served_has_no_certificate() {
    let ca = Ca::new();
    let sidecar = serving(ca.https()).await;
    let trust = trusting(&ca.pem(), &[]);
    for name in ["example.com", "evil.nexmo.com", "10.0.0.1", "x.localhost"] {
        let error = secured(connected(sidecar.data).await, name, &trust).await.unwrap_err();
        assert!(error.contains("not valid for name"), "{name}: {error}");
    }
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_so() {
    let ca = Ca::new();
    let sidecar = serving(ca.https()).await;
    let answer = said(&mut connected(sidecar.data).await, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("x-sidecar-error: tls_expected"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_served_without_a_failed_call() {
    let files = Ca::new();
    let given = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned(), "localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (first, second) = (given("first.internal"), given("second.internal"));
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    write(&cert, &first.0);
    write(&key, &first.1);
    let serves = Serves::Https(Certificates::Given { cert: cert.clone(), key: key.clone() });
    let sidecar = serving(serves).await;
    let served = async |certificate: &str| {
        let root = files.path("root.pem");
        write(&root, certificate);
        let stream = secured(connected(sidecar.data).await, "localhost", &trusting(&root, &["http/1.1"])).await;
        match stream {
            Ok(stream) => Client::http1(stream).await.balance("localhost").await.map(|answer| answer.status == 200),
            Err(error) => Err(error),
        }
    };
    assert_eq!(served(&first.0).await, Ok(true));
    // Half of a replacement: a certificate that is not of the key changes nothing.
    write(&cert, &second.0);
    tokio::time::timeout(PATIENCE, async { while served(&first.0).await != Ok(true) {} }).await.unwrap();
    write(&key, &second.1);
    let waiting = async {
        while served(&second.0).await != Ok(true) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the new certificate was never served");
}

#[tokio::test]
async fn files_that_do_not_fit_together_are_told_at_the_start() {
    let files = Ca::new();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    write(&files.path("cert.pem"), &certificate.pem());
    write(&files.path("key.pem"), &KeyPair::generate().unwrap().serialize_pem());
    write(&files.path("text.pem"), "text");
    for (cert, key, words) in [
        ("cert.pem", "key.pem", "is not the certificate of the key"),
        ("text.pem", "key.pem", "is not a chain of certificates in PEM"),
        ("cert.pem", "text.pem", "is not a private key in PEM"),
        ("gone.pem", "key.pem", "does not exist"),
    ] {
        let (cert, key) = (files.path(cert), files.path(key));
        let setup = Setup::new(&[SECRET], &[SECRET])
            .with(move |settings| settings.listen[0].serves = Serves::Https(Certificates::Given { cert, key }));
        let error = setup.try_start().await.err().expect("it starts");
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_apps_must_trust_is_published_before_the_first_call() {
    let ca = Ca::new();
    let mut settings = ca.settings();
    settings.publish = Some(ca.path("public"));
    let sidecar = serving(Serves::Https(Certificates::Made(settings))).await;
    assert_eq!(text(&ca.path("public/ca.pem")), text(&ca.pem()));
    assert!(!ca.path("public/ca.key").exists());
    let bundle = text(&ca.path("public/bundle.pem"));
    assert!(bundle.ends_with(&text(&ca.pem())));
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 50, "the roots of the system are in it");
    let stream = secured(connected(sidecar.data).await, "localhost", &trusting(&ca.path("public/bundle.pem"), &[])).await.unwrap();
    assert_eq!(Client::http1(stream).await.balance("localhost").await.unwrap().status, 200);
}
