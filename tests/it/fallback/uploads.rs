//! Bodies that are large, slow, of unknown length, or refused while they are still coming.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use vonage_sidecar::credentials::standing::Standing;
use vonage_sidecar::vonage::hosts::Host;

use super::rig::{APPLICATIONS, JSON, NEW, NEXT, OLD, attempts, is_probe, probes, rule, send, standing};
use crate::support::caller::{Answer, Caller, PLACEHOLDER, read_on, request, status};
use crate::support::sidecar::{KEY, PATIENCE, Setup, Sidecar};

/// As in [`super::rig::VERIFY2`].
const PATH: &str = "/v2/verify";
const LIMIT: usize = 64 * 1024;

fn limited(live: &[&str], held: &[&str]) -> Setup {
    Setup::new(live, held).with(|settings| {
        settings.limits.replay = LIMIT;
        settings.fallback.hold = Duration::ZERO;
    })
}

async fn upload(sidecar: &Sidecar, size: usize) -> Answer {
    Caller::new(sidecar.data).send(request(Method::POST, PATH, JSON, Bytes::from(vec![b'x'; size]))).await.unwrap()
}

/// Opens an upload and sends its head.
async fn begin(sidecar: &Sidecar, framing: &str) -> TcpStream {
    let mut stream = TcpStream::connect(sidecar.data).await.unwrap();
    let head =
        format!("POST {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: {PLACEHOLDER}\r\ncontent-type: {JSON}\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answered(sidecar: &Sidecar, count: usize) {
    let reached = |vonage: &vonage_sidecar::emulator::Control| vonage.count(|seen| seen.path() == PATH && seen.status.is_some()) >= count;
    assert!(sidecar.vonage().wait_for(reached, PATIENCE).await);
}

async fn begun(sidecar: &Sidecar, count: usize) {
    assert!(sidecar.vonage().wait_for(|vonage| vonage.count(|seen| seen.path() == PATH) >= count, PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_too_large_to_keep_goes_out_only_with_a_secret_that_was_proven_first() {
    let sidecar = limited(&[NEW], &[OLD, NEW]).start().await;
    let answer = upload(&sidecar, LIMIT + 1).await;
    assert_eq!(answer.header("x-sidecar-refused"), "");
    let seen = sidecar.vonage().seen();
    let kinds: Vec<bool> = seen.iter().map(is_probe).collect();
    assert_eq!(kinds, [true, true, false], "one refused, one accepted, then the body");
    assert_eq!(attempts(&sidecar, PATH)[0].length, u64::try_from(LIMIT + 1).unwrap());
    sidecar.vonage().reset();
    upload(&sidecar, LIMIT + 1).await;
    assert_eq!(probes(&sidecar), 0, "accepted a moment ago");
    assert_eq!(attempts(&sidecar, PATH).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_asks_for_a_new_proof() {
    let sidecar = limited(&[OLD, NEW], &[OLD]).start().await;
    assert!(send(&sidecar, APPLICATIONS).await.status.is_success());
    let generation = sidecar.generation();
    sidecar.write(&[OLD, NEW]);
    sidecar.newer_than(generation).await;
    sidecar.vonage().reset();
    upload(&sidecar, LIMIT + 1).await;
    assert_eq!(probes(&sidecar), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_proof_finds_a_file_that_was_written_without_an_event() {
    let setup = Setup { watching: vonage_sidecar::credentials::watch::Watching::Polling, ..limited(&[NEW], &[OLD]) };
    let sidecar = setup.start().await;
    sidecar.write(&[NEW]);
    let answer = upload(&sidecar, LIMIT + 1).await;
    assert_eq!(answer.header("x-sidecar-refused"), "");
    assert_eq!(attempts(&sidecar, PATH).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_body_that_cannot_be_sent_again_is_marked_and_the_next_request_takes_the_other_secret() {
    let sidecar = limited(&[OLD, NEW], &[OLD, NEW]).start().await;
    assert!(send(&sidecar, APPLICATIONS).await.status.is_success());
    assert!(sidecar.vonage().revoke_value(KEY, OLD));
    let answer = upload(&sidecar, LIMIT + 1).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-sidecar-refused")), (401, "not-replayable"));
    assert_eq!(attempts(&sidecar, PATH).len(), 1);
    assert_eq!(standing(&sidecar, 0, Host::API), Standing::Suspect);
    sidecar.vonage().reset();
    assert_eq!(upload(&sidecar, LIMIT + 1).await.header("x-sidecar-refused"), "");
    assert_eq!(attempts(&sidecar, PATH)[0].secret, sidecar.vonage().secret_id(KEY, NEW));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_replay_memory_full_a_body_is_treated_as_large() {
    let sidecar = limited(&[NEW], &[OLD, NEW]).with(|settings| settings.limits.replay_memory = 20_000).start().await;
    let answer = upload(&sidecar, 20_001).await;
    assert_eq!(answer.header("x-sidecar-refused"), "");
    assert_eq!(probes(&sidecar), 2);
    assert_eq!(attempts(&sidecar, PATH).len(), 1);
    // Memory comes back when a request ends.
    let sidecar = limited(&[NEW], &[OLD, NEW]).with(|settings| settings.limits.replay_memory = 20_000).start().await;
    for _ in 0..5 {
        assert_eq!(upload(&sidecar, 14_000).await.header("x-sidecar-refused"), "");
    }
    assert_eq!(probes(&sidecar), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_refused_while_it_comes_arrives_whole_once() {
    for fault in ["early", "early-close"] {
        let sidecar = limited(&[OLD, NEW], &[OLD, NEW]).start().await;
        sidecar.vonage().add_fault(rule(fault).on_path(PATH).times(1));
        let body: Vec<u8> = (0..40_000_u32).flat_map(u32::to_le_bytes).take(40_000).collect();
        let mut stream = begin(&sidecar, "content-length: 40000\r\nx-message-id: once").await;
        stream.write_all(&body[..10_000]).await.unwrap();
        answered(&sidecar, 1).await;
        begun(&sidecar, 2).await;
        stream.write_all(&body[10_000..]).await.unwrap();
        let answer = read_on(&mut stream).await;
        assert!((200..500).contains(&status(&answer)) && status(&answer) != 401, "{fault}: {}", String::from_utf8_lossy(&answer));
        let seen = attempts(&sidecar, PATH);
        assert_eq!(seen.len(), 2, "{fault}");
        assert!(seen[1].complete && seen[1].body == body, "{fault}");
        assert!(sidecar.vonage().executed("once") <= 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunked_body_that_outgrows_its_copy_is_never_sent_from_its_middle() {
    let sidecar = limited(&[OLD, NEW], &[OLD, NEW]).start().await;
    assert!(send(&sidecar, APPLICATIONS).await.status.is_success());
    sidecar.vonage().add_fault(rule("early").on_path(PATH).times(1));
    let mut stream = begin(&sidecar, "transfer-encoding: chunked").await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    // More than the copy holds, while the second attempt is being prepared or sent.
    stream.write_all(chunk.repeat(3).as_bytes()).await.unwrap();
    answered(&sidecar, 1).await;
    let _closed = stream.write_all(chunk.repeat(5).as_bytes()).await;
    let _closed = stream.write_all(b"0\r\n\r\n").await;
    let answer = read_on(&mut stream).await;
    let whole = u64::try_from(8 * 0x4000).unwrap();
    for seen in attempts(&sidecar, PATH) {
        assert!(!seen.complete || seen.length == whole, "{} bytes of {whole}", seen.length);
    }
    assert!(status(&answer) == 401 || attempts(&sidecar, PATH).len() == 2, "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_breaks_its_upload_off_causes_no_second_attempt() {
    let sidecar = limited(&[NEXT], &[OLD, NEW]).start().await;
    let mut stream = begin(&sidecar, "content-length: 40000").await;
    stream.write_all(&[b'x'; 100]).await.unwrap();
    begun(&sidecar, 1).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(attempts(&sidecar, PATH).len(), 1);
    assert_eq!(standing(&sidecar, 0, Host::API), Standing::Untested);
}
