//! Proxy mode: what a `CONNECT` opens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use http::Method;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vonage_sidecar::config::{Destination, Names, Proxy, Tunnel};

use super::rig::{Ca, Client, SECRET, connected, head, said, secured, serving, trusting};
use crate::support::caller::PLACEHOLDER;
use crate::support::sidecar::Setup;

/// A stream behind a `CONNECT` that was granted.
async fn through(proxy: SocketAddr, target: &str) -> TcpStream {
    let mut stream = connected(proxy).await;
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stream
}

async fn refused(proxy: SocketAddr, target: &str) -> String {
    said(&mut connected(proxy).await, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await
}

/// Says back what it hears.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    address
}

#[tokio::test]
async fn an_app_whose_hosts_are_hard_coded_is_served_with_current_credentials() {
    let ca = Ca::new();
    let sidecar = serving(ca.proxy(Tunnel::Closed)).await;
    for protocol in ["http/1.1", "h2"] {
        let trust = trusting(&ca.pem(), &[protocol]);
        let stream = secured(through(sidecar.data, "rest.nexmo.com:443").await, "rest.nexmo.com", &trust).await.unwrap();
        let mut client = if protocol == "h2" { Client::http2(stream).await } else { Client::http1(stream).await };
        for host in ["rest.nexmo.com", "rest.nexmo.com:443"] {
            let answer = client.balance(host).await.unwrap();
            assert_eq!(answer.status, 200, "{protocol}: {}", answer.text());
        }
        for other in ["api.nexmo.com", "localhost", "api.localhost", "example.com"] {
            let answer = client.balance(other).await.unwrap();
            assert!(answer.status == 421, "{protocol} {other}: {}", answer.status);
        }
    }
    let seen = sidecar.vonage().seen();
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn a_caller_that_does_not_wait_for_the_answer_to_connect_is_served() {
    let ca = Ca::new();
    let sidecar = serving(ca.proxy(Tunnel::Closed)).await;
    // The handshake begins before the answer to CONNECT is read: its first bytes come with the head.
    let (near, far) = tokio::io::duplex(1 << 16);
    let proxied = connected(sidecar.data).await;
    tokio::spawn(async move {
        let (mut from_client, mut to_client) = tokio::io::split(far);
        let (mut from_proxy, mut to_proxy) = proxied.into_split();
        let mut first = vec![0; 4096];
        let length = from_client.read(&mut first).await.unwrap();
        let mut together = b"CONNECT rest.nexmo.com:443 HTTP/1.1\r\n\r\n".to_vec();
        together.extend_from_slice(&first[..length]);
        to_proxy.write_all(&together).await.unwrap();
        head(&mut from_proxy).await;
        tokio::join!(tokio::io::copy(&mut from_client, &mut to_proxy), tokio::io::copy(&mut from_proxy, &mut to_client))
    });
    let stream = secured(near, "rest.nexmo.com", &trusting(&ca.pem(), &["http/1.1"])).await.unwrap();
    assert_eq!(Client::http1(stream).await.balance("rest.nexmo.com").await.unwrap().status, 200);
}

#[tokio::test]
async fn hosts_of_others_are_refused_with_a_remedy_unless_they_are_listed() {
    let ca = Ca::new();
    let here = echo().await;
    let closed = serving(ca.proxy(Tunnel::Closed)).await;
    for (target, status, code) in [
        ("example.com:443", 403, "tunnel_refused"),
        ("rest.nexmo.com:80", 403, "tunnel_refused"),
        ("unknown.nexmo.com:443", 403, "tunnel_refused"),
        ("rest.nexmo.com", 400, "target_malformed"),
    ] {
        let answer = refused(closed.data, target).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(&format!("x-sidecar-error: {code}\r\n")), "{answer}");
    }
    let open = serving(ca.proxy(Tunnel::Any)).await;
    for target in
        [format!("127.0.0.1:{}", here.port()), "127.0.0.1:443".to_owned(), "localhost:443".to_owned(), "169.254.169.254:443".to_owned()]
    {
        let answer = refused(open.data, &target).await;
        assert!(answer.contains("x-sidecar-error: tunnel_"), "{target}: {answer}");
    }
    assert!(closed.vonage().seen().is_empty() && open.vonage().seen().is_empty());
}

/// The address that this machine has towards others; loopback where there are none. Nothing is sent.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").map_or_else(|_no_way| Ipv4Addr::LOCALHOST.into(), |()| socket.local_addr().unwrap().ip())
}

#[tokio::test]
async fn no_tunnel_leads_to_an_address_of_this_machine_unless_it_is_listed() {
    let ca = Ca::new();
    let own = own_address();
    let open = serving(ca.proxy(Tunnel::Any)).await;
    for target in [format!("{own}:443"), format!("[::ffff:{own}]:443"), format!("[::{own}]:443"), "[::]:443".to_owned()] {
        let answer = refused(open.data, &target).await;
        assert!(answer.contains("x-sidecar-error: tunnel_address\r\n"), "{target}: {answer}");
    }
    let here = TcpListener::bind((own, 0)).await.unwrap();
    let port = here.local_addr().unwrap().port();
    let listed = vec![Destination { names: Names::Exactly(own.to_string()), port }];
    let listing = serving(ca.proxy(Tunnel::Listed(listed))).await;
    let target = format!("{own}:{port}");
    let (_joined, accepted) = tokio::join!(through(listing.data, &target), here.accept());
    accepted.unwrap();
}

#[tokio::test]
async fn a_listed_host_is_joined_byte_for_byte() {
    let ca = Ca::new();
    let here = echo().await;
    let listed = vec![Destination { names: Names::Exactly("127.0.0.1".to_owned()), port: here.port() }];
    let sidecar = serving(ca.proxy(Tunnel::Listed(listed))).await;
    let mut stream = through(sidecar.data, &here.to_string()).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (mut reader, mut writer) = stream.split();
    let mut back = vec![0; bytes.len()];
    let (sent, received) = tokio::join!(writer.write_all(&bytes), reader.read_exact(&mut back));
    sent.unwrap();
    received.unwrap();
    assert_eq!(back, bytes);
    writer.shutdown().await.unwrap();
    assert_eq!(reader.read(&mut [0]).await.unwrap(), 0, "the end goes through, too");
}

#[tokio::test]
async fn a_tunnel_leaves_by_the_egress_proxy() {
    let ca = Ca::new();
    let egress = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", egress.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = egress.accept().await.unwrap();
        let asked = head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
        asked
    });
    let serves = ca.proxy(Tunnel::Listed(vec![Destination { names: Names::Below("example.com".to_owned()), port: 443 }]));
    let sidecar = Setup::new(&[SECRET], &[SECRET])
        .with(move |settings| {
            settings.listen[0].serves = serves;
            settings.upstream.proxy = Proxy::Url(url.parse().unwrap());
        })
        .start()
        .await;
    let mut stream = through(sidecar.data, "www.example.com:443").await;
    stream.write_all(b"ping").await.unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"ping");
    assert!(asked.await.unwrap().starts_with("CONNECT www.example.com:443 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_a_marked_failure() {
    let ca = Ca::new();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let listed = vec![Destination { names: Names::Exactly("127.0.0.1".to_owned()), port: gone.port() }];
    let sidecar = serving(ca.proxy(Tunnel::Listed(listed))).await;
    let answer = refused(sidecar.data, &gone.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("x-sidecar-error: tunnel_failed"), "{answer}");
}

#[tokio::test]
async fn plain_calls_are_served_on_the_same_listener() {
    let ca = Ca::new();
    let sidecar = serving(ca.proxy(Tunnel::Closed)).await;
    let mut client = Client::http1(connected(sidecar.data).await).await;
    assert_eq!(client.balance("localhost").await.unwrap().status, 200);
    let absolute = client.request(Method::GET, "rest.nexmo.com", "http://rest.nexmo.com/account/get-balance");
    let answer = client.send(absolute.header("authorization", PLACEHOLDER).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let foreign = client.request(Method::GET, "example.com", "http://example.com/account/get-balance");
    assert_eq!(client.send(foreign.body(Full::default()).unwrap()).await.unwrap().code(), "host_foreign");
}

#[tokio::test]
async fn a_head_that_does_not_come_or_never_ends_is_bounded() {
    let ca = Ca::new();
    let serves = ca.proxy(Tunnel::Closed);
    let sidecar = Setup::new(&[SECRET], &[SECRET])
        .with(move |settings| {
            settings.listen[0].serves = serves;
            settings.timeouts.caller_head = std::time::Duration::from_millis(200);
        })
        .start()
        .await;
    let answer = said(&mut connected(sidecar.data).await, b"CONNECT rest.nexmo.com:443 HTTP/1.1\r\n").await;
    assert!(answer.contains("x-sidecar-error: head_stalled"), "{answer}");
    let mut long = b"CONNECT rest.nexmo.com:443 HTTP/1.1\r\n".to_vec();
    while long.len() < 80_000 {
        long.extend_from_slice(b"X-Long: 0123456789\r\n");
    }
    let answer = said(&mut connected(sidecar.data).await, &long).await;
    assert!(answer.is_empty() || answer.contains("x-sidecar-error: "), "{answer}");
}
