//! JSON written so that members' order and space make no difference.
//!
//! It is written while it is read, and no tree is made of it: a tree takes many times the memory of its text, and whoever sends the text
//! chooses how many times.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// An object, in order of its keys.
pub(crate) struct Body {
    text: String,
    members: Vec<Member>,
}

/// Where in the text a member is.
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

impl Body {
    /// `None`: it is no object.
    pub(crate) fn read(json: &str) -> Option<Body> {
        let mut body = Body {
            text: String::with_capacity(json.len()),
            members: Vec::new(),
        };
        let mut reader = serde_json::Deserializer::from_str(json);
        let object = Outermost(&mut body);
        reader.deserialize_map(object).ok()?;
        reader.end().ok()?;
        Some(body)
    }

    /// Its members: the key, and the value's text.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let member = |member: &Member| {
            let (key, value) = (member.key.clone(), member.value.clone());
            (&self.text[key], &self.text[value])
        };
        self.members.iter().map(member)
    }

    /// The values under a key; several, where it is said more than once.
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let of_key = move |(it, value)| (it == key).then_some(value);
        self.members().filter_map(of_key)
    }
}

struct Outermost<'a>(&'a mut Body);

impl<'de> Visitor<'de> for Outermost<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.members = members(&mut self.0.text, map)?;
        Ok(())
    }
}

/// Writes members as they come, and tells where they are in order of their keys. A key that is said twice keeps its order.
fn members<'de, A: MapAccess<'de>>(out: &mut String, mut map: A) -> Result<Vec<Member>, A::Error> {
    let mut members = Vec::new();
    loop {
        let from = out.len();
        if map.next_key_seed(Writer { out, is_key: true })?.is_none() {
            break;
        }
        let colon = out.len();
        map.next_value_seed(Writer { out, is_key: false })?;
        members.push(Member {
            key: from..colon,
            value: colon..out.len(),
        });
    }
    members.sort_by(|a, b| out[a.key.clone()].cmp(&out[b.key.clone()]));
    Ok(members)
}

/// Writes one value.
struct Writer<'a> {
    out: &'a mut String,
    /// A key is written as it is.
    is_key: bool,
}

impl Writer<'_> {
    fn write<E: Error>(self, value: impl Display) -> Result<(), E> {
        write!(self.out, "{value}").map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write("null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(format_args!("{value:?}"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if self.is_key {
            self.out.push_str(value);
            return Ok(());
        }
        self.write(format_args!("{value:?}"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.out.push('[');
        let (out, is_key) = (self.out, false);
        while items.next_element_seed(Writer { out, is_key })?.is_some() {
            out.push(',');
        }
        out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let from = self.out.len();
        let members = members(self.out, map)?;
        let written = self.out.split_off(from);
        self.out.push('{');
        for Member { key, value } in members {
            let (key, value) = (
                &written[key.start - from..key.end - from],
                &written[value.start - from..value.end - from],
            );
            write!(self.out, "{key:?}:{value},").map_err(A::Error::custom)?;
        }
        self.out.push('}');
        Ok(())
    }
}
