//! Another text in the place of one, and every other byte as it was.

use std::ops::Range;

use smallvec::SmallVec;

use crate::json::write_str;

/// Where a text lies in the data of an event or an answer, or where it would lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    span: Range<usize>,
    shape: Shape,
}

/// What must stand around the literal for it to be JSON at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The span is the literal.
    Value,
    /// The function has other members, but no `arguments`.
    Arguments,
    /// The span is a function that has no member, or null.
    Function,
    /// The tool call has other members, but no `function`.
    FunctionMember,
    /// While reading: the span isn't one, but the places of the choice and of the call, counted from 1.
    Unplaced,
}

impl Slot {
    pub(super) fn value(span: Range<usize>) -> Slot {
        Slot {
            span,
            shape: Shape::Value,
        }
    }

    pub(super) fn arguments(at: usize) -> Slot {
        Slot {
            span: at..at,
            shape: Shape::Arguments,
        }
    }

    pub(super) fn function(span: Range<usize>) -> Slot {
        Slot {
            span,
            shape: Shape::Function,
        }
    }

    pub(super) fn function_member(at: usize) -> Slot {
        Slot {
            span: at..at,
            shape: Shape::FunctionMember,
        }
    }

    /// A slot yet to be found: that of a call's arguments, by the places of choice and call; `None` for a `function_call`.
    pub(super) fn unplaced(choice: usize, call: Option<u32>) -> Slot {
        Slot {
            span: choice..call.map_or(0, |call| call as usize + 1),
            shape: Shape::Unplaced,
        }
    }

    pub(super) fn as_unplaced(&self) -> Option<(usize, Option<u32>)> {
        let call = self
            .span
            .end
            .checked_sub(1)
            .and_then(|call| u32::try_from(call).ok());
        (self.shape == Shape::Unplaced).then_some((self.span.start, call))
    }

    /// The bytes that another text takes the place of: for a text that is there, its JSON literal with the quotes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn around(&self) -> (&'static str, &'static str) {
        match self.shape {
            Shape::Value | Shape::Unplaced => ("", ""),
            Shape::Arguments => ("\"arguments\":", ","),
            Shape::Function => ("{\"arguments\":", "}"),
            Shape::FunctionMember => ("\"function\":{\"arguments\":", "},"),
        }
    }
}

/// The same JSON with other texts in these slots, and null for these spans: those of the changed choices' logprobs, which
/// would tell what was removed. Slots and spans are those found in this very `data`. Order doesn't matter.
pub fn set_texts(data: &[u8], texts: &[(&Slot, &str)], nulled: &[Range<usize>]) -> Vec<u8> {
    let texts_by_span = texts
        .iter()
        .map(|(slot, text)| (&slot.span, Some((*slot, *text))));
    let mut edits: SmallVec<[_; 4]> = texts_by_span
        .chain(nulled.iter().map(|span| (span, None)))
        .collect();
    edits.sort_by_key(|(span, _)| span.start);
    let added: usize = texts.iter().map(|(_, text)| text.len() + 32).sum();
    let mut out = Vec::with_capacity(data.len() + added);
    let mut at = 0;
    for (span, edit) in edits {
        // Twice the same place: the first edit holds.
        let Some(before) = data.get(at..span.start) else {
            continue;
        };
        out.extend_from_slice(before);
        match edit {
            Some((slot, text)) => {
                let (open, close) = slot.around();
                out.extend_from_slice(open.as_bytes());
                write_str(&mut out, text);
                out.extend_from_slice(close.as_bytes());
            }
            None => out.extend_from_slice(b"null"),
        }
        at = span.end;
    }
    out.extend_from_slice(data.get(at..).unwrap_or_default());
    out
}
