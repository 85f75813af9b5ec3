//! When the process ends: the first request to end drains, the second ends at once.
//!
//! A signal and `POST /quit` are the same request. Handlers are registered once, before anything can block: as the
//! first process of a container we have no default ones. The handle is cheap to copy and never fires by being
//! dropped.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far ending has come. It only goes on, never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Now,
}

/// A handle that every task may hold and wait on.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Of a process that runs.
    pub fn new() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }

    /// Asks to end: the first time gracefully, after that at once.
    pub fn request(&self) {
        self.phase.send_modify(|phase| {
            *phase = match *phase {
                Phase::Running => Phase::Draining,
                Phase::Draining | Phase::Now => Phase::Now,
            };
        });
    }

    /// Whether the end was asked for.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Returns when the end was asked for, at once if it was before.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Returns when the end was asked for twice: nothing is waited for any more.
    pub async fn now(&self) {
        self.reached(Phase::Now).await;
    }

    async fn reached(&self, wanted: Phase) {
        // The sender lives in this handle, so waiting cannot fail; if it could, waiting for ever is the safe end.
        if self.phase.subscribe().wait_for(|phase| *phase >= wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The signals of the process, registered. Split in two since two tasks wait for them.
#[derive(Debug)]
pub struct Signals {
    /// SIGTERM and SIGINT.
    pub endings: Endings,
    /// SIGHUP.
    pub hangups: Hangups,
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Endings {
    terminate: Signal,
    interrupt: Signal,
}

/// SIGHUP: read the credentials file again.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Signals {
    /// Registers all handlers. Call it first in the runtime, once: from here on no signal ends the process by itself.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            endings: Endings { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? },
            hangups: Hangups(signal(SignalKind::hangup())?),
        })
    }
}

impl Endings {
    /// Passes each signal on. Never returns.
    pub async fn drive(mut self, shutdown: &Shutdown) {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "asked to end");
            shutdown.request();
        }
    }
}

impl Hangups {
    /// The next one. Several that come close together may count as one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether a future is still waiting after the runtime had nothing else to do.
    async fn waits(future: impl Future<Output = ()>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), future).await.is_err()
    }

    #[tokio::test]
    async fn the_first_request_drains_and_the_second_ends() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.is_draining());
        assert!(waits(shutdown.draining()).await);
        shutdown.clone().request();
        assert!(shutdown.is_draining());
        shutdown.draining().await;
        assert!(waits(shutdown.now()).await);
        shutdown.request();
        shutdown.now().await;
        shutdown.request();
        shutdown.now().await;
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.draining().await }
        });
        shutdown.request();
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_hangup_reloads_and_a_termination_drains() {
        let mut signals = Signals::register().unwrap();
        let shutdown = Shutdown::new();
        let ours = rustix::process::getpid();
        rustix::process::kill_process(ours, rustix::process::Signal::HUP).unwrap();
        tokio::time::timeout(Duration::from_secs(5), signals.hangups.next()).await.unwrap();
        assert!(!shutdown.is_draining());
        rustix::process::kill_process(ours, rustix::process::Signal::TERM).unwrap();
        tokio::select! {
            () = signals.endings.drive(&shutdown) => {}
            () = shutdown.draining() => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("the signal was not seen"),
        }
    }
}
