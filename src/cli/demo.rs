//! `vonage-sidecar demo`: the promise on one screen, without an account and without a network.
//!
//! An emulated Vonage, the real sidecar and callers with a placeholder secret run in this process and speak real HTTP
//! over loopback. Meanwhile secrets rotate in every nasty way. The last line is the verdict, and so is the exit code:
//! 0 only if no call failed and none was executed twice.
//!
//! | file | duty |
//! |---|---|
//! | `kinds` | the nasty ways, as steps (pure) |
//! | `calls` | the calls and what a good answer to each is (pure) |
//! | `figures` | counts, their differences and rates, and the verdict over them (pure) |
//! | `table` | what is shown (pure) |
//! | `directory`, `stage`, `callers`, `rotate` | what really runs |
//!
//! Nothing writes a log: it would run over the table. What would be in it is in the figures.

use std::time::Duration;

use tokio::sync::mpsc;

use super::report::{self, Exit, Failure, Live, Outcome};
use super::run;
use crate::clock;
use crate::shutdown::{Shutdown, Signals};
use callers::Callers;
use figures::{Rates, Rotated, Verdict};
use rotate::{Event, Schedule};
use stage::Stage;
use table::Moment;

mod callers;
mod calls;
mod directory;
mod figures;
mod kinds;
mod rotate;
mod stage;
mod table;

/// Threads for all three parties together.
const WORKERS: usize = 2;
/// Between two drawings of the table on a terminal.
const FRAME: Duration = Duration::from_millis(200);
/// Between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How long, in seconds; a short demo rotates faster
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Plain lines, as without a terminal
    #[arg(long)]
    plain: bool,
    /// One JSON document at the end, nothing else
    #[arg(long, conflicts_with = "plain")]
    json: bool,
}

impl Arguments {
    fn screen(&self) -> Screen {
        if self.json {
            return Screen::Silent;
        }
        match Live::on_terminal().filter(|_| !self.plain) {
            Some(live) => Screen::Table(live),
            None => Screen::Lines,
        }
    }
}

/// Exit 0 when the promise held, 1 when it did not.
pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let length = Duration::from_secs(u64::from(arguments.seconds));
    let screen = arguments.screen();
    // A task of its own: a panic in it is a failure that is told, not the end of this thread.
    match run::runtime(WORKERS)?.block_on(async { tokio::spawn(show(length, screen)).await }) {
        Ok(outcome) => outcome,
        Err(broken) => Err(Failure::could_not_run("the demo broke off").caused_by(&broken)),
    }
}

async fn show(length: Duration, mut screen: Screen) -> Outcome {
    let signals = Signals::register().map_err(|error| Failure::could_not_run("signals cannot be handled").caused_by(&error))?;
    let interrupt = Shutdown::new();
    let stage = Stage::start().await?;
    let mut callers = Callers::start(stage.sidecar());
    screen.stays(&table::introduction(stage.emulator(), stage.sidecar(), callers::CONNECTIONS))?;
    let played = async {
        let rotated = play(&stage, &callers, length, &mut screen, &interrupt).await?;
        callers.stop().await?;
        Ok(sum_up(rotated, &stage, &callers))
    };
    let verdict = tokio::select! {
        verdict = played => verdict?,
        () = interrupt.now() => return Err(Failure::could_not_run("interrupted before the end")),
        () = signals.endings.drive(&interrupt) => return Err(Failure::could_not_run("interrupted")),
    };
    stage.end().await?;
    screen.ends(&verdict)?;
    Ok(if verdict.is_kept() { Exit::Done } else { Exit::No })
}

/// Rotates until the time is up, and shows it. An interrupt ends it after the rotation under way: a rotation that is
/// left half done would be an outage of our own making.
async fn play(
    stage: &Stage,
    callers: &Callers,
    length: Duration,
    screen: &mut Screen,
    interrupt: &Shutdown,
) -> Result<Vec<Rotated>, Failure> {
    let since = clock::now();
    let (tell, mut told) = mpsc::unbounded_channel();
    let rotations = rotate::run(stage, callers, Schedule::of(length), interrupt, tell);
    tokio::pin!(rotations);
    let mut tick = tokio::time::interval(screen.pace());
    let mut rates = Rates::default();
    let mut under_way = String::new();
    loop {
        tokio::select! {
            biased;
            Some(event) = told.recv() => match event {
                Event::Begun(what) => under_way = what,
                Event::Ended(rotated) => screen.stays(&table::rotation(&rotated))?,
            },
            _ = tick.tick() => {
                let elapsed = clock::now().saturating_duration_since(since);
                rates.add(elapsed, callers.load().counts(), stage.figures(callers.load()));
                screen.moment(&Moment { elapsed, length, under_way: &under_way, in_use: stage.in_use(), rates: &rates })?;
            }
            rotated = &mut rotations => {
                while let Ok(event) = told.try_recv() {
                    if let Event::Ended(rotated) = event {
                        screen.stays(&table::rotation(&rotated))?;
                    }
                }
                return rotated;
            }
        }
    }
}

/// After the last answer.
fn sum_up(rotations: Vec<Rotated>, stage: &Stage, callers: &Callers) -> Verdict {
    let load = callers.load();
    Verdict { total: stage.figures(load), counts: load.counts(), rotations, duplicated: stage.duplicated(), failures: load.failures() }
}

/// How the demo is shown.
enum Screen {
    /// A table, drawn over and over.
    Table(Live),
    /// A line a second.
    Lines,
    /// Nothing before the end.
    Silent,
}

impl Screen {
    fn pace(&self) -> Duration {
        match self {
            Self::Table(_) => FRAME,
            Self::Lines | Self::Silent => LINE,
        }
    }

    fn stays(&mut self, lines: &str) -> Result<(), Failure> {
        match self {
            Self::Table(live) => live.above(lines),
            Self::Lines => report::data(lines),
            Self::Silent => Ok(()),
        }
    }

    fn moment(&mut self, moment: &Moment<'_>) -> Result<(), Failure> {
        match self {
            Self::Table(live) => live.redraw(table::live(moment)),
            // The first look has nothing behind it.
            Self::Lines if moment.elapsed < LINE / 2 => Ok(()),
            Self::Lines => report::data(&table::second(moment)),
            Self::Silent => Ok(()),
        }
    }

    fn ends(&mut self, verdict: &Verdict) -> Result<(), Failure> {
        match self {
            Self::Table(_) | Self::Lines => report::data(&table::ending(verdict)),
            Self::Silent => report::data(&format!("{:#}\n", verdict.document())),
        }
    }
}
