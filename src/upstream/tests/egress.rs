//! The way out through a proxy, against one that a test scripts.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::origins::{Authority, answer_all, at, fetch, head, plain, secure, settings, soon, timeouts, to_plain};
use crate::config::{Proxy, Transport};
use crate::upstream::{ConnectError, ProxyEnvironment, SetupError, Upstream};
use crate::vonage::hosts::Host;

/// An upstream that trusts `authority` and goes through this proxy to the real name of api.nexmo.com.
fn through(proxy: &str, authority: &Authority) -> Arc<Upstream> {
    let settings = crate::config::Upstream { ca_file: Some(authority.ca_file()), proxy: Proxy::Environment, ..settings() };
    let environment = ProxyEnvironment { https_proxy: Some(proxy.to_owned()), ..ProxyEnvironment::default() };
    Upstream::new(&settings, &timeouts(), &environment).unwrap()
}

/// A proxy that tells what it is asked, and leads every tunnel to `destination`.
async fn proxy(destination: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (asked, requests) = mpsc::unbounded_channel();
    let (address, _) = plain(move |mut stream, _| {
        let asked = asked.clone();
        async move {
            asked.send(head(&mut stream).await.unwrap()).unwrap();
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut onward = TcpStream::connect(destination).await.unwrap();
            drop(copy_bidirectional(&mut stream, &mut onward).await);
        }
    })
    .await;
    (address, requests)
}

#[tokio::test]
async fn a_tunnel_carries_tls_that_is_verified_against_the_vonage_name() {
    let authority = Authority::new();
    let (origin, _) = secure(authority.acceptor(&["api.nexmo.com"], &[], |_| {}), |stream, _| answer_all(stream)).await;
    let (address, mut asked) = proxy(origin).await;
    let upstream = through(&format!("http://aladdin:open%20sesame@{address}"), &authority);
    assert_eq!(fetch(&upstream).await, "ok");
    let head = soon(asked.recv()).await.unwrap();
    assert!(head.starts_with("CONNECT api.nexmo.com:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: api.nexmo.com:443\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{head}");

    let (origin, _) = secure(authority.acceptor(&["elsewhere"], &[], |_| {}), |stream, _| answer_all(stream)).await;
    let (address, _asked) = proxy(origin).await;
    let error = soon(through(&format!("http://{address}"), &authority).connection(Host::API)).await.unwrap_err();
    assert_eq!(error.code(), "tls_wrong_host");
}

#[tokio::test]
async fn what_the_proxy_answers_to_connect_is_an_error_of_the_proxy() {
    let answers = [
        ("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n", "proxy_authentication"),
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "proxy_refused"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops", "proxy_refused"),
        ("", "proxy_broken"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "proxy_broken"),
    ];
    for (answer, code) in answers {
        let (address, _) = plain(move |mut stream, _| async move {
            head(&mut stream).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let error = soon(through(&format!("http://{address}"), &Authority::new()).connection(Host::API)).await.unwrap_err();
        assert_eq!(error.code(), code, "{answer:?}");
        if let ConnectError::ProxyStatus(status) = error {
            assert!(answer.contains(status.as_str()), "{status}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_as_the_one_that_is_missing() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = soon(through(&format!("http://{address}"), &Authority::new()).connection(Host::API)).await.unwrap_err();
    assert_eq!(error.code(), "proxy_unreachable");
}

#[tokio::test]
async fn origins_on_this_machine_are_reached_without_the_proxy() {
    let authority = Authority::new();
    let (origin, _) = secure(authority.acceptor(&["127.0.0.1"], &[], |_| {}), |stream, _| answer_all(stream)).await;
    let mut settings = crate::config::Upstream { ca_file: Some(authority.ca_file()), ..settings() };
    settings.proxy = Proxy::Url("http://127.0.0.1:1".parse().unwrap());
    settings.hosts.insert(Host::API, at(Transport::Tls, origin));
    let upstream = Upstream::new(&settings, &timeouts(), &ProxyEnvironment::default()).unwrap();
    assert_eq!(fetch(&upstream).await, "ok");

    let (origin, _) = plain(|stream, _| answer_all(stream)).await;
    assert_eq!(fetch(&to_plain(origin)).await, "ok");
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_at_the_start_and_its_url_is_not_repeated() {
    for bad in ["socks5://user:hunter2@proxy:1080", "https://user:hunter2@proxy", "ftp://proxy", "http://", "::::"] {
        let environment = ProxyEnvironment { https_proxy: Some(bad.to_owned()), ..ProxyEnvironment::default() };
        let settings = crate::config::Upstream { proxy: Proxy::Environment, ..settings() };
        let error = Upstream::new(&settings, &timeouts(), &environment).unwrap_err();
        assert!(matches!(error, SetupError::Proxy { .. }), "{bad}: {error:?}");
        assert!(!format!("{error} {error:?} {environment:?}").contains("hunter2"));
    }
}
