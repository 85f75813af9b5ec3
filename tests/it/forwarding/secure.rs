//! Vonage as it is: TLS, HTTP/2 by ALPN, and an egress proxy on the way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use vonage_sidecar::config::{Origin, Proxy, Transport};
use vonage_sidecar::emulator::{Emulator, Options, Running};
use vonage_sidecar::vonage::hosts::Host;

use super::{OURS, SECRET, request};
use crate::support::authority::Authority;
use crate::support::caller::{Caller, message, request as call};
use crate::support::sidecar::{KEY, PATIENCE, Setup, Sidecar};
use crate::support::wire::talk;

const BOTH: [&str; 2] = ["h2", "http/1.1"];

async fn emulator(authority: &Authority) -> Running {
    let tls = authority.server(&["127.0.0.1", "vonage.example"], &BOTH);
    Emulator::bind(Options { tls: Some(tls), ..Options::with_account(KEY, &[SECRET]) }).await.unwrap()
}

/// A sidecar that trusts the authority and finds every Vonage host at this address.
pub(super) fn to(host: &str, port: u16, authority: &Authority) -> Setup {
    let origin = Origin { transport: Transport::Tls, host: host.to_owned(), port };
    let ca_file = authority.ca_file();
    Setup::scripted(SocketAddr::from(([127, 0, 0, 1], port)), &[SECRET]).with(move |settings| {
        settings.upstream.hosts = Host::all().map(|host| (host, origin.clone())).collect();
        settings.upstream.ca_file = Some(ca_file);
    })
}

async fn behind_tls(running: &Running, authority: &Authority) -> Sidecar {
    to("127.0.0.1", running.address().port(), authority).start().await
}

#[tokio::test]
async fn calls_are_made_over_http_2_as_they_were_asked_for() {
    let authority = Authority::new();
    let vonage = emulator(&authority).await;
    let sidecar = behind_tls(&vonage, &authority).await;
    let mut caller = Caller::new(sidecar.data);
    assert_eq!(caller.get("/account/get-balance?x=%41&y").await.status, 200);
    assert_eq!(caller.send(message("one")).await.unwrap().status, 202);
    let seen = vonage.control().seen();
    assert_eq!((seen.len(), vonage.control().connections()), (2, 2), "one connection a host");
    for seen in &seen {
        assert_eq!((seen.version, seen.header("authorization")), (Version::HTTP_2, OURS));
        assert!(!seen.headers.contains_key("host") && !seen.headers.contains_key("connection"), "{seen:?}");
    }
    assert_eq!((seen[0].target.as_str(), seen[0].host.as_str()), ("/account/get-balance?x=%41&y", "rest.nexmo.com"));
    assert_eq!((seen[1].header("x-message-id"), seen[1].host.as_str()), ("one", "api.nexmo.com"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_requests_at_once_share_few_connections() {
    const CROWD: usize = 400;
    let authority = Authority::new();
    let vonage = emulator(&authority).await;
    let sidecar = behind_tls(&vonage, &authority).await;
    let together = Arc::new(Barrier::new(CROWD));
    let mut callers = JoinSet::new();
    for number in 0..CROWD {
        let (to, together) = (sidecar.data, Arc::clone(&together));
        callers.spawn(async move {
            let mut caller = Caller::new(to);
            together.wait().await;
            let mut request = message(&format!("m{number}"));
            request.headers_mut().insert("x-emulator-fault", HeaderValue::from_static("delay=100"));
            caller.send(request).await.map(|answer| answer.status.as_u16())
        });
    }
    let answers = tokio::time::timeout(2 * PATIENCE, callers.join_all()).await.expect("bounded");
    let failed: Vec<_> = answers.iter().filter(|answer| **answer != Ok(202)).collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed[0]);
    assert_eq!(vonage.control().executions().messages, CROWD);
    assert_eq!(vonage.control().duplicates(), []);
    assert!(vonage.control().connections() <= 4, "{}", vonage.control().connections());
}

/// An origin of HTTP/2 that answers with trailers and tells which ones came.
async fn trailing(authority: &Authority) -> (SocketAddr, mpsc::UnboundedReceiver<(HeaderMap, Bytes, Option<HeaderMap>)>) {
    let acceptor = TlsAcceptor::from(authority.server(&["127.0.0.1"], &["h2"]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, came) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(move |request: Request<Incoming>| {
                    let sender = sender.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap();
                        let trailers = body.trailers().cloned();
                        sender.send((head.headers, body.to_bytes(), trailers)).unwrap();
                        let late = HeaderMap::from_iter([("x-late".parse().unwrap(), HeaderValue::from_static("1"))]);
                        let frames = [Frame::data(Bytes::from_static(b"ok")), Frame::trailers(late)];
                        Ok::<_, Infallible>(Response::new(Frames(frames.into_iter())))
                    }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                connection.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    (address, came)
}

/// A body of these frames.
struct Frames<I>(I);

impl<I: Iterator<Item = Frame<Bytes>> + Unpin> hyper::body::Body for Frames<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn a_trailer_brings_no_credential_past_us_over_http_2() {
    let authority = Authority::new();
    let (address, mut came) = trailing(&authority).await;
    let sidecar = to("127.0.0.1", address.port(), &authority).start().await;
    for chunks in ["2\r\n{}\r\n0\r\nAuthorization: Basic evil\r\nX-Late: 1\r\n\r\n", "0\r\nAuthorization: Basic evil\r\n\r\n"] {
        let upload = request("POST /odd HTTP/1.1", "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\nTE: trailers\r\n", chunks);
        let answer = talk(sidecar.data, upload.as_bytes()).await.only();
        assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "ok", true));
        let upload = async {
            loop {
                let (headers, body, trailers) = came.recv().await.unwrap();
                if headers.contains_key("authorization") && trailers.is_none() && chunks.contains(std::str::from_utf8(&body).unwrap()) {
                    return headers;
                }
                assert!(trailers.is_none(), "{trailers:?}");
            }
        };
        let headers = tokio::time::timeout(PATIENCE, upload).await.unwrap();
        assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), [OURS]);
    }
}

/// An egress proxy that leads every tunnel to one place, or answers something else to every CONNECT.
async fn egress(answer: &'static str, destination: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                sender.send(String::from_utf8(head).unwrap()).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.starts_with("HTTP/1.1 200") {
                    let mut onward = TcpStream::connect(destination).await.unwrap();
                    copy_bidirectional(&mut stream, &mut onward).await.ok();
                }
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn an_egress_proxy_sees_a_name_and_no_credential() {
    let authority = Authority::new();
    let vonage = emulator(&authority).await;
    let (proxy, mut asked) = egress("HTTP/1.1 200 OK\r\n\r\n", vonage.address()).await;
    let setup = to("vonage.example", 443, &authority);
    let sidecar =
        setup.with(move |settings| settings.upstream.proxy = Proxy::Url(format!("http://{proxy}").parse().unwrap())).start().await;
    let mut caller = Caller::new(sidecar.data);
    assert_eq!(caller.get("/account/get-balance").await.status, 200);
    assert_eq!(caller.send(message("one")).await.unwrap().status, 202);
    let head = asked.recv().await.unwrap();
    assert!(head.starts_with("CONNECT vonage.example:443 HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
    assert_eq!(vonage.control().executed("one"), 1);
}

#[tokio::test]
async fn what_an_egress_proxy_refuses_is_never_a_verdict_on_a_credential() {
    let authority = Authority::new();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    for (answer, code) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", "proxy_authentication"),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}", "proxy_refused"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "proxy_refused"),
    ] {
        let (proxy, _asked) = egress(answer, nowhere).await;
        let setup = to("vonage.example", 443, &authority);
        let setup = setup.with(move |settings| settings.upstream.proxy = Proxy::Url(format!("http://{proxy}").parse().unwrap()));
        let sidecar = setup.start().await;
        let mut caller = Caller::new(sidecar.data);
        for _ in 0..3 {
            let refused = caller.send(call(Method::GET, "/account/get-balance", "", Bytes::new())).await.unwrap();
            assert_eq!((refused.status.as_u16(), refused.code()), (502, code), "{answer}");
        }
        let snapshot = sidecar.store.load();
        let account = snapshot.account(KEY).unwrap();
        assert_eq!(account.opinion.lock().known_hosts(), [], "nothing was learnt");
    }
}
