//! What is said about a credentials file while it is read.
//!
//! Invariant: nothing that the file contains is repeated, not even a name that is not ours: in a torn or mistaken file
//! a secret may stand anywhere.

use std::path::Path;

use super::shape::{Member, Node, Shape, Table};
use crate::problem::{Position, Problems, nearest};

/// To find a place costs a pass over the text, so only this many problems have one.
const MOST_PLACED: usize = 100;

/// The problems found so far.
pub(super) struct Report<'t> {
    text: &'t str,
    problems: Problems,
    told: usize,
    errors: usize,
}

impl<'t> Report<'t> {
    pub(super) fn new(path: &Path, text: &'t str) -> Self {
        Self { text, problems: Problems::of(path), told: 0, errors: 0 }
    }

    pub(super) fn error(&mut self, at: Option<usize>, field: &str, what: impl Into<String>, hint: impl Into<String>) {
        let position = self.place(at);
        self.errors += 1;
        self.problems.error(position, field, what, hint);
    }

    pub(super) fn warning(&mut self, at: Option<usize>, field: &str, what: impl Into<String>, hint: impl Into<String>) {
        let position = self.place(at);
        self.problems.warning(position, field, what, hint);
    }

    fn place(&mut self, at: Option<usize>) -> Option<Position> {
        self.told += 1;
        at.filter(|_| self.told <= MOST_PLACED).map(|at| Position::of(self.text, at))
    }

    /// How many errors there are, to see whether something that was read brought one.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    pub(super) fn into_problems(self) -> Problems {
        self.problems
    }
}

/// A table and where it is, for looking fields up by name.
pub(super) struct Fields<'n> {
    path: String,
    table: &'n Table,
}

impl<'n> Fields<'n> {
    /// The fields of a table at `path`, which is empty for the file itself. Every name that is not known is a warning.
    pub(super) fn new(report: &mut Report<'_>, path: String, table: &'n Table, known: &[&[&str]]) -> Self {
        let known = known.concat();
        for member in table.iter().filter(|member| !known.contains(&member.name.as_str())) {
            let hint = nearest(&member.name, &known).map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            report.warning(Some(member.at), &path, "has a field that is not known here and is ignored", hint);
        }
        Self { path, table }
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A field; one that is `null` is not there.
    pub(super) fn find(&self, name: &str) -> Option<&'n Node> {
        self.table
            .iter()
            .find(|member| member.name == name)
            .map(|Member { node, .. }| node)
            .filter(|node| !matches!(node.shape, Shape::Nothing))
    }

    /// Text in a field. Anything else there is an error.
    pub(super) fn text(&self, report: &mut Report<'_>, name: &str) -> Option<(&'n str, usize)> {
        let node = self.find(name)?;
        if node.text().is_none() {
            report.error(Some(node.at), &self.path(name), "must be text in quotes", "");
        }
        node.text().map(|text| (text, node.at))
    }

    /// A field that has two names, and its path. To use both is an error.
    pub(super) fn either(&self, report: &mut Report<'_>, name: &str, other: &str) -> Option<(String, &'n Node)> {
        match (self.find(name), self.find(other)) {
            (Some(node), None) => Some((self.path(name), node)),
            (None, Some(node)) => Some((self.path(other), node)),
            (None, None) => None,
            (Some(node), Some(second)) => {
                report.error(
                    Some(second.at),
                    &self.path(other),
                    format!("stands beside `{name}`, which means the same"),
                    "keep one of the two",
                );
                Some((self.path(name), node))
            }
        }
    }
}
