//! A body under change: the part that an edit reached as arrays and objects, and the rest as the bytes that it is.
//!
//! What must stay true: only what an edit goes through is taken apart, one layer at a time; every value that it doesn't change is
//! written as it came, digit for digit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::members::Members;
use crate::index::Span;
use crate::json::{Kind, Scanner, items, literal, members, string_at};
use crate::steps;

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// As it lies in the body.
    Raw(Span),
    /// JSON that was put there.
    New(Box<str>),
    Array(Vec<Node>),
    Object(Members),
}

/// The key of a member.
#[derive(Clone, Debug)]
pub(super) enum Key {
    /// A literal in the body.
    Raw(Span),
    New(Box<str>),
}

/// Strings of the body that get others in their place: where a literal begins, where it ends, and the new one.
pub(super) type Splices = BTreeMap<u32, (u32, Box<str>)>;

impl Key {
    pub(super) fn is(&self, body: &[u8], name: &str) -> bool {
        match self {
            Key::Raw(span) => string_at(body, span.range()) == name,
            Key::New(key) => **key == *name,
        }
    }

    pub(super) fn name<'k>(&'k self, body: &'k [u8]) -> Cow<'k, str> {
        match self {
            Key::Raw(span) => string_at(body, span.range()),
            Key::New(key) => Cow::Borrowed(key),
        }
    }
}

impl Node {
    /// Takes one layer apart, where this is an array or an object.
    pub(super) fn open(&mut self, body: &[u8]) -> &mut Node {
        let range = |range: Range<usize>| Span::of(range.start, range.end);
        let opened = match self {
            Node::Raw(span) => {
                steps::took(span.range().len());
                let mut scanner = Scanner::new(body, span.start as usize);
                scanner.space();
                let start = scanner.at;
                match Kind::of(scanner.peek()) {
                    Some(Kind::Object) => {
                        let members = members(body, start);
                        let open = members
                            .map(|(key, value)| (Key::Raw(range(key)), Node::Raw(range(value))));
                        Node::Object(Members::of(body, open))
                    }
                    Some(Kind::Array) => Node::Array(
                        items(body, start)
                            .map(|item| Node::Raw(range(item)))
                            .collect(),
                    ),
                    _ => return self,
                }
            }
            Node::New(json) => {
                steps::took(json.len());
                let text = json.as_bytes();
                let new = |place: Range<usize>| Node::New(json[place].into());
                match Kind::of(text.trim_ascii_start().first().copied()) {
                    Some(Kind::Object) => {
                        let members = members(text, 0);
                        let open = members.map(|(key, value)| {
                            (Key::New(string_at(text, key).into()), new(value))
                        });
                        Node::Object(Members::of(body, open))
                    }
                    Some(Kind::Array) => Node::Array(items(text, 0).map(new).collect()),
                    _ => return self,
                }
            }
            Node::Array(_) | Node::Object(_) => return self,
        };
        *self = opened;
        self
    }

    /// Writes it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>, body: &[u8], splices: &Splices) {
        match self {
            Node::Raw(span) => write_span(out, body, *span, splices),
            Node::New(json) => {
                steps::took(json.len());
                out.extend_from_slice(json.as_bytes());
            }
            Node::Array(items) => {
                steps::took(items.len());
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out, body, splices);
                }
                out.push(b']');
            }
            Node::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    steps::took(1);
                    if index > 0 {
                        out.push(b',');
                    }
                    write_key(out, body, key, splices);
                    value.write(out, body, splices);
                }
                out.push(b'}');
            }
        }
    }

    /// Writes an object's keys, and of each value what it is: a long string as another one, and nothing that is in an array or an object.
    pub(super) fn write_outline(&self, out: &mut Vec<u8>, body: &[u8], splices: &Splices) {
        let Node::Object(members) = self else {
            return self.write(out, body, splices);
        };
        out.push(b'{');
        for (index, (key, value)) in members.iter().enumerate() {
            steps::took(1);
            if index > 0 {
                out.push(b',');
            }
            write_key(out, body, key, splices);
            let first = match value {
                Node::Raw(span) => body[span.range()].trim_ascii_start().first(),
                Node::New(json) => json.trim_ascii_start().as_bytes().first(),
                Node::Array(_) => Some(&b'['),
                Node::Object(_) => Some(&b'{'),
            };
            match Kind::of(first.copied()) {
                Some(Kind::Array) => out.extend_from_slice(b"[]"),
                Some(Kind::Object) => out.extend_from_slice(b"{}"),
                Some(Kind::String) if value.length() > WORD => out.extend_from_slice(LONG),
                _ => value.write(out, body, splices),
            }
        }
        out.push(b'}');
    }

    pub(super) fn is_number(&self, body: &[u8]) -> bool {
        let json = match self {
            Node::Raw(span) => &body[span.range()],
            Node::New(json) => json.as_bytes(),
            Node::Array(_) | Node::Object(_) => return false,
        };
        Kind::of(json.trim_ascii_start().first().copied()) == Some(Kind::Number)
    }

    /// Bytes of a value that isn't taken apart.
    fn length(&self) -> usize {
        match self {
            Node::Raw(span) => span.range().len(),
            Node::New(json) => json.len(),
            Node::Array(_) | Node::Object(_) => 0,
        }
    }
}

/// Longer than any word that has a meaning, in bytes, and what stands for such a string: no word that has one.
const WORD: usize = 512;
const LONG: &[u8] = b"\"a long one\"";

fn write_key(out: &mut Vec<u8>, body: &[u8], key: &Key, splices: &Splices) {
    match key {
        Key::Raw(span) => write_span(out, body, *span, splices),
        Key::New(key) => out.extend_from_slice(literal(key).as_bytes()),
    }
    out.push(b':');
}

fn write_span(out: &mut Vec<u8>, body: &[u8], span: Span, splices: &Splices) {
    steps::took(span.range().len());
    let mut at = span.start;
    for (start, (end, new)) in splices.range(span.start..span.end) {
        out.extend_from_slice(&body[at as usize..*start as usize]);
        out.extend_from_slice(new.as_bytes());
        at = *end;
    }
    out.extend_from_slice(&body[at as usize..span.end as usize]);
}
