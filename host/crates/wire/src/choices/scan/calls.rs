//! Tool calls of a delta or a message.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::keys::{CallKey, FunctionKey};
use super::{WORD, says, word};
use crate::choices::chunk::{Chunk, Piece};
use crate::choices::fault;
use crate::choices::splice::Slot;
use crate::raw::{Text, each_item, member, span_in, unescape};
use crate::{Channel, ToolCall};

/// The most tool calls that a choice has; an index is below it.
const CALLS: u32 = 1024;

/// `tool_calls`.
pub(super) struct Calls<'a, 'c> {
    pub(super) data: &'a str,
    pub(super) chunk: &'c mut Chunk<'a>,
    /// They are of a whole answer, where their places tell them apart.
    pub(super) whole: bool,
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
        let Calls { data, chunk, whole } = self;
        let mut place = 0;
        while seq
            .next_element_seed(Call {
                place,
                data,
                chunk,
                whole,
            })?
            .is_some()
        {
            place += 1;
            if place == CALLS {
                return Err(A::Error::custom(fault::MANY));
            }
        }
        Ok(())
    }
}

struct Call<'a, 'c> {
    /// Its place in the array, which counts where it has no index.
    place: u32,
    data: &'a str,
    chunk: &'c mut Chunk<'a>,
    whole: bool,
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
                CallKey::Id => id = name(map.next_value()?)?,
                CallKey::Type => _ = word(map.next_value()?).map_err(A::Error::custom)?,
                CallKey::Function => {
                    let chunk = &mut *self.chunk;
                    called = map.next_value_seed(Function { chunk })?;
                }
                // Its text would go unread.
                CallKey::Custom => return Err(A::Error::custom(fault::CUSTOM_CALL)),
                CallKey::Other => {
                    if says(map.next_value()?) {
                        self.chunk.unknown = Some("in a tool call");
                    }
                }
            }
        }
        let index = index.filter(|_| !self.whole).unwrap_or(self.place);
        if index >= CALLS {
            return Err(A::Error::custom(fault::FAR_CALL));
        }
        let name = called.name.take();
        let channel = Channel::ToolArguments(ToolCall { index, id, name });
        called.push(channel, Some(self.place), self.data, self.chunk)
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
        let OldCall { data, chunk } = self;
        let mut called = Function { chunk }.deserialize(deserializer)?;
        let channel = Channel::FunctionCall(called.name.take());
        called.push(channel, None, data, chunk)
    }
}

/// What a tool call calls.
struct Function<'a, 'c> {
    chunk: &'c mut Chunk<'a>,
}

#[derive(Default)]
struct Called<'a> {
    name: Option<Cow<'a, str>>,
    arguments: Option<&'a RawValue>,
}

impl<'a> DeserializeSeed<'a> for Function<'a, '_> {
    type Value = Called<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Called<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Function<'a, '_> {
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
                FunctionKey::Name => called.name = name(map.next_value()?)?,
                FunctionKey::Arguments => called.arguments = Some(map.next_value()?),
                FunctionKey::Other => {
                    if says(map.next_value()?) {
                        self.chunk.unknown = Some("in a tool call");
                    }
                }
            }
        }
        Ok(called)
    }
}

/// A name or an id: the stages are told of it, and it goes out as it is.
fn name<E: serde::de::Error>(text: Option<Text<'_>>) -> Result<Option<Cow<'_, str>>, E> {
    let text = text.map(|text| text.0).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.len() > WORD => Err(E::custom(fault::LONG_NAME)),
        text => Ok(text),
    }
}

impl<'a> Called<'a> {
    fn push<E: serde::de::Error>(
        self,
        channel: Channel<'a>,
        place: Option<u32>,
        data: &'a str,
        chunk: &mut Chunk<'a>,
    ) -> Result<(), E> {
        let (text, slot) = match self.arguments.map(RawValue::get) {
            Some(json) => match unescape(json) {
                Some(text) => (text, Slot::value(span_in(data, json))),
                None if json == "null" => (Cow::Borrowed(""), Slot::value(span_in(data, json))),
                None => return Err(E::custom(fault::ARGUMENTS)),
            },
            None => (
                Cow::Borrowed(""),
                Slot::unplaced(chunk.choices.len(), place),
            ),
        };
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

/// Finds where the arguments would lie of calls that open without any. No upstream known here sends such, so it may take another look
/// at everything: one for all of them.
pub(super) fn place_openings<'a>(
    data: &'a str,
    chunk: &mut Chunk<'a>,
) -> Result<(), serde_json::Error> {
    let unplaced = |piece: &Piece<'_>| piece.slot.as_unplaced();
    if chunk.pieces.iter().all(|piece| unplaced(piece).is_none()) {
        return Ok(());
    }
    let mut slots: BTreeMap<(usize, Option<u32>), Slot> = BTreeMap::new();
    let found = chunk.pieces.iter().filter_map(unplaced);
    let wanted: BTreeSet<_> = found.collect();
    let mut at = 0;
    let choices = member(data, "choices").map_or("[]", RawValue::get);
    each_item(choices, |choice| {
        let delta = member(choice.get(), "delta").or_else(|| member(choice.get(), "message"));
        let delta = delta.map_or("null", RawValue::get);
        if wanted.contains(&(at, None))
            && let Some(function) = member(delta, "function_call")
        {
            slots.insert((at, None), in_function(data, function));
        }
        let mut place = 0;
        let calls = member(delta, "tool_calls").filter(|calls| calls.get() != "null");
        let read = each_item(calls.map_or("[]", RawValue::get), |call| {
            if wanted.contains(&(at, Some(place))) {
                let slot = match member(call.get(), "function") {
                    Some(function) => in_function(data, function),
                    None => Slot::function_member(span_in(data, call.get()).start + 1),
                };
                slots.insert((at, Some(place)), slot);
            }
            place += 1;
            Ok(())
        });
        at += 1;
        read.map_err(|_| fault::LOST_CALL)
    })?;
    for piece in &mut chunk.pieces {
        if let Some(place) = piece.slot.as_unplaced() {
            let slot = slots.remove(&place);
            piece.slot = slot.ok_or_else(|| serde_json::Error::custom(fault::LOST_CALL))?;
        }
    }
    Ok(())
}

/// Where arguments would lie in that function, which has none.
fn in_function(data: &str, function: &RawValue) -> Slot {
    let span = span_in(data, function.get());
    let inside = function.get().trim_matches(['{', '}']).trim();
    if function.get() == "null" || inside.is_empty() {
        Slot::function(span)
    } else {
        Slot::arguments(span.start + 1)
    }
}
