//! The rules that make hyper a safe proxy: one test a rule, in the order in which they were found.
//!
//! Unless a rule says otherwise, what is refused is refused with a marked answer, and nothing of it is sent upstream.

mod crowd;
mod framing;
mod heads;
mod pace;

use crate::support::caller::PLACEHOLDER;
use crate::support::sidecar::{Setup, Sidecar};
use crate::support::wire::{Piece, talk};

const SECRET: &str = "Secret1aB3";

async fn sidecar() -> Sidecar {
    Setup::new(&[SECRET], &[SECRET]).start().await
}

/// A request without a body for a call that only reads.
fn get(lines: &str) -> String {
    format!("GET /account/get-balance HTTP/1.1\r\nHost: localhost\r\nAuthorization: {PLACEHOLDER}\r\n{lines}\r\n")
}

/// A request with a body for a call that sends.
fn post(lines: &str, body: &str) -> String {
    format!(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: {PLACEHOLDER}\r\nContent-Type: application/json\r\n{lines}\r\n{body}"
    )
}

/// Sends bytes on a connection of their own; there is one answer.
async fn answer(sidecar: &Sidecar, bytes: impl AsRef<[u8]>) -> Piece {
    talk(sidecar.data, bytes.as_ref()).await.only()
}

/// The answer is this marked refusal, and the provider has seen nothing.
async fn refused(sidecar: &Sidecar, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
    let bytes = bytes.as_ref();
    println!("{}", bytes[..bytes.len().min(200)].escape_ascii());
    answer(sidecar, bytes).await.is_marked(status, code);
    assert_eq!(sidecar.vonage().seen().len(), 0, "nothing is sent upstream");
}

/// A good caller is served.
async fn serves(sidecar: &Sidecar) {
    let answer = answer(sidecar, get("")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
