//! What is written down while the process runs: one event a fact, to standard error, text or JSON.
//!
//! Invariants: a line never waits for its reader (lines are dropped and counted instead); a panic is told by its
//! place, never by its payload; what a library says below a warning is never written, **whatever the filter asks
//! for**. Libraries print what travels: h2 0.4.20 prints the value of a `te` header, rustls prints handshakes, and
//! the next version of any of them may print more, so the ceiling holds for every target that is not ours. For the
//! same reason records of the `log` facade (rustls, platform verifier) are not collected at all.
//!
//! Not here: what a caller's path looks like in a line ([`safe_path`]), how requests are told apart
//! ([`request_id`]).

use std::fmt;
use std::io::{IsTerminal, Write};
use std::panic::{Location, PanicHookInfo};
use std::sync::Arc;

use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
use crate::metrics::Metrics;

pub mod request_id;
pub mod safe_path;

#[cfg(test)]
mod tests;

/// The targets that are ours: the crate and its modules.
const OURS: &str = "vonage_sidecar";
/// The most that anyone else may say.
const CEILING: LevelFilter = LevelFilter::WARN;
/// Lines that wait for a slow reader before the next ones are dropped: two seconds of a busy sidecar, some 1.2 MB. Their
/// places are made at the start, 32 bytes each, and count in every pod.
const WAITING_LINES: usize = 4_096;

/// Why nothing can be written down.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the settings is not one.
    #[error("the log filter cannot be read")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// Somebody was here before.
    #[error("telemetry was already started in this process")]
    Twice,
}

/// Keeps the writer going; what is waiting is written when it is dropped. Hold it until the process ends.
pub struct Telemetry {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("dropped_lines", &self.dropped_lines()).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Lines lost so far because their reader was too slow.
    pub fn dropped_lines(&self) -> u64 {
        u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX)
    }

    /// A way to ask for [`Telemetry::dropped_lines`] from elsewhere.
    pub fn dropped_counter(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}

/// Starts writing to standard error and tells panics by their place. Once in a process.
pub fn start(log: &Log, metrics: Arc<Metrics>) -> Result<Telemetry, TelemetryError> {
    let (writer, guard) = lossy(std::io::stderr());
    let dropped = writer.error_counter();
    let style = Style::of(log.format, std::io::stderr().is_terminal());
    subscriber(&log.filter, style, writer)?.try_init().map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(move |panic| tell_panic(panic, &metrics)));
    Ok(Telemetry { dropped, _writer: guard })
}

fn lossy(to: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).thread_name("log-writer").finish(to)
}

/// Message and payload of a panic may hold anything, a secret included; its place holds nothing but our source.
fn tell_panic(panic: &PanicHookInfo<'_>, metrics: &Metrics) {
    metrics.panicked();
    let place = panic.location();
    tracing::error!(file = place.map(Location::file), line = place.map(Location::line), "a task panicked: this is a bug");
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Coloured,
    Plain,
    Json,
}

impl Style {
    fn of(format: LogFormat, is_terminal: bool) -> Self {
        match (format, is_terminal) {
            (LogFormat::Json, _) | (LogFormat::Auto, false) => Self::Json,
            (LogFormat::Text | LogFormat::Auto, true) => Self::Coloured,
            (LogFormat::Text, false) => Self::Plain,
        }
    }
}

fn subscriber<W>(filter: &str, style: Style, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked = filter.parse::<Targets>().map_err(TelemetryError::Filter)?;
    let base = tracing_subscriber::registry().with(asked).with(filter_fn(may_be_written));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match style {
        Style::Coloured => Box::new(base.with(lines.with_ansi(true))),
        Style::Plain => Box::new(base.with(lines.with_ansi(false))),
        Style::Json => Box::new(base.with(lines.with_ansi(false).json().flatten_event(true).with_current_span(true).with_span_list(false))),
    })
}

/// The ceiling, which no filter lifts.
fn may_be_written(event: &Metadata<'_>) -> bool {
    is_ours(event.target()) || *event.level() <= CEILING
}

fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
