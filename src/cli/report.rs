//! The only code that prints.
//!
//! Data goes to standard output, everything else to standard error as `error:`, `caused by:`, a blank line and
//! `hint:`. Control characters of others are spelt out, so that no file and no answer can play with a terminal. A
//! reader that went away (`| head`) is not an error.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::surroundings;

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done: 0.
    Done,
    /// The answer is no: 1.
    No,
    /// It could not run: 2.
    CouldNotRun,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::CouldNotRun => Self::from(2),
        }
    }
}

/// What a command hands back: its exit, or why there is none.
pub type Outcome = Result<Exit, Failure>;

/// Why a command ended without doing its work, in words for people. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    error: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// The command could not run. `error`: lower case, no full stop.
    pub fn could_not_run(error: impl Into<String>) -> Self {
        Self { exit: Exit::CouldNotRun, error: error.into(), causes: Vec::new(), hint: None }
    }

    /// The answer is no. `error`: lower case, no full stop.
    pub fn no(error: impl Into<String>) -> Self {
        Self { exit: Exit::No, ..Self::could_not_run(error) }
    }

    /// Adds an error and everything that it was caused by.
    #[must_use]
    pub fn caused_by(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// Adds something wrong that is no error type, such as a problem in a file.
    #[must_use]
    pub fn because(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with another exit.
    #[must_use]
    pub fn ending_with(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.error);
        for cause in &self.causes {
            text.push_str("caused by: ");
            text.push_str(cause);
            text.push('\n');
        }
        if let Some(hint) = &self.hint {
            text.push_str("\nhint: ");
            text.push_str(hint);
            text.push('\n');
        }
        text
    }
}

/// Prints data.
pub fn data(text: &str) -> Result<(), Failure> {
    out(&harmless(text))
}

/// A table at the bottom of a terminal that is drawn over and over, below lines that stay.
#[derive(Debug, Default)]
pub struct Live {
    table: String,
}

impl Live {
    /// Nothing drawn yet; none where standard output is no terminal that can move its cursor.
    pub(super) fn on_terminal() -> Option<Self> {
        (io::stdout().is_terminal() && !surroundings::is_dumb_terminal()).then(Self::default)
    }

    /// Draws a table in the place of the last one. Its lines must fit the width of the terminal.
    pub fn redraw(&mut self, table: String) -> Result<(), Failure> {
        let frame = self.frame("", &table);
        self.table = table;
        out(&frame)
    }

    /// Prints lines that stay, above the table.
    pub fn above(&mut self, lines: &str) -> Result<(), Failure> {
        out(&self.frame(lines, &self.table))
    }

    /// Everything in one write, so that nothing flickers: back to the first line of the last table, clear, lines, table.
    fn frame(&self, lines: &str, table: &str) -> String {
        let back = match self.table.lines().count() {
            0 => String::new(),
            drawn => format!("\u{1b}[{drawn}F\u{1b}[J"),
        };
        back + &harmless(lines) + &harmless(table)
    }
}

fn out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::could_not_run("standard output cannot be written").caused_by(&error)),
    }
}

/// Tells people something beside the data.
pub fn notice(text: &str) {
    aside(text);
}

/// Tells people about something that does not stop us.
pub fn warning(text: &str, cause: &dyn Error) {
    aside(&format!("warning: {text}: {cause}\n"));
}

/// What clap says: help and version are data, anything else is a wrong use.
pub(super) fn usage(usage: &clap::Error) -> Outcome {
    let text = usage.render().to_string();
    if usage.use_stderr() {
        aside(&text);
        return Ok(Exit::CouldNotRun);
    }
    data(&text).map(|()| Exit::Done)
}

/// What several runs come to: the failure with the gravest exit; the others are told here.
pub(super) fn together(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let failures = outcomes.into_iter().filter_map(Result::err);
    let gravest = failures.reduce(|one, other| {
        let (told, kept) = if one.exit == Exit::CouldNotRun { (other, one) } else { (one, other) };
        aside(&format!("{}\n", told.text()));
        kept
    });
    gravest.map_or(Ok(Exit::Done), Err)
}

/// Tells about a failure and gives the code of the process.
pub(super) fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            aside(&failure.text());
            failure.exit.into()
        }
    }
}

/// Standard error that cannot be written leaves nobody to tell.
fn aside(text: &str) {
    let _unheard = io::stderr().lock().write_all(harmless(text).as_bytes());
}

/// Spells out what a terminal would act on.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            // Writing to a String cannot fail.
            let _written = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_error_causes_and_hint() {
        let cause = io::Error::other("no such thing");
        let failure = Failure::could_not_run("the file cannot be read").caused_by(&cause).hint("look again");
        assert_eq!(failure.text(), "error: the file cannot be read\ncaused by: no such thing\n\nhint: look again\n");
    }

    #[test]
    fn a_table_is_drawn_over_the_last_one_and_lines_stay_above_it() {
        let mut live = Live::default();
        assert_eq!(live.frame("", "a\nb\n"), "a\nb\n");
        live.table = "a\nb\n".to_owned();
        assert_eq!(live.frame("stays\u{1b}[2J\n", "c\n"), "\u{1b}[2F\u{1b}[Jstays\\u{1b}[2J\nc\n");
    }

    #[test]
    fn nobody_plays_with_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\nc\u{9b}d\té"), "a\\u{1b}[2Jb\\r\nc\\u{9b}d\\té");
    }
}
