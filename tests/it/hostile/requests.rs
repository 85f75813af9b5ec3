//! Requests: our own list with its fates, and the corpus.

use super::inputs::{self, Fate};
use super::{SECRET, corpus, judge};
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::wire::{Ending, Talk, talk};

async fn good(sidecar: &Sidecar, after: &str) {
    let answer = talk(sidecar.data, b"GET /odd HTTP/1.1\r\nHost: localhost\r\n\r\n").await.only();
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "after {after}");
}

/// The statuses that came back, those of the sidecar itself being marked; nothing else comes.
fn fate(talk: &Talk) -> Vec<(u16, String)> {
    let statuses = talk.pieces().into_iter().filter(|piece| piece.status >= 200);
    statuses.map(|piece| (piece.status, piece.code().to_owned())).collect()
}

#[tokio::test]
async fn every_gadget_meets_its_fate() {
    let (origin, record) = judge::start().await;
    let sidecar = Setup::scripted(origin.address, &[SECRET]).start().await;
    let mut wrong = Vec::new();
    let inputs = inputs::all();
    for (input, expected) in &inputs {
        let before = record.lock().unwrap().requests;
        let talk = talk(sidecar.data, input.as_bytes()).await;
        let came = fate(&talk);
        let sent = record.lock().unwrap().requests - before;
        let marked = |(status, code): &(u16, String), wanted: u16| *status == wanted && !code.is_empty();
        let right = talk.ending != Ending::Open
            && match (*expected, &came[..]) {
                (Fate::Refused(status), [only]) => marked(only, status) && sent == 0,
                (Fate::Broken(status), [only]) => marked(only, status),
                (Fate::Served, [(200, code)]) => code.is_empty(),
                (Fate::ThenRefused(status), [(200, code), second]) => code.is_empty() && marked(second, status),
                _ => false,
            };
        if !right {
            wrong.push(format!("{input:.120?}: {expected:?}, but {came:?}, {sent} sent"));
        }
        good(&sidecar, input).await;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), inputs.len(), wrong.join("\n"));
    let objections = &record.lock().unwrap().objections;
    assert!(objections.is_empty(), "{objections:#?}");
}

/// With a host that is served, so that the case gets past the first guard.
fn addressed(raw: &[u8]) -> Vec<u8> {
    let Some(end) = raw.windows(2).position(|window| window == b"\r\n") else { return raw.to_vec() };
    let text = String::from_utf8_lossy(raw).to_ascii_lowercase();
    if text.contains("\nhost:") {
        return raw.to_vec();
    }
    [&raw[..end + 2], b"Host: localhost\r\n", &raw[end + 2..]].concat()
}

#[tokio::test]
async fn the_corpus_of_another_parser_breaks_nothing() {
    let Some(cases) = corpus("request") else { return };
    let (origin, record) = judge::start().await;
    let setup = Setup::scripted(origin.address, &[SECRET]);
    let setup = setup.with(|settings| settings.listen[0].allowed_hosts = ["www.example.com", "example.com"].map(str::to_owned).to_vec());
    let sidecar = setup.start().await;
    for case in &cases {
        for raw in [case.raw.clone(), addressed(&case.raw)] {
            let talk = talk(sidecar.data, &raw).await;
            assert_ne!(talk.ending, Ending::Open, "{}: {:?}", case.name, String::from_utf8_lossy(&raw));
            for (status, code) in fate(&talk) {
                assert!(
                    status == 200 && code.is_empty() || (400..=501).contains(&status) && !code.is_empty(),
                    "{}: {status} {code}",
                    case.name
                );
            }
            good(&sidecar, &case.name).await;
        }
    }
    let record = record.lock().unwrap();
    println!("{} cases, each as it is and addressed: {} requests went upstream, {} broke off", cases.len(), record.requests, record.broken);
    assert!(record.objections.is_empty(), "{:#?}", record.objections);
}
