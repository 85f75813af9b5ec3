//! Listeners of callers: bind, accept, drain. What happens on a connection is in the files below.
//!
//! hyper's defaults are not a safe proxy: a half-closed caller is served, an idle connection
//! has no buffers yet, the number of connections is bounded so that descriptors are left for the credentials file.
//! A panic ends its own connection only.
//!
//! | file | duty |
//! |---|---|
//! | `connection` | one connection, from its first byte to its end: TLS, HTTP/1.1 |
//! | `streams` | HTTP/2 on a connection |
//! | `tunnel` | what a `CONNECT` opens |
//! | `own` | the addresses of this machine |

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::Proxy;
use super::entrance::{Entrance, Peer, Via};
use super::socket::Pace;
use super::socket::wire::Stream;
use crate::authority::{self, Authority, AuthorityError, Serving};
use crate::bind::{self, BindError, Listener};
use crate::config::{self, Listen, Place, ProxyMode, Serves, Settings, Tunnel};
use crate::shutdown::Shutdown;
use crate::tokens::{TokenError, Tokens};
use crate::work::work;

mod connection;
mod own;
mod streams;
mod tunnel;

/// After a failed accept (descriptors used up, usually) others get time to end.
const BREATHER: Duration = Duration::from_millis(50);
/// A draining process ends when nothing was under way for this long.
const QUIET: Duration = Duration::from_millis(250);
/// Descriptors that are left for files, admin, the runtime.
const RESERVED: usize = 64;

/// Why callers cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A certificate.
    #[error("the certificate of a listener cannot be used")]
    Certificate(#[from] AuthorityError),
    /// A token.
    #[error("a token of a listener cannot be read")]
    Token(#[from] TokenError),
}

/// Listeners that are bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(Listener, Arc<Door>)>,
    doors: Vec<Arc<Door>>,
}

/// What is behind a listener.
#[derive(Debug)]
pub struct Door {
    listen: Arc<Listen>,
    tokens: Arc<Tokens>,
    spoken: Spoken,
}

/// What is spoken there, ready to be spoken.
enum Spoken {
    Http,
    Https(TlsAcceptor, Arc<Serving>),
    Proxy(TlsAcceptor, Arc<Serving>, Tunnel),
}

impl std::fmt::Debug for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http => f.write_str("Http"),
            Self::Https(_, serving) => f.debug_tuple("Https").field(serving).finish(),
            Self::Proxy(_, serving, tunnel) => f.debug_tuple("Proxy").field(serving).field(tunnel).finish(),
        }
    }
}

impl Door {
    fn of(listen: &Listen, authorities: &mut Authorities) -> Result<Self, ListenError> {
        let spoken = match &listen.serves {
            Serves::Http | Serves::Mint(_) => Spoken::Http,
            Serves::Https(certificates) => {
                let serving = Arc::new(Serving::of(certificates, |settings| authorities.open(settings))?);
                Spoken::Https(TlsAcceptor::from(authority::server_config(Arc::clone(&serving))?), serving)
            }
            Serves::Proxy(ProxyMode { authority, tunnel }) => {
                let serving = Arc::new(Serving::Made(authorities.open(authority)?));
                Spoken::Proxy(TlsAcceptor::from(authority::server_config(Arc::clone(&serving))?), serving, tunnel.clone())
            }
        };
        Ok(Self { listen: Arc::new(listen.clone()), tokens: Tokens::read(&listen.tokens)?, spoken })
    }

    /// Reads its tokens and certificates again.
    pub fn reread(&self) {
        self.tokens.reread();
        if let Some(serving) = self.serving() {
            serving.reread();
        }
    }

    /// Whether any of them is in a file.
    pub fn has_files(&self) -> bool {
        self.tokens.are_in_files() || self.serving().is_some_and(|serving| serving.are_in_files())
    }

    /// Its settings.
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// Its certificates, if it has any.
    pub fn serving(&self) -> Option<&Arc<Serving>> {
        match &self.spoken {
            Spoken::Http => None,
            Spoken::Https(_, serving) | Spoken::Proxy(_, serving, _) => Some(serving),
        }
    }

    fn entrance(&self, stream: &Stream, via: Via) -> Entrance {
        let peer = match (stream, &self.listen.place) {
            (Stream::Unix(stream), Place::Unix(socket)) => match stream.peer_cred() {
                Ok(peer) if socket.peers.welcome(peer.uid(), peer.gid()) => Peer::Welcome,
                Ok(_) | Err(_) => Peer::Stranger,
            },
            (Stream::Tcp(_), Place::Tcp(_)) => Peer::Welcome,
            (Stream::Tcp(_), Place::Unix(_)) | (Stream::Unix(_), Place::Tcp(_)) => Peer::Stranger,
        };
        Entrance { listen: Arc::clone(&self.listen), tokens: Arc::clone(&self.tokens), peer, via }
    }
}

/// Listeners that name one directory share its authority, and so its leaves.
#[derive(Default)]
struct Authorities(BTreeMap<config::CertificateAuthority, Arc<Authority>>);

impl Authorities {
    fn open(&mut self, settings: &config::CertificateAuthority) -> Result<Arc<Authority>, AuthorityError> {
        if let Some(open) = self.0.get(settings) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(Authority::open(settings)?);
        self.0.insert(settings.clone(), Arc::clone(&opened));
        Ok(opened)
    }
}

impl Bound {
    /// Binds every data listener, after its tokens and certificates were read.
    pub fn bind(listens: &[Listen]) -> Result<Self, ListenError> {
        let mut authorities = Authorities::default();
        let (mut listeners, mut doors) = (Vec::new(), Vec::new());
        for listen in listens {
            let door = Arc::new(Door::of(listen, &mut authorities)?);
            listeners.extend(bind::place(&listen.place)?.into_iter().map(|listener| (listener, Arc::clone(&door))));
            doors.push(door);
        }
        Ok(Self { listeners, doors })
    }

    /// What is behind them, in the order of the settings.
    pub fn doors(&self) -> &[Arc<Door>] {
        &self.doors
    }

    /// Every socket with what is behind it.
    pub fn sockets(&self) -> impl Iterator<Item = (String, &Arc<Door>)> {
        self.listeners.iter().map(|(listener, door)| (listener.address(), door))
    }

    /// The addresses among them.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |listener: &Listener| match listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        };
        self.listeners.iter().filter_map(|(listener, _)| address(listener)).collect()
    }

    /// The unix sockets among them.
    pub fn paths(&self) -> Vec<PathBuf> {
        let path = |listener: &Listener| match listener {
            Listener::Tcp(_) => None,
            Listener::Unix(listener) => Some(listener.path().to_path_buf()),
        };
        self.listeners.iter().filter_map(|(listener, _)| path(listener)).collect()
    }

    /// Serves until the process drains: then new connections are still accepted, since apps that end open some, until
    /// nothing is under way or the drain time is over. A second signal ends everything at once.
    pub async fn serve(self, proxy: Arc<Proxy>, settings: &Settings, shutdown: Shutdown) {
        let server = Arc::new(Server {
            proxy,
            shutdown: shutdown.clone(),
            pace: Pace { head: settings.timeouts.caller_head, idle: settings.timeouts.idle, longest_head: settings.limits.head },
            places: Arc::new(Semaphore::new(places(settings.limits.connections))),
        });
        let mut accepting = tokio::task::JoinSet::new();
        for (listener, door) in self.listeners {
            accepting.spawn(work(Arc::clone(&server).accept(listener, door)));
        }
        shutdown.draining().await;
        tokio::select! {
            () = server.quiet() => tracing::info!("drained"),
            () = tokio::time::sleep(settings.timeouts.drain) => {
                tracing::warn!(in_flight = server.proxy.in_flight.load(Ordering::Acquire), "drain time is over: cutting what is left");
            }
            () = shutdown.now() => tracing::warn!("told twice: ending now"),
        }
    }
}

/// Each caller's connection may need one upstream; some descriptors are kept for everything else.
fn places(wanted: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let descriptors = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let possible = (descriptors.saturating_sub(RESERVED.min(descriptors / 2)) / 2).max(1);
    if possible < wanted {
        tracing::warn!(wanted, possible, descriptors, "fewer connections than limits.connections: raise the limit of open files");
    }
    wanted.min(possible)
}

#[derive(Debug)]
struct Server {
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    pace: Pace,
    places: Arc<Semaphore>,
}

impl Server {
    /// Ends when nothing has been under way for a while.
    async fn quiet(&self) {
        let mut since = crate::clock::now();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            let now = crate::clock::now();
            if self.proxy.in_flight.load(Ordering::Acquire) > 0 {
                since = now;
            } else if now.saturating_duration_since(since) >= QUIET {
                return;
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: Listener, door: Arc<Door>) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match accepted(&listener).await {
                Ok(stream) => {
                    let connection = Arc::clone(&self).connection(stream, Arc::clone(&door), place);
                    tokio::spawn(work(connection));
                }
                Err(error) => {
                    tracing::warn!(cause = %error, "accept failed");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

async fn accepted(listener: &Listener) -> std::io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => listener.accept().await.map(|(stream, _peer)| Stream::Tcp(stream)),
        Listener::Unix(listener) => listener.listener().accept().await.map(|(stream, _peer)| Stream::Unix(stream)),
    }
}

/// The gauge of open connections.
struct Counted(Arc<Proxy>);

impl Counted {
    fn new(proxy: &Arc<Proxy>) -> Self {
        proxy.metrics.connection_opened();
        Self(Arc::clone(proxy))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connection_closed();
    }
}
