//! A command line as a person would type it, to be pasted.
//!
//! Not here: what a command does; which arguments it takes (each has a way to put its own on a line).

use std::fmt;
use std::time::Duration;

/// The name of the program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line(Vec<String>);

impl Line {
    /// A command of this program.
    pub(super) fn of(command: &str) -> Self {
        Self(vec!["vonage-sidecar".to_owned(), command.to_owned()])
    }

    /// With an argument and its value.
    pub(super) fn value(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.extend([name.to_owned(), value.to_string()]);
        self
    }

    /// The same where there is one.
    pub(super) fn value_if(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.value(name, value),
            None => self,
        }
    }

    /// The same with a duration, in the unit that needs no rounding.
    pub(super) fn span_if(self, name: &str, span: Option<Duration>) -> Self {
        self.value_if(
            name,
            span.map(|span| if span.subsec_nanos() == 0 { format!("{}s", span.as_secs()) } else { format!("{}ms", span.as_millis()) }),
        )
    }

    /// With an argument that has no value, where it is set.
    pub(super) fn flag(self, name: &str, is_set: bool) -> Self {
        self.more(is_set.then(|| name.to_owned()))
    }

    /// With more words.
    pub(super) fn more(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(words);
        self
    }
}

/// As a shell takes it.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let line = Line::of("rotate").value("--config", "/etc/my sidecar's.toml").flag("--no-fleet", true).flag("--emergency", false);
        let line = line.span_if("--soak", Some(Duration::from_millis(1500))).span_if("--give-up", Some(Duration::from_mins(2)));
        let line = line.value_if("--credentials", None::<&str>).value("--state-dir", "").more(["--approve".to_owned(), "id-1".to_owned()]);
        let expected = r"vonage-sidecar rotate --config '/etc/my sidecar'\''s.toml' --no-fleet --soak 1500ms --give-up 120s --state-dir '' --approve id-1";
        assert_eq!(line.to_string(), expected);
    }
}
