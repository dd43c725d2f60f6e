//! The text that a redactor keeps: as it came, and as the finder sees it.

use super::json::Json;
use super::{Form, Found, View};

#[derive(Debug)]
pub(super) enum Tape {
    /// Both are the same.
    Text(String),
    /// The finder sees it without escapes.
    Json(Json),
}

/// Where a match may be replaced.
pub(super) enum Place {
    /// Here, written like this.
    At(Found, Quoting),
    /// Not without breaking what stands around it.
    Nowhere,
    /// What follows decides.
    Undecided,
}

/// How the text put in is written.
#[derive(Clone, Copy)]
pub(super) enum Quoting {
    /// As it is.
    Plain,
    /// Inside a JSON string.
    Inside,
    /// As a JSON string of its own.
    Whole,
}

impl Tape {
    pub(super) fn new(form: Form) -> Tape {
        match form {
            Form::Text => Tape::Text(String::new()),
            Form::Json => Tape::Json(Json::default()),
        }
    }

    pub(super) fn push(&mut self, delta: &str, end: bool) {
        match self {
            Tape::Text(text) => text.push_str(delta),
            Tape::Json(json) => json.push(delta, end),
        }
    }

    /// As it came.
    pub(super) fn raw(&self) -> &str {
        match self {
            Tape::Text(text) => text,
            Tape::Json(json) => json.raw(),
        }
    }

    /// As the finder sees it.
    pub(super) fn text(&self) -> &str {
        match self {
            Tape::Text(text) => text,
            Tape::Json(json) => json.text(),
        }
    }

    /// Where an offset of `text` is in `raw`.
    pub(super) fn raw_at(&self, at: usize) -> usize {
        match self {
            Tape::Text(_) => at,
            Tape::Json(json) => json.raw_at(at),
        }
    }

    pub(super) fn place(&self, view: &View<'_>, found: Found) -> Place {
        match self {
            Tape::Text(_) => Place::At(found, Quoting::Plain),
            Tape::Json(json) => json.place(view, found),
        }
    }

    /// Drops the first `to` bytes of `text`, which are the first `raw_to` of `raw`.
    pub(super) fn release(&mut self, to: usize, raw_to: usize) {
        match self {
            Tape::Text(text) => drop(text.drain(..to)),
            Tape::Json(json) => json.release(to, raw_to),
        }
    }
}

impl Quoting {
    pub(super) fn write(self, value: &str, out: &mut String) {
        match self {
            Quoting::Plain => out.push_str(value),
            Quoting::Inside => escape(value, out),
            Quoting::Whole => {
                out.push('"');
                escape(value, out);
                out.push('"');
            }
        }
    }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}
