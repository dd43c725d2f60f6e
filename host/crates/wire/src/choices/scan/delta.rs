//! What one choice of a chunk adds, or what one choice of a whole answer says.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::calls::{Calls, OldCall};
use super::keys::{DeltaKey, PartKey};
use super::{ITEMS, says, word};
use crate::choices::chunk::{Chunk, Piece};
use crate::choices::fault;
use crate::choices::splice::Slot;
use crate::raw::{each_item, each_member, span_in, unescape};
use crate::{Beside, Channel, Member, Voice};

pub(super) struct Delta<'a, 'c> {
    pub(super) data: &'a str,
    pub(super) chunk: &'c mut Chunk<'a>,
    /// It is the message of a whole answer.
    pub(super) whole: bool,
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
        let Delta { data, chunk, whole } = self;
        let mut seen = 0;
        while let Some(key) = map.next_key::<DeltaKey>()? {
            let member = match key.once(&mut seen)? {
                DeltaKey::Content => Member::Content,
                DeltaKey::Reasoning => Member::Reasoning,
                DeltaKey::ReasoningContent => Member::ReasoningContent,
                DeltaKey::Refusal => Member::Refusal,
                DeltaKey::ToolCalls => {
                    map.next_value_seed(Calls { data, chunk, whole })?;
                    continue;
                }
                DeltaKey::FunctionCall => {
                    map.next_value_seed(OldCall { data, chunk })?;
                    continue;
                }
                DeltaKey::Role => {
                    let json = word(map.next_value()?).map_err(A::Error::custom)?;
                    chunk.extras |= json != "null";
                    continue;
                }
                DeltaKey::Other => {
                    let value: &RawValue = map.next_value()?;
                    chunk.extras |= value.get() != "null";
                    if says(value) {
                        chunk.unknown = Some("in a delta or a message");
                    }
                    continue;
                }
            };
            let value: &RawValue = map.next_value()?;
            text(data, value.get(), member, chunk).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// The lane of a text: each member has one, for two may show the same text. Parts of a member go on where the last one ended, but for one
/// that says an earlier one again.
fn lane(member: Member, part: u32, voice: Voice) -> Channel<'static> {
    match (member, part) {
        (Member::Reasoning, 0) if voice == Voice::Reasoning => Channel::Reasoning,
        (Member::Content, 0) if voice == Voice::Content => Channel::Content,
        (Member::Refusal, 0) if voice == Voice::Refusal => Channel::Refusal,
        _ => Channel::Beside(Beside {
            voice,
            member,
            part,
        }),
    }
}

/// A text, null, or parts with a text each.
fn text<'a>(
    data: &'a str,
    json: &'a str,
    member: Member,
    chunk: &mut Chunk<'a>,
) -> Result<(), &'static str> {
    if push(data, json, lane(member, 0, member.voice()), chunk) || json == "null" {
        return Ok(());
    }
    if !json.starts_with('[') {
        return Err(fault::TEXT);
    }
    let mut at = 0;
    let first = chunk.pieces.len();
    let mut wrong = None;
    let read = each_item(json, |item| {
        if at == ITEMS {
            wrong = Some(fault::MANY);
            return Err(fault::MANY);
        }
        let (mut seen, mut keys) = (false, 0);
        let read = each_member(item.get(), |key, value| {
            let key = PartKey::of(&key).once::<serde_json::Error>(&mut keys);
            let voice = match key.map_err(|_| fault::TWO_TEXTS)? {
                PartKey::Text => member.voice(),
                PartKey::Refusal => Voice::Refusal,
                PartKey::Type => {
                    word(value).inspect_err(|kind| wrong = Some(*kind))?;
                    return Ok(());
                }
                PartKey::Other => {
                    if says(value) {
                        chunk.unknown = Some("in a part of a text");
                    }
                    return Ok(());
                }
            };
            // A part is held back, let go or denied as one, so it can't be half of one channel and half of another.
            let kind = if std::mem::replace(&mut seen, true) {
                fault::TWO_TEXTS
            } else if !push(data, value.get(), lane(member, 0, voice), chunk) {
                fault::PART_TEXT
            } else {
                if let Some((last, earlier)) = chunk.pieces[first..].split_last_mut()
                    && earlier.iter().any(|piece| piece.text == last.text)
                {
                    last.channel = lane(member, at, voice);
                }
                return Ok(());
            };
            wrong = Some(kind);
            Err(kind)
        });
        at += 1;
        read.map_err(|_| fault::TEXT)
    });
    read.map_err(|_| wrong.unwrap_or(fault::TEXT))
}

/// The text of a text completion's choice, which stands in the choice itself; or null.
pub(super) fn plain_text<'a>(
    data: &'a str,
    json: &'a str,
    chunk: &mut Chunk<'a>,
) -> Result<(), &'static str> {
    if push(data, json, Channel::Content, chunk) || json == "null" {
        return Ok(());
    }
    Err(fault::TEXT)
}

/// Takes a text, if this is one.
fn push<'a>(data: &'a str, json: &'a str, channel: Channel<'a>, chunk: &mut Chunk<'a>) -> bool {
    let Some(text) = unescape(json) else {
        return false;
    };
    if !text.is_empty() {
        let slot = Slot::value(span_in(data, json));
        chunk.pieces.push(Piece {
            choice: 0,
            channel,
            text,
            slot,
        });
    }
    true
}
