//! Which fault meets which request.
//!
//! A fault has one written form, the same in the request header `x-emulator-fault` (a list), in the control document
//! and on a command line: `delay=200`, `reset-after`, `status=503`, `gzip`. The table in [`Fault`] is complete. Nothing
//! here acts: `server` does.

use std::str::FromStr;
use std::time::Duration;

use http::Method;

/// On which side of the execution something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing has been executed.
    Before,
    /// What was asked for has been done and counted.
    After,
}

/// A connection that gives no proper answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// RST. On HTTP/2 it takes all streams along.
    Reset,
    /// FIN. On HTTP/2 it takes all streams along.
    Close,
    /// No answer, ever; the connection stays open.
    Silence,
    /// Bytes that are not HTTP, then FIN.
    Garbage,
    /// A `101` that nobody asked for, then FIN. On HTTP/2 the same bytes are garbage.
    SwitchProtocols,
}

/// What happens to an upload that is refused early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    /// It is read to its end.
    KeepReading,
    /// The connection is closed over it.
    Close,
    /// No answer, a RST in the middle of it.
    Reset,
}

/// A true answer in a difficult form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// RST right after the head.
    ResetAfterHead,
    /// RST after half of the body.
    ResetMidBody,
    /// One byte, then this pause.
    Drip(Duration),
    /// Compressed if the caller accepts it.
    Gzip,
    /// Compressed although nobody asked.
    GzipForced,
    /// No `Content-Length`; on HTTP/1.1 chunked.
    Chunked,
}

/// Another answer instead of the true one. Only `MixedParts` executes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
    /// This HTTP status, in plain text.
    Status(u16),
    /// 429 with `Retry-After`, in seconds.
    Throttled(u32),
    /// 401 in HTML, from something on the way.
    ProxyPage,
    /// 401 `#quota-exceeded`.
    Quota,
    /// The product is not enabled: 401 `#unprovisioned`, or what the family says instead.
    Unprovisioned,
    /// 401 `not auto-reload enabled`.
    TopUp,
    /// HTTP 200 with this status in the body, where the family has one.
    BodyStatus(u16),
    /// The gateway's plain 403.
    GatewayForbidden,
    /// The gateway's plain 404.
    GatewayNotFound,
    /// 401 `#account-suspended`.
    Suspended,
    /// 401 `#invalid-ip`.
    InvalidAddress,
    /// 401 `#jwt-expired`.
    ExpiredToken,
    /// 401 without a body.
    EmptyUnauthorized,
    /// An SMS answer whose first part was sent and whose second was refused.
    MixedParts,
    /// The family's refusal, whatever the credential.
    Refused,
}

/// One fault.
///
/// | written | fault |
/// |---|---|
/// | `delay=MS`, `delay-before=MS` | the answer (or the execution) comes this much later |
/// | `early`, `early-close`, `early-reset` | refused while the upload is still coming: read on, or closed; or reset |
/// | `reset-before`, `reset-after`, `close-…`, `silence-…`, `garbage-…`, `switch-protocols-…` | no proper answer |
/// | `reset-after-head`, `reset-mid-body`, `drip=MS`, `gzip`, `gzip-forced`, `chunked` | the form of the answer |
/// | `status=CODE`, `throttled=S`, `proxy-page`, `quota`, `unprovisioned`, `top-up`, `body-status=N`, `forbidden`, `not-found`, `suspended`, `invalid-ip`, `jwt-expired`, `empty-401`, `mixed`, `refused` | another answer |
/// | `status-after=CODE` | executed, and then this answer |
/// | `late=MS` | 504 (or what an `-after` fault makes of it), and executed this much after that |
/// | `refuse-stream` | HTTP/2 `REFUSED_STREAM` (HTTP/1.1: FIN) |
/// | `goaway` | the true answer, and the connection takes no further request |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A pause before the execution, or between it and the answer.
    Delay(When, Duration),
    /// A refusal while the upload is still coming.
    Early(Upload),
    /// No proper answer.
    Break(When, Break),
    /// Another answer.
    Instead(StandIn),
    /// Executed, and then this HTTP status in plain text: what a gateway says when the true answer is lost on the way.
    Lost(u16),
    /// 504, and only this much later executed: what a caller takes for undone and is not yet done.
    Late(Duration),
    /// A difficult form of the true answer.
    Answer(Shape),
    /// The stream is refused before anything was processed.
    RefuseStream,
    /// GOAWAY on HTTP/2, `Connection: close` on HTTP/1.1.
    GoAway,
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no fault")]
pub struct MalformedFault(String);

fn broken(name: &str) -> Option<Fault> {
    let (kind, when) = match (name.strip_suffix("-before"), name.strip_suffix("-after")) {
        (Some(kind), _) => (kind, When::Before),
        (None, Some(kind)) => (kind, When::After),
        (None, None) => return None,
    };
    let kind = match kind {
        "reset" => Break::Reset,
        "close" => Break::Close,
        "silence" => Break::Silence,
        "garbage" => Break::Garbage,
        "switch-protocols" => Break::SwitchProtocols,
        _ => return None,
    };
    Some(Fault::Break(when, kind))
}

fn plain(name: &str) -> Option<Fault> {
    Some(match name {
        "early" => Fault::Early(Upload::KeepReading),
        "early-close" => Fault::Early(Upload::Close),
        "early-reset" => Fault::Early(Upload::Reset),
        "reset-after-head" => Fault::Answer(Shape::ResetAfterHead),
        "reset-mid-body" => Fault::Answer(Shape::ResetMidBody),
        "gzip" => Fault::Answer(Shape::Gzip),
        "gzip-forced" => Fault::Answer(Shape::GzipForced),
        "chunked" => Fault::Answer(Shape::Chunked),
        "proxy-page" => Fault::Instead(StandIn::ProxyPage),
        "quota" => Fault::Instead(StandIn::Quota),
        "unprovisioned" => Fault::Instead(StandIn::Unprovisioned),
        "top-up" => Fault::Instead(StandIn::TopUp),
        "forbidden" => Fault::Instead(StandIn::GatewayForbidden),
        "not-found" => Fault::Instead(StandIn::GatewayNotFound),
        "suspended" => Fault::Instead(StandIn::Suspended),
        "invalid-ip" => Fault::Instead(StandIn::InvalidAddress),
        "jwt-expired" => Fault::Instead(StandIn::ExpiredToken),
        "empty-401" => Fault::Instead(StandIn::EmptyUnauthorized),
        "mixed" => Fault::Instead(StandIn::MixedParts),
        "refused" => Fault::Instead(StandIn::Refused),
        "refuse-stream" => Fault::RefuseStream,
        "goaway" => Fault::GoAway,
        _ => return broken(name),
    })
}

fn with_number(name: &str, number: &str) -> Option<Fault> {
    let pause = || number.parse().ok().map(Duration::from_millis);
    let status = || number.parse().ok().filter(|code| (200..=599).contains(code));
    Some(match name {
        "delay" => Fault::Delay(When::After, pause()?),
        "delay-before" => Fault::Delay(When::Before, pause()?),
        "drip" => Fault::Answer(Shape::Drip(pause()?)),
        "late" => Fault::Late(pause()?),
        "status" => Fault::Instead(StandIn::Status(status()?)),
        "status-after" => Fault::Lost(status()?),
        "throttled" => Fault::Instead(StandIn::Throttled(number.parse().ok()?)),
        "body-status" => Fault::Instead(StandIn::BodyStatus(number.parse().ok()?)),
        _ => return None,
    })
}

impl FromStr for Fault {
    type Err = MalformedFault;

    fn from_str(text: &str) -> Result<Self, MalformedFault> {
        let text = text.trim();
        let fault = text.split_once('=').map_or_else(|| plain(text), |(name, number)| with_number(name, number));
        fault.ok_or_else(|| MalformedFault(text.to_owned()))
    }
}

/// Faults separated by commas; empty items are skipped.
pub(in crate::emulator) fn list(text: &str) -> Result<Vec<Fault>, MalformedFault> {
    text.split(',').filter(|item| !item.trim().is_empty()).map(str::parse).collect()
}

/// Faults and the requests they meet: all of them until narrowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    faults: Vec<Fault>,
    path: Option<String>,
    host: Option<String>,
    method: Option<Method>,
    skip: u64,
    times: Option<u64>,
    share: Option<f64>,
    met: u64,
}

impl Rule {
    /// Meets every request.
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: faults.into_iter().collect(), path: None, host: None, method: None, skip: 0, times: None, share: None, met: 0 }
    }

    /// Only paths that begin like this.
    #[must_use]
    pub fn on_path(self, prefix: &str) -> Self {
        Self { path: Some(prefix.to_owned()), ..self }
    }

    /// Only requests with this `Host`, whatever its port.
    #[must_use]
    pub fn on_host(self, host: &str) -> Self {
        Self { host: Some(host.to_ascii_lowercase()), ..self }
    }

    /// Only this method.
    #[must_use]
    pub fn on_method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Lets the first ones pass.
    #[must_use]
    pub fn after(self, requests: u64) -> Self {
        Self { skip: requests, ..self }
    }

    /// Meets so many, then no more.
    #[must_use]
    pub fn times(self, requests: u64) -> Self {
        Self { times: Some(requests), ..self }
    }

    /// Meets this share of them by chance, 0.0 to 1.0.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }

    fn meets(&mut self, method: &Method, path: &str, host: &str, draw: f64) -> bool {
        let host = host.split(':').next().unwrap_or_default();
        let here = self.path.as_ref().is_none_or(|prefix| path.starts_with(prefix))
            && self.host.as_ref().is_none_or(|only| host.eq_ignore_ascii_case(only))
            && self.method.as_ref().is_none_or(|only| only == method)
            && self.share.is_none_or(|share| draw < share);
        if !here {
            return false;
        }
        self.met += 1;
        self.met > self.skip && self.times.is_none_or(|times| self.met - self.skip <= times)
    }
}

/// `FAULT[,FAULT…][@PATH]`.
impl FromStr for Rule {
    type Err = MalformedFault;

    fn from_str(text: &str) -> Result<Self, MalformedFault> {
        match text.split_once('@') {
            Some((faults, path)) => Ok(Self::new(list(faults)?).on_path(path)),
            None => Ok(Self::new(list(text)?)),
        }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(in crate::emulator) struct Book(Vec<Rule>);

impl Book {
    pub(in crate::emulator) fn new(rules: &[Rule]) -> Self {
        Self(rules.to_vec())
    }

    pub(in crate::emulator) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(in crate::emulator) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in crate::emulator) fn len(&self) -> usize {
        self.0.len()
    }

    /// The faults that meet a request, in the order of the rules. `draw` gives numbers from 0 up to 1.
    pub(in crate::emulator) fn select(&mut self, method: &Method, path: &str, host: &str, mut draw: impl FnMut() -> f64) -> Vec<Fault> {
        let mut met = Vec::new();
        for rule in &mut self.0 {
            let number = if rule.share.is_some() { draw() } else { 0.0 };
            if rule.meets(method, path, host, number) {
                met.extend_from_slice(&rule.faults);
            }
        }
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_written_form() {
        assert_eq!("delay=20".parse(), Ok(Fault::Delay(When::After, Duration::from_millis(20))));
        assert_eq!("reset-before".parse(), Ok(Fault::Break(When::Before, Break::Reset)));
        assert_eq!("reset-after-head".parse(), Ok(Fault::Answer(Shape::ResetAfterHead)));
        assert_eq!("late=5".parse(), Ok(Fault::Late(Duration::from_millis(5))));
        assert_eq!(" status=503 ".parse(), Ok(Fault::Instead(StandIn::Status(503))));
        assert_eq!(list("gzip, chunked,").unwrap(), [Fault::Answer(Shape::Gzip), Fault::Answer(Shape::Chunked)]);
        for bad in ["", "reset", "status=99", "delay", "delay=x", "bang-after", "gzip=1"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rule_meets_what_it_names_and_as_often_as_it_says() {
        let rule: Rule = "quota@/v2".parse().unwrap();
        let mut book = Book::new(&[rule.after(1).times(2).on_method(Method::POST)]);
        let mut met = |method: Method, path: &str| !book.select(&method, path, "api.nexmo.com", || 0.0).is_empty();
        assert!(!met(Method::POST, "/sms/json"));
        assert!(!met(Method::GET, "/v2/verify"));
        let in_turn: Vec<bool> = (0..4).map(|_| met(Method::POST, "/v2/verify")).collect();
        assert_eq!(in_turn, [false, true, true, false]);
    }

    #[test]
    fn chance_and_host_narrow_a_rule() {
        let mut book = Book::new(&[Rule::new([Fault::GoAway]).on_host("rest.nexmo.com").share(0.5)]);
        assert_eq!(book.select(&Method::GET, "/", "REST.nexmo.com:443", || 0.49), [Fault::GoAway]);
        assert!(book.select(&Method::GET, "/", "rest.nexmo.com", || 0.5).is_empty());
        assert!(book.select(&Method::GET, "/", "api.nexmo.com", || 0.0).is_empty());
    }
}
