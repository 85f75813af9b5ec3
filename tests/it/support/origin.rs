//! An origin that says exactly what a test wants, which no emulator of Vonage would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::sidecar::PATIENCE;

/// A running origin. Dropped, it accepts no more.
pub struct Origin {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One accepted connection, by which a script tells what it read.
pub struct Guest {
    pub stream: TcpStream,
    buffer: Vec<u8>,
    heads: mpsc::UnboundedSender<String>,
}

impl Origin {
    /// Runs the script on every connection; dropping the guest closes it.
    pub async fn start<F, W>(script: F) -> Self
    where
        F: Fn(Guest) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Guest { stream, buffer: Vec::new(), heads: sender.clone() }));
            }
        });
        Self { address, connections, heads, task }
    }

    /// Answers every request head with these bytes, and keeps the connection.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Vec<u8> = answer.into();
        Self::start(move |mut guest| {
            let answer = answer.clone();
            async move {
                while guest.request().await.is_some() {
                    guest.say(&answer).await;
                }
            }
        })
        .await
    }

    /// Answers the first request head with these bytes, and closes.
    pub async fn saying_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Vec<u8> = answer.into();
        Self::start(move |mut guest| {
            let answer = answer.clone();
            async move {
                guest.request().await;
                guest.say(&answer).await;
            }
        })
        .await
    }

    /// The next request that came.
    pub async fn heard(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.heads.recv()).await.expect("no request came").unwrap()
    }

    /// The requests that came and were not asked for yet.
    pub fn heard_so_far(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heads.try_recv().ok()).collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Guest {
    /// Reads the head of the next request, and the body that its length announces. None at the end.
    pub async fn request(&mut self) -> Option<String> {
        let head = self.head().await?;
        let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        let request = format!("{head}{}", String::from_utf8_lossy(&body));
        self.heads.send(request.clone()).ok();
        Some(request)
    }

    /// Reads the head alone; what came after it is left.
    pub async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// So many bytes.
    pub async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Whether nothing is left that came and was not read.
    pub fn is_drained(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next bytes that came, whatever they are.
    pub async fn some(&mut self) -> Option<Vec<u8>> {
        if self.buffer.is_empty() && self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
            return None;
        }
        Some(std::mem::take(&mut self.buffer))
    }

    /// Reads until this text has come after the head; gives what came up to the end of that text.
    pub async fn until(&mut self, text: &str) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(text.len()).position(|window| window == text.as_bytes()) {
                let read: Vec<u8> = self.buffer.drain(..at + text.len()).collect();
                return Some(String::from_utf8_lossy(&read).into_owned());
            }
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Tells the test something, as if it were a request.
    pub fn tell(&self, what: impl Into<String>) {
        self.heads.send(what.into()).ok();
    }

    /// Writes; a peer that is gone is no failure of the test.
    pub async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// Ends with RST instead of FIN.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// A field of a head.
pub fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().filter_map(|line| line.split_once(':')).find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
