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
//! | file | duty |
//! |---|---|
//! | `options` | what an emulator starts with, and how it is written on a command line |
//! | `dialect`, `lag` | which of two open answers is given; how long a change takes to be seen |
//! | `state`, `application` | accounts, slots, lag, applications |
//! | `call`, `reply`, `notation` | a request that has been read, an answer before it flows, ids and dates in both |
//! | `endpoints` | the emulator's own table: path, methods, hosts, schemes, refusal family, handler |
//! | `auth`, `admission` | which credentials are on a request, whether they are good, and who calls |
//! | `token`, `keys` | what a Bearer token claims; the keys that it may be signed with |
//! | `signature`, `md5` | the parameter `sig` |
//! | `refusals`, `standins` | refused credentials and their look-alikes, in each family |
//! | `turn`, `errors`, `throttle` | what endpoints are given, and what they share |
//! | `sms` `verify` `verify_v2` `insight` `messages` `account` `numbers` `applications` `secrets_api` `subaccounts` `generic` | what the endpoints do |
//! | `answer` | the order of it all: gateway, credentials, product, handler, execution |
//! | `faults` | which fault meets which request |
//! | `allowance` | how many management calls an hour has |
//! | `record`, `changes` | requests seen, messages executed; credentials created and revoked, in order |
//! | `handle`, `control_http`, `control_bodies` | the handle for tests, and the same over HTTP under `/_emulator/` |
//! | `serve`, `outflow`, `wire` | connections, answers as they flow, the cable that can be cut |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

mod account;
mod admission;
mod allowance;
mod answer;
mod application;
mod applications;
mod auth;
mod call;
mod changes;
mod control_bodies;
mod control_http;
mod dialect;
mod endpoints;
mod errors;
mod faults;
mod generic;
mod handle;
mod insight;
mod keys;
mod lag;
mod md5;
mod messages;
mod notation;
mod numbers;
mod options;
mod outflow;
mod record;
mod refusals;
mod reply;
mod secrets_api;
mod serve;
mod signature;
mod sms;
mod standins;
mod state;
mod subaccounts;
mod throttle;
mod token;
mod turn;
mod verify;
mod verify_v2;
mod wire;

pub use changes::{Author, Change, Changed};
pub use dialect::{Dialect, LegacyBasic, NumbersRefusal, SlotsRefusal};
pub use faults::{Break, Fault, MalformedFault, Rule, Shape, StandIn, Upload, When};
pub use handle::{Control, SecretNotCreated};
pub use lag::Lag;
pub use options::{AccountSpec, ApplicationSpec, MalformedSpec, Options};
pub use record::{Executions, Seen};
pub use signature::{MalformedMethod, SignatureMethod};

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
        let listening =
            serve::Listening { listener, tls: options.tls.clone(), streams: options.streams, shared: Arc::clone(control.shared()) };
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
