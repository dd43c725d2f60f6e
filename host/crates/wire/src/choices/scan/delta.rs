//! What one choice of a chunk adds, or what one choice of a whole answer says.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::calls::{Calls, OldCall};
use super::keys::DeltaKey;
use crate::Channel;
use crate::choices::chunk::{Chunk, Piece};
use crate::choices::splice::Slot;
use crate::raw::{RawObject, span_in, unescape};

pub(super) struct Delta<'a, 'c> {
    pub(super) data: &'a str,
    pub(super) chunk: &'c mut Chunk<'a>,
}

impl<'a> DeserializeSeed<'a> for Delta<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Delta<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Delta { data, chunk } = self;
        let mut seen = 0;
        while let Some(key) = map.next_key::<DeltaKey>()? {
            let channel = match key.once(&mut seen)? {
                DeltaKey::Content => Channel::Content,
                DeltaKey::Reasoning | DeltaKey::ReasoningContent => Channel::Reasoning,
                DeltaKey::Refusal => Channel::Refusal,
                DeltaKey::ToolCalls => {
                    map.next_value_seed(Calls { data, chunk })?;
                    continue;
                }
                DeltaKey::FunctionCall => {
                    map.next_value_seed(OldCall { data, chunk })?;
                    continue;
                }
                DeltaKey::Role | DeltaKey::Other => {
                    chunk.extras |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                    continue;
                }
            };
            let value: &RawValue = map.next_value()?;
            text(data, value.get(), channel, chunk).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A text, null, or parts with a text each.
fn text<'a>(
    data: &'a str,
    json: &'a str,
    channel: Channel<'a>,
    chunk: &mut Chunk<'a>,
) -> Result<(), serde_json::Error> {
    let mut push = |channel, json: &'a str| {
        let text = unescape(json)?;
        if !text.is_empty() {
            let slot = Slot::value(span_in(data, json));
            chunk.pieces.push(Piece {
                choice: 0,
                channel,
                text,
                slot,
            });
        }
        Some(())
    };
    if push(channel.clone(), json).is_some() || json == "null" {
        return Ok(());
    }
    for part in serde_json::from_str::<Vec<RawObject<'a>>>(json)? {
        let mut seen = false;
        for (key, value) in part.members {
            let channel = match key.as_ref() {
                "text" => channel.clone(),
                "refusal" => Channel::Refusal,
                _ => continue,
            };
            // A part is held back, let go or denied as one, so it can't be half of one channel and half of another.
            if std::mem::replace(&mut seen, true) {
                return Err(serde_json::Error::custom("a part has two texts"));
            }
            if push(channel, value.get()).is_none() {
                return Err(serde_json::Error::custom("a part's text is no string"));
            }
        }
    }
    Ok(())
}
