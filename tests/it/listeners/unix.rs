//! A socket in the file system: who may connect, who may call, what is left behind.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tokio::net::UnixStream;
use vonage_sidecar::config::{Peers, Place, UnixSocket};

use super::rig::{Ca, Client, SECRET, secured, trusting};
use crate::support::sidecar::{PATIENCE, Setup};

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
