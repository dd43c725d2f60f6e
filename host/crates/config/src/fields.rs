//! Reads checked values out of the tree.
//!
//! A reader never stops at the first problem: it reports to the [`Report`] and gives `None`, so that one run shows an
//! operator everything that is wrong. No message repeats a value that may be a secret. The file is long because there is a reader for
//! each kind of value.

use super::nearest::{nearest, suggestion};
use super::tree::{Node, NodePath, Step};
use super::units;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The most problems that are reported. Nobody reads more at once.
pub(super) const MOST_PROBLEMS: usize = 100;

/// The problems that were found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: RefCell<Vec<(NodePath, String)>>,
}

impl Report {
    pub(super) fn add(&self, place: NodePath, message: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() == MOST_PROBLEMS {
            return;
        }
        // The first problem at a place is the cause, and later ones are its consequences.
        if !problems.iter().any(|(known, _)| *known == place) {
            problems.push((place, message.into()));
        }
    }

    /// Whether no more will be told, so that no sentence needs to be made.
    fn is_full(&self) -> bool {
        self.problems.borrow().len() == MOST_PROBLEMS
    }

    pub(super) fn into_problems(self) -> Vec<(NodePath, String)> {
        self.problems.into_inner()
    }
}

/// A node, with the path to it.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) node: &'a Node,
    steps: Vec<Step>,
    report: &'a Report,
}

impl<'a> Field<'a> {
    pub(super) fn root(node: &'a Node, report: &'a Report) -> Self {
        Field {
            node,
            steps: Vec::new(),
            report,
        }
    }

    pub(super) fn place(&self) -> NodePath {
        NodePath {
            steps: self.steps.clone(),
            on_key: false,
        }
    }

    /// Reports a problem at the value.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.add(self.place(), message);
    }

    /// Reports a problem at the key that the value stands under.
    pub(super) fn problem_at_key(&self, message: impl Into<String>) {
        let place = NodePath {
            steps: self.steps.clone(),
            on_key: matches!(self.steps.last(), Some(Step::Key(..))),
        };
        self.report.add(place, message);
    }

    fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        self.problem(format!("expected {wanted}, found {}", self.node.kind()));
        None
    }

    fn below(&self, node: &'a Node, step: Step) -> Field<'a> {
        let mut steps = self.steps.clone();
        steps.push(step);
        Field {
            node,
            steps,
            report: self.report,
        }
    }

    /// The mapping's entries under any keys. Of a repeated key, only the first entry.
    pub(super) fn entries(&self) -> Option<Vec<(&'a str, Field<'a>)>> {
        let Node::Map(entries) = self.node else {
            return self.wrong_kind("a mapping");
        };
        let mut found: Vec<(&str, Field<'a>)> = Vec::with_capacity(entries.len());
        let mut seen = HashSet::with_capacity(entries.len());
        for (key, value) in entries {
            if seen.insert(key) {
                found.push((key, self.below(value, Step::Key(key.clone(), 0))));
            }
        }
        Some(found)
    }

    /// The mapping's entries, all of which must be among `valid`.
    pub(super) fn fields(&self, valid: &'static [&'static str]) -> Option<Fields<'a>> {
        #[cfg(test)]
        record(self, valid.iter().copied(), false);
        let entries = self.entries()?;
        for (key, field) in &entries {
            if !valid.contains(key) && !self.report.is_full() {
                field.problem_at_key(unknown_key(key, valid));
            }
        }
        Some(Fields {
            map: self.clone(),
            entries,
            valid,
        })
    }

    /// The mapping's entries, of which only `valid` are known; others mean nothing yet.
    pub(super) fn known_fields(&self, valid: &'static [&'static str]) -> Option<Fields<'a>> {
        Some(Fields {
            map: self.clone(),
            entries: self.entries()?,
            valid,
        })
    }

    pub(super) fn items(&self) -> Option<Vec<Field<'a>>> {
        let Node::List(items) = self.node else {
            return self.wrong_kind("a list");
        };
        let item = |(index, node)| self.below(node, Step::Index(index));
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list that has no more than `most`: each is compared with all others.
    pub(super) fn items_up_to(&self, most: usize) -> Option<Vec<Field<'a>>> {
        let items = self.items()?;
        if items.len() > most {
            self.problem(format!(
                "expected at most {most} entries, found {}",
                items.len()
            ));
            return None;
        }
        Some(items)
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.node {
            Node::Text(text) => Some(text),
            Node::Number(_) | Node::Bool(_) | Node::Odd => {
                self.problem(format!(
                    "expected a text, found {}; put it in quotes",
                    self.node.kind()
                ));
                None
            }
            _ => self.wrong_kind("a text"),
        }
    }

    /// A text whose number of characters is in this range.
    pub(super) fn text_within(&self, length: RangeInclusive<usize>) -> Option<&'a str> {
        let text = self.text()?;
        let found = text.chars().count();
        if length.contains(&found) {
            return Some(text);
        }
        self.problem(format!(
            "expected a text of {} to {} characters, found {found}",
            length.start(),
            length.end()
        ));
        None
    }

    /// An id: what may stand in a header, a metric and a path.
    pub(super) fn id(&self) -> Option<&'a str> {
        let text = self.text()?;
        let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = text.len() <= 64
            && text.starts_with(first)
            && text
                .chars()
                .all(|c| first(c) || matches!(c, '.' | '_' | '-'));
        if valid {
            return Some(text);
        }
        self.problem(format!(
            "`{text}` can't be an id: up to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit"
        ));
        None
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.node {
            Node::Bool(value) => Some(*value),
            _ => self.wrong_kind("true or false"),
        }
    }

    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let value = match self.node {
            Node::Number(number) => number.as_u64(),
            _ => return self.wrong_kind("a whole number"),
        };
        match value {
            Some(value) if range.contains(&value) => Some(value),
            _ => {
                let (least, most) = range.into_inner();
                self.problem(format!("expected a whole number from {least} to {most}"));
                None
            }
        }
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let found = match self.node {
            Node::Text(text) => units::duration(text),
            Node::Number(_) => None,
            _ => return self.wrong_kind("a duration such as 50ms or 1m30s"),
        };
        let Some(value) = found else {
            self.problem(
                "this is no duration; write whole numbers with their unit (ms, s, m, h), such as 50ms or 1m30s",
            );
            return None;
        };
        if range.contains(&value) {
            return Some(value);
        }
        self.problem(format!(
            "{} is out of range; it can be {} to {}",
            units::show_duration(value),
            units::show_duration(*range.start()),
            units::show_duration(*range.end())
        ));
        None
    }

    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let found = match self.node {
            Node::Text(text) => units::size(text),
            Node::Number(number) => number.as_u64(),
            _ => return self.wrong_kind("a size such as 64MiB or 16KiB"),
        };
        let Some(value) = found else {
            self.problem(
                "this is no size; write a whole number of bytes, or one with KiB, MiB or GiB, such as 64MiB",
            );
            return None;
        };
        if range.contains(&value) {
            return Some(value);
        }
        self.problem(format!(
            "{} is out of range; it can be {} to {}",
            units::show_size(value),
            units::show_size(*range.start()),
            units::show_size(*range.end())
        ));
        None
    }

    /// One of the named values. The names in `later` are known, but not offered yet.
    pub(super) fn one_of<T: Copy>(&self, valid: &[(&str, T)], later: &[&str]) -> Option<T> {
        #[cfg(test)]
        record(self, valid.iter().map(|(name, _)| *name), true);
        let text = self.text()?;
        if let Some((_, value)) = valid.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = valid.iter().map(|(name, _)| *name).collect();
        if later.contains(&text) {
            self.problem(format!(
                "`{text}` is not offered in this release (valid: {})",
                names.join(", ")
            ));
        } else {
            self.problem(format!(
                "unknown value `{text}`{}",
                suggestion(text, &names)
            ));
        }
        None
    }
}

/// The entries of one mapping.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    map: Field<'a>,
    entries: Vec<(&'a str, Field<'a>)>,
    valid: &'static [&'static str],
}

impl<'a> Fields<'a> {
    /// The value of a key. An empty value counts as a missing one.
    pub(super) fn get(&self, key: &str) -> Option<&Field<'a>> {
        let (_, field) = self.entries.iter().find(|(known, _)| *known == key)?;
        (*field.node != Node::Null).then_some(field)
    }

    /// The value of a required key. Reports a problem if it is missing.
    pub(super) fn required(&self, key: &str) -> Option<&Field<'a>> {
        let found = self.get(key);
        if found.is_none() {
            match self.entries.iter().find(|(known, _)| *known == key) {
                Some((_, empty)) => empty.problem_at_key(format!("`{key}` needs a value")),
                None if self.misspelt(key) => {}
                None => self.missing(key),
            }
        }
        found
    }

    /// Whether an unknown key was most likely meant to be this one, which that key's own problem says already.
    pub(super) fn misspelt(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| {
            !self.valid.contains(known) && nearest(known, self.valid) == Some(key)
        })
    }

    fn missing(&self, key: &str) {
        let place = self.map.place();
        let mut problems = self.map.report.problems.borrow_mut();
        let full = problems.len() == MOST_PROBLEMS;
        // Several keys that are missing from one mapping share a sentence.
        match problems
            .iter_mut()
            .find(|(known, message)| *known == place && message.starts_with(MISSING))
        {
            Some((_, message)) => message.push_str(&format!(", `{key}`")),
            None if full => {}
            None => problems.push((place, format!("{MISSING} `{key}`"))),
        }
    }

    pub(super) fn problem(&self, message: impl Into<String>) {
        self.map.problem(message);
    }
}

const MISSING: &str = "missing:";

/// Searches the whole tree for the problems that any node can have.
pub(super) fn check_everywhere(field: &Field<'_>) {
    match field.node {
        Node::Map(entries) => {
            let mut seen = HashMap::with_capacity(entries.len());
            for (key, value) in entries {
                let times = seen.entry(key).or_insert(0);
                let before = *times;
                *times += 1;
                let below = field.below(value, Step::Key(key.clone(), before));
                if before > 0 {
                    below.problem_at_key(format!(
                        "`{key}` stands here twice; keep one of the two"
                    ));
                } else if key == "<<" {
                    below.problem_at_key(
                        "merge keys (`<<`) are not read; write the keys out, or use an anchor for a whole value",
                    );
                }
                check_everywhere(&below);
            }
        }
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                check_everywhere(&field.below(item, Step::Index(index)));
            }
        }
        Node::Text(text) if is_reference(text) => field.problem(
            "`${...}` is never substituted here; write the value out. Secrets are given by reference: \
             `secret_key_ref: {env: NAME}` or `{file: PATH}`",
        ),
        Node::Tagged => field.problem("tags (`!name`) are not read; write the plain value"),
        Node::Odd => field.problem("this number is too large, or not a number at all"),
        _ => {}
    }
}

fn is_reference(text: &str) -> bool {
    text.find("${")
        .is_some_and(|start| text[start..].contains('}'))
}

fn unknown_key(key: &str, valid: &[&str]) -> String {
    let lower = key.to_lowercase();
    let secret = [
        "key",
        "secret",
        "token",
        "password",
        "authorization",
        "credential",
    ]
    .iter()
    .any(|word| lower.contains(word));
    let reference = valid
        .iter()
        .find(|name| matches!(**name, "secret_key_ref" | "secret_ref"));
    match reference {
        Some(reference) if secret => format!(
            "unknown key `{key}`; a secret never stands in this file, it is given by reference: \
             `{reference}: {{env: NAME}}` or `{{file: PATH}}` (valid: {})",
            valid.join(", ")
        ),
        _ => format!("unknown key `{key}`{}", suggestion(key, valid)),
    }
}

/// What was asked for at a place: the keys of a mapping, or the words of a choice (`true`).
#[cfg(test)]
pub(super) type Asked = (NodePath, Vec<String>, bool);

#[cfg(test)]
thread_local! {
    static ASKED: RefCell<Vec<Asked>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
fn record<'n>(field: &Field<'_>, names: impl Iterator<Item = &'n str>, words: bool) {
    let names = names.map(str::to_owned).collect();
    ASKED.with_borrow_mut(|asked| asked.push((field.place(), names, words)));
}

/// Does the work, and tells what it asked for.
#[cfg(test)]
pub(super) fn recorded<T>(work: impl FnOnce() -> T) -> (T, Vec<Asked>) {
    ASKED.take();
    let done = work();
    (done, ASKED.take())
}
