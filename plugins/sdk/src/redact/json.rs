//! Where in a text JSON stands, and how a replacement is written there.
//!
//! The walker reads a text byte by byte. A document may begin at any `{` or `[`; as soon as what follows can't be JSON, the
//! text is text again. JSON in a string of a document is read as well, and JSON in a string of that. So the answer for a place
//! depends on the bytes before it alone, however the text is cut, and a text that is no JSON is never changed for it.

use super::Found;
use super::doc::{Doc, Next};
use super::tape::{MatchPlace, Quoting, Tape};

/// How deep strings within strings are read.
const LEVELS: u32 = 5;

/// Where in JSON a place of a text is.
#[derive(Debug, Default)]
pub(super) struct Json {
    /// The documents around the place, outermost first. In all but the last a string is open.
    docs: Vec<Doc>,
    /// How many backslashes come right before.
    run: u32,
    /// Nothing but space has come.
    fresh: bool,
    /// The place, in bytes of the tape's open part.
    at: usize,
}

impl Json {
    /// A text that may hold documents, or be one.
    pub(super) fn text() -> Json {
        Json {
            fresh: true,
            ..Json::default()
        }
    }

    /// A text that is a document, even where it is a bare value.
    pub(super) fn document() -> Json {
        Json {
            docs: vec![Doc::value(0)],
            ..Json::default()
        }
    }

    /// Text may have come before.
    pub(super) fn may_have_begun(&mut self) {
        self.fresh = false;
    }

    /// Whether the place is in no JSON, and nothing that came matters to what comes.
    pub(super) fn is_text(&self) -> bool {
        self.docs.is_empty() && self.run == 0
    }

    /// Goes on to this offset of the open part.
    pub(super) fn walk(&mut self, raw: &[u8], to: usize) {
        while self.at < to {
            self.skip(raw, to);
            if self.at < to {
                self.step(raw[self.at]);
                self.at += 1;
            }
        }
    }

    /// The first bytes of the open part, to which the walk must have come, are gone.
    pub(super) fn decide(&mut self, bytes: usize) {
        self.at -= bytes;
    }

    /// Passes what stands in a text or a string and has no meaning there.
    fn skip(&mut self, raw: &[u8], to: usize) {
        if self.run > 0 || self.fresh || self.is_bare() {
            return;
        }
        let rest = &raw[self.at..to];
        let means = |b: &u8| matches!(b, b'{' | b'[' | b'\\' | b'"');
        self.at += rest.iter().position(means).unwrap_or(rest.len());
    }

    /// Whether the place is in a document and outside of its strings.
    fn is_bare(&self) -> bool {
        self.docs.last().is_some_and(|doc| !doc.in_string())
    }

    /// How many strings are around the place: so often is escaped what is written there.
    fn depth(&self) -> u32 {
        match self.docs.last() {
            None => 0,
            Some(doc) => doc.level + u32::from(doc.in_string()),
        }
    }

    fn step(&mut self, byte: u8) {
        if byte == b'\\' {
            self.fresh = false;
            self.run = self.run.saturating_add(1);
            return;
        }
        let run = std::mem::take(&mut self.run);
        if byte == b'"' {
            // Each string around a quote doubles the backslashes before it and adds one for the quote.
            self.quote(run.trailing_ones());
            return;
        }
        if self.fresh && !byte.is_ascii_whitespace() {
            self.fresh = false;
        }
        if let Some(doc) = self.docs.last_mut().filter(|doc| !doc.in_string()) {
            // Within a string, the space between values may be escaped.
            let byte = match (run, byte) {
                (0, byte) => byte,
                (_, b'n' | b'r' | b't') if doc.level > 0 => b' ',
                _ => 0,
            };
            match doc.step(byte) {
                Next::Goes => return,
                Next::Ends => {
                    self.docs.pop();
                    return;
                }
                Next::Breaks => {
                    self.docs.pop();
                }
            }
        }
        let level = self.depth();
        if run == 0 && level < LEVELS && matches!(byte, b'{' | b'[') {
            self.docs.push(Doc::open(level, byte));
        }
    }

    fn quote(&mut self, level: u32) {
        // A quote of an outer string ends all that was begun in it.
        while self.docs.last().is_some_and(|doc| doc.level > level) {
            self.docs.pop();
        }
        if std::mem::take(&mut self.fresh) && level == 0 {
            self.docs.push(Doc::value(0));
        }
        let Some(doc) = self.docs.last_mut() else {
            return;
        };
        if doc.in_string() && doc.level != level {
            return;
        }
        if level > LEVELS || doc.quote(level) != Next::Goes {
            self.docs.pop();
        }
    }

    /// Where this match may be replaced: inside a string, up to the string's end; outside of strings, where it is a whole value,
    /// which becomes a string; after a
    /// minus as a zero, since the sign may be gone already; in a text anywhere.
    pub(super) fn place(&mut self, tape: &Tape, end: bool, found: Found) -> MatchPlace {
        let raw = tape.raw().as_bytes();
        let (from, to) = (tape.raw_at(found.start), tape.raw_at(found.end));
        self.walk(raw, from);
        let mut bare = self.is_bare();
        let doc = self.docs.last().filter(|_| bare);
        let value = doc.is_some_and(Doc::awaits_value);
        let digits = doc.is_some_and(Doc::awaits_digits);
        // The walk can't go back, so what follows must be there before it goes through the match.
        let goes_on = match (raw.get(to), raw.get(to + 1)) {
            (None, _) | (Some(b'.'), None) if bare && !end => return MatchPlace::Undecided,
            (Some(b'.'), next) => next.is_some_and(u8::is_ascii_digit),
            (next, _) => next.is_some_and(u8::is_ascii_alphanumeric),
        };
        let (mut around, mut depth) = (self.docs.len(), self.depth());
        while self.at < to {
            self.step(raw[self.at]);
            self.at += 1;
            let (now, now_bare) = (self.docs.len(), self.is_bare());
            if bare {
                if now < around && !now_bare {
                    // It was no JSON.
                    (bare, around, depth) = (false, now, self.depth());
                } else if now != around || !now_bare {
                    return MatchPlace::Nowhere;
                }
            } else if now < around || now == around && around > 0 && now_bare {
                let end = tape.text_at(self.at - 1);
                return if end > found.start {
                    MatchPlace::At(Found { end, ..found }, Quoting::Inside(depth))
                } else {
                    MatchPlace::Nowhere
                };
            }
        }
        if !bare {
            MatchPlace::At(found, Quoting::Inside(depth))
        } else if goes_on {
            MatchPlace::Nowhere
        } else if value {
            MatchPlace::At(found, Quoting::Whole(depth))
        } else if digits {
            MatchPlace::At(found, Quoting::Zero)
        } else {
            MatchPlace::Nowhere
        }
    }
}
