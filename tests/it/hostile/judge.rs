//! An origin that reads what comes more strictly than any server, and remembers what it objects to.

use std::sync::{Arc, Mutex};

use super::OURS;
use crate::support::origin::{Guest, Origin};

/// What came to the origin.
#[derive(Debug, Default)]
pub struct Record {
    pub requests: usize,
    /// Uploads that broke off: their callers did.
    pub broken: usize,
    pub objections: Vec<String>,
}

pub type Shared = Arc<Mutex<Record>>;

/// An origin that answers what it cannot object to.
pub async fn start() -> (Origin, Shared) {
    let record = Shared::default();
    let shared = Arc::clone(&record);
    let origin = Origin::start(move |guest| judge(guest, Arc::clone(&shared))).await;
    (origin, record)
}

async fn judge(mut guest: Guest, record: Shared) {
    while let Some(head) = guest.head().await {
        record.lock().unwrap().requests += 1;
        let framing = match read(&head) {
            Ok(framing) => framing,
            Err(objection) => {
                record.lock().unwrap().objections.push(format!("{objection}: {head:?}"));
                return;
            }
        };
        let whole = match framing {
            Framing::Length(length) => guest.exactly(length).await.is_some(),
            Framing::Chunked => match chunks(&mut guest).await {
                Ok(whole) => whole,
                Err(objection) => {
                    record.lock().unwrap().objections.push(format!("{objection}: {head:?}"));
                    return;
                }
            },
        };
        if !whole {
            record.lock().unwrap().broken += 1;
            return;
        }
        guest.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    }
    if !guest.is_drained() {
        record.lock().unwrap().objections.push("half a head".to_owned());
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// The framing of a head that is exactly as RFC 9112 has it.
fn read(head: &str) -> Result<Framing, &'static str> {
    let mut lines = head.strip_suffix("\r\n\r\n").ok_or("no end")?.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else { return Err("request line") };
    if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method) {
        return Err("method");
    }
    if !(target.starts_with('/') || target == "*" && method == "OPTIONS") || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("target");
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("no colon")?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
            return Err("name");
        }
        if value.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f) {
            return Err("value");
        }
        fields.push((name.to_ascii_lowercase(), value.trim()));
    }
    let all = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| *value).collect::<Vec<_>>();
    if all("authorization") != [OURS] {
        return Err("authorization");
    }
    if all("host") != ["api.nexmo.com"] {
        return Err("host");
    }
    let alone = ["upgrade", "te", "trailer", "proxy-connection", "proxy-authorization", "keep-alive", "expect", "cookie", "x-original-url"];
    if fields.iter().any(|(name, _)| alone.contains(&name.as_str())) {
        return Err("hop-by-hop");
    }
    match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => length.parse().map(Framing::Length).map_err(|_| "length"),
        ([], ["chunked"]) => Ok(Framing::Chunked),
        _ => Err("framing"),
    }
}

/// Whether a body of chunks came to its end.
async fn chunks(guest: &mut Guest) -> Result<bool, &'static str> {
    loop {
        let Some(line) = guest.until("\r\n").await else { return Ok(false) };
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| "chunk size")?;
        let Some(data) = guest.exactly(size + 2).await else { return Ok(false) };
        if !data.ends_with(b"\r\n") {
            return Err("chunk end");
        }
        if size == 0 {
            return Ok(true);
        }
    }
}
