//! A stateful Vonage on one local port, for tests, `demo` and the command `emulator`.
//!
//! It keeps accounts with two slots, propagation lag, balances, applications and subaccounts; it refuses in every
//! family that the provider is known for; it counts what was really done, message by message; it fails on demand;
//! and it remembers every request as it came. The `Host` header says which Vonage host is meant; with any other
//! `Host` the path decides.
//!
//! Invariants:
//! - nothing of the code under test is used here: the checks of credentials are its own, or a test proves nothing
//!   (time and randomness come from `clock`, which decides nothing);
//! - a refused call executes nothing and costs nothing;
//! - an execution is counted before any byte of its answer is written, so a broken answer never hides one.
//!
//! Not here: the command line.
//!
//! Facts: the provider's API specifications, its guides, and the public tests of its gateway ("gateway tests" below); each
//! file names what it imitates. Where the facts say nothing, the doc comment says "not verified".
//!
//! The rooms, from the top; each knows only rooms below it:
//!
//! | room | duty |
//! |---|---|
//! | `server` | connections, the way of a request, answers as they flow, the cable that can be cut |
//! | `control` | the handle for tests, the same over HTTP under `/_emulator/`, and the record of what was seen and executed |
//! | `gateway` | the table of endpoints, which credentials are on a request, and how each family refuses |
//! | `apis` | what the endpoints do |
//! | `world` | accounts, slots, applications, allowances, and what was changed |
//! | `setup` | what an emulator starts with, which faults meet which request, which of two open answers is given |
//! | `checks` | how a token, a key and a signature are judged; how long a change takes to be seen; who was let in |
//! | `exchange` | a request that has been read, an answer before it flows |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

mod apis;
mod checks;
mod control;
mod exchange;
mod gateway;
mod server;
mod setup;
mod world;

use server::listen::Listening;

pub use checks::lag::Lag;
pub use checks::signature::{MalformedMethod, SignatureMethod};
pub use control::handle::{Control, SecretNotCreated};
pub use control::record::{Executions, Seen};
pub use setup::dialect::{Dialect, LegacyBasic, NumbersRefusal, SlotsRefusal};
pub use setup::faults::{Break, Fault, MalformedFault, Rule, Shape, StandIn, Upload, When};
pub use setup::options::{AccountSpec, ApplicationSpec, MalformedSpec, Options};
pub use world::changes::{Author, Change, Changed};

/// Connections that may wait to be accepted: a load test opens hundreds at once.
const BACKLOG: u32 = 4096;

/// The way to start one.
#[derive(Debug)]
pub struct Emulator;

impl Emulator {
    /// Binds, starts to serve and returns the handle. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    #[expect(clippy::unused_async, reason = "binding spawns a task, so it belongs inside a runtime")]
    pub async fn bind(options: Options) -> io::Result<Running> {
        let socket = if options.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(options.address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let control = Control::new(&options);
        let listening = Listening { listener, tls: options.tls.clone(), streams: options.streams, shared: Arc::clone(control.shared()) };
        Ok(Running { address, control, task: tokio::spawn(listening.run()) })
    }
}

/// An emulator that serves until this is dropped; then its connections are dropped too.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    control: Control,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle that changes and observes it. Clones share the same emulator.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops, and returns when the address is free again.
    pub async fn stop(mut self) {
        self.task.abort();
        self.wait().await;
    }

    /// Serves until the process ends or the caller stops waiting.
    pub async fn wait(&mut self) {
        // The task ends only by being aborted, which is what dropping `self` does.
        let _aborted = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
