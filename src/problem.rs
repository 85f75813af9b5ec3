//! One thing wrong in a file that the user wrote.
//!
//! A problem has a place and, where one is known, a remedy. It never holds a value from a credentials file: the
//! words are ours.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset in a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        Self { line, column }
    }
}

/// Whether a problem makes the file unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file is used; somebody should look.
    Warning,
}

/// One thing wrong, with a place and a remedy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// Where in it; none when it is about the file as a whole.
    pub position: Option<Position>,
    /// The field, as a path (`account[0].secrets[1]`); empty when it is about the file as a whole.
    pub field: String,
    /// What is wrong: lower case, no full stop.
    pub what: String,
    /// What to do; empty when there is nothing to say.
    pub hint: String,
}

impl fmt::Display for Problem {
    /// `file:line:column field what (hint)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        write!(f, " {}", self.what)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}

/// Everything wrong in one file, collected before anything is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: PathBuf,
    found: Vec<Problem>,
}

impl Problems {
    /// None yet, for this file.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_path_buf(), found: Vec::new() }
    }

    /// Adds one that makes the file unusable.
    pub fn error(&mut self, position: Option<Position>, field: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, position, field.into(), what.into(), hint.into());
    }

    /// Adds one that somebody should look at.
    pub fn warning(&mut self, position: Option<Position>, field: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, position, field.into(), what.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, position: Option<Position>, field: String, what: String, hint: String) {
        self.found.push(Problem { severity, file: self.file.clone(), position, field, what, hint });
    }

    /// Takes over what another file's reading found.
    pub fn extend(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// The file that these are about.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the file cannot be used.
    pub fn any_error(&self) -> bool {
        self.found.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file, errors and warnings together.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.found.sort_by(|a, b| (&a.file, a.position, a.severity).cmp(&(&b.file, b.position, b.severity)));
        self.found
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.found.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name that a mistyped one is nearest to: at most two characters of it differ, and in a
/// short one a single one.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    // Nobody mistypes a name into something this long, and the comparison is quadratic.
    if name.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|candidate| (distance(&name, &candidate.replace('-', "_")), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).clamp(1, 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be changed, added or removed to turn one into the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, left) in from.chars().enumerate() {
        let mut best = index + 1;
        let mut next = vec![best];
        for (right, above) in to.chars().zip(row.windows(2)) {
            let [diagonal, up] = above else { continue };
            best = (diagonal + usize::from(left != right)).min(up + 1).min(best + 1);
            next.push(best);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_and_another_word_finds_none() {
        let known = ["address", "allow", "allowed_hosts", "top-up"];
        assert_eq!(nearest("adress", &known), Some("address"));
        assert_eq!(nearest("Allowed-Hosts", &known), Some("allowed_hosts"));
        assert_eq!(nearest("topup", &known), Some("top-up"));
        assert_eq!(nearest("certificate", &known), None);
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn a_problem_reads_as_place_field_what_and_remedy() {
        let mut problems = Problems::of(Path::new("credentials.toml"));
        problems.error(Some(Position::of("a\nb = 1\n", 6)), "account[0].api_key", "is missing", "add the key of the account");
        assert_eq!(problems.to_string(), "credentials.toml:2:5 account[0].api_key is missing (add the key of the account)");
        assert!(problems.any_error());
    }
}
