//! Who is trusted, and what is said of who is not.

use std::time::Duration;

use rcgen::CertificateParams;
use tokio::io::AsyncWriteExt;

use super::origins::{Authority, answer_all, at, fetch, figures, plain, secure, settings, soon, timeouts, to_secure};
use crate::config::{Http2, Origin, Timeouts, Transport};
use crate::upstream::{ConnectError, Protocol, ProxyEnvironment, SetupError, Upstream};
use crate::vonage::hosts::Host;

/// The code of the refusal of a leaf for `name`, signed by `signer`, where `trusted` is what we trust.
async fn refusal(trusted: &Authority, signer: &Authority, name: &str, spoil: impl FnOnce(&mut CertificateParams)) -> &'static str {
    let (address, _) = secure(signer.acceptor(&[name], &[], spoil), |stream, _| answer_all(stream)).await;
    let upstream = to_secure(trusted, address);
    let code = soon(upstream.connection(Host::API)).await.unwrap_err().code();
    assert_eq!(figures(&upstream).failures.get(code), Some(&1));
    code
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_and_says_why() {
    let (ours, theirs, namesake) = (Authority::new(), Authority::named("another root"), Authority::new());
    assert_eq!(refusal(&ours, &theirs, "localhost", |_| {}).await, "tls_unknown_ca");
    assert_eq!(refusal(&ours, &namesake, "localhost", |_| {}).await, "tls_unknown_ca");
    assert_eq!(refusal(&ours, &ours, "elsewhere", |_| {}).await, "tls_wrong_host");
    let expired = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    assert_eq!(refusal(&ours, &ours, "localhost", expired).await, "tls_cert_expired");
    let early = |params: &mut CertificateParams| params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    assert_eq!(refusal(&ours, &ours, "localhost", early).await, "tls_cert_not_yet_valid");
}

#[tokio::test]
async fn what_is_not_tls_is_refused_and_says_why() {
    let authority = Authority::new();
    let (address, _) = plain(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let error = soon(to_secure(&authority, address).connection(Host::API)).await.unwrap_err();
    assert_eq!(error.code(), "tls_not_spoken", "{error:?}");
    let (address, _) = plain(|stream, _| async move { drop(stream) }).await;
    let error = soon(to_secure(&authority, address).connection(Host::API)).await.unwrap_err();
    assert_eq!(error.code(), "tls_closed", "{error:?}");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_in_time() {
    let authority = Authority::new();
    let (address, _) = plain(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut settings = settings();
    settings.ca_file = Some(authority.ca_file());
    settings.hosts.insert(Host::API, at(Transport::Tls, address));
    let timeouts = Timeouts { handshake: Duration::from_millis(50), ..timeouts() };
    let upstream = Upstream::new(&settings, &timeouts, &ProxyEnvironment::default()).unwrap();
    let error = soon(upstream.connection(Host::API)).await.unwrap_err();
    assert_eq!((error.code(), error.is_timeout()), ("tls_timeout", true));
}

#[tokio::test]
async fn http1_is_spoken_where_the_peer_does_not_choose_http2() {
    let authority = Authority::new();
    for protocols in [&["http/1.1"][..], &[]] {
        let acceptor = authority.acceptor(&["localhost"], protocols, |_| {});
        let (address, _) = secure(acceptor, |stream, _| answer_all(stream)).await;
        let upstream = to_secure(&authority, address);
        assert_eq!(fetch(&upstream).await, "ok");
        assert_eq!(soon(upstream.connection(Host::API)).await.unwrap().protocol(), Protocol::Http1);
    }
}

#[tokio::test]
async fn http2_is_not_offered_when_it_is_off() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["localhost"], &["h2", "http/1.1"], |_| {});
    let (address, _) = secure(acceptor, |stream, _| answer_all(stream)).await;
    let mut settings = settings();
    settings.ca_file = Some(authority.ca_file());
    settings.http2 = Http2::Off;
    settings.hosts.insert(Host::API, Origin { host: "localhost".to_owned(), ..at(Transport::Tls, address) });
    let upstream = Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap();
    assert_eq!(fetch(&upstream).await, "ok");
}

#[tokio::test]
async fn waiters_for_a_first_connection_all_learn_that_it_failed() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let acceptor = theirs.acceptor(&["localhost"], &["h2"], |_| {});
    let (address, accepted) = secure(acceptor, |stream, _| answer_all(stream)).await;
    let upstream = to_secure(&ours, address);
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let upstream = std::sync::Arc::clone(&upstream);
            tokio::spawn(async move { upstream.connection(Host::API).await.map(drop) })
        })
        .collect();
    for asked in asking {
        assert_eq!(soon(asked).await.unwrap().unwrap_err().code(), "tls_unknown_ca");
    }
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failure_of_dns() {
    let mut settings = settings();
    settings.hosts.insert(Host::API, Origin { transport: Transport::Plain, host: "no-such-host.invalid".to_owned(), port: 80 });
    let timeouts = Timeouts { connect: Duration::from_secs(15), handshake: Duration::from_secs(15), ..timeouts() };
    let upstream = Upstream::new(&settings, &timeouts, &ProxyEnvironment::default()).unwrap();
    let error = soon(upstream.connection(Host::API)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Dns { .. }), "{error:?}");
}

#[test]
fn bad_extra_roots_are_refused_at_the_start_with_their_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roots.pem");
    let setup = |text: Option<&str>| {
        if let Some(text) = text {
            #[expect(clippy::disallowed_methods, reason = "a test file")]
            std::fs::write(&path, text).unwrap();
        }
        let settings = crate::config::Upstream { ca_file: Some(path.clone()), ..settings() };
        Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap_err()
    };
    let missing = setup(None);
    assert!(matches!(missing, SetupError::CaFile { .. }) && missing.to_string().contains("roots.pem"), "{missing}");
    assert!(matches!(setup(Some("")), SetupError::CaFileEmpty { .. }));
    assert!(matches!(setup(Some("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")), SetupError::CaFile { .. }));
    assert!(matches!(setup(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), SetupError::Roots(_)));
}
