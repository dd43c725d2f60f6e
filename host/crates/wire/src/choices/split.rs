//! Parts of a chunk, for the rare one that has several texts of which some are held back or denied.
//!
//! What stays keeps its bytes. `only` of a piece and `without` it are together the whole chunk, but for the logprobs of that
//! choice, which tell both.

use std::ops::Range;

use serde_json::value::RawValue;

use super::chunk::NotAChunk;
use super::fault;
use super::scan::says;
use super::splice::Slot;
use crate::raw::{ObjectWriter, RawObject, span_in};

/// What is left of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing that anyone would miss.
    Nothing,
    /// The usage, or the error, with no choices.
    Usage(Vec<u8>),
    /// A chunk with choices.
    Chunk(Vec<u8>),
}

/// The chunk with nothing but that piece in it: no role, no finish, no usage. The id and name of a tool call stay with it.
///
/// # Errors
/// [`NotAChunk`] where `data` isn't the chunk that the slot was found in.
pub fn only(data: &[u8], piece: &Slot) -> Result<Vec<u8>, NotAChunk> {
    let reader = Reader::new(data)?;
    let at = piece.span().start;
    let mut out = Vec::with_capacity(data.len());
    let mut chunk = ObjectWriter::new(&mut out);
    for (key, value) in &RawObject::parse(reader.data)?.members {
        match key.as_ref() {
            "usage" | "time_info" | "error" => {}
            "choices" => {
                let choices: Vec<&RawValue> = serde_json::from_str(value.get())?;
                let choice = choices.into_iter().find(|choice| reader.holds(choice, at));
                let choice = choice.ok_or(NotAChunk::new(fault::NO_TEXT))?;
                let out = chunk.key("choices");
                out.push(b'[');
                let mut writer = ObjectWriter::new(out);
                for (key, value) in &RawObject::parse(choice.get())?.members {
                    if key == "index" {
                        writer.raw(key, value.get());
                    } else if reader.holds(value, at) {
                        reader.only_member(value, at, writer.key(key))?;
                    }
                }
                writer.end();
                out.push(b']');
            }
            _ => chunk.raw(key, value.get()),
        }
    }
    chunk.end();
    Ok(out)
}

/// The chunk without those pieces. A tool call goes with its piece.
///
/// A choice that has nothing left is dropped; [`Rest::Usage`] is what is left when all are and there is usage.
///
/// # Errors
/// [`NotAChunk`] where `data` isn't the chunk that the slots were found in.
pub fn without(data: &[u8], pieces: &[&Slot]) -> Result<Rest, NotAChunk> {
    let reader = Reader::new(data)?;
    let gone: Vec<usize> = pieces.iter().map(|slot| slot.span().start).collect();
    reader.rebuild(|choice, out| {
        if !reader.holds_any(choice, &gone) {
            out.extend_from_slice(choice.get().as_bytes());
            return Ok(true);
        }
        let mut says_something = false;
        let mut writer = ObjectWriter::new(out);
        for (key, value) in &RawObject::parse(choice.get())?.members {
            if reader.holds_any(value, &gone) {
                let delta = writer.key(key);
                says_something |= reader.without_members(value, &gone, delta)?;
            } else if matches!(key.as_ref(), "logprobs" | "reasoning_logprobs") {
                writer.raw(key, "null");
            } else {
                says_something |= key != "index" && says(value);
                writer.raw(key, value.get());
            }
        }
        writer.end();
        Ok(says_something)
    })
}

/// The chunk without those choices.
///
/// # Errors
/// [`NotAChunk`] where it isn't one.
pub fn without_choices(data: &[u8], choices: &[u32]) -> Result<Rest, NotAChunk> {
    Reader::new(data)?.rebuild(|choice, out| {
        let index = RawObject::parse(choice.get())?
            .get("index")
            .and_then(|index| index.get().parse().ok());
        out.extend_from_slice(choice.get().as_bytes());
        Ok(!choices.contains(&index.unwrap_or(0)))
    })
}

/// What the chunk says beside its choices: an error, usage.
///
/// # Errors
/// [`NotAChunk`] where it isn't one.
pub fn without_any_choice(data: &[u8]) -> Result<Rest, NotAChunk> {
    Reader::new(data)?.rebuild(|_, _| Ok(false))
}

struct Reader<'a> {
    data: &'a str,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8]) -> Result<Reader<'a>, NotAChunk> {
        let data = std::str::from_utf8(data)?;
        Ok(Reader { data })
    }

    fn span(&self, value: &RawValue) -> Range<usize> {
        span_in(self.data, value.get())
    }

    fn holds(&self, value: &RawValue, at: usize) -> bool {
        self.span(value).contains(&at)
    }

    fn holds_any(&self, value: &RawValue, at: &[usize]) -> bool {
        at.iter().any(|at| self.holds(value, *at))
    }

    /// The chunk with each choice as `choice` writes it, or without it where that says false.
    fn rebuild(
        &self,
        choice: impl Fn(&RawValue, &mut Vec<u8>) -> Result<bool, NotAChunk>,
    ) -> Result<Rest, NotAChunk> {
        let mut out = Vec::with_capacity(self.data.len());
        let mut chunk = ObjectWriter::new(&mut out);
        let mut left = 0;
        let mut usage = false;
        for (key, value) in &RawObject::parse(self.data)?.members {
            if key != "choices" {
                usage |= (key == "usage" || key == "error") && says(value);
                chunk.raw(key, value.get());
                continue;
            }
            let out = chunk.key("choices");
            out.push(b'[');
            for one in
                serde_json::from_str::<Option<Vec<&RawValue>>>(value.get())?.unwrap_or_default()
            {
                let start = out.len();
                if left > 0 {
                    out.push(b',');
                }
                if choice(one, out)? {
                    left += 1;
                } else {
                    out.truncate(start);
                }
            }
            out.push(b']');
        }
        chunk.end();
        Ok(match (left, usage) {
            (0, false) => Rest::Nothing,
            (0, true) => Rest::Usage(out),
            _ => Rest::Chunk(out),
        })
    }

    /// Of a delta, the member that holds the text; of an array in it, the element.
    fn only_member(&self, delta: &RawValue, at: usize, out: &mut Vec<u8>) -> Result<(), NotAChunk> {
        if delta.get().starts_with('"') {
            // A text completion's choice has its text itself.
            out.extend_from_slice(delta.get().as_bytes());
            return Ok(());
        }
        let mut writer = ObjectWriter::new(out);
        for (key, value) in &RawObject::parse(delta.get())?.members {
            if !self.holds(value, at) {
                continue;
            }
            let out = writer.key(key);
            if value.get().starts_with('[') {
                let items: Vec<&RawValue> = serde_json::from_str(value.get())?;
                let items = items.into_iter().filter(|item| self.holds(item, at));
                array(items, out);
            } else {
                out.extend_from_slice(value.get().as_bytes());
            }
        }
        writer.end();
        Ok(())
    }

    /// A delta without the members that hold the texts; of an array in it, without the elements. Whether anything is left.
    fn without_members(
        &self,
        delta: &RawValue,
        gone: &[usize],
        out: &mut Vec<u8>,
    ) -> Result<bool, NotAChunk> {
        if delta.get().starts_with('"') {
            // A text completion's choice has its text itself, and never none.
            out.extend_from_slice(b"\"\"");
            return Ok(false);
        }
        let mut left = false;
        let mut writer = ObjectWriter::new(out);
        for (key, value) in &RawObject::parse(delta.get())?.members {
            if !self.holds_any(value, gone) {
                left |= says(value);
                writer.raw(key, value.get());
            } else if value.get().starts_with('[') {
                let mut items: Vec<&RawValue> = serde_json::from_str(value.get())?;
                items.retain(|item| !self.holds_any(item, gone));
                if !items.is_empty() {
                    left = true;
                    array(items.into_iter(), writer.key(key));
                }
            }
        }
        writer.end();
        Ok(left)
    }
}

fn array<'v>(items: impl Iterator<Item = &'v RawValue>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item.get().as_bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
