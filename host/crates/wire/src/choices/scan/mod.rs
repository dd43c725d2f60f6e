//! Reading a chunk, or a whole answer, in one pass.
//!
//! Keys are matched as the JSON reader gives them, so no escape, order or whitespace hides one. A key that matters and stands
//! twice in one object is an error: the client might read the other one. What is known and is no text must be a short word, or a number; of
//! what isn't known it is noted that there is some.

pub(super) mod aside;
mod calls;
mod delta;
pub(super) mod keys;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::aside::{error, number, only_counts, usage};
use self::delta::{Delta, plain_text};
pub(super) use self::keys::TWICE;
use self::keys::{ChoiceKey, TopKey};
use super::chunk::{Chunk, Logprobs};
use super::fault;
use crate::Voice;
use crate::raw::{span_in, unescape};

/// The most choices that an answer has; an index is below it.
const CHOICES: u32 = 128;
/// The most items of a list: choices of a chunk, parts of a text.
const ITEMS: u32 = 128;
/// The longest word, in bytes: an id, a name, a finish reason.
const WORD: usize = 256;

/// Whether a value says anything at all.
pub(super) fn says(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "{}" | "[]" | "\"\"")
}

/// What is known and is no text: a short word without spaces, a number, or nothing.
///
/// # Errors
/// Where a text could hide in it.
pub(super) fn word(value: &RawValue) -> Result<&str, &'static str> {
    let json = value.get();
    let fits = match unescape(json) {
        Some(text) => text.len() <= WORD && text.bytes().all(|byte| byte.is_ascii_graphic()),
        None => !json.starts_with(['{', '[']),
    };
    if fits { Ok(json) } else { Err(fault::NO_WORD) }
}

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
                    let json = word(map.next_value()?).map_err(A::Error::custom)?;
                    chunk.model = unescape(json);
                }
                TopKey::Usage => {
                    let value: &RawValue = map.next_value()?;
                    chunk.usage = usage(value);
                    if !only_counts(value) {
                        chunk.unknown = Some("in `usage`");
                    }
                }
                TopKey::Time => {
                    if !only_counts(map.next_value()?) {
                        chunk.unknown = Some("in `time_info`");
                    }
                }
                TopKey::Error => {
                    let (said, plain) = error(map.next_value()?);
                    chunk.error = said;
                    if !plain {
                        chunk.unknown = Some("in `error`");
                    }
                }
                TopKey::Status => status = number(map.next_value()?),
                TopKey::Id
                | TopKey::Object
                | TopKey::Created
                | TopKey::Fingerprint
                | TopKey::Tier
                | TopKey::TierUsed => _ = word(map.next_value()?).map_err(A::Error::custom)?,
                TopKey::Other => {
                    if says(map.next_value()?) {
                        chunk.unknown = Some("at the top level");
                    }
                }
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
        let mut left = ITEMS;
        while seq
            .next_element_seed(Choice {
                data: self.data,
                chunk: self.chunk,
            })?
            .is_some()
        {
            left -= 1;
            if left == 0 {
                return Err(A::Error::custom(fault::MANY));
            }
        }
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
                key @ (ChoiceKey::Delta | ChoiceKey::Message) => {
                    if std::mem::replace(&mut has_texts, true) {
                        return Err(A::Error::custom(fault::BOTH));
                    }
                    let whole = key == ChoiceKey::Message;
                    map.next_value_seed(Delta { data, chunk, whole })?;
                }
                ChoiceKey::Text if chunk.plain => {
                    if std::mem::replace(&mut has_texts, true) {
                        return Err(A::Error::custom(fault::BOTH));
                    }
                    let value: &RawValue = map.next_value()?;
                    plain_text(data, value.get(), chunk).map_err(A::Error::custom)?;
                }
                ChoiceKey::Finish => {
                    let json = word(map.next_value()?).map_err(A::Error::custom)?;
                    // Some upstreams say so that there is none yet.
                    finish = unescape(json).filter(|finish| !finish.is_empty());
                }
                key @ (ChoiceKey::Logprobs | ChoiceKey::ReasoningLogprobs) => {
                    let value: &RawValue = map.next_value()?;
                    let of = match key {
                        ChoiceKey::Logprobs => Voice::Content,
                        _ => Voice::Reasoning,
                    };
                    chunk.logprobs(data, value, Some(of));
                }
                ChoiceKey::Tokens | ChoiceKey::TokenIds | ChoiceKey::PromptLogprobs => {
                    let value: &RawValue = map.next_value()?;
                    chunk.logprobs(data, value, None);
                    if says(value) {
                        chunk.unknown = Some("in a choice");
                    }
                }
                ChoiceKey::Text | ChoiceKey::Other => {
                    if says(map.next_value()?) {
                        chunk.unknown = Some("in a choice");
                    }
                }
            }
        }
        if index >= CHOICES {
            return Err(A::Error::custom(fault::FAR_CHOICE));
        }
        chunk.choices.push(index);
        // The index may come after the texts.
        chunk.pieces[pieces..]
            .iter_mut()
            .for_each(|piece| piece.choice = index);
        chunk.logprobs[logprobs..]
            .iter_mut()
            .for_each(|logprobs| logprobs.choice = index);
        if chunk.pieces.len() > pieces + 1 {
            chunk.pieces[pieces..].sort_by_key(|piece| piece.channel.key().order());
        }
        chunk.finishes.extend(finish.map(|finish| (index, finish)));
        Ok(())
    }
}

impl Chunk<'_> {
    fn logprobs(&mut self, data: &str, value: &RawValue, of: Option<Voice>) {
        if value.get() != "null" {
            let span = span_in(data, value.get());
            self.logprobs.push(Logprobs {
                choice: 0,
                span,
                of,
            });
        }
    }
}
