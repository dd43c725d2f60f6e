//! A body under change: the part that an edit reached as arrays and objects, and the rest as the bytes that it is.
//!
//! What must stay true: only what an edit goes through is taken apart, one layer at a time; every value that it doesn't change is
//! written as it came, digit for digit.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::index::Span;
use crate::json::{Kind, Scanner, items, literal, members, string_at};

/// One value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// As it lies in the body.
    Raw(Span),
    /// JSON that was put there.
    New(Box<str>),
    Array(Vec<Node>),
    Object(Vec<(Key, Node)>),
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

    pub(super) fn name(&self, body: &[u8]) -> String {
        match self {
            Key::Raw(span) => string_at(body, span.range()).into_owned(),
            Key::New(key) => key.to_string(),
        }
    }
}

impl Node {
    /// Takes one layer apart, where this is an array or an object.
    pub(super) fn open(&mut self, body: &[u8]) -> &mut Node {
        let range = |range: Range<usize>| Span::of(range.start, range.end);
        let opened = match self {
            Node::Raw(span) => {
                let mut scanner = Scanner::new(body, span.start as usize);
                scanner.space();
                let start = scanner.at;
                match Kind::of(scanner.peek()) {
                    Some(Kind::Object) => {
                        let members = members(body, start);
                        let open = members
                            .map(|(key, value)| (Key::Raw(range(key)), Node::Raw(range(value))));
                        Node::Object(open.collect())
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
                let text = json.as_bytes();
                let new = |place: Range<usize>| Node::New(json[place].into());
                match Kind::of(text.trim_ascii_start().first().copied()) {
                    Some(Kind::Object) => {
                        let members = members(text, 0);
                        let open = members.map(|(key, value)| {
                            (Key::New(string_at(text, key).into()), new(value))
                        });
                        Node::Object(open.collect())
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
            Node::New(json) => out.extend_from_slice(json.as_bytes()),
            Node::Array(items) => {
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
                    if index > 0 {
                        out.push(b',');
                    }
                    match key {
                        Key::Raw(span) => write_span(out, body, *span, splices),
                        Key::New(key) => out.extend_from_slice(literal(key).as_bytes()),
                    }
                    out.push(b':');
                    value.write(out, body, splices);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_span(out: &mut Vec<u8>, body: &[u8], span: Span, splices: &Splices) {
    let mut at = span.start;
    for (start, (end, new)) in splices.range(span.start..span.end) {
        out.extend_from_slice(&body[at as usize..*start as usize]);
        out.extend_from_slice(new.as_bytes());
        at = *end;
    }
    out.extend_from_slice(&body[at as usize..span.end as usize]);
}
