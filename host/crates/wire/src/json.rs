//! JSON, read where it lies: a strict scanner over one text, and what both sides of it share.
//!
//! What must stay true: nothing is built of what is scanned, so a text costs no more than itself, whatever shape it has.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;
use serde::de::IgnoredAny;

use crate::raw::unescape;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 127;

/// How much of a client's own text an error repeats, in bytes.
const REPEATED: usize = 200;

/// Bytes of a number without an exponent that no double is too small for.
const LONGEST_FINITE: usize = 300;

/// The client sent something that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong and where, in a sentence.
    pub message: String,
    /// The path of what is wrong, as in `messages[0].content`; empty where it is the body as a whole.
    pub param: String,
}

impl BadRequest {
    /// `message` is the whole sentence. Of a long path only the beginning is told.
    pub fn new(param: impl AsRef<str>, message: impl Into<String>) -> BadRequest {
        BadRequest {
            message: message.into(),
            param: cut(param.as_ref()).into_owned(),
        }
    }
}

/// A text of a client's as an error may repeat it: what is longer than 200 bytes is cut between characters.
pub fn cut(text: &str) -> Cow<'_, str> {
    cut_at(text, REPEATED)
}

/// The same, at another length.
pub(crate) fn cut_at(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(bytes)]))
}

/// Appends a string as a JSON literal.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a Vec takes every byte");
}

/// A string as a JSON literal.
pub(crate) fn literal(text: &str) -> String {
    serde_json::to_string(text).expect("a string always makes JSON")
}

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// Of a value that begins with that byte; nothing that isn't JSON is asked for here.
    pub(crate) fn of(first: Option<u8>) -> Option<Kind> {
        Some(match first? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::String,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return None,
        })
    }

    /// For a sentence.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// What a text has that no JSON has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no JSON, at about the place where the scanner stands.
    Syntax,
    /// It nests too deep.
    Depth,
    /// Half of a surrogate pair, which stands for no character.
    Surrogate,
    /// No UTF-8.
    Encoding,
    /// A number past what a double holds: infinite to some readers, an error to others.
    Number,
}

/// A string, where it lies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Literal {
    /// Its quotation marks are within.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Bytes of it without escapes.
    pub(crate) length: usize,
}

/// Goes over a text, token by token.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'t> {
    /// UTF-8, whole: whoever scans a text for the first time makes sure of that.
    pub(crate) text: &'t [u8],
    pub(crate) at: usize,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t [u8], at: usize) -> Scanner<'t> {
        Scanner { text, at }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes that byte and the space after it, if it is the next.
    pub(crate) fn takes(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        if is {
            self.at += 1;
            self.space();
        }
        is
    }

    pub(crate) fn must_take(&mut self, byte: u8) -> Result<(), Fault> {
        self.takes(byte).then_some(()).ok_or(Fault::Syntax)
    }

    /// A string, which must be the next.
    pub(crate) fn string(&mut self) -> Result<Literal, Fault> {
        let bytes = self.text;
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(Fault::Syntax);
        }
        let mut length = 0;
        self.at += 1;
        loop {
            let rest = &bytes[self.at..];
            let Some(run) = memchr2(b'"', b'\\', rest) else {
                self.at = bytes.len();
                return Err(Fault::Syntax);
            };
            if rest[..run]
                .iter()
                .fold(false, |bad, byte| bad | (*byte < 0x20))
            {
                return Err(Fault::Syntax);
            }
            length += run;
            self.at += run + 1;
            if rest[run] == b'"' {
                let end = self.at;
                return Ok(Literal { start, end, length });
            }
            length += self.escape()?;
        }
    }

    /// What comes after a backslash; bytes of the character that it stands for.
    fn escape(&mut self) -> Result<usize, Fault> {
        let byte = self.peek().ok_or(Fault::Syntax)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(1),
            b'u' => {
                let first = self.unit()?;
                if !(0xd800..0xe000).contains(&first) {
                    return Ok(char::from_u32(first.into()).map_or(0, char::len_utf8));
                }
                let pair = self.text[self.at..].starts_with(b"\\u");
                if first >= 0xdc00 || !pair {
                    return Err(Fault::Surrogate);
                }
                self.at += 2;
                match self.unit()? {
                    0xdc00..0xe000 => Ok(4),
                    _ => Err(Fault::Surrogate),
                }
            }
            _ => Err(Fault::Syntax),
        }
    }

    fn unit(&mut self) -> Result<u16, Fault> {
        let hex = self.text.get(self.at..self.at + 4);
        let mut unit = 0;
        for digit in hex.ok_or(Fault::Syntax)? {
            let digit = char::from(*digit).to_digit(16).ok_or(Fault::Syntax)?;
            unit = unit << 4 | u16::try_from(digit).unwrap_or(0);
        }
        self.at += 4;
        Ok(unit)
    }

    /// A number, or one of the three words.
    pub(crate) fn scalar(&mut self) -> Result<(), Fault> {
        for word in ["true", "false", "null"] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(());
            }
        }
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        if !exponent && self.at - start <= LONGEST_FINITE {
            return Ok(());
        }
        let number = std::str::from_utf8(&self.text[start..self.at]);
        let number = number.map(str::parse::<f64>);
        match number {
            Ok(Ok(number)) if number.is_finite() => Ok(()),
            _ => Err(Fault::Number),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(()).ok_or(Fault::Syntax)
    }

    /// Goes over a value of any kind, which must be the next, and over all that is in it.
    pub(crate) fn value(&mut self) -> Result<(), Fault> {
        // A bit for each array or object that it is in, the innermost lowest: whether it is an object.
        let (mut objects, mut depth) = (0_u128, 0);
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(Fault::Depth);
                    }
                    depth += 1;
                    objects = objects << 1 | u128::from(open == b'{');
                    self.at += 1;
                    self.space();
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => _ = self.string()?,
                _ => self.scalar()?,
            }
            // A value has ended, or one that holds others is about to.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let is_object = objects & 1 == 1;
                if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                    self.at += 1;
                    depth -= 1;
                    objects >>= 1;
                    continue;
                }
                self.must_take(b',')?;
                if is_object {
                    self.key()?;
                }
                break;
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<(), Fault> {
        self.string()?;
        self.space();
        self.must_take(b':')
    }

    /// Goes past a value that has been read before, without looking at it closely.
    pub(crate) fn skip(&mut self) {
        let bytes = self.text;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => return,
                Some(b'"') => self.skip_string(),
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(_) if depth == 0 => {
                    let ends = |byte: &u8| {
                        matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace()
                    };
                    let rest = &bytes[self.at..];
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                Some(_) => self.at += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The same, past a string.
    pub(crate) fn skip_string(&mut self) {
        let bytes = self.text;
        self.at += 1;
        while let Some(run) = memchr2(b'"', b'\\', &bytes[self.at.min(bytes.len())..]) {
            self.at += run + 1;
            if bytes[self.at - 1] == b'"' {
                return;
            }
            self.at += 1;
        }
        self.at = bytes.len();
    }

    /// The text of a string that was read.
    pub(crate) fn text(&self, literal: Literal) -> Cow<'t, str> {
        string_at(self.text, literal.start..literal.end)
    }
}

/// The text of a string that lies there, quotation marks and all. It has been read before, so it is one.
pub(crate) fn string_at(text: &[u8], place: Range<usize>) -> Cow<'_, str> {
    let literal = text.get(place).map(std::str::from_utf8);
    let text = literal.and_then(Result::ok).and_then(unescape);
    text.unwrap_or_default()
}

/// The members of an object that has been read before: key, and where the value lies.
pub(crate) fn members(
    text: &[u8],
    start: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let mut scanner = Scanner::new(text, start);
    scanner.space();
    scanner.takes(b'{');
    std::iter::from_fn(move || {
        if scanner.peek() != Some(b'"') {
            return None;
        }
        let key = scanner.at;
        scanner.skip_string();
        let key = key..scanner.at;
        scanner.space();
        scanner.takes(b':');
        let start = scanner.at;
        scanner.skip();
        let value = start..scanner.at;
        scanner.space();
        scanner.takes(b',');
        Some((key, value))
    })
}

/// The elements of an array that has been read before.
pub(crate) fn items(text: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> + Clone + '_ {
    let mut scanner = Scanner::new(text, start);
    scanner.space();
    scanner.takes(b'[');
    std::iter::from_fn(move || {
        if matches!(scanner.peek(), None | Some(b']')) {
            return None;
        }
        let start = scanner.at;
        scanner.skip();
        let value = start..scanner.at;
        scanner.space();
        scanner.takes(b',');
        Some(value)
    })
}

/// What is wrong with a text that no scanner can read; the sentence calls the text `name`.
pub(crate) fn sentence(text: &[u8], name: &str, at: usize, fault: Fault) -> String {
    let (line, column) = line_column(text, at);
    let why = match fault {
        Fault::Depth => {
            format!("recursion limit of {MAX_DEPTH} exceeded at line {line} column {column}")
        }
        Fault::Surrogate => {
            format!(
                "half of a surrogate pair stands for no character, at line {line} column {column}"
            )
        }
        Fault::Number => format!("number out of range at line {line} column {column}"),
        Fault::Encoding => format!("no UTF-8 at line {line} column {column}"),
        // Its sentences are good, and it says no value.
        Fault::Syntax => match serde_json::from_slice::<IgnoredAny>(text) {
            Err(error) => error.to_string(),
            Ok(_) => format!("unexpected character at line {line} column {column}"),
        },
    };
    format!("{name} can't be read as JSON: {why}")
}

/// Where an offset is, for people: both counted from 1, columns in bytes.
pub(crate) fn line_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    (line, before.len() - start + 1)
}

/// How deep a text that has been read nests: 0 for one that holds no others.
pub(crate) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut scanner = Scanner::new(text, 0);
    while let Some(byte) = scanner.peek() {
        match byte {
            b'"' => {
                scanner.skip_string();
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        scanner.at += 1;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether it is one value and nothing else.
    fn is_value(text: &str) -> bool {
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        scanner.space();
        let read = scanner.value();
        scanner.space();
        read.is_ok() && scanner.peek().is_none()
    }

    #[test]
    fn a_value_is_gone_over_to_its_end() {
        for text in [
            "{}",
            "[ ]",
            r#" {"a" : [1, {"b":[]} , "\n\u00e9"], "c":{ } } "#,
            "[[],{},[{}],null]",
            "-0.5e+3",
            &("[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH)),
        ] {
            assert!(is_value(text), "{text}");
        }
        for text in [
            "",
            "{",
            "[1,]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            "[1}",
            r#"{"a":[}]"#,
            "[1 2]",
            "{1:2}",
            "[01]",
            r#""\ud800""#,
            "1e999",
            &("[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1)),
        ] {
            assert!(!is_value(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_a_value_is_what_the_json_reader_takes(text in r#"[\[\]{},:"a1 ]{0,24}"#) {
            prop_assert_eq!(is_value(&text), serde_json::from_str::<IgnoredAny>(&text).is_ok());
        }
    }
}
