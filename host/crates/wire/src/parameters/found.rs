//! What comes of going over a body: how it is mended and what that is called, or what Cerebras would say.

use std::cmp::Reverse;
use std::fmt::Write as _;

use crate::index::Span;
use crate::json::{cut_at, write_str};

/// The most names of what was dropped, and bytes of each.
const MOST_NAMES: usize = 16;
const LONGEST_NAME: usize = 96;

/// The most problems that are told.
const MOST_SENTENCES: usize = 20;

/// The longest key of a client's in a sentence, in bytes.
const LONGEST_KEY: usize = 64;

/// A step on the way to a place in the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A member that the table knows, by its own name or another.
    Name(&'static str),
    /// An element.
    Item(u32),
    /// What an object is, in the paths of sentences alone.
    Tag(&'static str),
}

/// What is put in a place of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    /// Nothing: a member or an element goes, with a comma beside it.
    Cut,
    /// This JSON.
    Put(&'static str),
    /// This word, as a string.
    Word(&'static str),
    /// The model's name.
    Model,
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    place: Span,
    with: With,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// What mends the body.
    Mends(Mends),
    /// What Cerebras would say.
    Sentences(Vec<String>),
}

/// Edits to a body, and their names.
#[derive(Debug)]
pub(super) struct Mends {
    edits: Vec<Edit>,
    /// How many there may be. A body that has more to mend is no client's, and goes as it came.
    most: usize,
    names: Vec<String>,
    more: bool,
}

impl Mends {
    pub(super) fn edit(&mut self, place: Span, with: With, name: impl FnOnce() -> String) {
        if self.edits.len() > self.most {
            return;
        }
        self.edits.push(Edit { place, with });
        let name = name();
        if self.names.contains(&name) {
            return;
        }
        match self.names.len() {
            MOST_NAMES => self.more = true,
            _ => self.names.push(name),
        }
    }

    /// Puts something into a place, as a part of the edit before.
    pub(super) fn also(&mut self, place: Span, with: With) {
        self.edits.push(Edit { place, with });
    }

    /// Puts something else into the place of an earlier edit.
    pub(super) fn instead(&mut self, place: Span, with: With, name: impl FnOnce() -> String) {
        self.edits.retain(|edit| edit.place != place);
        self.edit(place, with, name);
    }
}

impl Found {
    /// For a body of so many bytes.
    pub(super) fn mends(bytes: usize) -> Found {
        Found::Mends(Mends {
            edits: Vec::new(),
            most: 10_000 + bytes / 24,
            names: Vec::new(),
            more: false,
        })
    }

    pub(super) fn sentences() -> Found {
        Found::Sentences(Vec::new())
    }

    /// Whether no more needs to be known.
    pub(super) fn enough(&self) -> bool {
        match self {
            Found::Mends(mends) => mends.edits.len() > mends.most,
            Found::Sentences(sentences) => sentences.len() >= MOST_SENTENCES,
        }
    }

    /// The body with all edits made, for a model of another name where it has one, and what they are called. `None` without any.
    pub(super) fn mended(
        self,
        body: &[u8],
        model: Span,
        name: Option<&str>,
    ) -> Option<(Vec<u8>, String)> {
        let Found::Mends(mut mends) = self else {
            return None;
        };
        if mends.edits.is_empty() || mends.edits.len() > mends.most {
            return None;
        }
        if name.is_some() {
            mends.also(model, With::Model);
        }
        // What goes whole comes before what was to be mended in it, which then goes with it.
        let order = |edit: &Edit| (edit.place.start, Reverse(edit.place.end));
        mends.edits.sort_by_key(order);
        let room = name.map_or(0, str::len) + 64;
        let mut out = Vec::with_capacity(body.len() + room);
        let mut at = 0;
        for Edit { place, with } in mends.edits {
            let place = place.range();
            if place.start < at {
                continue;
            }
            out.extend_from_slice(&body[at..place.start]);
            at = place.end;
            match with {
                With::Put(json) => out.extend_from_slice(json.as_bytes()),
                With::Word(word) => write_str(&mut out, word),
                With::Model => write_str(&mut out, name.unwrap_or_default()),
                With::Cut => at = close_gap(body, at, &mut out),
            }
        }
        out.extend_from_slice(&body[at..]);
        if mends.more {
            mends.names.push("...".to_owned());
        }
        Some((out, mends.names.join(", ")))
    }

    /// What Cerebras would say; `None` where it would take the body.
    pub(super) fn refused(self) -> Option<String> {
        match self {
            Found::Sentences(sentences) if !sentences.is_empty() => Some(sentences.join("\n")),
            _ => None,
        }
    }
}

/// A member or element went, and the body goes on at `at`: takes one comma along, the one behind it, or else the one before it.
fn close_gap(body: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let space = |from: usize| {
        let rest = &body[from..];
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        from + space.count()
    };
    let next = space(at);
    if body.get(next) == Some(&b',') {
        return space(next + 1);
    }
    while out.last().is_some_and(u8::is_ascii_whitespace) {
        out.pop();
    }
    if out.last() == Some(&b',') {
        out.pop();
    }
    at
}

/// The place as the header names it, and a member of it: `messages[].content[].cache_control`. Its key may be the client's.
pub(super) fn name(path: &[Step], key: Option<&str>) -> String {
    let mut name = String::new();
    for step in path {
        match step {
            Step::Name(step) => {
                let dot = if name.is_empty() { "" } else { "." };
                _ = write!(name, "{dot}{step}");
            }
            Step::Item(_) => name.push_str("[]"),
            Step::Tag(_) => {}
        }
    }
    if let Some(key) = key {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&plain(key));
    }
    name
}

/// A client's own word as it may stand in a header, between commas.
pub(super) fn plain(word: &str) -> String {
    let plain = |char: char| {
        if char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '$' | '/') {
            char
        } else {
            '?'
        }
    };
    let mut chars = word.chars().map(plain);
    let mut text: String = chars.by_ref().take(LONGEST_NAME / 2).collect();
    if chars.next().is_some() {
        text.push_str("...");
    }
    text
}

/// The place as Cerebras names it: what stands at the top as `body.store`, what lies deeper as `messages.2.assistant.store`.
pub(super) fn path(path: &[Step], key: Option<&str>) -> String {
    let mut text = String::new();
    for step in path {
        let dot = if text.is_empty() { "" } else { "." };
        _ = match step {
            Step::Name(step) | Step::Tag(step) => write!(text, "{dot}{step}"),
            Step::Item(item) => write!(text, "{dot}{item}"),
        };
    }
    if let Some(key) = key {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&cut_at(key, LONGEST_KEY));
    }
    match text.contains('.') {
        true => text,
        false => format!("body.{text}"),
    }
}
