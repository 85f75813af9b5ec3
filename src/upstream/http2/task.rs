//! The task that moves one connection, and asks a quiet peer whether it still lives.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use tokio::time::Sleep;

use super::State;
use super::gathered::Gathered;
use crate::upstream::figures::Open;
use crate::upstream::wire::Traffic;

/// How often it is looked whether anything came. After one such time of silence the peer is asked, after another one
/// without an answer it is given up: well below the 60 s after which a connection closes unused, and below the memory
/// of common middleboxes.
const LOOK: Duration = Duration::from_secs(10);

/// Moves a connection until it ends or its peer is gone.
pub(super) struct Task {
    connection: Connection<Gathered, Bytes>,
    pulse: Option<Pulse>,
    state: Arc<State>,
    _open: Open,
}

impl Task {
    pub(super) fn new(mut connection: Connection<Gathered, Bytes>, traffic: Arc<Traffic>, state: Arc<State>, open: Open) -> Self {
        let pulse = connection.ping_pong().map(|ping| Pulse::new(ping, traffic));
        Self { connection, pulse, state, _open: open }
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Some(pulse) = &mut this.pulse
            && pulse.poll(cx).is_ready()
        {
            this.state.given_up.store(true, Ordering::Release);
            return Poll::Ready(());
        }
        // An error reaches the requests under way; without one there is nobody whom it concerns.
        if Pin::new(&mut this.connection).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        this.state.allow(this.connection.max_concurrent_send_streams());
        Poll::Pending
    }
}

impl Drop for Task {
    /// Those who still wait for a stream will not get one.
    fn drop(&mut self) {
        self.state.places.close();
    }
}

/// Whether the peer still lives.
struct Pulse {
    ping: PingPong,
    traffic: Arc<Traffic>,
    look: Pin<Box<Sleep>>,
    /// What had come at the last look.
    heard: u64,
    asked: Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    Yes,
}

impl Pulse {
    fn new(ping: PingPong, traffic: Arc<Traffic>) -> Self {
        let heard = traffic.mark().read;
        Self { ping, traffic, look: Box::pin(tokio::time::sleep(LOOK)), heard, asked: Asked::No }
    }

    /// Ready when the peer has not answered.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.look.as_mut().poll(cx).is_ready() {
            let heard = self.traffic.mark().read;
            let is_quiet = std::mem::replace(&mut self.heard, heard) == heard;
            match (is_quiet, self.asked) {
                (true, Asked::Yes) => return Poll::Ready(()),
                (true, Asked::No) => self.ask(cx),
                (false, Asked::Yes | Asked::No) => self.asked = Asked::No,
            }
            self.look.set(tokio::time::sleep(LOOK));
        }
        Poll::Pending
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        // An answer that came is taken first, or h2 would not ask again. Anything else that came was as good a sign, so an
        // answer may still be missing: then nothing is asked, and it must come by the next look.
        let _answered = self.ping.poll_pong(cx);
        self.ping.send_ping(Ping::opaque()).ok();
        self.asked = Asked::Yes;
    }
}
