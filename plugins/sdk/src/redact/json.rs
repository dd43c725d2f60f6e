//! JSON text, kept beside its plain form, in which the escapes are undone.
//!
//! Broken JSON does no harm: an invalid escape is taken as it stands.

use std::cell::Cell;

use super::raw::Raw;
use super::tape::{MatchPlace, Quoting};
use super::{Found, View};

/// A stretch of JSON text.
#[derive(Debug, Default)]
pub(super) struct Json {
    raw: Raw,
    /// The open part, with the escapes inside strings undone. It has the quotes, and the text outside of strings, too.
    text: String,
    /// The undone escapes, in order: where each of them ends in `text` and in `raw`.
    escapes: Vec<(usize, usize)>,
    /// How much of `raw` is in `text`. The rest is the beginning of an escape.
    read: usize,
    /// Whether `raw[read..]` starts inside a string.
    inside: bool,
    /// The last offset of `text` that was asked about, and whether it is inside a string. So a text is walked once, however
    /// many matches it has.
    last: Cell<(usize, bool)>,
}

impl Json {
    pub(super) fn decided(&self) -> &str {
        self.raw.decided()
    }

    pub(super) fn raw(&self) -> &str {
        self.raw.open()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn push(&mut self, delta: &str, end: bool) {
        self.raw.push(delta);
        let raw = self.raw.open();
        while self.read < raw.len() {
            let rest = &raw[self.read..];
            if !self.inside {
                let plain = rest.find('"').map_or(rest.len(), |at| at + 1);
                self.inside = rest[..plain].ends_with('"');
                self.text.push_str(&rest[..plain]);
                self.read += plain;
                continue;
            }
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            self.text.push_str(&rest[..plain]);
            let rest = &rest[plain..];
            self.read += plain;
            if rest.starts_with('"') {
                self.inside = false;
                self.text.push('"');
                self.read += 1;
            } else if !rest.is_empty() {
                match unescape(rest) {
                    Escape::Char(c, len) => {
                        self.text.push(c);
                        self.read += len;
                        self.escapes.push((self.text.len(), self.read));
                    }
                    Escape::Partial if !end => return,
                    Escape::Partial | Escape::None => {
                        self.text.push('\\');
                        self.read += 1;
                    }
                }
            }
        }
    }

    pub(super) fn raw_at(&self, at: usize) -> usize {
        let past = self.escapes.partition_point(|(text, _)| *text <= at);
        match past.checked_sub(1).map(|last| self.escapes[last]) {
            Some((text, raw)) => raw + (at - text),
            None => at,
        }
    }

    /// The quotes in this stretch of `text` that open or close a string.
    fn quotes(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let found = self.text[from..to].match_indices('"');
        found.map(move |(at, _)| from + at).filter(|at| {
            self.escapes
                .binary_search_by_key(&(at + 1), |(text, _)| *text)
                .is_err()
        })
    }

    /// Whether this offset of `text` is inside a string. Offsets come in order.
    fn inside_at(&self, at: usize) -> bool {
        let (from, inside) = self.last.get();
        let inside = inside ^ (self.quotes(from, at).count() % 2 == 1);
        self.last.set((at, inside));
        inside
    }

    /// Inside a string a match ends with the string. Outside, it is replaced where it is a whole value.
    pub(super) fn place(&self, view: &View<'_>, found: Found) -> MatchPlace {
        let inside = self.inside_at(found.start);
        let quote = self.quotes(found.start, found.end).next();
        if inside {
            return match quote {
                None => MatchPlace::At(found, Quoting::Inside),
                Some(end) if end > found.start => {
                    MatchPlace::At(Found { end, ..found }, Quoting::Inside)
                }
                Some(_) => MatchPlace::Nowhere,
            };
        }
        let beside =
            |c: Option<char>| c.is_none_or(|c| c.is_ascii_whitespace() || ",:[]{}".contains(c));
        let next = self.text[found.end..].chars().next();
        if quote.is_some() || !beside(view.before(found.start).0) {
            MatchPlace::Nowhere
        } else if next.is_none() && !view.end {
            MatchPlace::Undecided
        } else if beside(next) {
            MatchPlace::At(found, Quoting::Whole)
        } else {
            MatchPlace::Nowhere
        }
    }

    pub(super) fn decide(&mut self, to: usize, raw_to: usize) {
        self.last.set((0, self.inside_at(to)));
        self.text.drain(..to);
        self.raw.decide(raw_to);
        self.read = self.read.saturating_sub(raw_to);
        self.escapes.retain_mut(|(text, raw)| {
            let stays = *text > to;
            if stays {
                *text -= to;
                *raw -= raw_to;
            }
            stays
        });
    }

    pub(super) fn let_go(&mut self, bytes: usize) {
        self.raw.let_go(bytes);
    }
}

enum Escape {
    /// This character, written in this many bytes.
    Char(char, usize),
    /// More must follow.
    Partial,
    None,
}

/// The escape that this text starts with. A surrogate without its other half counts as U+FFFD.
fn unescape(text: &str) -> Escape {
    let bytes = text.as_bytes();
    let short = match bytes.get(1) {
        None => return Escape::Partial,
        Some(b'u') => None,
        Some(b'n') => Some('\n'),
        Some(b'r') => Some('\r'),
        Some(b't') => Some('\t'),
        Some(b'b') => Some('\u{8}'),
        Some(b'f') => Some('\u{c}'),
        Some(c @ (b'"' | b'\\' | b'/')) => Some(char::from(*c)),
        Some(_) => return Escape::None,
    };
    if let Some(c) = short {
        return Escape::Char(c, 2);
    }
    let first = match unit(&bytes[2..]) {
        Unit::Is(unit) => unit,
        Unit::Partial => return Escape::Partial,
        Unit::Not => return Escape::None,
    };
    if let Some(c) = char::from_u32(first) {
        return Escape::Char(c, 6);
    }
    const LONE: Escape = Escape::Char(char::REPLACEMENT_CHARACTER, 6);
    if first >= 0xdc00 {
        return LONE;
    }
    let second = match &bytes[6..] {
        [] | [b'\\'] => return Escape::Partial,
        [b'\\', b'u', rest @ ..] => match unit(rest) {
            Unit::Is(unit @ 0xdc00..=0xdfff) => unit,
            Unit::Partial => return Escape::Partial,
            Unit::Is(_) | Unit::Not => return LONE,
        },
        _ => return LONE,
    };
    let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Escape::Char(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
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
