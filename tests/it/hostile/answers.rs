//! Answers: the corpus, said by an origin.

use super::{SECRET, corpus};
use crate::support::origin::Origin;
use crate::support::sidecar::Setup;
use crate::support::wire::{Ending, talk};

/// The first final status that an answer of the corpus claims.
fn claimed(raw: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(raw).into_owned();
    let statuses = text.lines().filter(|line| line.starts_with("HTTP/"));
    statuses.filter_map(|line| line.split(' ').nth(1)?.parse().ok()).find(|status| *status >= 200)
}

#[tokio::test]
async fn a_strange_answer_is_passed_on_faithfully_or_is_a_marked_502() {
    let Some(cases) = corpus("response") else { return };
    let raws: Vec<Vec<u8>> = cases.iter().map(|case| case.raw.clone()).collect();
    let origin = Origin::start(move |mut guest| {
        let raws = raws.clone();
        async move {
            let Some(request) = guest.request().await else { return };
            let number = request.split(' ').nth(1).and_then(|target| target.rsplit('/').next()?.parse::<usize>().ok());
            match number.and_then(|number| raws.get(number)) {
                Some(raw) => guest.say(raw).await,
                None => guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await,
            }
        }
    })
    .await;
    let sidecar = Setup::scripted(origin.address, &[SECRET]).start().await;
    let (mut passed, mut refused, mut cut) = (0, 0, 0);
    for (number, case) in cases.iter().enumerate() {
        let what = format!("{}: {:?}", case.name, String::from_utf8_lossy(&case.raw));
        let talk = talk(sidecar.data, format!("GET /odd/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
        assert_ne!(talk.ending, Ending::Open, "{what}");
        match talk.pieces().first() {
            Some(answer) if !answer.code().is_empty() => {
                answer.is_marked(502, answer.code());
                refused += 1;
            }
            Some(answer) => {
                assert_eq!(Some(answer.status), claimed(&case.raw), "{what}: {answer:?}");
                if answer.whole && talk.ending == Ending::Closed { passed += 1 } else { cut += 1 }
            }
            None => {
                assert_eq!(talk.ending, Ending::Reset, "{what}: {talk:?}");
                cut += 1;
            }
        }
        let good = crate::support::wire::talk(sidecar.data, b"GET /odd/good HTTP/1.1\r\nHost: localhost\r\n\r\n").await.only();
        assert_eq!((good.status, good.text().as_str()), (200, "ok"), "after {what}");
    }
    println!("{} answers: {passed} passed on, {refused} refused, {cut} cut where they were", cases.len());
}
