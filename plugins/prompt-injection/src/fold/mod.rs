//! Folding: what a reader reads, in one form.
//!
//! Lower case, compatibility forms and accents undone, invisible characters gone, white space and quotation marks of one
//! kind each. Words in disguise (lookalike letters, digits for letters, letters spaced out, words run together) are
//! repaired where the result is an anchor word, and only there: ids and code stay as they are.

mod char_fold;
pub(crate) mod escapes;
pub(crate) mod hidden;
pub(crate) mod lookalikes;

pub(crate) use char_fold::{fold_char, plain};

use crate::lexicon::Lexicon;
use crate::steps;
use escapes::{entity, json_escape};

/// A word in disguise is no longer than this, in bytes.
pub(crate) const LONGEST_DISGUISE: usize = 40;
/// Letters standing alone, from which on they are looked at as a word spelt out.
pub(crate) const SPELT_OUT: u32 = 4;
/// Letters in a row, from which on they may be several words.
pub(crate) const RUN_TOGETHER: usize = 14;

/// Letters in a row, up to which they may be.
pub(crate) const LONGEST_RUN: usize = 400;

/// Folded text.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The text. White space is single spaces.
    pub(crate) text: String,
    /// Where its lines begin, but for the first.
    pub(crate) lines: Vec<u32>,
    /// Words that were in disguise.
    pub(crate) disguised: u32,
    /// Invisible characters between two letters of the Latin alphabet.
    pub(crate) invisible: u32,
}

/// The fold's working state; kept between chunks to keep its buffers.
pub(crate) struct Folder<'a> {
    lexicon: &'a Lexicon,
    out: Folded,
    word: Word,
    alone: Alone,
}

/// The word being read.
#[derive(Default)]
struct Word {
    open: bool,
    start: usize,
    /// Letters a-z.
    latin: u32,
    /// Letters of other scripts that have a Latin lookalike.
    foreign: u32,
    /// Digits and signs that stand for letters.
    leet: u32,
    /// Anything else.
    other: u32,
}

/// The run of letters standing alone that may be a word spelt out.
#[derive(Default)]
struct Alone {
    count: u32,
    start: usize,
    end: usize,
    letters: String,
}

impl<'a> Folder<'a> {
    /// A folder that repairs towards the words of `lexicon`.
    pub(crate) fn new(lexicon: &'a Lexicon) -> Self {
        Folder {
            lexicon,
            out: Folded::default(),
            word: Word::default(),
            alone: Alone::default(),
        }
    }

    /// Folds `raw`. What an earlier call returned is gone.
    pub(crate) fn fold(&mut self, raw: &str) -> &Folded {
        steps::took(raw.len());
        self.out.text.clear();
        self.out.text.reserve(raw.len() + 16);
        self.out.lines.clear();
        (self.out.disguised, self.out.invisible) = (0, 0);
        let bytes = raw.as_bytes();
        let mut at = 0;
        while let Some(&b) = bytes.get(at) {
            if b.is_ascii() {
                at += self.ascii(b, bytes, at);
            } else {
                let c = raw[at..].chars().next().unwrap_or('\u{FFFD}');
                if hidden::is_ignorable(c) {
                    let next = bytes.get(at + c.len_utf8());
                    if at > 0
                        && bytes[at - 1].is_ascii_alphabetic()
                        && next.is_some_and(u8::is_ascii_alphabetic)
                    {
                        self.out.invisible += 1;
                    }
                } else {
                    fold_char(c, &mut |c| self.push(c));
                }
                at += c.len_utf8();
            }
        }
        self.end_word();
        self.end_alone();
        &self.out
    }

    /// Takes an ASCII character, or an escape that starts with it. Returns the bytes used.
    #[inline]
    fn ascii(&mut self, b: u8, bytes: &[u8], at: usize) -> usize {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => return self.letters(&bytes[at..]),
            b'\\' => {
                if let Some((c, used)) = json_escape(&bytes[at..]) {
                    fold_char(c, &mut |c| self.push(c));
                    return used;
                }
                self.push('\\');
            }
            b'&' => {
                if let Some((c, used)) = entity(&bytes[at..]) {
                    fold_char(c, &mut |c| self.push(c));
                    return used;
                }
                self.push('&');
            }
            b'%' => {
                if let Some((c, used)) = escapes::percent(&bytes[at..]) {
                    self.push(c.to_ascii_lowercase());
                    return used;
                }
                self.push('%');
            }
            _ => self.push(char::from(b)),
        }
        1
    }

    /// Takes the letters that `bytes` begin with, and returns how many.
    #[inline]
    fn letters(&mut self, bytes: &[u8]) -> usize {
        let letter = |b: &u8| b.is_ascii_alphabetic();
        let run = bytes.iter().position(|b| !letter(b)).unwrap_or(bytes.len());
        self.begin_word();
        self.word.latin += run as u32;
        let lower = bytes[..run].iter().map(|b| char::from(b | 0x20));
        self.out.text.extend(lower);
        run
    }

    #[inline]
    fn letter(&mut self, b: u8) {
        self.begin_word();
        self.word.latin += 1;
        self.out.text.push(char::from(b));
    }

    fn push(&mut self, c: char) {
        if c.is_ascii() {
            let b = c as u8;
            if b.is_ascii_alphabetic() {
                return self.letter(b);
            }
            if lookalikes::leet(b).is_some() {
                self.begin_word();
                self.word.leet += 1;
            } else if b.is_ascii_digit() {
                self.begin_word();
                self.word.other += 1;
            } else {
                self.end_word();
                if matches!(b, b'\n' | b'\r') {
                    return self.line();
                }
                if b.is_ascii_whitespace() || b == 0 {
                    return self.space();
                }
            }
        } else if is_letter(c) {
            self.begin_word();
            match lookalikes::foreign(c) {
                Some(_) => self.word.foreign += 1,
                None => self.word.other += 1,
            }
        } else {
            self.end_word();
            if c.is_whitespace() {
                return if matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') {
                    self.line()
                } else {
                    self.space()
                };
            }
        }
        self.out.text.push(c);
    }

    fn space(&mut self) {
        if !self.out.text.ends_with(' ') {
            self.out.text.push(' ');
        }
    }

    fn line(&mut self) {
        self.space();
        let at = self.out.text.len() as u32;
        if self.out.lines.last() != Some(&at) {
            self.out.lines.push(at);
        }
    }

    #[inline]
    fn begin_word(&mut self) {
        if !self.word.open {
            self.word = Word {
                open: true,
                start: self.out.text.len(),
                ..Word::default()
            };
        }
    }

    #[inline]
    fn end_word(&mut self) {
        if !self.word.open {
            return;
        }
        self.word.open = false;
        let length = self.out.text.len() - self.word.start;
        if self.word.foreign > 0 || self.word.leet > 0 {
            self.repair();
        }
        if length <= 2 && self.out.text[self.word.start..].chars().count() == 1 {
            return self.stands_alone();
        }
        if self.alone.count > 0 {
            self.end_alone();
        }
        if length >= RUN_TOGETHER && length == self.word.latin as usize {
            self.cut();
        }
    }

    /// Undoes lookalikes and digits for letters, if an anchor word comes out, or if the word mixes scripts.
    fn repair(&mut self) {
        let Word {
            start,
            latin,
            foreign,
            leet,
            other,
            ..
        } = self.word;
        let word = &self.out.text[start..];
        let bare = word.trim_end_matches('!');
        if other > 0
            || word.len() > LONGEST_DISGUISE
            || bare.is_empty()
            || leet > latin + foreign + 2
        {
            return;
        }
        if latin == 0 && foreign < 3 || latin + foreign < 2 {
            return;
        }
        let letters = |one: char| -> String {
            bare.chars()
                .map(|c| match c {
                    '1' | '!' => one,
                    c if c.is_ascii() => lookalikes::leet(c as u8).map_or(c, char::from),
                    c => lookalikes::foreign(c).unwrap_or(c),
                })
                .collect()
        };
        let mixed = foreign > 0 && latin > 0 && leet == 0;
        let mut repaired = letters('i');
        if repaired == bare {
            return;
        }
        if !self.lexicon.knows(repaired.as_bytes()) && !mixed {
            if !bare.contains(['1', '!']) {
                return;
            }
            repaired = letters('l');
            if !self.lexicon.knows(repaired.as_bytes()) {
                return;
            }
        }
        let tail = word.len() - bare.len();
        self.out.text.truncate(start);
        self.out.text.push_str(&repaired);
        self.out.text.extend(std::iter::repeat_n('!', tail));
        self.out.disguised += 1;
    }

    /// Cuts words that were run together.
    fn cut(&mut self) {
        if self.out.text.len() - self.word.start > LONGEST_RUN {
            return;
        }
        if let Some(words) = self.lexicon.segment(&self.out.text[self.word.start..]) {
            self.out.text.truncate(self.word.start);
            self.out.text.push_str(&words);
            self.out.disguised += 1;
        }
    }

    fn stands_alone(&mut self) {
        if self.alone.count > 0 && self.word.start - self.alone.end > 3 {
            self.end_alone();
        }
        if self.alone.count == 0 {
            self.alone.start = self.word.start;
        }
        let Some(c) = self.out.text[self.word.start..].chars().next() else {
            return;
        };
        self.alone.letters.push(lookalikes::letter(c).unwrap_or(c));
        self.alone.count += 1;
        self.alone.end = self.out.text.len();
    }

    /// Ends a run of letters standing alone; puts the words that it spells in its place.
    fn end_alone(&mut self) {
        let Alone {
            count, start, end, ..
        } = self.alone;
        if count >= SPELT_OUT
            && let Some(words) = self.lexicon.segment(&self.alone.letters)
        {
            let shifted = |at: usize| at + words.len() - (end - start);
            self.out.text.replace_range(start..end, &words);
            let lines = &mut self.out.lines;
            lines.retain(|&line| line as usize <= start || line as usize >= end);
            for line in lines.iter_mut().filter(|line| **line as usize >= end) {
                *line = shifted(*line as usize) as u32;
            }
            if self.word.start >= end {
                self.word.start = shifted(self.word.start);
            }
            self.out.disguised += 1;
        }
        self.alone.count = 0;
        self.alone.letters.clear();
    }
}

#[inline]
fn is_letter(c: char) -> bool {
    matches!(c, 'а'..='я' | '一'..='鿿') || c.is_alphanumeric()
}

#[cfg(test)]
mod tests;
