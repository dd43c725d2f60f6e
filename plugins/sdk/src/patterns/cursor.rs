//! The view of a recogniser: the bytes from its start on, of which the last ones may not have arrived yet.

use super::{count_step, is_word_byte};
use crate::redact::{View, Wait};

/// The recogniser can't decide before more of the text has arrived: from its start on the text is undecided. With a [`Wait`] it says what
/// keeps it so, which spares a long match that comes byte by byte from being read again at each.
#[derive(Clone, Copy, Debug)]
pub struct More(pub Option<Wait>);

/// A place in the text, and what has arrived from there on.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    view: &'a View<'a>,
    bytes: &'a [u8],
    /// Whether an escaped mark is right before the start of the search: no character, for those who look back.
    escaped: Option<usize>,
    /// Where the match would start.
    pub start: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(view: &'a View<'a>, start: usize, escaped: bool) -> Cursor<'a> {
        Cursor {
            escaped: escaped.then_some(start),
            view,
            bytes: view.text.as_bytes(),
            start,
        }
    }

    /// The same of a match that would start there.
    #[must_use]
    pub fn from(&self, start: usize) -> Cursor<'a> {
        Cursor { start, ..*self }
    }

    /// The bytes that have arrived.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The text from the start to this offset, which must have arrived.
    #[must_use]
    pub fn text_to(&self, end: usize) -> &'a str {
        &self.view.text[self.start..end]
    }

    /// The byte at this offset; 0 after the end of the text.
    #[inline]
    pub fn get(&self, at: usize) -> Result<u8, More> {
        count_step();
        match self.bytes.get(at) {
            Some(byte) => Ok(*byte),
            None if self.view.end => Ok(0),
            None => Err(More(None)),
        }
    }

    /// The same of a match that may be long. It stays undecided while such bytes follow, up to so many in all.
    pub fn get_while(
        &self,
        at: usize,
        goes_on: fn(u8) -> bool,
        longest: usize,
    ) -> Result<u8, More> {
        let until = self.start + longest;
        self.get(at)
            .map_err(|_| More(Some(Wait { goes_on, until })))
    }

    /// Whether a digit stands at this offset.
    pub fn is_digit(&self, at: usize) -> Result<bool, More> {
        Ok(self.get(at)?.is_ascii_digit())
    }

    /// Whether a word goes on at this offset.
    pub fn is_word(&self, at: usize) -> Result<bool, More> {
        Ok(is_word_byte(self.get(at)?))
    }

    /// Whether these bytes stand at this offset.
    pub fn has(&self, at: usize, expected: &str) -> Result<bool, More> {
        for (n, byte) in expected.bytes().enumerate() {
            if self.get(at + n)? != byte {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the word from the start to this offset is one of these, in any case.
    pub fn is_one_of(&self, end: usize, words: &[&str]) -> Result<bool, More> {
        let word = self.text_to(end);
        if end == self.bytes.len() && !self.view.end {
            let may_become = |one: &&str| {
                let begun = one.get(..word.len());
                begun.is_some_and(|begun| begun.eq_ignore_ascii_case(word))
            };
            return match words.iter().any(may_become) {
                true => Err(More(None)),
                false => Ok(false),
            };
        }
        Ok(words.iter().any(|one| one.eq_ignore_ascii_case(word)))
    }

    /// The two characters before the start, the nearer one first.
    #[must_use]
    pub fn before(&self) -> (Option<char>, Option<char>) {
        if self.escaped == Some(self.start) {
            return (None, None);
        }
        self.view.before(self.start)
    }

    /// What stands between two groups of a number: a space or a dash, and how many bytes it takes. Those that keep a line together
    /// (no-break space, U+2011) and those of other widths count as what they look like.
    pub fn between_groups(&self, at: usize) -> Result<Option<(u8, usize)>, More> {
        Ok(match self.get(at)? {
            byte @ (b' ' | b'-') => Some((byte, 1)),
            0xc2 if self.bytes[at..].starts_with(b"\xc2\xa0") => Some((b' ', 2)),
            // A character is never cut.
            0xe2 => match self.bytes[at..] {
                [_, 0x80, 0x80..=0x8a | 0xaf, ..] => Some((b' ', 3)),
                [_, 0x80, 0x90..=0x95, ..] | [_, 0x88, 0x92, ..] => Some((b'-', 3)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Whether a number may start here. It may not after `1.` or `1-`, because it would be the rest of a longer number.
    #[must_use]
    pub fn number_may_start(&self) -> bool {
        match self.before() {
            (Some('.' | '-' | '\u{2010}'..='\u{2015}'), far) => {
                !far.is_some_and(|c| c.is_ascii_digit())
            }
            _ => true,
        }
    }

    /// Whether a number may end here: no word continues, and no longer number after a `.` or `-`.
    pub fn number_may_end(&self, at: usize) -> Result<bool, More> {
        match self.get(at)? {
            b'.' => Ok(!self.is_digit(at + 1)?),
            b'-' | 0xe2 => match self.between_groups(at)? {
                Some((b'-', width)) => Ok(!self.is_digit(at + width)?),
                _ => Ok(true),
            },
            byte => Ok(!is_word_byte(byte)),
        }
    }
}
