//! The admin listeners over real sockets, with a process that is made up.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use vonage_sidecar::admin::serve::Admin;
use vonage_sidecar::admin::status::rotation::Rotation;
use vonage_sidecar::admin::status::{
    Binding, File, FileState, Listener, Proof, ProofOutcome, Proofs, Reload, ReloadOutcome, Role, Status, Watch,
};
use vonage_sidecar::admin::{Backend, Identity, Load, Operations, Pending, Proven, ReloadView};
use vonage_sidecar::clock;
use vonage_sidecar::config::{self, Address};
use vonage_sidecar::credentials::store::Store;
use vonage_sidecar::credentials::{Generation, Snapshot};
use vonage_sidecar::metrics::Metrics;
use vonage_sidecar::secret::{AccessToken, ApiKey};
use vonage_sidecar::shutdown::Shutdown;

const WAIT: Duration = Duration::from_secs(10);

/// What the made-up process saw and says.
#[derive(Default)]
pub struct Script {
    proved: Mutex<Vec<Proven>>,
    pending_listener: AtomicBool,
    /// Proofs wait for it when it is there.
    gate: Option<Notify>,
    proving: Notify,
}

struct Fake(Arc<Script>);

impl Operations for Fake {
    fn reloads(&self, _: Instant) -> ReloadView {
        let file = File {
            path: "/etc/vonage-sidecar/credentials.toml".to_owned(),
            device: None,
            inode: None,
            state: FileState::Ok,
            error: None,
            last_good_age_seconds: Some(3.0),
            watch: Watch::Events,
        };
        ReloadView { file, history: Vec::new() }
    }

    fn listeners(&self) -> Vec<Listener> {
        let pending = self.0.pending_listener.load(Ordering::SeqCst);
        let binding = if pending { Binding::Pending } else { Binding::Bound };
        vec![Listener { role: Role::Data, address: "127.0.0.1:8787".to_owned(), binding, serves: None, certificate_left_seconds: None }]
    }

    fn observe_tokens(&self) -> Vec<AccessToken> {
        vec![AccessToken::parse("observer-token").unwrap()]
    }

    fn load(&self) -> Load {
        Load { in_flight: 2, upstream: Vec::new(), log_lines_dropped: 0 }
    }

    fn rotation(&self, _: Instant) -> Rotation {
        Rotation::default()
    }

    fn reload(&self) -> Pending<'_, Reload> {
        let reload = Reload { age_seconds: 0.0, outcome: ReloadOutcome::Unchanged, generation: 1, detail: "the same".to_owned() };
        Box::pin(async { reload })
    }

    fn prove(&self, whose: Proven) -> Pending<'_, Option<Vec<Proof>>> {
        self.0.proved.lock().unwrap().push(whose);
        Box::pin(async {
            self.0.proving.notify_one();
            if let Some(gate) = &self.0.gate {
                gate.notified().await;
            }
            let (account, host) = ("abcd1234".to_owned(), "rest.nexmo.com".to_owned());
            Some(vec![Proof {
                account,
                application: None,
                id: None,
                position: Some(0),
                host,
                outcome: ProofOutcome::Accepted,
                detail: String::new(),
            }])
        })
    }
}

/// A running admin room.
pub struct Room {
    pub admin: SocketAddr,
    observe: SocketAddr,
    pub store: Arc<Store>,
    shutdown: Shutdown,
    script: Arc<Script>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Room {
    pub fn start() -> Self {
        Self::with(Script::default())
    }

    fn with(script: Script) -> Self {
        let observe = config::Observe { address: Address::Ip((Ipv4Addr::LOCALHOST, 0).into()), tokens: Vec::new() };
        let settings = config::Admin { address: Address::Localhost { port: 0 }, observe: Some(observe) };
        let bound = Admin::bind(&settings).unwrap();
        let address = |role| bound.listeners().into_iter().find(|listener| listener.role == role).unwrap().address.parse().unwrap();
        let (admin, observe) = (address(Role::Admin), address(Role::Observe));
        let (store, shutdown, script) = (Arc::new(Store::default()), Shutdown::new(), Arc::new(script));
        let backend = Backend {
            store: Arc::clone(&store),
            metrics: Arc::new(Metrics::new()),
            shutdown: shutdown.clone(),
            identity: Identity::new([7; 8], clock::now()),
            operations: Box::new(Fake(Arc::clone(&script))),
        };
        let task = tokio::spawn(bound.run(Arc::new(backend)));
        Self { admin, observe, store, shutdown, script, task }
    }

    pub fn load(&self) {
        self.store.publish(Snapshot { generation: Generation(1), published: Some(clock::now()), ..Snapshot::default() });
    }
}

/// An answer as it came.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn code(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("x-sidecar-error: "))
    }

    fn document(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends these lines and reads to the end of the connection.
async fn ask(to: SocketAddr, lines: &[&str]) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let text = tokio::time::timeout(WAIT, exchange).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, &[&format!("GET {path} HTTP/1.1"), "Host: localhost"]).await
}

async fn post(to: SocketAddr, path: &str) -> Answer {
    ask(to, &[&format!("POST {path} HTTP/1.1"), "Host: localhost", "x-sidecar-admin: 1", "Content-Length: 0"]).await
}

#[tokio::test]
async fn live_at_once_ready_with_a_snapshot_unready_while_it_drains() {
    let room = Room::start();
    for address in [room.admin, room.observe] {
        assert_eq!(get(address, "/livez").await.status, 200);
        let unready = get(address, "/readyz").await;
        assert_eq!((unready.status, unready.code()), (503, Some("not_ready")));
        assert_eq!(get(address, "/startupz").await.code(), Some("not_started"));
    }
    room.load();
    for address in [room.admin, room.observe] {
        assert_eq!(get(address, "/readyz").await.status, 200);
        assert_eq!(get(address, "/startupz").await.status, 200);
    }
    room.shutdown.request();
    assert_eq!(get(room.observe, "/readyz").await.status, 503);
    assert_eq!(get(room.observe, "/startupz").await.status, 200);
    assert_eq!(get(room.observe, "/livez").await.status, 200);
}

#[tokio::test]
async fn not_ready_before_every_listener_is_bound() {
    let room = Room::start();
    room.load();
    room.script.pending_listener.store(true, Ordering::SeqCst);
    assert_eq!(get(room.admin, "/readyz").await.status, 503);
    room.script.pending_listener.store(false, Ordering::SeqCst);
    assert_eq!(get(room.admin, "/readyz").await.status, 200);
}

#[tokio::test]
async fn the_document_and_the_page_tell_the_same() {
    let room = Room::start();
    room.load();
    let answer = get(room.admin, "/status").await;
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
    let status: Status = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((status.schema, status.generation, status.boot_id.as_str()), (1, 1, "0707070707070707"));
    assert_eq!(status.credentials.state, FileState::Ok);
    let page = ask(room.admin, &["GET / HTTP/1.1", "Host: localhost", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"]).await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    assert!(page.body.contains(&status.credentials.path));
}

#[tokio::test]
async fn prometheus_gets_counters_and_gauges() {
    let room = Room::start();
    room.load();
    let answer = get(room.observe, "/metrics").await;
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{}", answer.head);
    for line in ["vonage_sidecar_generation 1", "vonage_sidecar_in_flight_requests 2", "vonage_sidecar_credentials_file_ok 1", "# EOF"] {
        assert!(answer.body.lines().any(|printed| printed == line), "{line}");
    }
}

#[tokio::test]
async fn observers_prove_with_the_token_only() {
    let room = Room::start();
    let denied = post(room.observe, "/prove?account=abcd1234").await;
    assert_eq!((denied.status, denied.code()), (401, Some("token_missing")));
    assert!(denied.head.contains("www-authenticate: Bearer"), "{}", denied.head);
    assert!(room.script.proved.lock().unwrap().is_empty());
    let host = format!("Host: {}", room.observe);
    let token = "Authorization: Bearer observer-token";
    let asked =
        ask(room.observe, &["POST /prove?account=abcd1234 HTTP/1.1", &host, token, "x-sidecar-admin: 1", "Content-Length: 0"]).await;
    let proofs: Proofs = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((proofs.schema, proofs.proofs[0].outcome), (1, ProofOutcome::Accepted));
    assert_eq!(*room.script.proved.lock().unwrap(), [Proven::Account(ApiKey::parse("abcd1234").unwrap())]);
}

#[tokio::test]
async fn more_than_two_proofs_at_once_are_asked_to_come_back() {
    let room = Arc::new(Room::with(Script { gate: Some(Notify::new()), ..Script::default() }));
    let address = room.admin;
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(tokio::spawn(async move { post(address, "/prove").await.status }));
        tokio::time::timeout(WAIT, room.script.proving.notified()).await.unwrap();
    }
    let third = post(address, "/prove").await;
    assert_eq!((third.status, third.code()), (503, Some("busy")));
    let gate = room.script.gate.as_ref().unwrap();
    for proof in running {
        gate.notify_one();
        assert_eq!(tokio::time::timeout(WAIT, proof).await.unwrap().unwrap(), 200);
    }
}

#[tokio::test]
async fn quit_drains_and_only_operators_may() {
    let room = Room::start();
    assert_eq!(post(room.observe, "/quit").await.code(), Some("not_found"));
    assert!(!room.shutdown.is_draining());
    assert_eq!(post(room.admin, "/reload").await.document()["outcome"], "unchanged");
    assert_eq!(post(room.admin, "/quit").await.status, 202);
    tokio::time::timeout(WAIT, room.shutdown.draining()).await.unwrap();
}

#[tokio::test]
async fn a_denial_is_a_problem_document_with_a_code_and_a_remedy() {
    let room = Room::start();
    let rebound = ask(room.admin, &["GET /status HTTP/1.1", "Host: evil.example:9787"]).await;
    assert_eq!((rebound.status, rebound.code()), (421, Some("host_not_allowed")));
    assert!(rebound.head.contains("content-type: application/problem+json"), "{}", rebound.head);
    let document = rebound.document();
    assert_eq!((document["status"].as_u64(), document["code"].as_str()), (Some(421), Some("host_not_allowed")));
    assert!(document["remedy"].as_str().unwrap().contains("localhost"));
    let page = ask(room.admin, &["POST /quit HTTP/1.1", "Host: localhost", "Origin: https://evil.example", "x-sidecar-admin: 1"]).await;
    assert_eq!(page.code(), Some("web_page"));
    assert!(!room.shutdown.is_draining());
    let method = get(room.admin, "/quit").await;
    assert_eq!(method.status, 405);
    assert!(method.head.contains("allow: POST"), "{}", method.head);
}

#[tokio::test]
async fn a_connection_is_for_one_request() {
    let room = Room::start();
    let answer = ask(room.admin, &["GET /livez HTTP/1.1", "Host: localhost", "", "GET /livez HTTP/1.1", "Host: localhost"]).await;
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(answer.body, r#"{"live":true}"#);
}

#[tokio::test]
async fn nothing_answers_after_the_room_is_dropped() {
    let room = Room::start();
    let address = room.admin;
    let mut idle = TcpStream::connect(address).await.unwrap();
    assert_eq!(get(address, "/livez").await.status, 200);
    drop(room);
    let mut end = [0; 1];
    let read = tokio::time::timeout(WAIT, idle.read(&mut end)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
}
