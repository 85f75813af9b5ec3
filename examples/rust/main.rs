//! Sends an SMS from Rust, which has no SDK of Vonage: what goes over the wire, with nothing but the standard library.
//!
//! ```sh
//! cargo run --example rust
//! ```

use std::io::{self, Read, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let sidecar = std::env::args().nth(1).unwrap_or_else(|| "localhost:8787".to_owned());
    let body = "from=Acme&to=447700900000&text=Hello%20from%20Rust";
    let mut stream = TcpStream::connect(&sidecar)?;
    // Basic credentials: abcd1234:placeholder. The sidecar takes them off and puts a current secret on.
    write!(
        stream,
        "POST /sms/json HTTP/1.1\r\nhost: {sidecar}\r\nauthorization: Basic YWJjZDEyMzQ6cGxhY2Vob2xkZXI=\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    io::stdout().write_all(answer.as_bytes())
}
