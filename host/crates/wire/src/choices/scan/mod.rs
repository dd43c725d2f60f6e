//! Reading a chunk, or a whole answer, in one pass.
//!
//! Keys are matched as the JSON reader gives them, so no escape, order or whitespace hides one. A key that matters and stands
//! twice in one object is an error: the client might read the other one.

mod aside;
mod calls;
mod delta;
mod keys;

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use self::aside::{error, number, usage};
use self::delta::Delta;
use self::keys::{ChoiceKey, TopKey};
use super::chunk::Chunk;
use crate::raw::{Text, span_in};

/// Reads `data` into an empty chunk.
pub(super) fn scan<'a>(data: &'a str, chunk: &mut Chunk<'a>) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(data);
    reader.deserialize_map(Top { data, chunk })?;
    reader.end()?;
    calls::place_openings(data, chunk)
}

struct Top<'a, 'c> {
    data: &'a str,
    chunk: &'c mut Chunk<'a>,
}

impl<'a> Visitor<'a> for Top<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Top { data, chunk } = self;
        let mut seen = 0;
        let mut status = None;
        while let Some(key) = map.next_key::<TopKey>()? {
            match key.once(&mut seen)? {
                TopKey::Choices => map.next_value_seed(Choices { data, chunk })?,
                TopKey::Model => {
                    chunk.model = map.next_value::<Option<Text<'a>>>()?.map(|text| text.0)
                }
                TopKey::Usage => chunk.usage = usage(map.next_value()?),
                TopKey::Error => chunk.error = error(map.next_value()?),
                TopKey::Status => status = number(map.next_value()?),
                TopKey::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if let Some(error) = &mut chunk.error {
            error.status = error
                .status
                .or_else(|| status.and_then(|status| u16::try_from(status).ok()));
        }
        Ok(())
    }
}

struct Choices<'a, 'c> {
    data: &'a str,
    chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for Choices<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Choices<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of choices")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(Choice {
                data: self.data,
                chunk: self.chunk,
            })?
            .is_some()
        {}
        Ok(())
    }
}

struct Choice<'a, 'c> {
    data: &'a str,
    chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for Choice<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Choice<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a choice")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Choice { data, chunk } = self;
        let (pieces, logprobs) = (chunk.pieces.len(), chunk.logprobs.len());
        let mut seen = 0;
        let mut index = 0;
        let mut finish = None;
        let mut has_texts = false;
        while let Some(key) = map.next_key::<ChoiceKey>()? {
            match key.once(&mut seen)? {
                ChoiceKey::Index => index = map.next_value::<u32>()?,
                // A whole answer has its texts in `message`. No stream has one, but if it had, its text would be read too.
                ChoiceKey::Delta | ChoiceKey::Message => {
                    if std::mem::replace(&mut has_texts, true) {
                        return Err(A::Error::custom("a choice with both a delta and a message"));
                    }
                    map.next_value_seed(Delta { data, chunk })?;
                }
                ChoiceKey::Finish => finish = map.next_value::<Option<Text<'a>>>()?,
                ChoiceKey::Logprobs | ChoiceKey::ReasoningLogprobs => {
                    let value: &RawValue = map.next_value()?;
                    if value.get() != "null" {
                        chunk.logprobs.push((0, span_in(data, value.get())));
                    }
                }
                ChoiceKey::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        chunk.choices.push(index);
        // The index may come after the texts.
        chunk.pieces[pieces..]
            .iter_mut()
            .for_each(|piece| piece.choice = index);
        chunk.logprobs[logprobs..]
            .iter_mut()
            .for_each(|logprobs| logprobs.0 = index);
        if chunk.pieces.len() > pieces + 1 {
            chunk.pieces[pieces..].sort_by_key(|piece| piece.channel.key());
        }
        chunk
            .finishes
            .extend(finish.map(|finish| (index, finish.0)));
        Ok(())
    }
}
