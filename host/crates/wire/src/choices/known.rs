//! Answers of which nothing is left but what is known: members from the lists in the reader's keys, counts, and logprobs that tell what
//! stands beside them. For a chunk in which there is something else: no other way leads here.

use std::ops::Range;

use serde_json::value::RawValue;

use super::chunk::NotAChunk;
use super::scan::aside::{DEPTH, ERROR, is_count};
use super::scan::keys::{CallKey, ChoiceKey, DeltaKey, FunctionKey, PartKey, TopKey};
use super::scan::says;
use crate::json::write_str;
use crate::raw::{ObjectWriter, each_item, each_member, span_in, unescape};

/// It has been read before.
type Written = Result<(), &'static str>;
const BEFORE: &str = "it isn't JSON";

/// The same JSON with what is known alone, and null for these spans. `plain`: a choice may have its text itself.
pub(super) fn only_known(
    data: &str,
    nulled: &[Range<usize>],
    plain: bool,
) -> Result<Vec<u8>, NotAChunk> {
    let mut out = Vec::with_capacity(data.len());
    let mut writer = ObjectWriter::new(&mut out);
    each_member(data, |key, value| {
        match TopKey::of(&key) {
            TopKey::Other => {}
            TopKey::Choices if value.get().starts_with('[') => {
                let choice = |choice: &RawValue, out: &mut Vec<u8>| {
                    write_choice(data, choice, (nulled, plain), out)
                };
                items(value, writer.key(&key), choice)?;
            }
            TopKey::Usage | TopKey::Time if value.get().starts_with('{') => {
                counts(value, DEPTH, writer.key(&key))?;
            }
            TopKey::Usage | TopKey::Time => writer.key(&key).extend_from_slice(b"null"),
            TopKey::Error => error(value, writer.key(&key))?,
            _ => writer.raw(&key, value.get()),
        }
        Ok(())
    })?;
    writer.end();
    Ok(out)
}

/// Each item of an array, as `write` has it.
fn items(
    list: &RawValue,
    out: &mut Vec<u8>,
    write: impl Fn(&RawValue, &mut Vec<u8>) -> Written,
) -> Written {
    out.push(b'[');
    let mut first = true;
    each_item(list.get(), |item| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        write(item, out)
    })
    .map_err(|_| BEFORE)?;
    out.push(b']');
    Ok(())
}

/// The members of an object for which `write` writes something.
fn members(
    object: &RawValue,
    out: &mut Vec<u8>,
    mut write: impl FnMut(&str, &RawValue, &mut ObjectWriter<'_>) -> Written,
) -> Written {
    if !object.get().starts_with('{') {
        out.extend_from_slice(object.get().as_bytes());
        return Ok(());
    }
    let mut writer = ObjectWriter::new(out);
    each_member(object.get(), |key, value| write(&key, value, &mut writer)).map_err(|_| BEFORE)?;
    writer.end();
    Ok(())
}

fn write_choice(
    data: &str,
    choice: &RawValue,
    (nulled, plain): (&[Range<usize>], bool),
    out: &mut Vec<u8>,
) -> Written {
    members(choice, out, |key, value, writer| {
        match ChoiceKey::of(key) {
            ChoiceKey::Other
            | ChoiceKey::Tokens
            | ChoiceKey::TokenIds
            | ChoiceKey::PromptLogprobs => {}
            ChoiceKey::Text if !plain => {}
            ChoiceKey::Delta | ChoiceKey::Message => write_delta(value, writer.key(key))?,
            ChoiceKey::Logprobs | ChoiceKey::ReasoningLogprobs
                if nulled.contains(&span_in(data, value.get())) =>
            {
                writer.raw(key, "null");
            }
            _ => writer.raw(key, value.get()),
        }
        Ok(())
    })
}

fn write_delta(delta: &RawValue, out: &mut Vec<u8>) -> Written {
    members(delta, out, |key, value, writer| {
        match DeltaKey::of(key) {
            DeltaKey::Other => {}
            DeltaKey::ToolCalls if value.get().starts_with('[') => {
                items(value, writer.key(key), write_call)?;
            }
            DeltaKey::FunctionCall => write_function(value, writer.key(key))?,
            DeltaKey::Role | DeltaKey::ToolCalls => writer.raw(key, value.get()),
            _ if value.get().starts_with('[') => items(value, writer.key(key), write_part)?,
            _ => writer.raw(key, value.get()),
        }
        Ok(())
    })
}

fn write_part(part: &RawValue, out: &mut Vec<u8>) -> Written {
    members(part, out, |key, value, writer| {
        if PartKey::of(key) != PartKey::Other {
            writer.raw(key, value.get());
        }
        Ok(())
    })
}

fn write_call(call: &RawValue, out: &mut Vec<u8>) -> Written {
    members(call, out, |key, value, writer| {
        match CallKey::of(key) {
            CallKey::Other => {}
            CallKey::Function => write_function(value, writer.key(key))?,
            _ => writer.raw(key, value.get()),
        }
        Ok(())
    })
}

fn write_function(function: &RawValue, out: &mut Vec<u8>) -> Written {
    members(function, out, |key, value, writer| {
        if FunctionKey::of(key) != FunctionKey::Other {
            writer.raw(key, value.get());
        }
        Ok(())
    })
}

fn counts(object: &RawValue, depth: u32, out: &mut Vec<u8>) -> Written {
    members(object, out, |key, value, writer| {
        if is_count(key, value, depth) {
            writer.raw(key, value.get());
        }
        Ok(())
    })
}

/// What an upstream says of its failure: a few short members.
fn error(error: &RawValue, out: &mut Vec<u8>) -> Written {
    fn short(value: &RawValue, out: &mut Vec<u8>) {
        match unescape(value.get()) {
            Some(text) => write_str(out, &text[..text.floor_char_boundary(ERROR)]),
            None if value.get().starts_with(['{', '[']) => out.extend_from_slice(b"null"),
            None => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    if !error.get().starts_with(['{', '[']) {
        short(error, out);
        return Ok(());
    }
    let start = out.len();
    if error.get().starts_with('{') {
        members(error, out, |key, value, writer| {
            if let "message" | "type" | "param" | "code" | "id" | "status_code" = key {
                short(value, writer.key(key));
            }
            Ok(())
        })?;
    }
    if says(error) && matches!(&out[start..], b"" | b"{}") {
        // Whatever it says isn't known. It still is an error.
        out.truncate(start);
        out.extend_from_slice(b"true");
    } else if out.len() == start {
        out.extend_from_slice(error.get().as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
