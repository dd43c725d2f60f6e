//! The text that a redactor keeps: a decided part and an open part, as the text came and as the finder sees it, with the
//! escapes undone.
//!
//! Escapes are undone in every text, not only where JSON is sure: in a program's source, a log line or a broken document an
//! escape's letter is no part of a value either. What isn't an escape stays as it stands.

use super::Found;
use super::raw::Raw;

/// A text of which a part is decided.
#[derive(Debug, Default)]
pub(super) struct Tape {
    raw: Raw,
    /// The open part, with its escapes undone.
    text: String,
    /// The undone escapes, in order.
    escapes: Vec<Undone>,
    /// How much of the open part is in `text`. The rest is the beginning of an escape.
    read: usize,
}

/// An undone escape: where in `text` its character is, and where in the open part it ends.
#[derive(Clone, Copy, Debug)]
struct Undone {
    start: usize,
    end: usize,
    raw_end: usize,
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
    /// Inside as many JSON strings, one within the other; with 0 as it is.
    Inside(u32),
    /// As a JSON string of its own, inside as many others.
    Whole(u32),
    /// As the digit that is left of a number.
    Zero,
}

impl Tape {
    pub(super) fn push(&mut self, delta: &str, end: bool) {
        self.raw.push(delta);
        let raw = self.raw.open();
        while self.read < raw.len() {
            let rest = &raw[self.read..];
            let plain = rest.find('\\').unwrap_or(rest.len());
            self.text.push_str(&rest[..plain]);
            self.read += plain;
            let rest = &rest[plain..];
            if rest.is_empty() {
                return;
            }
            match unescape(rest) {
                Escape::Char(c, len) => {
                    let start = self.text.len();
                    self.text.push(c);
                    self.read += len;
                    self.escapes.push(Undone {
                        start,
                        end: self.text.len(),
                        raw_end: self.read,
                    });
                }
                Escape::Partial(_) if !end => return,
                Escape::Partial(plain) | Escape::None(plain) => {
                    self.text.push_str(&rest[..plain]);
                    self.read += plain;
                }
            }
        }
    }

    /// The decided part of the text that the host keeps, as it came.
    pub(super) fn decided(&self) -> &str {
        self.raw.decided()
    }

    /// The open part, as it came.
    pub(super) fn raw(&self) -> &str {
        self.raw.open()
    }

    /// The open part, as the finder sees it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where an offset of `text` is in `raw`.
    pub(super) fn raw_at(&self, at: usize) -> usize {
        let past = self.escapes.partition_point(|undone| undone.end <= at);
        match past.checked_sub(1).map(|last| self.escapes[last]) {
            Some(undone) => undone.raw_end + (at - undone.end),
            None => at,
        }
    }

    /// Where an offset of `raw` is in `text`; of an escape's middle, where its character is.
    pub(super) fn text_at(&self, raw: usize) -> usize {
        let past = self.escapes.partition_point(|undone| undone.raw_end <= raw);
        let at = match past.checked_sub(1).map(|last| self.escapes[last]) {
            Some(undone) => undone.end + (raw - undone.raw_end),
            None => raw,
        };
        let next = self.escapes.get(past);
        next.map_or(at, |undone| at.min(undone.start))
    }

    /// Marks the first `to` bytes of `text` as decided, which are the first `raw_to` bytes of `raw`.
    pub(super) fn decide(&mut self, to: usize, raw_to: usize) {
        self.text.drain(..to);
        self.raw.decide(raw_to);
        self.read = self.read.saturating_sub(raw_to);
        let past = self.escapes.partition_point(|undone| undone.end <= to);
        self.escapes.drain(..past);
        for undone in &mut self.escapes {
            undone.start -= to;
            undone.end -= to;
            undone.raw_end -= raw_to;
        }
    }

    /// Drops the first bytes of `decided`, which the host no longer keeps.
    pub(super) fn let_go(&mut self, bytes: usize) {
        self.raw.let_go(bytes);
    }
}

enum Escape {
    /// This character, written in this many bytes.
    Char(char, usize),
    /// More must follow. If nothing does, this many bytes are as they stand.
    Partial(usize),
    /// This many bytes are as they stand.
    None(usize),
}

/// The most backslashes that count as one escape's. JSON in JSON strings doubles them at every level.
const LONGEST_RUN: usize = 16;

/// The escape that this text starts with. A surrogate without its other half counts as U+FFFD.
fn unescape(text: &str) -> Escape {
    let bytes = text.as_bytes();
    let run = bytes.iter().take_while(|b| **b == b'\\').count();
    if run > LONGEST_RUN {
        return Escape::None(run - LONGEST_RUN);
    }
    match bytes.get(run) {
        None => return Escape::Partial(run),
        Some(b'u') => {}
        Some(b'n') => return Escape::Char('\n', run + 1),
        Some(b'r') => return Escape::Char('\r', run + 1),
        Some(b't') => return Escape::Char('\t', run + 1),
        Some(b'b') => return Escape::Char('\u{8}', run + 1),
        Some(b'f') => return Escape::Char('\u{c}', run + 1),
        Some(c @ (b'"' | b'/')) => return Escape::Char(char::from(*c), run + 1),
        Some(_) => return Escape::None(run),
    }
    let first = match unit(&bytes[run + 1..]) {
        Unit::Is(unit) => unit,
        Unit::Partial => return Escape::Partial(run),
        Unit::Not => return Escape::None(run),
    };
    let len = run + 5;
    if let Some(c) = char::from_u32(first) {
        return Escape::Char(c, len);
    }
    let lone = Escape::Char(char::REPLACEMENT_CHARACTER, len);
    if first >= 0xdc00 {
        return lone;
    }
    let again = bytes[len..]
        .iter()
        .take(run + 1)
        .take_while(|b| **b == b'\\')
        .count();
    let second = match bytes[len + again..].split_first() {
        None if again <= run => return Escape::Partial(run),
        Some((b'u', rest)) if again == run => match unit(rest) {
            Unit::Is(unit @ 0xdc00..=0xdfff) => unit,
            Unit::Partial => return Escape::Partial(run),
            Unit::Is(_) | Unit::Not => return lone,
        },
        _ => return lone,
    };
    let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    let c = char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER);
    Escape::Char(c, len + run + 5)
}

enum Unit {
    Is(u32),
    Partial,
    Not,
}

/// Four hexadecimal digits.
fn unit(bytes: &[u8]) -> Unit {
    let mut value = 0;
    for at in 0..4 {
        match bytes.get(at).map(|b| char::from(*b).to_digit(16)) {
            Some(Some(digit)) => value = value * 16 + digit,
            Some(None) => return Unit::Not,
            None => return Unit::Partial,
        }
    }
    Unit::Is(value)
}

impl Quoting {
    pub(super) fn write(self, value: &str, out: &mut String) {
        let (depth, whole) = match self {
            Quoting::Inside(0) => return out.push_str(value),
            Quoting::Inside(depth) => (depth, false),
            Quoting::Whole(depth) => (depth + 1, true),
            Quoting::Zero => return out.push('0'),
        };
        let mut value = escaped(value);
        if whole {
            value = format!("\"{value}\"");
        }
        for _ in 1..depth {
            value = escaped(&value);
        }
        out.push_str(&value);
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
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
    out
}
