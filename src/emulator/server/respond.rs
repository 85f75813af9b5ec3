//! The way of a request through the emulator.
//!
//! head -> seen -> faults met -> (early refusal) -> body -> (before) -> answer, execution counted -> (after) -> flow
//!
//! An execution happens in one piece without an await, so a caller that leaves never leaves half of one. One that is
//! late has a task of its own, which outlives the connection.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::outflow::{self, Outflow};
use super::wire::{Busy, Link, Order};
use crate::clock;
use crate::emulator::control::handle::{Control, Shared};
use crate::emulator::control::record::Seen;
use crate::emulator::control::remote;
use crate::emulator::exchange::call::Call;
use crate::emulator::exchange::reply::Reply;
use crate::emulator::gateway::answer;
use crate::emulator::gateway::endpoints::{self, Found};
use crate::emulator::gateway::standins;
use crate::emulator::setup::faults::{self, Break, Fault, MalformedFault, Shape, StandIn, Upload, When};

/// Bytes of a body that an endpoint reads, well above what a caller can have sent twice; the rest is counted and dropped.
const READ: usize = 32 * 1024 * 1024;
/// Not HTTP in any version.
const GARBAGE: &[u8] = b"\x00\x01\xff\xfegarbage\r\n\r\n\x15\x03\x01";
/// What nobody asked for.
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// The head of a request.
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    host: String,
}

impl Head {
    fn call(self, body: Bytes) -> Call {
        Call::new(self.method, &self.uri, self.headers, self.host, body, clock::now())
    }
}

fn chance() -> f64 {
    f64::from(u32::from_le_bytes(clock::random())) / (f64::from(u32::MAX) + 1.0)
}

/// The faults of the request's own header, then those of the rules.
fn faults_met(shared: &Shared, head: &Head) -> Result<Vec<Fault>, MalformedFault> {
    let asked = head.headers.get("x-emulator-fault").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut met = faults::list(&asked.unwrap_or_default())?;
    met.extend(shared.book().select(&head.method, head.uri.path(), &head.host, chance));
    Ok(met)
}

/// The way of a request. The error is what HTTP/2 tells the peer; on HTTP/1.1 any of them closes the connection.
pub(super) async fn respond(shared: Arc<Shared>, link: Arc<Link>, request: Request<Incoming>) -> Result<Response<Outflow>, h2::Error> {
    let _busy = Busy::on(&link);
    let (parts, body) = request.into_parts();
    let named = parts.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or(named).unwrap_or_default().to_owned();
    let head = Head { method: parts.method, uri: parts.uri, headers: parts.headers, host };
    if head.uri.path().starts_with(remote::PREFIX) {
        let (body, _) = read(body).await.ok_or(h2::Reason::CANCEL)?;
        let (method, headers) = (head.method.clone(), head.headers.clone());
        let reply = remote::answer(&Control::of(&shared), &head.call(body));
        return Ok(outflow::flow(reply, &method, &headers, &[], &link));
    }
    let number = shared.note(|record| record.begin(seen(&head, parts.version, link.number)));
    let faults = match faults_met(&shared, &head) {
        Ok(faults) => faults,
        // A test that misspells its fault must not pass.
        Err(problem) => {
            let reply = Reply::json(StatusCode::BAD_REQUEST, &serde_json::json!({ "error": problem.to_string() }));
            return Ok(outflow::flow(reply, &head.method, &head.headers, &[], &link));
        }
    };
    if faults.contains(&Fault::RefuseStream) {
        return Err(h2::Reason::REFUSED_STREAM.into());
    }
    match faults.iter().find_map(|fault| if let Fault::Early(upload) = fault { Some(*upload) } else { None }) {
        Some(Upload::Reset) => {
            link.order(Order::Reset);
            return pending().await;
        }
        Some(upload @ (Upload::KeepReading | Upload::Close)) => return Ok(early(&shared, &link, head, body, number, upload)),
        None => {}
    }
    let (body, length) = read(body).await.ok_or(h2::Reason::CANCEL)?;
    shared.note(|record| record.body(number, &body, length, true));
    Ok(fulfil(&shared, &link, head, body, number, &faults, parts.version).await)
}

/// The rest of the way, once the whole request is here.
async fn fulfil(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    head: Head,
    body: Bytes,
    number: u64,
    faults: &[Fault],
    version: Version,
) -> Response<Outflow> {
    let (method, asked) = (head.method.clone(), head.headers.clone());
    if let Spoken::Instead = apply(link, faults, When::Before).await {
        return outflow::flow(Reply::empty(StatusCode::OK), &method, &asked, &[], link);
    }
    let mut reply = match faults.iter().find_map(|fault| if let Fault::Late(pause) = fault { Some(*pause) } else { None }) {
        Some(pause) => late(shared, number, head.call(body), faults.to_vec(), pause),
        None => execute(shared, number, &head.call(body), faults),
    };
    if let Some(code) = faults.iter().find_map(|fault| if let Fault::Lost(code) = fault { Some(*code) } else { None }) {
        reply = standins::plain(code);
    }
    apply(link, faults, When::After).await;
    if faults.contains(&Fault::GoAway) {
        match version {
            Version::HTTP_2 => link.order(Order::Finish),
            _ => reply = reply.with("connection", "close"),
        }
    }
    let shapes: Vec<Shape> = faults.iter().filter_map(|fault| if let Fault::Answer(shape) = fault { Some(*shape) } else { None }).collect();
    shared.note(|record| record.answered(number, reply.status.as_u16()));
    outflow::flow(reply, &method, &asked, &shapes, link)
}

fn seen(head: &Head, version: Version, connection: u64) -> Seen {
    Seen {
        number: 0,
        connection,
        version,
        method: head.method.clone(),
        target: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        host: head.host.clone(),
        headers: head.headers.clone(),
        body: Bytes::new(),
        length: 0,
        complete: false,
        status: None,
        account: None,
        secret: None,
        application: None,
        executed: None,
    }
}

/// The whole body, up to what is read, and its length; nothing if the caller broke it off.
async fn read(mut body: Incoming) -> Option<(Bytes, u64)> {
    let (mut kept, mut length) = (BytesMut::new(), 0);
    // Asked first: once an early answer is out, hyper delivers the last piece of a counted body but not its end.
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        length += u64::try_from(data.len()).unwrap_or(u64::MAX);
        let room = READ.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..room).unwrap_or_default());
    }
    Some((kept.freeze(), length))
}

/// Refuses at once, whatever the credential, while the upload is still coming.
fn early(shared: &Arc<Shared>, link: &Arc<Link>, head: Head, body: Incoming, number: u64, upload: Upload) -> Response<Outflow> {
    let (method, asked) = (head.method.clone(), head.headers.clone());
    let call = head.call(Bytes::new());
    let mut reply = match endpoints::find(&call.segments, endpoints::sets_of(&call.host)) {
        Found::Row(row) => standins::refused(&shared.world(), &call, row),
        Found::NoSuchPath => standins::not_found(),
    };
    match upload {
        Upload::KeepReading => {
            let shared = Arc::clone(shared);
            // Ends with the upload or with its connection.
            tokio::spawn(async move {
                if let Some((body, length)) = read(body).await {
                    shared.note(|record| record.body(number, &body, length, true));
                }
            });
        }
        Upload::Close | Upload::Reset => reply = reply.with("connection", "close"),
    }
    shared.note(|record| record.answered(number, reply.status.as_u16()));
    outflow::flow(reply, &method, &asked, &[], link)
}

/// Executes after a pause, whatever becomes of the caller, and answers at once.
fn late(shared: &Arc<Shared>, number: u64, call: Call, faults: Vec<Fault>, pause: Duration) -> Reply {
    let shared = Arc::clone(shared);
    // Ends by itself; an emulator that is dropped before is not observed any more.
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        execute(&shared, number, &call, &faults);
    });
    standins::plain(StatusCode::GATEWAY_TIMEOUT.as_u16())
}

/// Answers and counts, in one piece.
fn execute(shared: &Shared, number: u64, call: &Call, faults: &[Fault]) -> Reply {
    let stand_in: Option<StandIn> =
        faults.iter().find_map(|fault| if let Fault::Instead(stand_in) = fault { Some(*stand_in) } else { None });
    let (outcome, date) = {
        let mut world = shared.world();
        (answer::answer(&mut world, call, stand_in), httpdate::fmt_http_date(world.wall()))
    };
    if outcome.admitted.is_some() || outcome.executed.is_some() {
        shared.note(|record| {
            if let Some(who) = outcome.admitted {
                record.admit(number, who);
            }
            if let Some(message) = outcome.executed {
                record.execute(number, message);
            }
        });
    }
    outcome.reply.with("date", &date)
}

/// What goes out at the next write.
enum Spoken {
    Truth,
    /// Bytes that replace whatever is answered.
    Instead,
}

/// Waits, cuts or falls silent, as the faults on this side of the execution say.
async fn apply(link: &Link, faults: &[Fault], side: When) -> Spoken {
    let mut spoken = Spoken::Truth;
    for fault in faults {
        match *fault {
            Fault::Delay(when, pause) if when == side => tokio::time::sleep(pause).await,
            Fault::Break(when, kind) if when == side => {
                match kind {
                    Break::Reset => link.order(Order::Reset),
                    Break::Close => link.order(Order::Close),
                    Break::Silence => {}
                    Break::Garbage => link.say_instead(GARBAGE),
                    Break::SwitchProtocols => link.say_instead(SWITCH),
                }
                match kind {
                    Break::Reset | Break::Close | Break::Silence => pending().await,
                    Break::Garbage | Break::SwitchProtocols => spoken = Spoken::Instead,
                }
            }
            Fault::Delay(..)
            | Fault::Break(..)
            | Fault::Early(_)
            | Fault::Instead(_)
            | Fault::Lost(_)
            | Fault::Late(_)
            | Fault::Answer(_)
            | Fault::RefuseStream
            | Fault::GoAway => {}
        }
    }
    spoken
}
