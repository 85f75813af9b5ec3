//! A socket in the file system: who may connect, who may call, what is left behind.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tokio::net::UnixStream;
use vonage_sidecar::config::{Peers, Place, UnixSocket};

use super::rig::{Ca, Client, SECRET, secured, trusting};
use crate::support::origin::Origin;
use crate::support::sidecar::{PATIENCE, Setup};
use crate::support::wire::{Piece, pieces};

fn socket(path: &Path, peers: Peers) -> Place {
    Place::Unix(UnixSocket { path: path.to_path_buf(), mode: 0o600, owner: None, group: None, peers })
}

fn setup(place: Place) -> Setup {
    // The first listener stays, since every sidecar of the tests has an address.
    Setup::new(&[SECRET], &[SECRET]).with(move |settings| {
        let mut second = settings.listen[0].clone();
        second.place = place;
        settings.listen.push(second);
    })
}

#[tokio::test]
async fn calls_are_served_on_a_socket_that_goes_with_the_process() {
    let files = Ca::new();
    let path = files.path("api.sock");
    let sidecar = setup(socket(&path, Peers::default())).start().await;
    let there = std::fs::metadata(&path).unwrap();
    assert!(there.file_type().is_socket());
    assert_eq!(there.mode() & 0o777, 0o600);
    let mut client = Client::http1(UnixStream::connect(&path).await.unwrap()).await;
    for _again in 0..2 {
        assert_eq!(client.balance("localhost").await.unwrap().status, 200);
    }
    assert_eq!(sidecar.paths, std::slice::from_ref(&path));
    drop(sidecar);
    let gone = async {
        while path.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the socket stays behind");
}

#[tokio::test]
async fn only_the_listed_users_and_groups_are_served() {
    let files = Ca::new();
    let path = files.path("api.sock");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    for (peers, served) in [
        (Peers { uids: vec![uid], gids: Vec::new() }, true),
        (Peers { uids: Vec::new(), gids: vec![gid] }, true),
        (Peers { uids: vec![uid + 1], gids: vec![gid] }, true),
        (Peers { uids: vec![uid + 1], gids: vec![gid + 1] }, false),
        (Peers { uids: vec![uid + 1], gids: Vec::new() }, false),
    ] {
        let sidecar = setup(socket(&path, peers.clone())).start().await;
        let mut client = Client::http1(UnixStream::connect(&path).await.unwrap()).await;
        let answer = client.balance("localhost").await.unwrap();
        let expected = if served { (200, "") } else { (403, "peer_refused") };
        assert_eq!((answer.status.as_u16(), answer.code()), expected, "{peers:?}");
        assert_eq!(sidecar.vonage().seen().is_empty(), !served);
        drop(sidecar);
        while path.exists() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_socket_may_speak_tls() {
    let files = Ca::new();
    let path = files.path("api.sock");
    let (place, https) = (socket(&path, Peers::default()), files.https());
    let sidecar = setup(place).with(move |settings| settings.listen[1].serves = https).start().await;
    let stream = secured(UnixStream::connect(&path).await.unwrap(), "localhost", &trusting(&files.pem(), &["h2"])).await.unwrap();
    assert_eq!(Client::http2(stream).await.balance("localhost").await.unwrap().status, 200);
    drop(sidecar);
}

/// A unix socket cannot be reset, and a caller of HTTP/1.0 takes the end of the connection for that of the answer.
#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_complete_to_a_caller_of_http_1_0() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let files = Ca::new();
    let path = files.path("api.sock");
    let long = "x".repeat(200_000);
    for (said, expected) in [
        (format!("{HEAD}4\r\nhalf\r\n"), (502, "answer_broken", None)),
        (format!("{HEAD}4\r\nhalf\r\n1\r\n"), (502, "answer_broken", None)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf".to_owned(), (200, "", None)),
        (format!("{HEAD}5\r\nwhole\r\n0\r\n\r\n"), (200, "", Some("whole".to_owned()))),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole".to_owned(), (200, "", Some("whole".to_owned()))),
        (format!("{HEAD}{:x}\r\n{long}\r\n0\r\n\r\n", long.len()), (200, "", Some(long.clone()))),
    ] {
        let origin = Origin::saying_once(said.clone()).await;
        let place = socket(&path, Peers::default());
        let setup = Setup::scripted(origin.address, &[SECRET]).with(move |settings| {
            let mut second = settings.listen[0].clone();
            second.place = place;
            settings.listen.push(second);
        });
        let sidecar = setup.start().await;
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let answer = said_to(&mut stream, "GET /account/get-balance HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
        let (status, code, whole) = expected;
        assert_eq!((answer.status, answer.code()), (status, code), "{said:.80}: {answer:?}");
        match whole {
            Some(text) => assert!(answer.whole && answer.text() == text, "{said:.80}"),
            None => assert!(status == 502 || !answer.whole, "it looks complete: {said:.80}: {answer:?}"),
        }
        drop(sidecar);
        while path.exists() {
            tokio::task::yield_now().await;
        }
    }
}

async fn said_to(stream: &mut UnixStream, request: &str) -> Piece {
    pieces(super::rig::said(stream, request.as_bytes()).await.as_bytes()).remove(0)
}
