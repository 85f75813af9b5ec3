//! What is written down, and what never is.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{client::conn as client, server::conn as server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use super::*;
use crate::metrics::Scrape;

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is written while `events` happen on this thread.
fn written(filter: &str, style: Style, events: impl FnOnce()) -> String {
    let written = Written::default();
    let copy = written.clone();
    let subscriber = subscriber(filter, style, BoxMakeWriter::new(move || copy.clone())).unwrap();
    tracing::subscriber::with_default(subscriber, events);
    written.text()
}

#[test]
fn no_filter_makes_a_library_talk() {
    for filter in
        ["trace", "h2=trace,hyper=trace,hyper_util=trace,rustls=trace,rustls_platform_verifier=debug", "h2::codec=trace,[x]=trace"]
    {
        let text = written(filter, Style::Plain, || {
            tracing::trace!(target: "h2::codec::framed_write", secret = "CanaryValue", "sent");
            tracing::debug!(target: "hyper::proto::h1::role", "CanaryValue");
            tracing::info!(target: "rustls::client", "CanaryValue");
            tracing::info!(target: "vonage_sidecar_of_somebody_else", "CanaryValue");
            let span = tracing::debug_span!(target: "hyper_util::client", "CanaryValue");
            span.in_scope(|| tracing::warn!(target: "h2", "a warning is heard"));
        });
        assert!(!text.contains("CanaryValue"), "{filter}: {text}");
        assert!(filter.starts_with("h2::") || text.contains("a warning is heard"), "{filter}: {text}");
    }
}

/// What both ends of an exchange write at the finest filter, over HTTP/1.1 or HTTP/2.
fn written_by_an_exchange(version: http::Version) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    written("trace", Style::Plain, || {
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let service = service_fn(|_: Request<Incoming>| async {
                let answer = Response::builder().header("x-answer", "CanaryValue");
                Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(b"CanaryValue"))).unwrap())
            });
            let request = Request::post("http://localhost/path?api_secret=value").header("authorization", "Basic CanaryValue");
            let request = request.body(Full::new(Bytes::from_static(b"api_secret=CanaryValue"))).unwrap();
            let (near, far) = (TokioIo::new(near), TokioIo::new(far));
            if version == http::Version::HTTP_2 {
                tokio::spawn(server::http2::Builder::new(TokioExecutor::new()).serve_connection(far, service));
                let (mut sender, connection) = client::http2::handshake(TokioExecutor::new(), near).await.unwrap();
                tokio::spawn(connection);
                assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
            } else {
                tokio::spawn(server::http1::Builder::new().serve_connection(far, service));
                let (mut sender, connection) = client::http1::handshake(near).await.unwrap();
                tokio::spawn(connection);
                assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
            }
        });
        tracing::trace!("the filter is as fine as can be");
    })
}

#[test]
fn nothing_of_an_exchange_is_written_at_the_finest_filter() {
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let text = written_by_an_exchange(version);
        assert!(text.contains("as fine as can be"), "{version:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{version:?}: {text}");
    }
}

#[test]
fn our_own_events_follow_the_filter() {
    let events = || {
        tracing::debug!(target: "vonage_sidecar::proxy", "fine detail");
        tracing::info!(target: "vonage_sidecar", "coarse");
    };
    let text = written("info", Style::Plain, events);
    assert!(text.contains("coarse") && !text.contains("fine detail"), "{text}");
    assert!(written("vonage_sidecar=debug", Style::Plain, events).contains("fine detail"));
}

#[test]
fn a_line_of_json_is_one_document() {
    let text = written("info", Style::Json, || tracing::info!(account = "abcd1234", "two\nlines"));
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["message"], "two\nlines");
    assert_eq!(document["account"], "abcd1234");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn colours_are_for_terminals_only() {
    assert_eq!(Style::of(LogFormat::Auto, false), Style::Json);
    assert_eq!(Style::of(LogFormat::Auto, true), Style::Coloured);
    assert_eq!(Style::of(LogFormat::Text, false), Style::Plain);
    assert_eq!(Style::of(LogFormat::Json, true), Style::Json);
    assert!(!written("info", Style::Plain, || tracing::info!("plain")).contains('\u{1b}'));
    assert!(written("info", Style::Coloured, || tracing::info!("coloured")).contains('\u{1b}'));
}

#[test]
fn a_filter_that_is_none_is_an_error() {
    assert!(matches!(subscriber("vonage_sidecar=loud", Style::Plain, std::io::sink), Err(TelemetryError::Filter(_))));
}

#[test]
fn a_blocked_reader_costs_lines_not_time() {
    /// Takes nothing until the test lets go.
    struct Blocked(std::sync::mpsc::Receiver<()>);
    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _gone = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (release, blocked) = std::sync::mpsc::channel();
    let (mut writer, guard) = lossy(Blocked(blocked));
    let dropped = writer.error_counter();
    for _ in 0..WAITING_LINES + 10 {
        writer.write_all(b"line\n").unwrap();
    }
    assert!(dropped.dropped_lines() > 0);
    drop(release);
    drop(guard);
}

#[test]
fn a_panic_is_told_by_its_place_alone() {
    let metrics = Arc::new(Metrics::new());
    let before = std::panic::take_hook();
    let hooked = Arc::clone(&metrics);
    // Other tests may panic meanwhile, on threads whose events nobody hears: theirs are not told here.
    let here = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == here {
            tell_panic(panic, &hooked);
        }
    }));
    let text = written("info", Style::Plain, || {
        let caught = std::panic::catch_unwind(|| panic!("CanaryValue"));
        assert!(caught.is_err());
    });
    std::panic::set_hook(before);
    assert!(text.contains("telemetry/tests.rs"), "{text}");
    assert!(!text.contains("CanaryValue"), "{text}");
    assert!(!metrics.render(&Scrape::default()).contains("vonage_sidecar_panics_total 0"));
}
