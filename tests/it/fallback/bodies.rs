//! Bodies: cleaned of credentials and of nothing else, and the same on a second attempt.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use super::rig::{FORM, JSON, MESSAGE, NEW, OLD, VERIFY2, attempts};
use crate::support::caller::{Caller, raw, request, status};
use crate::support::sidecar::{Setup, Sidecar};

async fn refused_first() -> Sidecar {
    Setup::new(&[NEW], &[OLD, NEW]).start().await
}

fn call(path: &str, kind: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    request(Method::POST, path, kind, body.into())
}

/// Both attempts carry these bytes, with the right length and no word of the caller's credential.
async fn arrives_as(sidecar: &Sidecar, sent: Request<Full<Bytes>>, expected: &[u8]) {
    sidecar.vonage().reset();
    let path = sent.uri().path().to_owned();
    let answer = Caller::new(sidecar.data).send(sent).await.unwrap();
    assert_eq!(answer.code(), "", "{path}: {}", answer.text());
    for seen in attempts(sidecar, &path) {
        assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(expected), "{path}");
        assert_eq!(seen.header("content-length"), expected.len().to_string(), "{path}");
        assert!(!seen.target.contains("placeholder") && !seen.header("authorization").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_loses_its_credentials_in_every_spelling_and_nothing_else() {
    let sidecar = refused_first().await;
    let body = "from=A%20b+c&api_key=abcd1234&to=447700900000&API_SECRET=placeholder&x=&&api%5Fsecret=placeholder&password=p&sig=s&text=%E2%82%AC&username=abcd1234&=y&text=2";
    let clean = "from=A%20b+c&to=447700900000&x=&&text=%E2%82%AC&=y&text=2";
    arrives_as(&sidecar, call("/sms/json", FORM, body), clean.as_bytes()).await;
    // What a real SDK sends: a form that says it is JSON.
    arrives_as(&sidecar, call("/sms/json", JSON, body), clean.as_bytes()).await;
    assert_eq!(sidecar.vonage().duplicates(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_not_utf8_is_cleaned_all_the_same() {
    let sidecar = refused_first().await;
    let body = Bytes::from_static(b"api_key=abcd1234&to=447700900000&text=caf\xe9&api_secret=placeholder&from=A");
    arrives_as(&sidecar, call("/sms/json", FORM, body), b"to=447700900000&text=caf\xe9&from=A").await;
    assert_eq!(sidecar.vonage().executions().total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_loses_its_credentials_at_the_top_and_keeps_every_other_byte() {
    let sidecar = refused_first().await;
    let body = r#"{ "api_key":"abcd1234", "number" : "447700900000","brand":"Ac\u006de", "n":12345678901234567890.10,"API_secret":"placeholder" ,"deep":{"api_secret":"mine"},"api_secret":"placeholder","n":1 }"#;
    let clean = r#"{ "number" : "447700900000","brand":"Ac\u006de", "n":12345678901234567890.10 ,"deep":{"api_secret":"mine"},"n":1 }"#;
    arrives_as(&sidecar, call("/verify/json", JSON, body), clean.as_bytes()).await;
    assert_eq!(sidecar.vonage().executions().total, 1);
}

/// A form whatever its first byte is, and what a byte order mark stands before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_loses_its_credentials_whatever_it_begins_with() {
    let sidecar = refused_first().await;
    for begin in ["-a=1", "\"=1", "[]=1", "--b"] {
        let (body, clean) = (format!("{begin}&to=1&api_secret=placeholder&text=x&from=A"), format!("{begin}&to=1&text=x&from=A"));
        for kind in [FORM, JSON] {
            arrives_as(&sidecar, call("/sms/json", kind, body.clone()), clean.as_bytes()).await;
        }
    }
    let marked = "\u{feff}{\"api_key\":\"abcd1234\",\"api_secret\":\"placeholder\",\"to\":\"1\"}";
    arrives_as(&sidecar, call("/sms/json", JSON, marked), b"{\"to\":\"1\"}").await;
    let mut plain = call("/sms/json", FORM, "to=1&api_secret=placeholder&text=x&from=A");
    plain.headers_mut().insert("content-encoding", "identity".parse().unwrap());
    arrives_as(&sidecar, plain, b"to=1&text=x&from=A").await;
}

/// Wherever the provider may find a credential that we do not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_which_a_credential_cannot_be_seen_is_refused_and_nothing_is_sent() {
    let sidecar = refused_first().await;
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"api_secret\"\r\n\r\nplaceholder\r\n--b--\r\n";
    let wide: Vec<u8> = "{\"api_secret\":\"x\"}".encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (kind, coding, body, code) in [
        (FORM, "gzip", Bytes::from_static(b"\x1f\x8b"), "body_opaque"),
        ("multipart/form-data; boundary=b", "", multipart.into(), "body_opaque"),
        (JSON, "", wide.into(), "body_opaque"),
        (JSON, "", Bytes::from_static(b"{\"api_secret\":\"x\",\"text\":\"\xe4\"}"), "body_opaque"),
        (FORM, "", "to=1;api_secret=placeholder".into(), "credential_ambiguous"),
        (FORM, "", "{\"a\":\"&api_secret=placeholder&\"}".into(), "credential_ambiguous"),
    ] {
        let mut sent = call("/sms/json", kind, body);
        if !coding.is_empty() {
            sent.headers_mut().insert("content-encoding", coding.parse().unwrap());
        }
        let answer = Caller::new(sidecar.data).send(sent).await.unwrap();
        assert_eq!(answer.code(), code, "{kind}: {}", answer.text());
    }
    let answer = Caller::new(sidecar.data).get("/account/get-balance?x=1;api_secret=placeholder").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "credential_ambiguous"));
    assert!(sidecar.vonage().seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_any_other_row_is_not_looked_at() {
    let sidecar = refused_first().await;
    for body in [r#"{"api_secret":"a value of the app"}"#, "{broken", "\u{0}\u{1}binary", "api_secret=x"] {
        arrives_as(&sidecar, call(MESSAGE.path, JSON, body), body.as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_must_be_read_and_cannot_be_is_refused_and_nothing_is_sent() {
    let sidecar = Setup::new(&[NEW], &[NEW]).with(|settings| settings.limits.replay = 1000).start().await;
    for broken in ["{\"to\":1", "{\"to\":1}x", "  {"] {
        let answer = Caller::new(sidecar.data).send(call("/sms/json", JSON, broken)).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "body_unreadable"), "{broken}");
    }
    let answer = Caller::new(sidecar.data).send(call("/sms/json", FORM, vec![b'x'; 1001])).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "body_too_long_to_read"));
    let chunk = "x".repeat(1001);
    let head = "POST /sms/json HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let answer = raw(sidecar.data, format!("{head}3e9\r\n{chunk}\r\n0\r\n\r\n").as_bytes()).await;
    assert_eq!(status(&answer), 413);
    assert!(sidecar.vonage().seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunked_body_is_replayed_whole() {
    let sidecar = refused_first().await;
    for path in [MESSAGE.path, "/sms/json"] {
        sidecar.vonage().reset();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-message-id: one\r\ncontent-type: {JSON}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
        let json = r#"{"from":"447700900001","to":"447700900000","message_type":"text","text":"x","channel":"sms"}"#;
        let (one, two) = json.split_at(20);
        let body = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        let answer = raw(sidecar.data, (head + &body).as_bytes()).await;
        assert!((200..300).contains(&status(&answer)), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(sidecar.vonage().executed("one"), 1, "{path}");
        assert!(attempts(&sidecar, path).iter().all(|seen| seen.body == json), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_body_and_a_body_at_the_limit_are_replayed() {
    for size in [0, 1, 999, 1000] {
        let sidecar = Setup::new(&[NEW], &[OLD, NEW]).with(|settings| settings.limits.replay = 1000).start().await;
        let body = vec![b'x'; size];
        let answer = Caller::new(sidecar.data).send(call(VERIFY2.path, JSON, body.clone())).await.unwrap();
        assert_eq!(answer.header("x-sidecar-refused"), "", "{size}");
        let seen = attempts(&sidecar, VERIFY2.path);
        assert_eq!(seen.len(), 2, "{size}");
        assert!(seen.iter().all(|seen| seen.body == body && seen.complete), "{size}");
    }
}
