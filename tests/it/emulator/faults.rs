//! Faults: what goes wrong on the wire, and what was executed all the same.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vonage_sidecar::emulator::{Emulator, Fault, Options, Rule, Running};

use super::caller::{API, BOUND, FIRST, KEY, REST, SMS, ask, basic, raw, request, send, sms, start, until};

/// A POST as bytes, with a fault.
fn post(fault: &str) -> String {
    let (good, length) = (basic(FIRST), SMS.len());
    format!(
        "POST /sms/json HTTP/1.1\r\nHost: {REST}\r\nAuthorization: {good}\r\nX-Message-Id: m-1\r\nX-Emulator-Fault: {fault}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{SMS}"
    )
}

#[tokio::test]
async fn a_connection_is_reset_before_or_after_the_execution() {
    let emulator = start().await;
    let (got, end) = raw(emulator.address(), &post("reset-before")).await;
    assert_eq!((got.len(), end), (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(emulator.control().executed("m-1"), 0);
    let (got, end) = raw(emulator.address(), &post("reset-after")).await;
    assert_eq!((got.len(), end), (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(emulator.control().executed("m-1"), 1, "a lost answer does not undo a message");
    assert_eq!(emulator.control().seen()[1].status, None);
}

#[tokio::test]
async fn a_connection_is_closed_without_an_answer() {
    let emulator = start().await;
    for (fault, executed) in [("close-before", 0), ("close-after", 1)] {
        assert_eq!(raw(emulator.address(), &post(fault)).await, (Vec::new(), None), "{fault}");
        assert_eq!(emulator.control().executed("m-1"), executed, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_breaks_off_after_its_head_or_in_its_body() {
    let emulator = start().await;
    let (got, end) = raw(emulator.address(), &post("reset-after-head")).await;
    let text = String::from_utf8(got).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    let (got, end) = raw(emulator.address(), &post("reset-mid-body")).await;
    let text = String::from_utf8(got).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised: usize = head.to_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!((body.len(), end), (promised / 2, Some(ErrorKind::ConnectionReset)));
    assert_eq!(emulator.control().executed("m-1"), 2);
}

#[tokio::test]
async fn an_answer_may_be_no_http_or_an_unasked_switch() {
    let emulator = start().await;
    let (got, _) = raw(emulator.address(), &post("garbage-before")).await;
    assert!(!got.is_empty() && !got.starts_with(b"HTTP"));
    assert_eq!(emulator.control().executed("m-1"), 0);
    let (got, _) = raw(emulator.address(), &post("switch-protocols-after")).await;
    assert!(got.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
    assert_eq!(emulator.control().executed("m-1"), 1);
}

#[tokio::test]
async fn a_server_error_may_hide_an_execution() {
    let emulator = start().await;
    assert_eq!(sms(&emulator, "status=503").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(emulator.control().executed("m-1"), 0);
    assert_eq!(sms(&emulator, "status-after=503").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(emulator.control().executed("m-1"), 1);
}

#[tokio::test]
async fn a_misspelt_fault_is_not_passed_over() {
    let emulator = start().await;
    assert_eq!(sms(&emulator, "gzip, bang").await.unwrap().status, StatusCode::BAD_REQUEST);
    assert_eq!(emulator.control().executions().total, 0);
}

#[tokio::test]
async fn silence_lasts_until_the_caller_leaves() {
    let emulator = start().await;
    let asking = tokio::spawn({
        let bytes = post("silence-after");
        let address = emulator.address();
        async move { raw(address, &bytes).await }
    });
    until(emulator.control(), |control| control.executed("m-1") == 1).await;
    assert_eq!(emulator.control().seen()[0].status, None);
    emulator.control().disconnect();
    assert!(asking.await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_late_answer_was_executed_early() {
    let emulator = start().await;
    let rule = Rule::new(["delay=3600000".parse().unwrap()]).on_path("/sms").times(1);
    emulator.control().add_fault(rule);
    let asking = tokio::spawn({
        let (bytes, address) = (post(""), emulator.address());
        async move { raw(address, &bytes).await }
    });
    until(emulator.control(), |control| control.executed("m-1") == 1).await;
    asking.abort();
    let answer = sms(&emulator, "delay=1, delay-before=1").await.unwrap();
    assert_eq!((answer.status, emulator.control().executed("m-1")), (StatusCode::OK, 2));
}

#[tokio::test]
async fn a_refusal_comes_while_the_upload_is_still_coming() {
    let emulator = start().await;
    for (fault, stays) in [("early", true), ("early-close", false)] {
        let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
        let head = format!("POST /sms/json HTTP/1.1\r\nHost: {REST}\r\nContent-Length: 100\r\nX-Emulator-Fault: {fault}\r\n\r\nfirst half");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut got = vec![0; 4096];
        let length = tokio::time::timeout(BOUND, stream.read(&mut got)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&got[..length]).into_owned();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "the family's refusal: {text}");
        if stays {
            stream.write_all(&[b'x'; 90]).await.unwrap();
            until(emulator.control(), |control| control.seen().iter().any(|seen| seen.complete && seen.length == 100)).await;
        } else {
            let mut rest = Vec::new();
            // Closed by FIN or, over the unread upload, by RST.
            assert!(tokio::time::timeout(BOUND, stream.read_to_end(&mut rest)).await.is_ok());
        }
    }
    let (got, end) = raw(emulator.address(), &post("early-reset")).await;
    assert_eq!((got.len(), end), (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(emulator.control().executions().total, 0);
    let early = ask(&emulator, "POST", API, "/v1/messages", &[("authorization", &basic(FIRST)), ("x-emulator-fault", "early")], "{}").await;
    assert_eq!(early.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_upload_that_breaks_off_executes_nothing() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    let whole = post("");
    stream.write_all(&whole.as_bytes()[..whole.len() - 5]).await.unwrap();
    until(emulator.control(), |control| !control.seen().is_empty()).await;
    drop(stream);
    assert_eq!(sms(&emulator, "").await.unwrap().status, StatusCode::OK);
    assert_eq!(emulator.control().executed("m-1"), 1, "the second one only");
    assert!(!emulator.control().seen()[0].complete);
}

#[tokio::test]
async fn answers_come_compressed_chunked_and_drop_by_drop() {
    let emulator = start().await;
    let good = basic(FIRST);
    let headers = |fault: &'static str, accepted: &'static str| {
        [("authorization", good.clone()), ("x-emulator-fault", fault.into()), ("accept-encoding", accepted.into())]
    };
    let sent = async |fault: &'static str, accepted: &'static str| {
        let headers = headers(fault, accepted);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(&emulator, "POST", REST, "/sms/json", &headers, SMS).await
    };
    for (fault, accepted, packed) in
        [("gzip", "br, gzip", true), ("gzip", "identity", false), ("gzip", "gzip;q=0", false), ("gzip-forced", "identity", true)]
    {
        let answer = sent(fault, accepted).await;
        assert_eq!(answer.headers.contains_key("content-encoding"), packed, "{fault} {accepted}");
        let mut text = String::new();
        let plain: &[u8] = &answer.body;
        if packed {
            flate2::read::GzDecoder::new(plain).read_to_string(&mut text).unwrap();
        } else {
            text = answer.text();
        }
        assert!(text.contains("\"status\":\"0\""), "{text}");
    }
    let chunked = sent("chunked", "").await;
    assert_eq!((&chunked.headers["transfer-encoding"], chunked.headers.get("content-length")), (&"chunked".parse().unwrap(), None));
    assert_eq!(chunked.json()["messages"][0]["status"], "0");
    assert_eq!(sent("drip=1", "").await.json()["messages"][0]["status"], "0");
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    let emulator = start().await;
    emulator.control().close_idle_after(Some(Duration::from_millis(50)));
    let (got, end) = raw(emulator.address(), &post("")).await;
    assert!(got.starts_with(b"HTTP/1.1 200 OK") && end.is_none(), "answered, then closed");
}

#[tokio::test]
async fn a_rule_meets_the_next_requests_on_its_path_only() {
    let emulator = start().await;
    emulator.control().add_fault("status=500@/sms".parse::<Rule>().unwrap().after(1).times(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sms(&emulator, "").await.unwrap().status.as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    assert_eq!(emulator.control().executed("m-1"), 2);
}

async fn with_tls() -> (Running, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let certificate = made.cert.der().clone();
    let mut server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let options = Options { tls: Some(Arc::new(server)), ..Options::with_account(KEY, &[FIRST]) };
    (Emulator::bind(options).await.unwrap(), TlsConnector::from(Arc::new(client)))
}

#[tokio::test]
async fn http2_is_served_and_its_own_faults_happen() {
    let (emulator, connector) = with_tls().await;
    let connect = async || {
        let socket = TcpStream::connect(emulator.address()).await.unwrap();
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), socket).await.unwrap();
        let (sender, connection) = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        (sender, tokio::spawn(connection))
    };
    let good = basic(FIRST);
    let asked = |fault: &str| {
        let headers = [("authorization", good.as_str()), ("x-emulator-fault", fault)];
        let mut request = request("POST", REST, &format!("https://{REST}/sms/json"), &headers, SMS);
        request.headers_mut().remove("host");
        request
    };
    let (mut sender, connection) = connect().await;
    let answer = sender.send_request(asked("chunked")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    let seen = emulator.control().seen();
    assert_eq!((seen[0].version, seen[0].host.as_str()), (http::Version::HTTP_2, REST));

    let refused = sender.send_request(asked("refuse-stream")).await.unwrap_err();
    let reason = std::error::Error::source(&refused).and_then(|error| error.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    assert_eq!(reason, Some(h2::Reason::REFUSED_STREAM));
    assert!(sender.send_request(asked("")).await.is_ok(), "the connection lives on");

    let going = sender.send_request(asked("goaway")).await.unwrap();
    assert_eq!(going.status(), StatusCode::OK);
    going.into_body().collect().await.unwrap();
    assert!(tokio::time::timeout(BOUND, connection).await.unwrap().unwrap().is_ok(), "ended in order");
    let (mut sender, _connection) = connect().await;
    let broken = sender.send_request(asked("reset-after-head")).await.unwrap();
    assert_eq!(broken.status(), StatusCode::OK);
    assert!(broken.into_body().collect().await.is_err());
    let (mut sender, connection) = connect().await;
    assert!(sender.send_request(asked("reset-after")).await.is_err());
    assert!(tokio::time::timeout(BOUND, connection).await.unwrap().unwrap().is_err());
    assert_eq!(emulator.control().executions().total, 5);
}

#[tokio::test]
async fn goaway_ends_a_connection_after_its_answer() {
    let emulator = start().await;
    let (got, end) = raw(emulator.address(), &post("goaway")).await;
    let text = String::from_utf8(got).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.to_lowercase().contains("connection: close"), "{text}");
    assert_eq!(end, None);
}

#[tokio::test]
async fn a_dropped_emulator_takes_its_connections_along() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(emulator.address()).await.unwrap();
    let address = emulator.address();
    assert_eq!(sms(&emulator, "").await.unwrap().status, StatusCode::OK);
    drop(emulator);
    let mut rest = Vec::new();
    assert!(tokio::time::timeout(BOUND, stream.read_to_end(&mut rest)).await.is_ok(), "closed");
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    assert!(tokio::time::timeout(BOUND, closed).await.is_ok());
}

#[tokio::test]
async fn a_stopped_emulator_leaves_its_address_free() {
    let first = start().await;
    let address = first.address();
    first.stop().await;
    let second = Emulator::bind(Options { address, ..Options::with_account(KEY, &[FIRST]) }).await.unwrap();
    assert_eq!(sms(&second, "").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_several_megabytes_is_read_and_executed() {
    let emulator = start().await;
    let body = format!("{{\"to\":\"1\",\"from\":\"2\",\"text\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    let answer = ask(&emulator, "POST", API, "/v1/messages", &[("authorization", &basic(FIRST))], &body).await;
    assert_eq!((answer.status, emulator.control().executions().total), (StatusCode::ACCEPTED, 1));
}

#[tokio::test]
async fn chance_meets_some_of_many() {
    let emulator = start().await;
    emulator.control().add_fault(Rule::new(["status=500".parse::<Fault>().unwrap()]).share(0.5));
    let mut failed = 0;
    for _ in 0..200 {
        let answer =
            send(emulator.address(), request("GET", REST, "/account/get-balance", &[("authorization", &basic(FIRST))], "")).await.unwrap();
        failed += usize::from(answer.status == StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!((40..=160).contains(&failed), "{failed} of 200");
}
