//! A wire on which small pieces travel together.
//!
//! h2 asks once, before its first write, whether many pieces can be written in one call. If so it gives every body of
//! 256 bytes or more a write of its own: one TLS record and one system call for each request. If not it
//! copies bodies of up to 1 KiB behind each other, which are most bodies of this provider. Later it asks before each
//! write, and larger pieces are then written with their heads in one call. So the answer is no first, and yes after
//! the first flush, which follows that question. Nothing but speed depends on it. Source: h2 0.4.20, `FramedWrite`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::wire::Wire;

/// A wire under h2.
pub(super) struct Gathered {
    wire: Wire,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Runs,
}

impl Gathered {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, stage: Stage::Begins }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stage == Stage::Runs
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stage = Stage::Runs;
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
