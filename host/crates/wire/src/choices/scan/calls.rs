//! Tool calls of a delta or a message.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::keys::{CallKey, FunctionKey};
use crate::choices::chunk::{Chunk, Piece};
use crate::choices::splice::Slot;
use crate::raw::{RawObject, Text, span_in, unescape};
use crate::{Channel, ToolCall};

/// `tool_calls`.
pub(super) struct Calls<'a, 'c> {
    pub(super) data: &'a str,
    pub(super) chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for Calls<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Calls<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of tool calls")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Calls { data, chunk } = self;
        let mut place = 0;
        while seq
            .next_element_seed(Call { place, data, chunk })?
            .is_some()
        {
            place += 1;
        }
        Ok(())
    }
}

struct Call<'a, 'c> {
    /// Its place in the array, which counts where it has no index.
    place: u32,
    data: &'a str,
    chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for Call<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Call<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tool call")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0;
        let mut index = None;
        let mut id = None;
        let mut called = Called::default();
        while let Some(key) = map.next_key::<CallKey>()? {
            match key.once(&mut seen)? {
                CallKey::Index => index = map.next_value::<Option<u32>>()?,
                CallKey::Id => id = name(map.next_value()?),
                CallKey::Function => called = map.next_value_seed(Function)?,
                // Its text would go unread.
                CallKey::Custom => {
                    return Err(A::Error::custom("a tool call of the kind `custom`"));
                }
                CallKey::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let index = index.unwrap_or(self.place);
        called.push(index, id, Some(self.place), self.data, self.chunk)
    }
}

/// `function_call`, the old kind of tool call: one alone, without an id.
pub(super) struct OldCall<'a, 'c> {
    pub(super) data: &'a str,
    pub(super) chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for OldCall<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        Function
            .deserialize(deserializer)?
            .push(0, None, None, self.data, self.chunk)
    }
}

/// What a tool call calls.
struct Function;

#[derive(Default)]
struct Called<'a> {
    name: Option<Cow<'a, str>>,
    arguments: Option<&'a RawValue>,
}

impl<'a> DeserializeSeed<'a> for Function {
    type Value = Called<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Called<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Function {
    type Value = Called<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }

    fn visit_unit<E>(self) -> Result<Called<'a>, E> {
        Ok(Called::default())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Called<'a>, A::Error> {
        let mut seen = 0;
        let mut called = Called::default();
        while let Some(key) = map.next_key::<FunctionKey>()? {
            match key.once(&mut seen)? {
                FunctionKey::Name => called.name = name(map.next_value()?),
                FunctionKey::Arguments => called.arguments = Some(map.next_value()?),
                FunctionKey::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(called)
    }
}

fn name(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

impl<'a> Called<'a> {
    fn push<E: serde::de::Error>(
        self,
        index: u32,
        id: Option<Cow<'a, str>>,
        place: Option<u32>,
        data: &'a str,
        chunk: &mut Chunk<'a>,
    ) -> Result<(), E> {
        let (text, slot) = match self.arguments.map(RawValue::get) {
            Some(json) => match unescape(json) {
                Some(text) => (text, Slot::value(span_in(data, json))),
                None if json == "null" => (Cow::Borrowed(""), Slot::value(span_in(data, json))),
                None => return Err(E::custom("`arguments` is no string")),
            },
            None => (
                Cow::Borrowed(""),
                Slot::unplaced(chunk.choices.len(), place),
            ),
        };
        let channel = Channel::ToolArguments(ToolCall {
            index,
            id,
            name: self.name,
        });
        if !text.is_empty() || channel.opens_call() {
            chunk.pieces.push(Piece {
                choice: 0,
                channel,
                text,
                slot,
            });
        }
        Ok(())
    }
}

/// Finds where the arguments would lie of a call that opens without any. No upstream known here sends such, so it may take
/// another look at everything.
pub(super) fn place_openings<'a>(
    data: &'a str,
    chunk: &mut Chunk<'a>,
) -> Result<(), serde_json::Error> {
    for piece in &mut chunk.pieces {
        if let Some((choice, call)) = piece.slot.as_unplaced() {
            piece.slot = locate(data, choice, call).ok_or_else(|| {
                serde_json::Error::custom("a tool call that can't be found again")
            })?;
        }
    }
    Ok(())
}

fn locate(data: &str, choice: usize, call: Option<u32>) -> Option<Slot> {
    fn object(value: &str) -> Option<RawObject<'_>> {
        RawObject::parse(value).ok()
    }
    fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
        serde_json::from_str(value.get()).ok()
    }
    let choice = *items(object(data)?.get("choices")?)?.get(choice)?;
    let choice = object(choice.get())?;
    let delta = object(choice.get("delta").or_else(|| choice.get("message"))?.get())?;
    let function = match call {
        None => delta.get("function_call")?,
        Some(place) => {
            let call = *items(delta.get("tool_calls")?)?.get(place as usize)?;
            match object(call.get())?.get("function") {
                Some(function) => function,
                None => return Some(Slot::function_member(span_in(data, call.get()).start + 1)),
            }
        }
    };
    let span = span_in(data, function.get());
    let is_empty = function.get() == "null" || object(function.get())?.members.is_empty();
    Some(if is_empty {
        Slot::function(span)
    } else {
        Slot::arguments(span.start + 1)
    })
}
