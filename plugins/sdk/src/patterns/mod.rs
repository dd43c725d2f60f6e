//! Finders of what has a shape: an e-mail address, a card's number, a ticket of yours.
//!
//! [`Patterns`] takes regular expressions, and has some ready: [`Pattern::email`], [`Pattern::key`], [`Pattern::card`]. Where an expression
//! doesn't tell, because numbers are checked or words nearby count, a finder is built from recognisers, functions that each know one thing.
//!
//! [`Recognisers`] is what their author writes; [`scan`] makes the [`Finder::scan`](crate::redact::Finder::scan) of it. It goes over the text once,
//! and asks at the start of each word, behind each `_` and each letter with an accent in it, and at each of the marks that a match may begin with,
//! whether something is there. A mark that an address escapes (`%3D`) is a border like any other. The answer is one of
//! three: a match, none, or [`More`], which says *undecided from here*. A recogniser gets that answer for nothing: it reads the text through a
//! [`Cursor`], whose methods return [`More`] where the text has not arrived yet, and hands it on with `?`. So what is held back is exact:
//! everything from the first word that may still become a match, and nothing else.
//!
//! What must stay true, so that the same is found wherever a text is cut:
//!
//! - A recogniser looks at no more than the two characters before its start ([`Cursor::before`]).
//! - It decides only when nothing that may follow can change its decision, which the cursor sees to.
//! - It has a greatest length, so that no text stays undecided for long, and a long text is linear work.
//!
//! ```
//! use witgate_policy::patterns::{self, At, Cursor, More, Recognisers, Word};
//! use witgate_policy::redact::{Finder, Form, Scan, View, redact_all};
//!
//! /// `T-` and five digits.
//! struct Tickets;
//!
//! impl Recognisers for Tickets {
//!     type Memory = ();
//!
//!     fn at(&self, cursor: &Cursor<'_>, _word: &Word, _memory: &mut ()) -> Result<Option<At>, More> {
//!         if !cursor.has(cursor.start, "T-")? {
//!             return Ok(None);
//!         }
//!         for at in cursor.start + 2..cursor.start + 7 {
//!             if !cursor.is_digit(at)? {
//!                 return Ok(None);
//!             }
//!         }
//!         let end = cursor.start + 7;
//!         Ok((!cursor.is_word(end)?).then_some(At::Found { start: cursor.start, end, kind: 0 }))
//!     }
//! }
//!
//! impl Finder for Tickets {
//!     fn scan(&self, view: &View<'_>, from: usize) -> Scan {
//!         patterns::scan(self, view, from)
//!     }
//!     fn replace(&self, _kind: usize, _value: &str, out: &mut String) {
//!         out.push_str("[TICKET]");
//!     }
//! }
//!
//! let text = redact_all(Tickets, Form::Text, "See T-12345, not T-123456.");
//! assert_eq!(text.as_deref(), Some("See [TICKET], not T-123456."));
//! ```

mod automaton;
mod bytes;
mod cursor;
mod expressions;

#[cfg(test)]
mod tests;

pub use bytes::{Bytes, is_word, is_word_byte, width};
pub use cursor::{Cursor, More};
pub use expressions::{Pattern, Patterns};

use crate::redact::{Found, Scan, View};
use bytes::{MARK, WORD};

/// `Ok(Some(end))` where the pattern was found, `Ok(None)` where it isn't there, or [`More`] of the text is needed.
pub type Answer<T = usize> = Result<Option<T>, More>;

/// What to look for.
pub trait Recognisers {
    /// What recognisers know of the text within one search, so that none walks the same run of bytes twice. Mostly `()`.
    type Memory: Default;

    /// With which bytes a match may begin, although they begin no word.
    const MARKS: Bytes = Bytes::NONE;

    /// What is at the cursor's start, where a word, a part of one or a mark begins. The first recogniser that finds something, or needs more of the text,
    /// decides.
    fn at(
        &self,
        cursor: &Cursor<'_>,
        word: &Word,
        memory: &mut Self::Memory,
    ) -> Result<Option<At>, More>;
}

/// The word, or the mark, that a match would begin with. Most words are followed by what no match has there, and that is cheaper to ask first
/// than each recogniser.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Its first byte.
    pub first: u8,
    /// Whether it is a mark.
    pub is_mark: bool,
    /// Whether a longer word goes before it: it begins behind `_`, or behind a letter with an accent.
    pub is_joined: bool,
    /// In bytes, to the end of the whole word. 1 for a mark.
    pub length: usize,
    /// The byte after it, where that has come.
    pub next: Option<u8>,
}

impl Word {
    /// Whether one of these bytes may follow.
    #[must_use]
    pub fn may_precede(&self, bytes: &[u8]) -> bool {
        self.next.is_none_or(|next| bytes.contains(&next))
    }
}

/// What is at a place.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// A match. It may start behind the word that announces it.
    Found {
        /// Its first byte.
        start: usize,
        /// The byte after its last one.
        end: usize,
        /// Which kind.
        kind: usize,
    },
    /// What looks like a match and is none: the search goes on there.
    Past(usize),
}

/// The first match at or after `from`, or from where on the text is undecided.
pub fn scan<P: Recognisers>(patterns: &P, view: &View<'_>, from: usize) -> Scan {
    let classes = const { &bytes::classes(P::MARKS) };
    let bytes = view.text.as_bytes();
    let mut at = from;
    let before = view.before(from).0;
    let mut in_word = before.is_some_and(is_word);
    let mut joined = before.is_some_and(is_joint);
    // Where the word ends that was looked at last.
    let mut word_to = from;
    // The escape right before this place.
    let mut escape = None;
    let mut memory = P::Memory::default();
    while at < bytes.len() {
        count_step();
        let class = classes[usize::from(bytes[at])];
        if class == 0 {
            if bytes[at] == b'%' {
                match escapes_a_mark(&bytes[at..]) {
                    Escape::Whole => {
                        escape = Some(at);
                        (in_word, joined) = (false, false);
                        at += 3;
                        continue;
                    }
                    Escape::Begun if !view.end => return Scan::Clear(at),
                    _ => {}
                }
            }
            (in_word, joined) = (false, false);
            escape = None;
            at += 1;
            continue;
        }
        let is_word = class & WORD != 0;
        if is_word && at >= word_to {
            word_to = word_end(bytes, at);
        }
        let end = if is_word { word_to } else { at + 1 };
        let begins = !in_word || joined && bytes[at].is_ascii_alphanumeric();
        if class & MARK != 0 || is_word && begins {
            let word = Word {
                first: bytes[at],
                is_mark: class & MARK != 0,
                is_joined: in_word,
                length: end - at,
                next: bytes.get(end).copied(),
            };
            let cursor = Cursor::new(view, at, escape.is_some());
            match patterns.at(&cursor, &word, &mut memory) {
                Ok(None) => {}
                Ok(Some(At::Past(end))) => {
                    at = end;
                    (in_word, joined, escape) = (true, false, None);
                    continue;
                }
                Ok(Some(At::Found { start, end, kind })) => {
                    return Scan::Found(Found { start, end, kind });
                }
                Err(More(wait)) => {
                    // What stands before an escape tells no longer that it is one.
                    let from = escape.unwrap_or(at);
                    return match wait {
                        None => Scan::Clear(from),
                        Some(wait) => Scan::Waits(from, wait),
                    };
                }
            }
        }
        escape = None;
        in_word = is_word;
        joined = false;
        if is_word {
            at = joint(bytes, at, word_to);
            joined = at < word_to;
        } else {
            at += 1;
        }
    }
    match escape {
        Some(escape) if !view.end => Scan::Clear(escape),
        _ => Scan::Clear(bytes.len()),
    }
}

enum Escape {
    Whole,
    Begun,
    No,
}

/// Whether these bytes begin with a mark as addresses escape it: `%3D`, `%20`. What follows begins a word.
fn escapes_a_mark(bytes: &[u8]) -> Escape {
    let hex = |at: usize| bytes.get(at).map(|byte| char::from(*byte).to_digit(16));
    match (hex(1), hex(2)) {
        (Some(Some(high)), Some(Some(low))) => {
            let byte = high * 16 + low;
            let part_of_a_word = u8::try_from(byte)
                .is_ok_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii());
            match part_of_a_word {
                true => Escape::No,
                false => Escape::Whole,
            }
        }
        (None, _) | (Some(Some(_)), None) => Escape::Begun,
        _ => Escape::No,
    }
}

/// Where the next part of the word begins: behind a `_`, or behind a letter with an accent. `end` where it has none.
fn joint(bytes: &[u8], mut at: usize, end: usize) -> usize {
    loop {
        let is_joint = bytes[at] == b'_' || bytes[at] >= 0x80;
        at += width(bytes[at]);
        if at >= end || is_joint && bytes[at].is_ascii_alphanumeric() {
            return at.min(end);
        }
    }
}

/// Whether a value may begin behind this character, though the word goes on.
fn is_joint(c: char) -> bool {
    c == '_' || !c.is_ascii() && is_word(c)
}

/// Where the word around these bytes ends.
fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && is_word_byte(bytes[at]) {
        count_step();
        at += width(bytes[at]);
    }
    at
}

/// Counts that a byte is looked at, where tests ask for it (`testing::steps`). Cursors do so by themselves.
#[inline(always)]
pub fn count_step() {
    #[cfg(not(target_family = "wasm"))]
    crate::testing::count_step();
}
