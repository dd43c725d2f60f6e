//! The parts of messages that are no texts, counted while the JSON of messages is read. Nothing of it is kept.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// How many parts of the messages are no texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText(pub(crate) u64);

impl<'de> Deserialize<'de> for NotText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::Messages.deserialize(deserializer).map(NotText)
    }
}

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Messages,
    Message,
    Content,
    /// A part of a content: a text where it has one `type`, which says so. What else stands in it makes no text of it.
    Part,
    /// A part's type.
    Type,
}

impl At {
    /// What something counts for that is neither a list nor an object.
    fn plain(self, text: &str) -> u64 {
        match self {
            At::Part => 1,
            At::Type => u64::from(!matches!(text, "text" | "refusal")),
            At::Messages | At::Message | At::Content => 0,
        }
    }
}

impl<'de> DeserializeSeed<'de> for At {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let item = match self {
            At::Messages => At::Message,
            At::Content => At::Part,
            At::Message | At::Part | At::Type => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(1);
            }
        };
        let mut count = 0;
        while let Some(of_item) = items.next_element_seed(item)? {
            count += of_item;
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let (mut contents, mut types, mut no_text) = (0, 0, 0);
        while let Some(key) = members.next_key::<String>()? {
            if self == At::Message && key.eq_ignore_ascii_case("content") {
                contents += members.next_value_seed(At::Content)?;
            } else if self == At::Part && key.eq_ignore_ascii_case("type") {
                types += 1;
                no_text += members.next_value_seed(At::Type)?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(match self {
            At::Message => contents,
            At::Part => u64::from(types != 1 || no_text > 0),
            At::Messages | At::Content | At::Type => 1,
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(self.plain(text))
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(self.plain(""))
    }

    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(self.plain(""))
    }

    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(self.plain(""))
    }

    fn visit_u64<E>(self, _: u64) -> Result<u64, E> {
        Ok(self.plain(""))
    }

    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(self.plain(""))
    }
}
