//! `run` as a process: how it starts, what signals do, how it ends without failing a request.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use vonage_sidecar::emulator::{AccountSpec, Options, Running};

use crate::support::caller::{Answer, Caller, PLACEHOLDER, raw, read_on, request, sms, status};
use crate::support::process::{Home, Process, instead_of_vonage, vonage};
use crate::support::sidecar::{KEY, PATIENCE, one_account};
use crate::support::wire::next;

async fn home_and_vonage() -> (Home, Running) {
    let home = Home::new();
    home.write("credentials.toml", &one_account(&["LiveSecret1"]));
    (home, vonage(Options::with_account(KEY, &["LiveSecret1"])).await)
}

/// Asks until the answer is as wanted. A new connection each time.
async fn until(to: SocketAddr, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let ask = async {
        loop {
            let answer = Caller::new(to).get(path).await;
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.expect("never answered as wanted")
}

async fn has_in_flight(process: &Process, requests: u32) {
    let line = format!("vonage_sidecar_in_flight_requests {requests}\n");
    until(process.admin[0], "/metrics", |page| page.text().contains(&line)).await;
}

#[tokio::test]
async fn a_taken_port_is_exit_2_with_a_hint() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let home = Home::new();
    home.write("sidecar.toml", &format!("listen = [{{ address = \"{address}\" }}]\nadmin.address = \"127.0.0.1:0\"\n"));
    let ended = home.run(&["run"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    let expected = format!("error: the sidecar cannot start\ncaused by: cannot listen on {address}\ncaused by: Address already in use");
    assert!(ended.err.contains(&expected) && ended.err.contains("\n\nhint: another process has the port"), "{}", ended.err);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_exit_2_with_every_problem() {
    let home = Home::new();
    home.write("sidecar.toml", "[admin]\naddress = \"0.0.0.0:1\"\n[[listen]]\naddress = \"0.0.0.0:2\"\n");
    let ended = home.run(&["run"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
    for place in ["sidecar.toml:2:11 admin.address", "sidecar.toml:4:11 listen[0].address"] {
        assert!(ended.err.contains(&format!("caused by: {place} can be reached from other machines (")), "{}", ended.err);
    }
    assert!(ended.err.contains("\n\nhint: "), "{}", ended.err);
}

#[tokio::test]
async fn without_a_credentials_file_it_lives_and_is_ready_when_the_file_comes() {
    let (home, emulator) = home_and_vonage().await;
    std::fs::remove_file(home.file("credentials.toml")).unwrap();
    let process = home.sidecar(emulator.address(), "").await;
    process.says("does not exist").await;
    let mut admin = Caller::new(process.admin[0]);
    assert_eq!(admin.get("/livez").await.status, StatusCode::OK);
    assert_eq!(admin.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = Caller::new(process.data[0]).send(sms("early")).await.unwrap();
    assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "no_credentials"));
    assert!(answer.text().contains("vonage-sidecar check"), "{}", answer.text());
    home.write("credentials.toml", &one_account(&["LiveSecret1"]));
    until(process.admin[0], "/readyz", |answer| answer.status == StatusCode::OK).await;
    assert_eq!(Caller::new(process.data[0]).send(sms("late")).await.unwrap().status, StatusCode::OK);
    assert_eq!((emulator.control().executed("early"), emulator.control().executed("late")), (0, 1));
}

#[tokio::test]
async fn a_termination_drains_and_serves_whoever_still_comes() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "timeouts.drain = \"60s\"\n").await;
    let mut slow = sms("slow");
    slow.headers_mut().insert("x-emulator-fault", "delay=1500".parse().unwrap());
    let data = process.data[0];
    let waiting = tokio::spawn(async move { Caller::new(data).send(slow).await.unwrap() });
    assert!(emulator.control().wait_for(|vonage| vonage.executed("slow") == 1, PATIENCE).await);
    process.signal(Signal::TERM);
    process.says("asked to end").await;
    until(process.admin[0], "/readyz", |answer| answer.status == StatusCode::SERVICE_UNAVAILABLE).await;
    let late = Caller::new(data).send(sms("late")).await.unwrap();
    assert_eq!((late.status, late.header("connection")), (StatusCode::OK, "close"));
    assert!(!waiting.is_finished() && process.runs(), "the drain did not overlap the slow request");
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
    assert_eq!(process.ends().await, Some(0));
    assert_eq!(emulator.control().duplicates(), []);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "timeouts.drain = \"10m\"\n").await;
    let mut silent = sms("silent");
    silent.headers_mut().insert("x-emulator-fault", "silence-before".parse().unwrap());
    let data = process.data[0];
    let waiting = tokio::spawn(async move { Caller::new(data).send(silent).await });
    has_in_flight(&process, 1).await;
    process.signal(Signal::TERM);
    process.says("asked to end").await;
    process.signal(Signal::INT);
    assert_eq!(process.ends().await, Some(0));
    assert!(waiting.await.unwrap().is_err(), "it was cut");
}

#[tokio::test]
async fn a_hangup_reads_the_credentials_again_and_ends_nothing() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "").await;
    home.write("credentials.toml", &one_account(&["LiveSecret1", "OtherSecret2"]));
    process.signal(Signal::HUP);
    until(process.admin[0], "/status", |status| status.text().contains("\"generation\":2")).await;
    process.signal(Signal::HUP);
    assert_eq!(Caller::new(process.data[0]).send(sms("after")).await.unwrap().status, StatusCode::OK);
    assert!(process.runs());
}

#[tokio::test]
async fn quit_is_a_termination() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "").await;
    let mut quit = request(Method::POST, "/quit", "", Bytes::new());
    quit.headers_mut().insert("x-sidecar-admin", "1".parse().unwrap());
    assert!(Caller::new(process.admin[0]).send(quit).await.unwrap().status.is_success());
    assert_eq!(process.ends().await, Some(0));
}

#[tokio::test]
async fn an_upload_without_an_end_is_cut_when_the_drain_time_is_over() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "timeouts.drain = \"200ms\"\n").await;
    let mut upload = TcpStream::connect(process.data[0]).await.unwrap();
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: {PLACEHOLDER}\r\ntransfer-encoding: chunked\r\n\r\n");
    upload.write_all(head.as_bytes()).await.unwrap();
    has_in_flight(&process, 1).await;
    process.signal(Signal::TERM);
    process.says("asked to end").await;
    let (reading, mut writing) = upload.into_split();
    let endless = tokio::spawn(async move { while writing.write_all(b"1\r\nx\r\n").await.is_ok() {} });
    process.says("drain time is over").await;
    assert_eq!(process.ends().await, Some(0));
    drop(reading);
    tokio::time::timeout(PATIENCE, endless).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_listener_has_its_own_limits() {
    let home = Home::new();
    home.write(
        "credentials.toml",
        "[[account]]\napi_key = \"abcd1234\"\nsecrets = [\"FirstSecret1\"]\n[[account]]\napi_key = \"efgh5678\"\nsecrets = [\"SecondSecret2\"]\n",
    );
    let options = Options {
        accounts: vec![AccountSpec::new("abcd1234", &["FirstSecret1"]), AccountSpec::new("efgh5678", &["SecondSecret2"])],
        ..Options::default()
    };
    let emulator = vonage(options).await;
    let settings = format!(
        "admin.address = \"127.0.0.1:0\"\n{}[[listen]]\naddress = \"127.0.0.1:0\"\naccount = \"abcd1234\"\n[[listen]]\naddress = \"127.0.0.1:0\"\naccount = \"efgh5678\"\nallow = [\"secrets\"]\n",
        instead_of_vonage(emulator.address())
    );
    let process = home.with_settings(&settings).await;
    let ask = async |listener: usize, key: &str, path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        let key = if key.is_empty() { String::new() } else { format!("?api_key={key}&api_secret=x") };
        let head = head.replacen(path, &format!("{path}{key}"), 1);
        String::from_utf8(raw(process.data[listener], format!("{head}\r\n").as_bytes()).await).unwrap()
    };
    for (listener, key, answer) in [
        (0, "abcd1234", "200 OK"),
        (0, "", "200 OK"),
        (0, "efgh5678", "key_not_served"),
        (1, "efgh5678", "200 OK"),
        (1, "", "200 OK"),
        (1, "abcd1234", "key_not_served"),
    ] {
        let told = ask(listener, key, "/account/get-balance").await;
        assert!(told.contains(answer), "{listener} {key}: {told}");
    }
    let accounts: Vec<Option<String>> = emulator.control().seen().into_iter().map(|seen| seen.account).collect();
    assert_eq!(accounts.iter().flatten().collect::<Vec<_>>(), ["abcd1234", "abcd1234", "efgh5678", "efgh5678"]);
    assert!(ask(0, "", "/accounts/abcd1234/secrets").await.contains("management_plane"));
    assert!(ask(1, "", "/accounts/efgh5678/secrets").await.contains("200 OK"));
}

#[tokio::test]
async fn observers_see_the_status_with_the_token_of_the_file() {
    let (home, emulator) = home_and_vonage().await;
    home.write("observe-token", "the-token-of-observers\n");
    let observe = "[admin.observe]\naddress = \"127.0.0.1:0\"\ntokens = [{ file = \"observe-token\" }]\n";
    let process = home.sidecar(emulator.address(), observe).await;
    let observers = process.admin[1];
    let ask = async |path: &str, token: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {observers}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        status(&raw(observers, head.as_bytes()).await)
    };
    assert_eq!(ask("/readyz", "").await, 200);
    assert_eq!(ask("/status", "the-token-of-observers").await, 200);
    assert_ne!(ask("/status", "another-token-of-nobody").await, 200);
    assert_eq!(ask("/", "the-token-of-observers").await, 404);
}

#[tokio::test]
async fn a_token_file_that_is_missing_is_exit_2_and_named() {
    let home = Home::new();
    home.write("sidecar.toml", "listen = [{ address = \"127.0.0.1:0\" }]\nadmin.address = \"127.0.0.1:0\"\n[admin.observe]\naddress = \"127.0.0.1:0\"\ntokens = [{ file = \"gone\" }]\n");
    let ended = home.run(&["run"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("caused by: gone does not exist") && ended.err.contains("hint: see [admin.observe]"), "{}", ended.err);
}

/// A client has no way to know that the process ends, and a POST that it has begun is not its to send again.
#[tokio::test]
async fn a_head_that_has_begun_on_a_kept_connection_is_served_while_the_process_drains() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "timeouts.drain = \"60s\"\n").await;
    let head = format!("GET /account/get-balance HTTP/1.1\r\nhost: localhost\r\nauthorization: {PLACEHOLDER}\r\n\r\n");
    let (first, rest) = head.split_at(40);
    let mut kept = TcpStream::connect(process.data[0]).await.unwrap();
    kept.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(next(&mut kept).await.status, 200);
    kept.write_all(first.as_bytes()).await.unwrap();
    process.signal(Signal::TERM);
    process.says("asked to end").await;
    // Longer than a process with nothing to do goes on.
    let asked = vonage_sidecar::clock::now();
    until(process.admin[0], "/readyz", |_| asked.elapsed() > Duration::from_millis(600)).await;
    kept.write_all(rest.as_bytes()).await.unwrap();
    let answer = next(&mut kept).await;
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    assert_eq!(process.ends().await, Some(0));
}

/// Another client on the same machine must not be able to hold up the end for longer than a head may take.
#[tokio::test]
async fn neither_an_idle_connection_nor_half_a_head_holds_up_the_end() {
    let (home, emulator) = home_and_vonage().await;
    let process = home.sidecar(emulator.address(), "timeouts.drain = \"10m\"\ntimeouts.caller_head = \"500ms\"\n").await;
    let mut idle = TcpStream::connect(process.data[0]).await.unwrap();
    let mut half = TcpStream::connect(process.data[0]).await.unwrap();
    half.write_all(b"GET /account").await.unwrap();
    process.signal(Signal::TERM);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), process.ends()).await.expect("held up"), Some(0));
    assert_eq!(read_on(&mut idle).await, b"");
}

#[tokio::test]
async fn a_proof_asks_about_what_the_file_holds_and_about_nothing_else() {
    let (home, emulator) = home_and_vonage().await;
    home.write("credentials.toml", &one_account(&["LiveSecret1", "DeadSecret1"]));
    let process = home.sidecar(emulator.address(), "").await;
    home.write("credentials.toml", &one_account(&["LiveSecret1"]));
    process.says("is gone from the file").await;
    let post = async |path: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nx-sidecar-admin: 1\r\ncontent-length: 0\r\n\r\n");
        String::from_utf8(raw(process.admin[0], head.as_bytes()).await).unwrap()
    };
    let proofs = post("/prove").await;
    assert!(proofs.contains("\"position\":0") && !proofs.contains("refused"), "{proofs}");
    let unknown = post("/prove?account=nobody12").await;
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("x-sidecar-error: not_held"), "{unknown}");
}
