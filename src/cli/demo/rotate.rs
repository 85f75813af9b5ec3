//! Rotations, one after the other, each told when it begins and when it is over.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::super::report::Failure;
use super::callers::Callers;
use super::calls::KEY;
use super::figures::Rotated;
use super::kinds::{Kind, Step, Which};
use super::stage::{Stage, secret};
use crate::clock;
use crate::shutdown::Shutdown;

/// How long rotations go on, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    length: Duration,
    /// What the waits of a rotation are measured in.
    pub(super) beat: Duration,
}

impl Schedule {
    /// A demo of the default length has a beat of about a second; a shorter one is faster, a longer one has more
    /// rotations.
    pub(super) fn of(length: Duration) -> Self {
        Self { length, beat: (length / 16).clamp(Duration::from_millis(200), Duration::from_secs(1)) }
    }
}

/// What there is to tell.
#[derive(Debug)]
pub(super) enum Event {
    /// A rotation began; number and words.
    Begun(String),
    /// It is over.
    Ended(Rotated),
}

/// Rotates until the time is up or an interrupt comes, every kind at least once unless interrupted.
pub(super) async fn run(
    stage: &Stage,
    callers: &Callers,
    schedule: Schedule,
    interrupt: &Shutdown,
    tell: UnboundedSender<Event>,
) -> Result<Vec<Rotated>, Failure> {
    let end = clock::now() + schedule.length;
    let mut done = Vec::new();
    // First what it looks like when nothing happens.
    pass(schedule.beat * 2 / 5).await;
    for (index, kind) in Kind::ALL.into_iter().cycle().enumerate() {
        let fits = clock::now() + kind.span(schedule.beat) <= end;
        if interrupt.is_draining() || (index >= Kind::ALL.len() && !fits) {
            break;
        }
        let (number, what) = (index + 1, kind.words(schedule.beat));
        // A listener that left has nothing to be told.
        drop(tell.send(Event::Begun(format!("#{number} {what}"))));
        let before = stage.figures(callers.load());
        callers.load().slowest();
        steps(stage, kind, schedule.beat, index).await?;
        let meanwhile = stage.figures(callers.load()).since(before);
        let rotated = Rotated { number, kind, what, meanwhile, slowest: callers.load().slowest() };
        drop(tell.send(Event::Ended(rotated.clone())));
        done.push(rotated);
    }
    tokio::select! {
        () = pass(end.saturating_duration_since(clock::now())) => {}
        () = interrupt.draining() => {}
    }
    Ok(done)
}

/// One rotation from the secret `index` to the next.
async fn steps(stage: &Stage, kind: Kind, beat: Duration, index: usize) -> Result<(), Failure> {
    let (old, new) = (secret(index), secret(index + 1));
    let named = |secrets: &[Which]| -> Vec<&str> {
        let name = |which: &Which| match which {
            Which::Old => old.as_str(),
            Which::New => new.as_str(),
        };
        secrets.iter().map(name).collect()
    };
    for step in kind.steps() {
        match step {
            Step::Create => {
                let created = stage.vonage().create_secret(KEY, &new);
                created.map_err(|error| Failure::could_not_run("the emulator made no secret").caused_by(&error))?;
            }
            Step::Revoke => {
                if !stage.vonage().revoke_value(KEY, &old) {
                    return Err(Failure::could_not_run("the emulator revoked no secret"));
                }
            }
            Step::File(secrets) => stage.write(&named(secrets)).await?,
            Step::Tear => stage.tear(&named(&[Which::New, Which::Old]))?,
            Step::Wait(_) | Step::Late(_) | Step::Overlap | Step::Settle => pass(step.span(beat)).await,
        }
    }
    stage.reads(&new).await
}

async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}
