//! The text that a redactor keeps: a decided part and an open part, as the text came and as the finder sees it.

use super::json::Json;
use super::raw::Raw;
use super::{Form, Found, View};

#[derive(Debug)]
pub(super) enum Tape {
    /// The finder sees the text as it came.
    Text(Raw),
    /// The finder sees the text without escapes.
    Json(Json),
}

/// Where a match may be replaced.
pub(super) enum MatchPlace {
    /// The match may be replaced here, and the replacement is written like this.
    At(Found, Quoting),
    /// It can't be replaced without breaking the JSON around it.
    Nowhere,
    /// The text that follows decides.
    Undecided,
}

/// How a replacement is written.
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
            Form::Text => Tape::Text(Raw::default()),
            Form::Json => Tape::Json(Json::default()),
        }
    }

    pub(super) fn push(&mut self, delta: &str, end: bool) {
        match self {
            Tape::Text(raw) => raw.push(delta),
            Tape::Json(json) => json.push(delta, end),
        }
    }

    /// The decided part of the text that the host keeps, as it came.
    pub(super) fn decided(&self) -> &str {
        match self {
            Tape::Text(raw) => raw.decided(),
            Tape::Json(json) => json.decided(),
        }
    }

    /// The open part, as it came.
    pub(super) fn raw(&self) -> &str {
        match self {
            Tape::Text(raw) => raw.open(),
            Tape::Json(json) => json.raw(),
        }
    }

    /// The open part, as the finder sees it.
    pub(super) fn text(&self) -> &str {
        match self {
            Tape::Text(raw) => raw.open(),
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

    pub(super) fn place(&self, view: &View<'_>, found: Found) -> MatchPlace {
        match self {
            Tape::Text(_) => MatchPlace::At(found, Quoting::Plain),
            Tape::Json(json) => json.place(view, found),
        }
    }

    /// Marks the first `to` bytes of `text` as decided, which are the first `raw_to` bytes of `raw`.
    pub(super) fn decide(&mut self, to: usize, raw_to: usize) {
        match self {
            Tape::Text(raw) => raw.decide(to),
            Tape::Json(json) => json.decide(to, raw_to),
        }
    }

    /// Drops the first bytes of `decided`, which the host no longer keeps.
    pub(super) fn let_go(&mut self, bytes: usize) {
        match self {
            Tape::Text(raw) => raw.let_go(bytes),
            Tape::Json(json) => json.let_go(bytes),
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
